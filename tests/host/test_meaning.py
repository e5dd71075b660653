"""What the trained demo set shows of the method: looks follow their boxes, masks and blends."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch

A, B = (0.0, 0.45, 0.5, 0.95), (0.5, 0.1, 1.0, 0.6)
RED = torch.tensor([0.87, 0.16, 0.17])


@pytest.fixture(scope="module")
def world(host, studio):
    return World(host, studio)


class World:
    """The demo set with drawn subjects: pictures from boxes in a line."""

    def __init__(self, host, studio):
        self.host, self.studio, self.clip = host, studio, studio.demo.clip

    def subject(self, kind, main, second):
        """A plain drawn subject of two colours."""
        drawn = self.host.module("msd_core.demo.world")
        identity = drawn.Identity(kind, main, second, "plain", "none")
        reference, _ = drawn.paint_reference(identity, 192, np.random.default_rng(1))
        return self.studio.subject_of(torch.from_numpy(reference)[None] / 255, kind)

    def picture(self, embeds, prompt, scale=1.0, seed=11, model=None):
        """A decoded picture `[160, 160, 3]`."""
        positive, negative = (self.host.call("CLIPTextEncode", clip=self.clip, text=text)[0] for text in (prompt, ""))
        latent = self.studio.sample(
            model or self.studio.apply(embeds, scale=scale), (20, 20), steps=20, cfg=2.0, seed=seed,
            positive=positive, negative=negative,
        )
        return self.host.call("VAEDecode", vae=self.studio.demo.vae, samples={"samples": latent})[0][0]


def near(picture, color, box=(0.0, 0.0, 1.0, 1.0)):
    """Share of a box's pixels that are near a colour."""
    x0, y0, x1, y1 = (round(edge * 160) for edge in box)
    return ((picture[y0:y1, x0:x1] - color).norm(dim=-1) < 0.25).float().mean().item()


PAIRS = 10


@dataclass(frozen=True)
class Pair:
    """Two identities that training never saw, and the pictures made of them.

    Attributes:
        colors: each subject's two colours, `[2, 2, 3]`.
        boxes: of the first and the second subject.
        straight, swapped, off: with these boxes, with the boxes exchanged, and with the adapter off.
    """

    colors: torch.Tensor
    boxes: tuple
    straight: torch.Tensor
    swapped: torch.Tensor
    off: torch.Tensor


@pytest.fixture(scope="module")
def pairs(host, world, studio) -> list[Pair]:
    drawn, sprites = host.module("msd_core.demo.world"), host.module("msd_core.demo.sprites")
    rng, made = np.random.default_rng(500), []
    for index in range(PAIRS):
        placed = drawn.sample_subjects(rng, 2, held_out=True)
        while len({frozenset((s.identity.main, s.identity.second)) for s in placed}) == 1:
            placed = drawn.sample_subjects(rng, 2, held_out=True)
        scene = sorted(drawn.SCENES)[index % len(drawn.SCENES)]
        subjects = []
        for subject in placed:
            reference, _ = drawn.paint_reference(subject.identity, 192, rng)
            subjects.append(studio.subject_of(torch.from_numpy(reference)[None] / 255, subject.identity.kind))
        boxes = tuple(subject.box for subject in placed)
        prompt = drawn.caption(scene, [subject.identity.kind for subject in placed])
        straight, swapped = studio.encode(boxes, subjects), studio.encode(boxes[::-1], subjects)
        looks = [[sprites.COLOURS[name] for name in (s.identity.main, s.identity.second)] for s in placed]
        made.append(Pair(
            torch.tensor(looks), boxes,
            *(world.picture(embeds, prompt, scale=scale, seed=index)
              for embeds, scale in ((straight, 1.0), (swapped, 1.0), (straight, 0.0))),
        ))  # fmt: skip
    return made


def nearness(picture, colors, box):
    """How near a box comes to a look: mean distance of its two colours from the 2 % of pixels nearest to them."""
    x0, y0, x1, y1 = (round(edge * 160) for edge in box)
    distances = torch.cdist(colors, picture[y0:y1, x0:x1].flatten(0, 1))
    return distances.kthvalue(max(1, distances.shape[1] // 50), dim=1).values.mean().item()


def share_near_own(pairs, variant):
    """In how many boxes the colours are nearer to those of the box's own subject than to the other's."""
    verdicts = []
    for pair in pairs:
        boxes = pair.boxes[::-1] if variant == "swapped" else pair.boxes
        for own, box in enumerate(boxes):
            own_look, other_look = (nearness(getattr(pair, variant), pair.colors[k], box) for k in (own, 1 - own))
            verdicts.append(own_look < other_look)
    return sum(verdicts) / len(verdicts)


def test_in_nine_of_ten_boxes_the_colours_are_the_own_references(pairs):
    assert share_near_own(pairs, "straight") >= 0.9


def test_swapped_boxes_swap_the_looks(pairs):
    assert share_near_own(pairs, "swapped") >= 0.9


def test_without_the_adapter_the_looks_are_unrelated(pairs):
    assert 0.2 <= share_near_own(pairs, "off") <= 0.8


def test_a_subject_stays_out_of_the_others_box(pairs):
    """A box has three times as much of its own subject's colours as of the other's; colours of both don't count."""
    shares = torch.zeros(2)
    for pair in pairs:
        for k, box in enumerate(pair.boxes):
            for side, colors, others in ((0, pair.colors[k], pair.colors[1 - k]), (1, *pair.colors[[1 - k, k]])):
                shares[side] += sum(near(pair.straight, c, box) for c in colors if not (c == others).all(-1).any())
    own, foreign = shares.tolist()
    assert own > 3 * foreign


def test_the_text_still_rules_the_background(host, world, studio):
    """Away from the boxes the picture looks like the scene that the prompt names, and like no other."""
    scenes = host.module("msd_core.demo.scenes")
    corner = slice(4, 60)

    def look(picture):
        return torch.as_tensor(picture)[corner, corner].flatten(0, 1).median(dim=0).values.float()

    drawn = {scene: look(scenes.paint_scene(scene, 160, 160, 1)) for scene in scenes.SCENES}
    embeds = studio.encode((A, B), [world.subject("mug", "red", "blue"), world.subject("rocket", "yellow", "purple")])
    for scene, words in scenes.SCENES.items():
        shown = look(world.picture(embeds, f"a mug and a rocket {words}"))
        assert min(drawn, key=lambda other: (shown - drawn[other]).norm().item()) == scene  # noqa: B023


def test_a_subject_follows_a_free_form_region(world, studio):
    rows, columns = torch.meshgrid(torch.arange(160), torch.arange(160), indexing="ij")
    disc = ((rows - 90) ** 2 + (columns - 80) ** 2 < 45**2).float()
    embeds = studio.encode(layout=studio.layout((), masks=disc[None]), subjects=[world.subject("mug", "red", "blue")])
    picture = world.picture(embeds, "a mug in the snow")
    red = ((picture - RED).norm(dim=-1) < 0.35).float()
    inside, outside = (red * disc).sum() / disc.sum(), (red * (1 - disc)).sum() / (1 - disc).sum()
    assert inside > 0.1
    assert inside > 5 * outside


@pytest.mark.parametrize("method", ["steady", "paper"])
def test_auto_layout_finds_a_subject_away_from_its_rough_box(host, world, studio, method):
    """The rough box is at the left edge; the prompt's own attention sees the mug near the middle."""
    prompt, rough = "a mug in the snow", (0.0, 0.2, 0.4, 0.8)
    embeds = studio.encode((rough,), [world.subject("mug", "red", "blue")])
    found = host.call(
        "MSDiffusionAutoLayout", clip=world.clip, prompt=prompt, threshold=0.5, start_step=5, before_start="off",
        method=method,
    )[0]
    for seed in (3, 4, 6):
        shares = []
        for auto_layout in (None, found):
            model = studio.apply(embeds, scale=1.0, auto_layout=auto_layout)
            red = (world.picture(embeds, prompt, seed=seed, model=model) - RED).norm(dim=-1) < 0.35
            assert red.float().mean() > 0.03
            shares.append((red[:, :64].sum() / red.sum()).item())
        in_its_box, found_by_the_prompt = shares
        assert in_its_box > 0.8
        assert found_by_the_prompt < 0.3


def test_a_blends_colours_move_from_one_subject_to_the_other(host, world, studio):
    box = (0.25, 0.25, 0.75, 0.75)
    ends = [studio.encode((box,), [world.subject("mug", *looks)]) for looks in (("red", "blue"), ("cyan", "green"))]
    colors = []
    for amount in (0.0, 0.5, 1.0):
        blended = host.call(
            "MSDiffusionBlend", embeds_a=ends[0], embeds_b=ends[1], amount=amount, mode="linear", frames=1
        )[0]
        picture = world.picture(blended, "a mug in the snow")
        colors.append(picture[48:112, 48:112].flatten(0, 1).mean(dim=0))
    way = colors[2] - colors[0]
    positions = [torch.dot(color - colors[0], way).item() for color in colors]
    assert way.norm() > 0.1
    assert positions == sorted(positions)


def test_attributions_peak_lies_in_the_subjects_region(host, world, studio):
    embeds = studio.encode((A, B), [world.subject("mug", "red", "blue"), world.subject("rocket", "yellow", "purple")])
    prompt = "a mug and a rocket in the snow"
    watched, attribution = host.call(
        "MSDiffusionAttribution", model=studio.apply(embeds, scale=1.0), embeds=embeds, clip=world.clip, prompt=prompt
    )
    world.picture(embeds, prompt, model=watched)
    maps = attribution.runs[-1].subject[0]
    for k, (x0, y0, x1, y1) in enumerate((A, B)):
        row, column = divmod(maps[k].argmax().item(), maps.shape[-1])
        assert x0 - 0.05 <= (column + 0.5) / maps.shape[-1] <= x1 + 0.05
        assert y0 - 0.05 <= (row + 0.5) / maps.shape[-2] <= y1 + 0.05
