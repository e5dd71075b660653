"""Subjects in a diffusers UNet of the demo's shape with drawn weights: what they change and what not."""

from __future__ import annotations

import copy
from types import SimpleNamespace

import pytest
import torch

from msd_core.adapter import Adapter, LayerTable
from msd_core.auto_layout import AutoLayoutSettings
from msd_core.boxes import Box
from msd_core.demo.config import ADAPTER, CROSS_ATTENTIONS, UNET
from msd_core.embeds import SubjectEmbeds, SubjectTokens
from msd_core.layout import Region
from msd_core.phrases import PromptWords

diffusers = pytest.importorskip("diffusers")

from msd_core.headless.run import SubjectRun  # noqa: E402
from msd_core.headless.schedule import Clock  # noqa: E402
from msd_core.headless.unet import check_layers, cross_attentions, layers_of, subjects_in  # noqa: E402
from training.attention import SubjectAttention  # noqa: E402

CELLS = (20, 20)
BOX = Box(0.1, 0.1, 0.6, 0.6)


class DrawnAdapter(Adapter):
    """Projections of drawn weights."""

    def __init__(self, hidden: int, layers: int) -> None:
        torch.nn.Module.__init__(self)
        shape = (layers, 2, hidden, ADAPTER["output_width"])
        self.weights = torch.nn.Parameter(torch.randn(shape) * ADAPTER["output_width"] ** -0.5)

    @property
    def layers(self) -> LayerTable:
        return LayerTable((self.weights.shape[2],) * len(self.weights), self.weights.shape[3])

    def project(self, tokens):
        for key, value in self.weights:
            yield tokens @ key.T, tokens @ value.T


@pytest.fixture(scope="module")
def unet() -> torch.nn.Module:
    torch.manual_seed(0)
    return diffusers.UNet2DConditionModel(**UNET).eval().requires_grad_(False)


def embeds_in(boxes: list[Box], frames: int = 1, window=(0.0, 0.0, 1.0, 1.0), **settings) -> SubjectEmbeds:
    torch.manual_seed(1)
    adapter = DrawnAdapter(UNET["block_out_channels"][1], len(CROSS_ATTENTIONS)).requires_grad_(False)
    tokens = [torch.randn(frames, ADAPTER["tokens"], ADAPTER["output_width"]) for _ in boxes]
    subjects = tuple(SubjectTokens(t, Region(box), "cat", **settings) for t, box in zip(tokens, boxes, strict=True))
    return SubjectEmbeds(subjects, adapter, window)


def run_of(embeds: SubjectEmbeds, scale: float = 1.0, **inputs) -> SubjectRun:
    projected = embeds.projected(torch.float32, embeds.adapter.project_joint)
    return SubjectRun(embeds, projected, scale, Clock(diffusers.EulerDiscreteScheduler()), **inputs)


def named(*spans: tuple[int, ...]) -> list[PromptWords]:
    """For each prompt, where it names the one subject."""
    return [PromptWords((span,)) for span in spans]


def velocity(
    unet: torch.nn.Module, run: SubjectRun | None, rows: int = 2, timestep: int = 500, guided: bool = True,
    cells=CELLS,
) -> torch.Tensor:
    torch.manual_seed(2)
    latents = torch.randn(1, 4, *cells).expand(rows, -1, -1, -1)
    context = torch.randn(1, 77, UNET["cross_attention_dim"])
    added = {"text_embeds": torch.zeros(rows, 64), "time_ids": torch.full((rows, 6), 160.0)}
    arguments = (latents, torch.tensor(timestep), context.expand(rows, -1, -1))
    if run is None:
        return unet(*arguments, added_cond_kwargs=added).sample
    with subjects_in(SimpleNamespace(unet=unet, do_classifier_free_guidance=guided), run):
        return unet(*arguments, added_cond_kwargs=added).sample


def test_cross_attentions_come_in_the_order_that_the_config_names(unet) -> None:
    named = [unet.get_submodule(name) for name in CROSS_ATTENTIONS]
    assert [id(a) for a in cross_attentions(unet)] == [id(a) for a in named]


def test_the_unconditional_half_stays_bit_identical_and_the_conditional_half_changes(unet) -> None:
    bare, patched = velocity(unet, None), velocity(unet, run_of(embeds_in([BOX])))
    assert torch.equal(patched[0], bare[0])
    assert (patched[1] - bare[1]).abs().max() > 0.01


def test_without_guidance_all_rows_see_the_subjects(unet) -> None:
    bare, patched = velocity(unet, None), velocity(unet, run_of(embeds_in([BOX])), guided=False)
    assert ((patched - bare).abs().amax(dim=(1, 2, 3)) > 0.01).all()


def test_scale_zero_is_the_bare_model(unet) -> None:
    torch.testing.assert_close(velocity(unet, run_of(embeds_in([BOX]), 0.0)), velocity(unet, None), atol=1e-6, rtol=0)


def test_a_subject_outside_its_part_of_the_noise_schedule_does_not_act(unet) -> None:
    run = run_of(embeds_in([BOX], start=0.5))
    bare = velocity(unet, None, timestep=600)
    torch.testing.assert_close(velocity(unet, run, timestep=600), bare, atol=1e-6, rtol=0)
    assert (velocity(unet, run, timestep=400) - velocity(unet, None, timestep=400)).abs().max() > 0.01


def test_from_its_first_step_auto_layout_rules_in_the_place_of_the_boxes(unet) -> None:
    """Before it the boxes do, to the bit."""
    embeds = embeds_in([BOX])
    boxes = velocity(unet, run_of(embeds))
    run = run_of(embeds, auto_layout=AutoLayoutSettings(start_step=2, method="paper"), words=named((2, 3)))
    assert torch.equal(velocity(unet, run), boxes)
    assert (velocity(unet, run) - boxes)[1].abs().max() > 1e-3
    absent = run_of(embeds, auto_layout=AutoLayoutSettings(start_step=1, method="paper"), words=named(()))
    assert torch.equal(velocity(unet, absent), boxes)


def test_each_prompt_s_images_have_its_own_auto_layout(unet) -> None:
    embeds, settings = embeds_in([BOX]), AutoLayoutSettings(start_step=1, method="paper")
    here, there = (velocity(unet, run_of(embeds, auto_layout=settings, words=named(span))) for span in ((2, 3), (5,)))
    both = velocity(unet, run_of(embeds, auto_layout=settings, words=named((2, 3), (5,))), rows=4)
    torch.testing.assert_close(both[2:], torch.stack([here[1], there[1]]), atol=1e-5, rtol=0)
    assert (here - there).abs().max() > 1e-3


def test_steady_regions_rule_from_the_step_after_their_start(unet) -> None:
    """Timesteps 900, 700 and 500 of 1000: boxes, then what was seen before the start, then it goes on."""
    embeds = embeds_in([Box(0.0, 0.0, 0.5, 0.5)])
    run = run_of(embeds, auto_layout=AutoLayoutSettings(), words=named((2, 3)), layers=(1, 2))
    boxes = run_of(embeds)
    assert torch.equal(velocity(unet, run, timestep=900), velocity(unet, boxes, timestep=900))
    velocity(unet, run, timestep=700)
    assert run.auto_layout.boxes() and run.without_effect() == []
    (box,), = run.auto_layout.boxes()
    placed = run_of(embeds_in([Box(*box)]))
    torch.testing.assert_close(velocity(unet, run, timestep=500), velocity(unet, placed, timestep=500))


def test_each_prompt_s_images_have_steady_regions_of_their_own(unet) -> None:
    embeds, settings = embeds_in([Box(0.0, 0.0, 1.0, 1.0)]), AutoLayoutSettings(boxes_before=False)
    both = run_of(embeds, auto_layout=settings, words=named((2, 3), (5,)), layers=(1, 2))
    here, there = (run_of(embeds, auto_layout=settings, words=named(span), layers=(1, 2)) for span in ((2, 3), (5,)))
    for timestep in (900, 600, 500):
        together = velocity(unet, both, rows=4, timestep=timestep)
        alone = [velocity(unet, run, timestep=timestep)[1] for run in (here, there)]
        torch.testing.assert_close(together[2:], torch.stack(alone), atol=1e-5, rtol=0)
    assert both.auto_layout.boxes() == here.auto_layout.boxes() + there.auto_layout.boxes()


def test_a_window_of_the_frame_shows_its_part_of_the_layout(unet) -> None:
    """A box that lies in the left half has no part in the right one."""
    left = Box(0.0, 0.0, 0.5, 1.0)
    inside, outside = (
        velocity(unet, run_of(embeds_in([left], window=(x, 0.0, x + 0.5, 1.0)))) for x in (0.0, 0.5)
    )
    everywhere = velocity(unet, run_of(embeds_in([Box(0.0, 0.0, 1.0, 1.0)])))
    assert torch.equal(inside, everywhere)
    torch.testing.assert_close(outside, velocity(unet, None), atol=1e-6, rtol=0)


def test_frames_belong_to_the_images_in_their_order(unet) -> None:
    embeds = embeds_in([BOX], frames=2)
    first, second = velocity(unet, run_of(embeds), rows=4)[2:]
    assert (first - second).abs().max() > 0.01
    with pytest.raises(ValueError, match="hold 2 frames, one for each image, but 3 images are made: make 2"):
        velocity(unet, run_of(embeds), rows=6)


def test_the_unet_is_as_it_was_after_the_run(unet) -> None:
    def hooks() -> int:
        return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in unet.modules())

    before, processors = hooks(), [attention.processor for attention in cross_attentions(unet)]
    velocity(unet, run_of(embeds_in([BOX])))
    with pytest.raises(ValueError):
        velocity(unet, run_of(embeds_in([BOX], frames=2)), rows=6)
    assert hooks() == before == 0
    assert [attention.processor for attention in cross_attentions(unet)] == processors


def test_processors_that_others_have_set_stay_and_the_subjects_are_added_to_what_they_make(unet) -> None:
    from diffusers.models.attention_processor import AttnProcessor

    class Halved(AttnProcessor):
        def __call__(self, *args, **kwargs):
            return super().__call__(*args, **kwargs) / 2

    embeds, kept = embeds_in([BOX]), unet.attn_processors
    plain = velocity(unet, run_of(embeds))
    try:
        unet.set_attn_processor(AttnProcessor())  # the same by another formula
        torch.testing.assert_close(velocity(unet, run_of(embeds)), plain, atol=1e-4, rtol=0)
        unet.set_attn_processor({
            name: Halved() if "attn2" in name else processor for name, processor in kept.items()
        })
        halved, bare = velocity(unet, run_of(embeds)), velocity(unet, None)
        assert (halved - plain)[0].abs().max() > 0.01
        assert torch.equal(halved[0], bare[0]) and (halved[1] - bare[1]).abs().max() > 0.01
    finally:
        unet.set_attn_processor(kept)


def test_cross_attentions_that_the_subjects_do_not_reach_are_refused(unet) -> None:
    from diffusers.models.attention_processor import AttnProcessor

    class Elsewhere(AttnProcessor):
        def __call__(self, attn, hidden_states, *args, **kwargs):
            return hidden_states

    kept = unet.attn_processors
    try:
        unet.set_attn_processor({
            name: Elsewhere() if name.startswith(CROSS_ATTENTIONS[1]) else processor
            for name, processor in kept.items()
        })
        with pytest.raises(ValueError, match="reached 3 of the base model's 4 cross-attentions.*undo torch.compile"):
            velocity(unet, run_of(embeds_in([BOX])))
    finally:
        unet.set_attn_processor(kept)


def test_maps_that_the_latents_do_not_halve_to_are_refused(unet) -> None:
    run = run_of(embeds_in([BOX]))
    run.begin(torch.zeros(1, 4, 20, 24), 500, guided=False)
    with pytest.raises(ValueError, match="has 100 positions, but latents of 24x20 cells halve to 6x5: take off what"):
        run.add(torch.zeros(1, 100, 128), torch.zeros(1, 100, 128), torch.zeros(1, 77, 128), 0, 4)


def test_an_adapter_of_another_layout_is_refused(unet) -> None:
    wanted = type(layers_of(unet))((640,) * 70, 2048)
    with pytest.raises(ValueError, match=r"4 cross-attentions \(4x128\).* made for 70 cross-attentions \(70x640\)"):
        check_layers(layers_of(unet), wanted)


def test_an_ip_adapter_s_processors_stay_and_both_act(unet) -> None:
    from diffusers.models.attention_processor import IPAdapterAttnProcessor2_0

    def predicted(run: SubjectRun | None, shown: float) -> torch.Tensor:
        torch.manual_seed(2)
        latents, text = torch.randn(2, 4, *CELLS), torch.randn(2, 77, UNET["cross_attention_dim"])
        image = shown * torch.randn(2, 1, 4, UNET["cross_attention_dim"])
        added = {"text_embeds": torch.zeros(2, 64), "time_ids": torch.full((2, 6), 160.0)}
        arguments = (latents, torch.tensor(500), (text, [image]))
        if run is None:
            return unet(*arguments, added_cond_kwargs=added).sample
        with subjects_in(SimpleNamespace(unet=unet, do_classifier_free_guidance=True), run):
            return unet(*arguments, added_cond_kwargs=added).sample

    kept = unet.attn_processors
    width = UNET["block_out_channels"][1]
    torch.manual_seed(3)
    try:
        unet.set_attn_processor({
            name: IPAdapterAttnProcessor2_0(width, UNET["cross_attention_dim"]) if "attn2" in name else processor
            for name, processor in kept.items()
        })
        alone, both = predicted(None, 1.0), predicted(run_of(embeds_in([BOX])), 1.0)
        assert torch.equal(both[0], alone[0]) and (both[1] - alone[1]).abs().max() > 0.01
        assert (both - predicted(run_of(embeds_in([BOX])), 5.0)).abs().max() > 1e-3
    finally:
        unet.set_attn_processor(kept)


def test_what_the_training_adds_is_what_the_pipeline_adds(unet) -> None:
    """And the subjects' tokens learn by it."""
    embeds = embeds_in([Box(0.0, 0.0, 1.0, 1.0)])
    piped = velocity(unet, run_of(embeds), rows=1, guided=False)
    student = copy.deepcopy(unet)
    subjects = SubjectAttention(student)
    tokens = embeds.subjects[0].tokens[None].requires_grad_()
    subjects.set(embeds.adapter, tokens, [[embeds.subjects[0].region]], CELLS)
    taught = velocity(student, None, rows=1)
    torch.testing.assert_close(taught, piped, atol=1e-5, rtol=0)
    taught.square().mean().backward()
    assert tokens.grad.abs().max() > 0
