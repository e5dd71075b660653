"""What the trained demo set shows of the method: looks follow their boxes, masks and blends."""

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

    def subject(self, kind, seed):
        image, _, phrase = self.host.call("MSDiffusionDemoSubject", kind=kind, seed=seed, size=160)
        return self.studio.subject_of(image, phrase)

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
    return ((picture[y0:y1, x0:x1] - color).norm(dim=-1) < 0.35).float().mean().item()


def test_looks_follow_their_boxes_and_swap_with_them(world, studio):
    """A red and blue mug and a yellow rocket in the snow."""
    subjects = [world.subject("mug", 3), world.subject("rocket", 9)]
    prompt = "a mug and a rocket in the snow"
    for first, second in ((A, B), (B, A)):
        picture = world.picture(studio.encode((first, second), subjects), prompt)
        assert near(picture, RED, first) > 0.1
        assert near(picture, RED, first) > 1.5 * near(picture, RED, second)


def test_without_the_adapter_the_look_is_not_the_references(world, studio):
    embeds = studio.encode((A, B), [world.subject("mug", 3), world.subject("rocket", 9)])
    prompt = "a mug and a rocket in the snow"
    assert near(world.picture(embeds, prompt), RED, A) > 2 * near(world.picture(embeds, prompt, scale=0.0), RED, A)


def test_the_text_still_rules_the_background(host, world, studio):
    """Away from the boxes the picture looks like the scene that the prompt names, and like no other."""
    scenes = host.module("msd_core.demo.scenes")
    corner = slice(4, 60)

    def look(picture):
        return torch.as_tensor(picture)[corner, corner].flatten(0, 1).median(dim=0).values.float()

    drawn = {scene: look(scenes.paint_scene(scene, 160, 160, 1)) for scene in scenes.SCENES}
    embeds = studio.encode((A, B), [world.subject("mug", 3), world.subject("rocket", 9)])
    for scene, words in scenes.SCENES.items():
        shown = look(world.picture(embeds, f"a mug and a rocket {words}"))
        assert min(drawn, key=lambda other: (shown - drawn[other]).norm().item()) == scene  # noqa: B023


def test_a_subject_follows_a_free_form_region(world, studio):
    rows, columns = torch.meshgrid(torch.arange(160), torch.arange(160), indexing="ij")
    disc = ((rows - 90) ** 2 + (columns - 80) ** 2 < 45**2).float()
    embeds = studio.encode(layout=studio.layout((), masks=disc[None]), subjects=[world.subject("mug", 3)])
    picture = world.picture(embeds, "a mug in the snow")
    red = ((picture - RED).norm(dim=-1) < 0.35).float()
    inside, outside = (red * disc).sum() / disc.sum(), (red * (1 - disc)).sum() / (1 - disc).sum()
    assert inside > 0.1
    assert inside > 5 * outside


def test_a_blends_colours_move_from_one_subject_to_the_other(host, world, studio):
    box = (0.25, 0.25, 0.75, 0.75)
    ends = [studio.encode((box,), [world.subject("mug", seed)]) for seed in (3, 7)]
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
    embeds = studio.encode((A, B), [world.subject("mug", 3), world.subject("rocket", 9)])
    prompt = "a mug and a rocket in the snow"
    watched, attribution = host.call(
        "MSDiffusionAttribution", model=studio.apply(embeds, scale=1.0), embeds=embeds, clip=world.clip, prompt=prompt
    )
    world.picture(embeds, prompt, model=watched)
    maps = attribution.subject.result()[0]
    for k, (x0, y0, x1, y1) in enumerate((A, B)):
        row, column = divmod(maps[k].argmax().item(), maps.shape[-1])
        assert x0 - 0.05 <= (column + 0.5) / maps.shape[-1] <= x1 + 0.05
        assert y0 - 0.05 <= (row + 0.5) / maps.shape[-2] <= y1 + 0.05
