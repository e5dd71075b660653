"""TiledDiffusion, which stacks tiles of the latent in one call of the model."""

import pytest

from devtools.server import ServerError

from .graph import Scene
from .neighbours import couple_ppm, regions, tiled

PACK = "ComfyUI-TiledDiffusion"
pytestmark = pytest.mark.packs(PACK)

METHODS = pytest.mark.parametrize("method", ["MultiDiffusion", "Mixture of Diffusers", "SpotDiffusion"])
BATCH = pytest.mark.parametrize("batch", [1, 2])
TOGETHER = pytest.mark.parametrize("together", [2, 3, 4, 9])


def together_and_apart(packs, scene, model, method, together=4, **inputs):
    """How much some tiles in one call differ from one tile a call."""
    return packs.off(*(scene.sample(tiled(scene, model, method, count), **inputs) for count in (together, 1)))


@TOGETHER
@BATCH
@METHODS
def test_tiles_together_are_what_they_are_one_by_one(packs, method, batch, together):
    """As exactly as without us."""
    scene = Scene()
    without_us = together_and_apart(packs, scene, scene.model, method, together, batch=batch)
    assert without_us < 1e-4
    assert together_and_apart(packs, scene, scene.apply(), method, together, batch=batch) <= max(2e-5, 4 * without_us)


@BATCH
@METHODS
def test_the_negative_side_of_stacked_tiles_sees_no_subject(packs, method, batch):
    """With guidance 0 the picture is the negative side's alone."""
    scene = Scene()
    assert packs.off(
        scene.sample(tiled(scene, scene.apply(), method), batch=batch, cfg=0.0),
        scene.sample(tiled(scene, scene.model, method), batch=batch, cfg=0.0),
    ) == 0


@METHODS
def test_one_tile_that_is_the_whole_latent_is_the_picture_without_tiles(packs, method):
    scene = Scene()
    whole = {"tile_width": scene.width, "tile_height": scene.height}
    assert packs.off(
        scene.sample(tiled(scene, scene.apply(), method, **whole)), scene.sample(scene.apply())
    ) < 1e-4


@METHODS
def test_tiles_with_auto_layout(packs, method):
    """Each tile has means of its own: those of one tile do not reach another, however many are stacked."""
    scene = Scene()
    model = scene.apply(auto_layout=scene.auto_layout())
    assert together_and_apart(packs, scene, model, method) < 2e-3
    assert packs.off(
        scene.sample(tiled(scene, model, method)), scene.sample(tiled(scene, scene.apply(), method))
    ) > 0.5


@METHODS
def test_tiles_of_an_oblong_picture(packs, method):
    scene = Scene(width=192, height=96)
    without_us = together_and_apart(packs, scene, scene.model, method)
    assert together_and_apart(packs, scene, scene.apply(), method) <= max(2e-5, 4 * without_us)


@METHODS
def test_tiles_and_a_second_conditioning(packs, method):
    """Two positive entries: three chunks of each tile are stacked."""
    scene = Scene()
    both = scene.node("ConditioningCombine", conditioning_1=scene.positive, conditioning_2=scene.text("at night"))
    without_us = together_and_apart(packs, scene, scene.model, method, positive=both)
    model = scene.apply()
    assert together_and_apart(packs, scene, model, method, positive=both) <= max(2e-5, 4 * without_us)
    assert packs.off(
        scene.sample(tiled(scene, model, method), positive=both),
        scene.sample(tiled(scene, scene.model, method), positive=both),
    ) > 5


@pytest.mark.packs("ComfyUI-ppm")
def test_regions_work_with_one_tile_a_call(packs):
    scene = Scene()
    same = [(scene.positive, scene.mask(*share)) for share in ((0.0, 0.5), (0.5, 1.0))]
    coupled = couple_ppm(scene, scene.apply(), scene.positive, *same)
    assert packs.off(
        scene.sample(tiled(scene, coupled, together=1)), scene.sample(tiled(scene, scene.apply(), together=1))
    ) < 1e-3
    couples = coupled, couple_ppm(scene, scene.apply(), *regions(scene))
    assert packs.off(*(scene.sample(tiled(scene, couple, together=1)) for couple in couples)) > 0.5


@pytest.mark.packs("ComfyUI-ppm")
def test_regions_under_stacked_tiles_are_refused_with_what_to_do(packs):
    """The couple cuts the rows into as many parts as there are conditionings, also where each has several tiles."""
    scene = Scene()
    coupled = couple_ppm(scene, scene.apply(), *regions(scene))
    with pytest.raises(ServerError, match="ValueError.* tile batch size"):
        packs.latents(scene.sample(tiled(scene, coupled, together=4)))
