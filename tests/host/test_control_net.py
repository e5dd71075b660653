"""The demo's ControlNet beside the adapter, through the host's nodes: lines are the sketch's, looks are the photos'."""

import zlib
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from msd_core.demo import config
from msd_core.demo.weights import read_weights
from tests.host.test_meaning import nearness

SIDE, REACH = config.SCENE_SIZE, 1
BOXES = ((0.0, 0.45, 0.5, 0.95), (0.5, 0.1, 1.0, 0.6))
CASES = (
    ("sea", ("fish", 47), ("rocket", 1)),
    ("beach", ("car", 49), ("mug", 51)),
    ("snow", ("fish", 8), ("rocket", 16)),
)
"""Scenes with two drawn subjects each, which lean, and of which most face away from the picture's middle."""
PACKED = 0.65e6
"""Bytes that the ControlNet may take of the packed node pack."""


@dataclass(frozen=True)
class Case:
    """A scene with two subjects, and their sketch.

    Attributes:
        model: the UNet with the adapter on the subjects.
        sketch: `[1, SIDE, SIDE, 3]`, white lines on black.
        colors: each subject's two colours, `[2, 2, 3]`.
    """

    prompt: str
    model: object
    sketch: torch.Tensor
    colors: torch.Tensor


@dataclass(frozen=True)
class Made:
    """A case's pictures `[SIDE, SIDE, 3]`: with adapter and ControlNet, and with either alone."""

    case: Case
    both: torch.Tensor
    adapter: torch.Tensor
    control: torch.Tensor


class Template:
    """The template's graph, by the functions of its nodes."""

    def __init__(self, host, studio):
        self.host, self.studio, self.demo = host, studio, studio.demo

    def case(self, scene, *drawings) -> Case:
        drawn, sprites = self.host.module("msd_core.demo.world"), self.host.module("msd_core.demo.sprites")
        subjects, colors = [], []
        for kind, seed in drawings:
            image, _, phrase = self.host.call("MSDiffusionDemoSubject", kind=kind, seed=seed, size=256)
            subjects.append(self.studio.subject_of(image, phrase))
            identity = drawn.sample_identity(np.random.default_rng(seed), kind=kind, held_out=True)
            colors.append([sprites.COLOURS[name] for name in (identity.main, identity.second)])
        layout = self.studio.layout(BOXES, SIDE, SIDE)
        collage = self.host.call(
            "MSDiffusionCollage", layout=layout, background=torch.ones(1, SIDE, SIDE, 3), fit="whole",
            subjects={f"subject{index}": subject for index, subject in enumerate(subjects)},
        )[0]  # fmt: skip
        model = self.studio.apply(self.studio.encode(layout=layout, subjects=subjects), scale=config.ADAPTER_SCALE)
        prompt = drawn.caption(scene, [kind for kind, _ in drawings])
        return Case(prompt, model, self.canny(collage, 0.4, 0.8), torch.tensor(colors))

    def canny(self, image, low, high):
        return self.host.call("Canny", image=image, low_threshold=low, high_threshold=high)[0]

    def picture(self, case: Case, control_net=None):
        positive, negative = (self.host.call("CLIPTextEncode", clip=self.demo.clip, text=text)[0]
                              for text in (case.prompt, ""))  # fmt: skip
        if control_net is not None:
            positive, negative = self.host.call(
                "ControlNetApplyAdvanced", positive=positive, negative=negative, control_net=control_net,
                image=case.sketch, strength=1.0, start_percent=0.0, end_percent=1.0,
            )  # fmt: skip
        latent = self.studio.sample(
            case.model, (SIDE // 8, SIDE // 8), steps=config.STEPS, cfg=config.GUIDANCE, seed=5, positive=positive,
            negative=negative,
        )  # fmt: skip
        return self.host.call("VAEDecode", vae=self.demo.vae, samples={"samples": latent})[0][0]

    def found(self, picture, case: Case) -> float:
        """Share of the sketch's lines that an edge of the picture follows."""
        lines, edges = case.sketch[0, ..., 0] > 0.5, self.canny(picture[None], 0.1, 0.3)[..., 0]
        near = F.max_pool2d(edges, 2 * REACH + 1, 1, REACH)[0] > 0.5
        return ((near & lines).sum() / lines.sum()).item()


@pytest.fixture(scope="module")
def template(host, studio):
    return Template(host, studio)


@pytest.fixture(scope="module")
def made(template) -> list[Made]:
    net, pictures = template.demo.control_net, []
    for row in CASES:
        case = template.case(*row)
        bare = replace(case, model=template.demo.model)
        pictures.append(Made(case, template.picture(case, net), template.picture(case), template.picture(bare, net)))
    return pictures


def test_a_picture_follows_the_lines_of_the_sketch_and_without_the_control_net_it_does_not(template, made):
    follow, without = (torch.tensor([template.found(getattr(one, name), one.case) for one in made])
                       for name in ("both", "adapter"))  # fmt: skip
    assert follow.min() > 0.8
    assert (follow - without).min() > 0.15


def test_along_the_sketch_the_subjects_are_still_those_of_the_photos(made):
    """Without the adapter the same sketch is filled with other colours."""
    own, other, bare = (
        torch.tensor([
            nearness(getattr(one, name), one.case.colors[k if mine else 1 - k], box)
            for one in made for k, box in enumerate(BOXES)
        ])
        for name, mine in (("both", True), ("both", False), ("control", True))
    )  # fmt: skip
    assert (own < other).all()
    assert own.max() < 0.12
    assert own.mean() < 0.3 * bare.mean()


def test_the_lines_come_from_the_weights(template, made):
    """The same file with zeros in the way back to the UNet changes nothing of the picture."""
    import comfy.controlnet

    state = read_weights(config.CONTROL_NET_FILE)
    back = {key: torch.zeros_like(value) for key, value in state.items() if key.startswith(("zero_convs", "middle_"))}
    silent = comfy.controlnet.load_controlnet_state_dict(state | back)
    assert torch.equal(template.picture(made[0].case, silent), made[0].adapter)


def test_the_file_fits_the_demo_unet_and_packs_small(demo):
    state = read_weights(config.CONTROL_NET_FILE)
    net = running(demo, state)
    weights = dict(net.named_modules())
    moved = {key.removesuffix(".up") for key in state if key.endswith(".up")}
    assert moved == {key.removesuffix(".down") for key in state if key.endswith(".down")}
    for name in moved:
        up, down, weight = state[f"{name}.up"], state[f"{name}.down"], weights[name].weight
        assert (len(up), down.shape[1], up.shape[1]) == (len(weight), weight[0].numel(), len(down))
    assert all(torch.isfinite(value).all() for value in state.values())
    assert len(zlib.compress(config.CONTROL_NET_FILE.read_bytes())) < PACKED


def running(demo, state):
    """A control-LoRA's network, as the host builds it for a run on the demo UNet."""
    import comfy.controlnet

    control, model = comfy.controlnet.load_controlnet_state_dict(state), demo.model.model
    control.pre_run(model, model.model_sampling.percent_to_sigma)
    return control.control_model


def test_training_finds_the_lines_that_the_node_finds(template, made):
    from training.sketches import find_lines

    picture = made[0].adapter.detach()
    ours = find_lines(picture.numpy(), 0.4, 0.8)
    assert ours.any() and np.array_equal(ours, template.canny(picture[None], 0.4, 0.8)[0, ..., 0] > 0.5)


def test_what_training_writes_is_what_the_host_computes(demo):
    """Of a ControlNet with random weights in all its parts: its residuals in diffusers and in the host."""
    from training.base import new_base, size_ids
    from training.control_net import control_lora, new_control_net

    unet, generator = new_base()["unet"], torch.Generator().manual_seed(0)
    unet.load_state_dict(read_weights(config.UNET_FILE))
    net = new_control_net(unet)
    with torch.no_grad():
        for parameter in net.parameters():
            if parameter.requires_grad and parameter.ndim > 1:
                parameter.normal_(std=parameter[0].numel() ** -0.5, generator=generator)
            parameter.copy_(parameter.bfloat16() if parameter.requires_grad else parameter)
    noisy, context, pooled, lines = (torch.randn(2, *size, generator=generator)
                                     for size in ((4, 20, 20), (77, 128), (64,), (3, SIDE, SIDE)))  # fmt: skip
    step, sizes = torch.tensor([600, 600]), size_ids(torch.full((2,), SIDE))
    with torch.no_grad():
        down, middle = net(noisy, step, context, lines, return_dict=False,
                           added_cond_kwargs={"text_embeds": pooled, "time_ids": sizes})  # fmt: skip
        y = torch.cat([pooled, net.add_time_proj(sizes.flatten()).reshape(2, -1)], dim=1)
        out = running(demo, control_lora(net))(x=noisy, hint=lines, timesteps=step.float(), context=context, y=y)
    for ours, theirs in zip((*down, middle), (*out["output"], *out["middle"]), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-3)

