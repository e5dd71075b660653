"""Blending subjects: exact at its ends, monotonic between them."""

from dataclasses import fields, replace
from types import SimpleNamespace

import pytest
import torch

from msd_core.blend import blend_embeds
from msd_core.boxes import Box
from msd_core.embeds import SubjectEmbeds, SubjectTokens
from msd_core.layout import Region, region_cells
from msd_core.overlap import with_overlap
from msd_core.painted import PaintedMask

ADAPTER = SimpleNamespace(name="ms_adapter.bin")
LEFT = Box(0.0, 0.0, 0.5, 1.0)
TILE = (0.5, 0.0, 1.0, 0.5)


def embeds(seed, count=2, weight=1.0, box=LEFT, adapter=ADAPTER, tokens=4, name="subject", run=(0.0, 1.0), **others):
    generator = torch.Generator().manual_seed(seed)
    return SubjectEmbeds(tuple(
        SubjectTokens(torch.randn(1, tokens, 6, generator=generator), Region(box), f"{name} {index}", weight, *run)
        for index in range(count)
    ), adapter, **others)


@pytest.mark.parametrize("mode", ["linear", "slerp"])
def test_the_ends_are_exactly_the_plain_subjects(mode):
    a = embeds(0, window=TILE, frame=(64, 64))
    b = embeds(
        1, weight=2.0, box=Box(0.5, 0.0, 1.0, 1.0, "hat"), name="hat", run=(0.2, 0.7), window=TILE, frame=(96, 96)
    )
    for amount, expected in ((0.0, a), (1.0, b)):
        blended = blend_embeds(a, b, amount, mode)
        for field in fields(SubjectEmbeds):
            if field.name != "subjects":
                assert getattr(blended, field.name) == getattr(expected, field.name), field.name
        for ours, theirs in zip(blended.subjects, expected.subjects, strict=True):
            assert torch.equal(ours.tokens, theirs.tokens)
            assert ours.region.box == theirs.region.box
            for field in fields(SubjectTokens)[1:]:
                assert getattr(ours, field.name) == getattr(theirs, field.name), field.name


def test_a_blend_takes_from_the_nearer_side_what_cannot_be_mixed():
    a = embeds(0, name="dog", run=(0.0, 0.5), box=Box(0.0, 0.0, 0.5, 1.0, "dog", "#ff0000"))
    b = embeds(1, name="hat", run=(0.2, 0.7), box=Box(0.5, 0.0, 1.0, 1.0, "hat", "#0000ff"))
    for amount, nearer in ((0.25, a), (0.75, b)):
        for ours, theirs in zip(blend_embeds(a, b, amount, "linear").subjects, nearer.subjects, strict=True):
            assert (ours.phrase, ours.start, ours.end) == (theirs.phrase, theirs.start, theirs.end)
            assert (ours.region.box.label, ours.region.box.color) == (theirs.region.box.label, theirs.region.box.color)


    same = replace(b, subjects=tuple(
        replace(subject, region=Region(Box(*LEFT.edges, "hat"))) for subject in b.subjects
    ))
    for amount, label in ((0.25, "dog"), (0.75, "hat")):
        assert blend_embeds(a, same, amount, "linear").subjects[0].region.box.label == label


def test_the_ends_of_different_free_form_regions_are_exact_and_nothing_lies_between():
    a, b = (replace(embeds(seed), subjects=tuple(
        replace(subject, region=Region.from_mask(torch.eye(4)[: seed + 2])) for subject in embeds(seed).subjects
    )) for seed in (0, 1))
    assert blend_embeds(a, b, 0.0, "linear").subjects[0].region == a.subjects[0].region
    assert blend_embeds(a, b, 1.0, "linear").subjects[0].region == b.subjects[0].region
    with pytest.raises(ValueError, match="different free-form regions"):
        blend_embeds(a, b, 0.5, "linear")


def test_one_painted_shape_goes_with_its_box_and_two_have_nothing_between():
    mask, other = PaintedMask(2, 2, "0120"), PaintedMask(1, 2, "11")
    a = embeds(0, box=Box(0.0, 0.0, 0.5, 1.0, mask=mask))
    b = embeds(1, box=Box(0.5, 0.0, 1.0, 1.0, mask=mask))
    assert blend_embeds(a, b, 0.5, "linear").subjects[0].region == Region(Box(0.25, 0.0, 0.75, 1.0, mask=mask))
    for shape in (other, None):
        b = embeds(1, box=Box(0.0, 0.0, 0.5, 1.0, mask=shape))
        assert blend_embeds(a, b, 1.0, "linear").subjects[0].region == b.subjects[0].region
        with pytest.raises(ValueError, match="different free-form regions"):
            blend_embeds(a, b, 0.5, "linear")


def test_between_two_layouts_that_share_nothing_nothing_is_shared_either():
    def placed(seed, overlap, *boxes):
        regions = with_overlap([Region(box) for box in boxes], overlap, 64, 64)
        plain = embeds(seed)
        pairs = zip(plain.subjects, regions, strict=True)
        return replace(plain, subjects=tuple(replace(subject, region=region) for subject, region in pairs))

    left, right = Box(0.0, 0.0, 0.6, 1.0, z=1), Box(0.4, 0.0, 1.0, 1.0)
    low, high = Box(0.0, 0.4, 0.6, 1.0, z=1), Box(0.4, 0.0, 1.0, 0.8)
    for overlap in ("front", "nearest"):
        a, b = placed(0, overlap, left, right), placed(1, overlap, low, high)
        between = blend_embeds(a, b, 0.5, "linear").regions
        boxes = [Region(Box(0.0, 0.2, 0.6, 1.0, z=1)), Region(Box(0.4, 0.0, 1.0, 0.9))]
        assert tuple(between) == with_overlap(boxes, overlap, 64, 64)
        assert region_cells(between, 8, 8).sum(dim=0).max() == 1
        assert blend_embeds(a, placed(1, overlap, left, right), 0.5, "linear").regions == a.regions
    for other in ("mix", "nearest"):
        with pytest.raises(ValueError, match="have layouts with different overlap, front of 2 and .*: set both to one"):
            blend_embeds(placed(0, "front", left, right), placed(1, other, left, right), 0.5, "linear")


@pytest.mark.parametrize("frames", [1, 3])
@pytest.mark.parametrize("of_a, of_b", [((64, 32), (64, 32)), (None, (64, 32)), ((64, 32), None), (None, None)])
def test_a_blend_keeps_the_part_of_the_frame_and_the_frames_size(frames, of_a, of_b):
    a, b = embeds(0, window=TILE, frame=of_a), embeds(1, window=TILE, frame=of_b)
    blended = blend_embeds(a, b, 0.5, "linear", frames)
    assert blended.window == TILE
    assert blended.frame == (of_a or of_b)


def test_a_transition_between_two_names_has_a_name_of_its_own():
    """Not a's alone, or auto layout would look for a's word in the images that show b."""
    blended = blend_embeds(embeds(0, name="dog"), embeds(1, name="hat"), 0.5, "linear", frames=3)
    assert [subject.phrase for subject in blended.subjects] == ["dog 0 to hat 0", "dog 1 to hat 1"]
    same = blend_embeds(embeds(0, name="dog"), embeds(1, name="dog"), 0.5, "linear", frames=3)
    assert [subject.phrase for subject in same.subjects] == ["dog 0", "dog 1"]


def test_two_transitions_of_as_many_frames_blend_frame_by_frame():
    first, second = (blend_embeds(embeds(seed), embeds(seed + 1), 0, "linear", frames=3) for seed in (0, 2))
    blended = blend_embeds(first, second, 0.5, "linear")
    assert blended.frames == 3
    expected = torch.lerp(first.subjects[0].tokens[1], second.subjects[0].tokens[1], 0.5)
    assert torch.equal(blended.subjects[0].tokens[1], expected)


@pytest.mark.parametrize("mode", ["linear", "slerp"])
def test_a_batch_of_frames_runs_from_end_to_end(mode):
    a, b = embeds(0), embeds(1)
    blended = blend_embeds(a, b, 0.9, mode, frames=5)
    assert blended.frames == 5
    tokens = blended.subjects[0].tokens
    assert torch.equal(tokens[:1], a.subjects[0].tokens)
    assert torch.equal(tokens[-1:], b.subjects[0].tokens)
    assert torch.allclose(tokens[1:2], blend_embeds(a, b, 0.25, mode).subjects[0].tokens, atol=1e-6)
    steps = [(tokens[frame] - b.subjects[0].tokens).norm().item() for frame in range(5)]
    assert steps == sorted(steps, reverse=True)


def test_slerp_keeps_lengths_where_linear_shrinks_them():
    a, b = embeds(0), embeds(1)
    a, b = (replace(x, subjects=tuple(
        replace(s, tokens=s.tokens / s.tokens.norm(dim=-1, keepdim=True)) for s in x.subjects)) for x in (a, b))
    turned = blend_embeds(a, b, 0.5, "slerp").subjects[0].tokens.norm(dim=-1)
    mixed = blend_embeds(a, b, 0.5, "linear").subjects[0].tokens.norm(dim=-1)
    assert torch.allclose(turned, torch.ones_like(turned), atol=1e-5)
    assert (mixed < turned).all()


def test_slerp_between_equal_and_opposite_tokens_stays_finite():
    a = embeds(0)
    opposite = replace(a, subjects=tuple(replace(s, tokens=-s.tokens) for s in a.subjects))
    for b in (a, opposite):
        assert torch.isfinite(blend_embeds(a, b, 0.5, "slerp").subjects[0].tokens).all()
    same = blend_embeds(a, a, 0.3, "slerp").subjects[0].tokens
    assert torch.allclose(same, a.subjects[0].tokens, atol=1e-6)


def test_boxes_and_weights_move_with_the_amount():
    a, b = embeds(0, weight=1.0), embeds(1, weight=2.0, box=Box(0.5, 0.0, 1.0, 1.0))
    subject = blend_embeds(a, b, 0.5, "linear").subjects[0]
    assert subject.region.box.edges == (0.25, 0.0, 0.75, 1.0)
    assert subject.weight == 1.5


@pytest.mark.parametrize("b, amount, frames, words", [
    (embeds(1, count=3), 0.5, 1, "2 subjects and embeds_b have 3"),
    (embeds(1, adapter=SimpleNamespace(name="other.bin")), 0.5, 1, "ms_adapter.bin and embeds_b from other.bin"),
    (embeds(1, tokens=8), 0.5, 1, r"\[1, 4, 6\] and \[1, 8, 6\]"),
    (embeds(1), 1.5, 1, "amount is 1.5"),
    (embeds(1), 0.5, 0, "0 frames"),
    (embeds(1, weight=2.0), 0.5, 4, "different boxes or weights"),
    (embeds(1, run=(0.2, 0.7)), 0.5, 4, r"different parts of the run \(0 to 1 and 0.2 to 0.7\), which all 4 frames"),
    (embeds(1, run=(0.0, 0.7)), 0.5, 4, "0 to 1 and 0 to 0.7"),
    (embeds(1, run=(0.2, 1.0)), 0.5, 4, "0 to 1 and 0.2 to 1"),
    (embeds(1, window=TILE), 0.5, 1, "embeds_a show the whole frame and embeds_b show its part 0.5, 0, 1, 0.5: blend"),
    (embeds(1, window=TILE), 1.0, 1, "embeds_b show its part"),
    (embeds(1, window=TILE), 0.5, 4, "embeds_b show its part"),
    (embeds(1, frame=(96, 64)), 0.5, 1, "layout of 64x64 pixels and embeds_b one of 96x64, of another aspect: encode"),
    (embeds(1, frame=(96, 64)), 1.0, 1, "embeds_b one of 96x64"),
    (embeds(1), float("nan"), 1, "amount is nan"),
])
def test_what_does_not_fit_together_is_refused(b, amount, frames, words):
    with pytest.raises(ValueError, match=words):
        blend_embeds(embeds(0, frame=(64, 64)), b, amount, "linear", frames)


def test_a_transition_of_transitions_is_refused():
    moving = blend_embeds(embeds(0), embeds(1), 0, "linear", frames=3)
    with pytest.raises(ValueError, match="transitions of 3 frames already but 5 frames are asked for: set frames to 1"):
        blend_embeds(moving, moving, 0, "linear", frames=5)
