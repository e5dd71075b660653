"""Blending subjects: exact at its ends, monotonic between them."""

from dataclasses import replace
from types import SimpleNamespace

import pytest
import torch

from msd_core.blend import blend_embeds
from msd_core.boxes import Box
from msd_core.embeds import SubjectEmbeds, SubjectTokens
from msd_core.layout import Region

ADAPTER = SimpleNamespace(name="ms_adapter.bin")
LEFT = Box(0.0, 0.0, 0.5, 1.0)


def embeds(seed, count=2, weight=1.0, box=LEFT, adapter=ADAPTER, tokens=4):
    generator = torch.Generator().manual_seed(seed)
    return SubjectEmbeds(tuple(
        SubjectTokens(torch.randn(1, tokens, 6, generator=generator), Region(box), f"subject {index}", weight)
        for index in range(count)
    ), adapter)


@pytest.mark.parametrize("mode", ["linear", "slerp"])
def test_the_ends_are_exactly_the_plain_subjects(mode):
    a, b = embeds(0), embeds(1, weight=2.0, box=Box(0.5, 0.0, 1.0, 1.0))
    for amount, expected in ((0.0, a), (1.0, b)):
        blended = blend_embeds(a, b, amount, mode)
        for ours, theirs in zip(blended.subjects, expected.subjects, strict=True):
            assert torch.equal(ours.tokens, theirs.tokens)
            assert (ours.region, ours.weight, ours.phrase) == (theirs.region, theirs.weight, theirs.phrase)


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
])
def test_what_does_not_fit_together_is_refused(b, amount, frames, words):
    with pytest.raises(ValueError, match=words):
        blend_embeds(embeds(0), b, amount, "linear", frames)
