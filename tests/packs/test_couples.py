"""Attention couples, which repeat the positive rows for regions with prompts of their own, and negative weights."""

import pytest

from devtools.server import ServerError

from .graph import PROMPT, Scene
from .neighbours import couple_ppm, couple_tooling

PPM, TOOLING, CONTROL = "ComfyUI-ppm", "comfyui-tooling-nodes", "comfyui-prompt-control"
CGEM = "cgem156-ComfyUI"
LEFT, MIDDLE, RIGHT = (0.0, 0.375), (0.375, 0.625), (0.625, 1.0)
SIDES = (LEFT, RIGHT)
CAT, ROBOT = "a cat", "on the grass a robot"

# What summing three masked copies of one output makes of it.
SUMMED = 1e-3


class Ppm:
    """Regions of ComfyUI-ppm."""

    pack = PPM

    @staticmethod
    def sample(scene, model, base, others, **inputs):
        """A picture with a prompt where no other region is, and others (text, from and to a share of the width)."""
        placed = [(scene.text(text), scene.mask(*share)) for text, share in others]
        coupled = couple_ppm(scene, model, scene.text(base), *placed, base_mask=scene.mask(*MIDDLE))
        return scene.sample(coupled, positive=scene.text(base), **inputs)


class Tooling:
    """Regions of comfyui-tooling-nodes."""

    pack = TOOLING

    @staticmethod
    def sample(scene, model, base, others, **inputs):
        placed = [(scene.text(text), scene.mask(*share)) for text, share in others]
        return scene.sample(
            couple_tooling(scene, model, scene.text(base), *placed), positive=scene.text(base), **inputs
        )


class Control:
    """Regions written in the prompt itself, with comfyui-prompt-control."""

    pack = CONTROL

    @staticmethod
    def sample(scene, model, base, others, **inputs):
        placed = " ".join(f"COUPLE({left} {right}) {text}" for text, (left, right) in others)
        written = scene.node("PCTextEncode", clip=scene.clip, text=f"{base} FILL() {placed}")
        return scene.sample(model, positive=written, **inputs)


COUPLES = pytest.mark.parametrize(
    "couple", [pytest.param(kind, id=kind.pack, marks=pytest.mark.packs(kind.pack)) for kind in (Ppm, Tooling, Control)]
)
BATCH = pytest.mark.parametrize("batch", [1, 2])
AUTO = pytest.mark.parametrize("auto", [False, True], ids=["boxes", "auto_layout"])


def subjects(scene, auto, **inputs):
    """A model with the subjects, placed by their boxes or by the prompt."""
    return scene.apply(auto_layout=scene.auto_layout(), **inputs) if auto else scene.apply(**inputs)


@AUTO
@BATCH
@COUPLES
def test_regions_of_one_prompt_give_the_picture_without_regions(packs, couple, batch, auto):
    scene = Scene()
    model = subjects(scene, auto)
    regions = [(PROMPT, share) for share in SIDES]
    assert packs.off(
        couple.sample(scene, model, PROMPT, regions, batch=batch), scene.sample(model, batch=batch)
    ) < SUMMED


@AUTO
@BATCH
@COUPLES
def test_the_order_of_the_regions_makes_no_difference(packs, couple, batch, auto):
    scene = Scene()
    model = subjects(scene, auto)
    regions = [(CAT, LEFT), (ROBOT, RIGHT)]
    assert packs.off(
        couple.sample(scene, model, PROMPT, regions, batch=batch),
        couple.sample(scene, model, PROMPT, regions[::-1], batch=batch),
    ) < SUMMED


@COUPLES
def test_the_order_of_the_regions_makes_no_difference_without_us(packs, couple):
    """The yardstick of the two tests above."""
    scene = Scene()
    regions = [(CAT, LEFT), (ROBOT, RIGHT)]
    assert packs.off(
        couple.sample(scene, scene.model, PROMPT, regions), couple.sample(scene, scene.model, PROMPT, regions[::-1])
    ) < SUMMED / 4


@COUPLES
def test_the_subjects_and_the_regions_act(packs, couple):
    scene = Scene()
    both = couple.sample(scene, scene.apply(), PROMPT, [(CAT, LEFT), ("at night", RIGHT)])
    assert packs.off(both, couple.sample(scene, scene.model, PROMPT, [(CAT, LEFT), ("at night", RIGHT)])) > 5
    assert packs.off(both, scene.sample(scene.apply())) > 0.5


@COUPLES
def test_scale_0_is_the_couple_alone_to_the_bit(packs, couple):
    scene = Scene()
    regions = [(CAT, LEFT), (ROBOT, RIGHT)]
    with_us = couple.sample(scene, scene.apply(scale=0.0), PROMPT, regions)
    assert packs.off(with_us, couple.sample(scene, scene.model, PROMPT, regions)) == 0


@BATCH
@COUPLES
def test_the_negative_side_of_a_couple_sees_no_subject(packs, couple, batch):
    """With guidance 0 the picture is the negative side's alone."""
    scene = Scene()
    regions = [(CAT, LEFT), (ROBOT, RIGHT)]
    assert packs.off(
        couple.sample(scene, scene.apply(), PROMPT, regions, batch=batch, cfg=0.0),
        couple.sample(scene, scene.model, PROMPT, regions, batch=batch, cfg=0.0),
    ) == 0


@pytest.mark.packs(CONTROL)
def test_a_couple_in_the_negative_prompt_too(packs):
    """Regions of the negative side have rows of their own, of which none sees a subject."""
    scene = Scene()
    text = f"{PROMPT} FILL() COUPLE(0 0.375) {CAT}"
    both = {
        side: scene.node("PCTextEncode", clip=scene.clip, text=written)
        for side, written in (("positive", text), ("negative", "blurry FILL() COUPLE(0 0.5) grey"))
    }
    assert packs.off(scene.sample(scene.apply(), cfg=0.0, **both), scene.sample(cfg=0.0, **both)) == 0
    assert packs.off(scene.sample(scene.apply(), **both), scene.sample(**both)) > 5


@pytest.mark.packs(PPM)
def test_a_region_that_covers_nothing_changes_nothing_of_auto_layout(packs):
    """Its rows are there all the same, with the phrases in other places of its prompt."""
    scene = Scene()
    model = subjects(scene, True)
    nowhere = scene.node("SolidMask", value=0.0, width=scene.width, height=scene.height)
    coupled = couple_ppm(scene, model, scene.positive, (scene.text("on the grass a robot and a cat"), nowhere))
    assert packs.off(scene.sample(coupled), scene.sample(model)) < SUMMED


@pytest.mark.packs(TOOLING)
def test_auto_layout_says_when_the_regions_have_replaced_its_prompt(packs):
    """Here every text comes from a region, and none of them is the prompt: the boxes go on ruling."""
    scene = Scene()
    others = [(scene.text(text), scene.mask(*share)) for text, share in ((CAT, LEFT), (ROBOT, RIGHT))]

    def sampled(**layout):
        model = scene.apply(**layout)
        return scene.sample(couple_tooling(scene, model, scene.text("grass"), *others))

    latents, log = packs.latents_and_log(sampled(auto_layout=scene.auto_layout()))
    assert "auto layout never" in log.lower()
    assert (latents - packs.latents(sampled())).abs().max() == 0


@pytest.mark.packs(CGEM)
def test_a_couple_that_does_not_list_its_rows_is_refused_by_name(packs):
    scene = Scene()
    coupled = scene.node(
        "AttentionCouple|cgem156", model=scene.apply(), base_mask=scene.mask(0.0, 1.0),
        cond_1=scene.text(CAT), mask_1=scene.mask(*LEFT),
    )  # fmt: skip
    with pytest.raises(ServerError) as refused:
        packs.latents(scene.sample(coupled))
    for name in ("cgem156", PPM, TOOLING, CONTROL):
        assert name in refused.value.message


@AUTO
@pytest.mark.packs(PPM)
def test_negative_weights_that_are_not_used_change_nothing(packs, auto):
    scene = Scene()

    def sampled(model, clip):
        layout = {"auto_layout": scene.auto_layout(clip=clip)} if auto else {}
        return scene.sample(
            scene.apply(model, **layout), positive=scene.text(PROMPT, clip), negative=scene.text("blurry", clip)
        )

    patched = scene.node("CLIPNegPip", model=scene.model, clip=scene.clip)
    assert packs.off(sampled(patched, patched[1]), sampled(scene.model, scene.clip)) < SUMMED


@AUTO
@pytest.mark.packs(PPM)
def test_a_negative_weight_acts_beside_the_subjects(packs, auto):
    scene = Scene()
    patched = scene.node("CLIPNegPip", model=scene.model, clip=scene.clip)
    text = PROMPT.replace("grass", "(grass:-1.5)")
    layout = {"auto_layout": scene.auto_layout(text, clip=patched[1])} if auto else {}
    model = scene.apply(patched, **layout)
    weighted = scene.sample(model, positive=scene.text(text, patched[1]))
    assert packs.off(weighted, scene.sample(patched, positive=scene.text(text, patched[1]))) > 5
    layout = {"auto_layout": scene.auto_layout(clip=patched[1])} if auto else {}
    assert packs.off(
        weighted, scene.sample(scene.apply(patched, **layout), positive=scene.text(PROMPT, patched[1]))
    ) > 0.5


@AUTO
@pytest.mark.packs(PPM)
def test_regions_and_negative_weights_together(packs, auto):
    scene = Scene()
    patched = scene.node("CLIPNegPip", model=scene.model, clip=scene.clip)
    clip = patched[1]
    layout = {"auto_layout": scene.auto_layout(clip=clip)} if auto else {}
    model, positive = scene.apply(patched, **layout), scene.text(PROMPT, clip)
    same = [(scene.text(PROMPT, clip), scene.mask(*share)) for share in SIDES]
    coupled = couple_ppm(scene, model, positive, *same, base_mask=scene.mask(*MIDDLE))
    negative = scene.text("blurry", clip)
    assert packs.off(
        scene.sample(coupled, positive=positive, negative=negative),
        scene.sample(model, positive=positive, negative=negative),
    ) < SUMMED
