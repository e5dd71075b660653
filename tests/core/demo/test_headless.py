"""The diffusers engine on a UNet of the demo's shape with drawn weights: what subjects change and what not."""

from __future__ import annotations

import pytest
import torch

from msd_core.auto_layout import AutoLayoutSettings
from msd_core.boxes import Box
from msd_core.demo.config import ADAPTER, CROSS_ATTENTIONS, UNET
from msd_core.embeds import SubjectEmbeds, SubjectTokens
from msd_core.headless.command import parse_subject
from msd_core.layout import Region

diffusers = pytest.importorskip("diffusers")

from msd_core.headless.engine import host_sigmas  # noqa: E402
from msd_core.headless.processors import SubjectRun, check_layers, cross_attentions, subjects_in  # noqa: E402

CELLS = (20, 20)


class DrawnAdapter(torch.nn.Module):
    """Projections of drawn weights under the adapter's interface."""

    def __init__(self, hidden: int, layers: int) -> None:
        super().__init__()
        shape = (layers, 2, hidden, ADAPTER["output_width"])
        self.weights = torch.nn.Parameter(torch.randn(shape) * ADAPTER["output_width"] ** -0.5)

    @property
    def layers(self) -> str:
        return "another layout"

    def project(self, tokens):
        for key, value in self.weights:
            yield tokens @ key.T, tokens @ value.T


@pytest.fixture(scope="module")
def unet() -> torch.nn.Module:
    torch.manual_seed(0)
    return diffusers.UNet2DConditionModel(**UNET).eval().requires_grad_(False)


def embeds_in(boxes: list[Box]) -> SubjectEmbeds:
    torch.manual_seed(1)
    adapter = DrawnAdapter(UNET["block_out_channels"][1], len(CROSS_ATTENTIONS)).requires_grad_(False)
    tokens = [torch.randn(1, ADAPTER["tokens"], ADAPTER["output_width"]) for _ in boxes]
    return SubjectEmbeds(
        tuple(SubjectTokens(t, Region(box), "cat") for t, box in zip(tokens, boxes, strict=True)), adapter
    )


def velocity(unet: torch.nn.Module, run: SubjectRun | None, rows: int = 2) -> torch.Tensor:
    torch.manual_seed(2)
    latents = torch.randn(1, 4, *CELLS).expand(rows, -1, -1, -1)
    context = torch.randn(1, 77, UNET["cross_attention_dim"])
    added = {"text_embeds": torch.zeros(rows, 64), "time_ids": torch.full((rows, 6), 160.0)}
    arguments = (latents, 500, context.expand(rows, -1, -1))
    if run is None:
        return unet(*arguments, added_cond_kwargs=added).sample
    with subjects_in(unet, run):
        return unet(*arguments, added_cond_kwargs=added).sample


def test_cross_attentions_come_in_the_order_that_the_config_names(unet) -> None:
    named = [unet.get_submodule(name) for name in CROSS_ATTENTIONS]
    assert [id(a) for a in cross_attentions(unet)] == [id(a) for a in named]


def test_the_unconditional_half_stays_bit_identical_and_the_conditional_half_changes(unet) -> None:
    run = SubjectRun(embeds_in([Box(0.1, 0.1, 0.6, 0.6)]), 1.0, CELLS, guided=True)
    bare, patched = velocity(unet, None), velocity(unet, run)
    assert torch.equal(patched[0], bare[0])
    assert (patched[1] - bare[1]).abs().max() > 0.01


def test_scale_zero_is_the_bare_model(unet) -> None:
    run = SubjectRun(embeds_in([Box(0.1, 0.1, 0.6, 0.6)]), 0.0, CELLS, guided=True)
    torch.testing.assert_close(velocity(unet, run), velocity(unet, None), atol=1e-6, rtol=0)


def test_a_subject_outside_its_share_of_the_run_does_not_act(unet) -> None:
    embeds = embeds_in([Box(0.1, 0.1, 0.6, 0.6)])
    late = SubjectEmbeds((SubjectTokens(embeds.subjects[0].tokens, embeds.subjects[0].region, "cat", start=0.5),),
                         embeds.adapter)
    run = SubjectRun(late, 1.0, CELLS, guided=True)
    torch.testing.assert_close(velocity(unet, run), velocity(unet, None), atol=1e-6, rtol=0)
    run.at_step(1, 2)
    assert (velocity(unet, run) - velocity(unet, None)).abs().max() > 0.01


def test_from_its_first_step_auto_layout_rules_in_the_place_of_the_boxes(unet) -> None:
    """Before it the boxes do, to the bit."""
    embeds, spans = embeds_in([Box(0.1, 0.1, 0.6, 0.6)]), [(2, 3)]
    boxes = velocity(unet, SubjectRun(embeds, 1.0, CELLS, guided=True))
    run = SubjectRun(embeds, 1.0, CELLS, guided=True, auto_layout=AutoLayoutSettings(start_step=2), spans=spans)
    assert torch.equal(velocity(unet, run), boxes)
    run.at_step(1, 20)
    assert (velocity(unet, run) - boxes)[1].abs().max() > 1e-3
    absent = SubjectRun(embeds, 1.0, CELLS, guided=True, auto_layout=AutoLayoutSettings(start_step=1), spans=[()])
    assert torch.equal(velocity(unet, absent), boxes)


def test_the_processors_are_gone_after_the_run(unet) -> None:
    before = [attention.processor for attention in cross_attentions(unet)]
    velocity(unet, SubjectRun(embeds_in([Box(0.1, 0.1, 0.6, 0.6)]), 1.0, CELLS, guided=True))
    assert [attention.processor for attention in cross_attentions(unet)] == before


def test_a_picture_whose_maps_do_not_halve_evenly_is_refused(unet) -> None:
    run = SubjectRun(embeds_in([Box(0.1, 0.1, 0.6, 0.6)]), 1.0, (20, 24), guided=True)
    with pytest.raises(ValueError, match="divisible by 32"):
        velocity(unet, run)


def test_an_adapter_of_another_layout_is_refused(unet) -> None:
    with pytest.raises(ValueError, match=r"4 cross-attentions \(4x128\).*another layout"):
        check_layers(unet, embeds_in([Box(0, 0, 1, 1)]).adapter)


def test_sigmas_fall_from_the_schedules_highest_to_its_lowest() -> None:
    scheduler = diffusers.EulerDiscreteScheduler(beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear")
    sigmas = host_sigmas(scheduler, 20)
    assert sigmas == sorted(sigmas, reverse=True)
    assert sigmas[0] == pytest.approx(14.6146, abs=1e-3) and sigmas[-1] == pytest.approx(0.0292, abs=1e-3)


def test_a_subject_option_holds_picture_phrase_and_box() -> None:
    option = parse_subject('C:\\photos\\dog.png:"red dog":0,0.25,0.5,0.75')
    assert option.picture == "C:\\photos\\dog.png" and option.phrase == "red dog"
    assert option.box.edges == (0, 0.25, 0.5, 0.75)


@pytest.mark.parametrize("text", ["dog.png", "dog.png:dog", "dog.png:dog:0,1,2", "dog.png:dog:a,b,c,d"])
def test_a_subject_option_that_cannot_be_read_says_how_to_write_it(text: str) -> None:
    with pytest.raises(ValueError, match=r"write .*0,0.25,0.5,0.75"):
        parse_subject(text)
