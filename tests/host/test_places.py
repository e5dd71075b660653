"""Which part of the frame and which images: areas, tiles inside a run, context windows."""

import pytest
import torch

from tests.host.conftest import LEFT, RIGHT, predictions, who_saw

SIZE = (16, 16)
PROMPT = "a dog and a red backpack"
CORNERS = [(0, 0), (0, 6), (6, 0), (6, 6)]


@pytest.fixture(params=["steady", "paper"])
def auto(host, studio, request):
    method = request.param

    def make(embeds=None, prompt=PROMPT, **inputs):
        inputs = {"threshold": 0.5, "start_step": 2, "method": method, **inputs}
        request = host.call("MSDiffusionAutoLayout", clip=studio.demo.clip, prompt=prompt, **inputs)[0]
        return studio.apply(studio.encode((LEFT, RIGHT)) if embeds is None else embeds, auto_layout=request)
    return make


def tiled(model, corners, side, together, order="tile by tile", shift=(0, 0), change=lambda tile: tile):
    """A tiled sampler in short: it cuts tiles of the model's input, several in one call, and means what overlaps.

    Args:
        corners: row and column of each tile.
        side: rows and columns of a tile.
        together: tiles in one call.
        order: how tiles are stacked; "entry by entry" keeps those of one conditioning together.
        shift: rolls the latent before it is cut, so that tiles wrap round its edges.
        change: what is done with a tile before the model sees it.
    """
    model = model.clone()

    def wrapper(apply_model, args):
        x, entries = args["input"].roll(shift, (-2, -1)), len(args["cond_or_uncond"])
        out, count = torch.zeros_like(x), torch.zeros_like(x)
        for first in range(0, len(corners), together):
            group = corners[first : first + together]
            cut = torch.stack([x[..., top : top + side, left : left + side] for top, left in group])

            def stack(parts, entries=entries):
                parts = parts.unflatten(1, (entries, -1))
                return (parts.transpose(0, 1) if order == "entry by entry" else parts).flatten(0, 2)

            def spread(value, group=group, rows=x.shape[0], stack=stack):
                whole = torch.is_tensor(value) and value.shape[0] == rows
                return stack(torch.stack([value] * len(group))) if whole else value

            conditions = {key: spread(value) for key, value in args["c"].items()}
            done = apply_model(change(stack(cut)), spread(args["timestep"]), **conditions)
            if order == "entry by entry":
                done = done.unflatten(0, (entries, len(group), -1)).transpose(0, 1)
            else:
                done = done.unflatten(0, (len(group), entries, -1))
            for (top, left), tile in zip(group, done.flatten(1, 2), strict=True):
                out[..., top : top + side, left : left + side] += tile
                count[..., top : top + side, left : left + side] += 1
        return (out / count).roll((-shift[0], -shift[1]), (-2, -1))

    model.set_model_unet_function_wrapper(wrapper)
    return model


# Tiles


@pytest.mark.parametrize("order", ["tile by tile", "entry by entry"])
@pytest.mark.parametrize("together", [2, 4])
@pytest.mark.parametrize("batch", [1, 2])
def test_stacked_tiles_equal_one_tile_a_call(studio, order, together, batch):
    one = studio.sample(tiled(studio.apply(), CORNERS, 10, 1), SIZE, batch=batch)
    stacked = studio.sample(tiled(studio.apply(), CORNERS, 10, together, order), SIZE, batch=batch)
    plain = [studio.sample(tiled(studio.demo.model, CORNERS, 10, n, order), SIZE, batch=batch) for n in (1, together)]
    assert (plain[0] - plain[1]).abs().max() < 2e-4
    assert (stacked - one).abs().max() < 2e-4
    assert (one - plain[0]).abs().max() > 1


@pytest.mark.parametrize("order", ["tile by tile", "entry by entry"])
def test_no_negative_row_of_stacked_tiles_sees_a_subject(studio, order):
    saw = who_saw(
        tiled(studio.demo.model, CORNERS, 10, 4, order), tiled(studio.apply(), CORNERS, 10, 4, order),
        lambda model: studio.sample(model, SIZE, steps=1),
    )
    assert saw == [{"positive": True, "negative": False}]


def test_each_tile_sees_its_own_part_of_the_layout(studio, seen):
    studio.sample(tiled(studio.apply(), CORNERS, 10, 4), SIZE, steps=1)
    near, far = (0.0, 10 / 16), (6 / 16, 1.0)
    expected = [(x[0], y[0], x[1], y[1]) for y in (near, far) for x in (near, far)]
    assert [one.windows for one in seen[:4]] == [(window,) for window in expected]


def test_tiles_that_wrap_round_the_frame_see_what_they_show(host, studio, seen):
    """One tile as large as the frame, shifted: the same cells as the frame's, shifted."""
    embeds = studio.encode(((0.0, 0.0, 0.25, 1.0), (0.5, 0.0, 1.0, 0.5)))
    studio.sample(tiled(studio.apply(embeds), [(0, 0), (0, 8)], 8, 2, shift=(0, 4)), (8, 16), steps=1)
    windows = {one.windows for one in seen}
    assert windows == {((-0.25, 0.0, 0.25, 1.0), (0.75, 0.0, 1.25, 1.0)), ((0.25, 0.0, 0.75, 1.0),)} or windows == {
        ((0.75, 0.0, 1.25, 1.0), (-0.25, 0.0, 0.25, 1.0)), ((0.25, 0.0, 0.75, 1.0),)}
    cells = host.module("msd_core.layout").region_cells
    frame = cells(embeds.regions, 8, 16)
    for one in seen[:2]:
        left = round(one.windows[0][0] * 16)
        assert torch.equal(cells(embeds.regions, 8, 8, *one.windows), frame.roll(-left, -1)[..., :8])


def test_tiles_shifted_by_a_whole_frame_in_steps_equal_no_shift(studio):
    """What is cut, put through and put back where it was does not depend on where the cutting begins."""
    wide = [(0, 0)]
    shifted = studio.sample(tiled(studio.apply(), wide, 16, 1, shift=(0, 0)), SIZE)
    assert torch.allclose(shifted, studio.sample(studio.apply(), SIZE), atol=1e-5)


def test_an_unknown_crop_gets_the_whole_layout_and_is_said_once(studio, said):
    model = tiled(studio.apply(), [(0, 0), (0, 6)], 10, 1, change=lambda tile: tile * 1.01)
    assert torch.isfinite(studio.sample(model, (10, 16))).all()
    (message,) = said("nothing tells which part")
    assert "10x10 of the 16x10 latent" in message


def test_stacked_crops_of_unknown_place_are_refused(studio):
    model = tiled(studio.apply(), [(0, 0), (0, 6)], 10, 2, change=lambda tile: tile * 1.01)
    with pytest.raises(ValueError, match="4 rows of 10x10 for 2 conditionings of 1 latents of 16x10.*batch size to 1"):
        studio.sample(model, (10, 16))


def test_rows_that_a_wrapper_doubles_are_refused(studio):
    model = studio.apply()

    def double(apply_model, args):
        def twice(x):
            return torch.cat([x, x]) if torch.is_tensor(x) else x
        rows = args["input"].shape[0]
        c = {key: twice(value) for key, value in args["c"].items()}
        return apply_model(twice(args["input"]), twice(args["timestep"]), **c)[:rows]

    model.set_model_unet_function_wrapper(double)
    with pytest.raises(ValueError, match="4 rows for 2 conditionings of 1 latents"):
        studio.sample(model)


@pytest.mark.parametrize("together", [2, 4])
def test_a_couple_under_stacked_tiles_is_refused_with_what_to_do(studio, together):
    """Couples cut the rows into as many parts as there are conditionings, also where each has several tiles."""
    from tests.host.test_rows import ANNOUNCED, couple

    coupled = couple(studio.apply(), [studio.positive[0][0]], ANNOUNCED[0])
    with pytest.raises(ValueError, match="rows but 3 conditionings of 1 latents are listed.*tile batch size of 1"):
        studio.sample(tiled(coupled, CORNERS, 10, together), SIZE)
    alone = studio.sample(tiled(studio.apply(), CORNERS, 10, 1), SIZE)
    assert torch.allclose(studio.sample(tiled(coupled, CORNERS, 10, 1), SIZE), alone, atol=1e-3)


@pytest.mark.parametrize("corners, side", [(CORNERS, 10), ([(0, 0), (0, 8), (8, 0), (8, 8)], 8)])
@pytest.mark.parametrize("together", [1, 4])
def test_tiles_do_not_share_what_auto_layout_remembers(studio, auto, corners, side, together):
    """Backwards through the tiles: every tile has its own maps, whichever comes first."""
    order = [corners, corners[::-1]]
    pictures = [studio.sample(tiled(auto(), tiles, side, together), SIZE, steps=4) for tiles in order]
    plain = [studio.sample(tiled(studio.demo.model, tiles, side, together), SIZE, steps=4) for tiles in order]
    assert (pictures[0] - pictures[1]).abs().max() < 1e-2
    assert (plain[0] - plain[1]).abs().max() < 1e-3


def test_tiles_of_unequal_size_keep_their_maps_apart(studio, auto):
    model = auto().clone()

    def unequal(apply_model, args):
        x = args["input"]
        return torch.cat([
            apply_model(x[..., part].contiguous(), args["timestep"], **args["c"])
            for part in (slice(0, 6), slice(6, 16))
        ], dim=-1)

    model.set_model_unet_function_wrapper(unequal)
    assert torch.isfinite(studio.sample(model, SIZE, steps=3)).all()


# Evaluations of a part


def sliding(studio, model, move=1.0):
    """As Sliding Window Guidance of sd-perturbed-attention: evaluates cuts of the sampler's latent on its own."""
    import comfy.samplers

    model = model.clone()

    def guide(args):
        x = args["input"]
        for columns in (slice(0, 8), slice(6, 16)):
            part = comfy.samplers.calc_cond_batch(
                args["model"], [args["cond"]], x[..., columns] * move, args["sigma"], args["model_options"]
            )[0]
            args["denoised"][..., columns] += 0.5 * part
        return args["denoised"]

    model.set_model_sampler_post_cfg_function(guide)
    return model


def test_a_part_that_a_patch_evaluates_is_found_in_the_samplers_latent(studio, seen):
    studio.sample(sliding(studio, studio.apply()), SIZE, steps=1)
    assert [one.windows for one in seen[4:]] == [((0.0, 0.0, 0.5, 1.0),)] * 4 + [((0.375, 0.0, 1.0, 1.0),)] * 4


def test_parts_that_a_patch_evaluates_keep_their_maps_apart(studio, auto, said):
    assert torch.isfinite(studio.sample(sliding(studio, auto()), SIZE, steps=3)).all()
    assert said("nothing tells which part") == []


def test_a_part_of_unknown_place_gets_the_whole_layout_and_is_said(studio, auto, said, seen):
    assert torch.isfinite(studio.sample(sliding(studio, auto(), move=1.01), SIZE, steps=3)).all()
    assert len(said("nothing tells which part")) == 1
    assert {one.windows for one in seen} == {((0.0, 0.0, 1.0, 1.0),)}


# Areas


def area_of(host, studio, conditioning=None, **area):
    return host.call("ConditioningSetArea", conditioning=conditioning or studio.positive, strength=1.0, **area)[0]


def test_an_area_conditioning_shows_the_layout_of_its_area(host, studio, seen):
    area = area_of(host, studio, width=64, height=96, x=32, y=0)
    studio.sample(studio.apply(), (12, 12), steps=1, positive=area)
    assert {one.windows for one in seen} == {((4 / 12, 0.0, 1.0, 1.0),)}


def test_an_area_that_reaches_over_the_latents_edge_is_clipped_to_it(host, studio, seen):
    area = area_of(host, studio, width=64, height=48, x=64, y=72)
    studio.sample(studio.apply(), (12, 12), steps=1, positive=area)
    assert {one.windows for one in seen} == {((8 / 12, 9 / 12, 1.0, 1.0),)}


def test_areas_and_the_whole_frame_together_each_get_their_part(host, studio, seen):
    area = area_of(host, studio, width=48, height=48, x=48, y=48)
    both = host.call("ConditioningCombine", conditioning_1=studio.positive, conditioning_2=area)[0]
    studio.sample(studio.apply(), (12, 12), steps=1, positive=both)
    assert {one.windows for one in seen} == {((0.0, 0.0, 1.0, 1.0),), ((0.5, 0.5, 1.0, 1.0),)}


def test_an_area_of_a_cropped_tile_is_a_part_of_the_tiles_part(host, studio, seen):
    embeds = host.call("MSDiffusionCropEmbeds", embeds=studio.encode(), x=512, y=0, width=512, height=1024,
                       frame_width=1024, frame_height=1024)[0]
    area = area_of(host, studio, width=48, height=96, x=48, y=0)
    studio.sample(studio.apply(embeds), (12, 12), steps=1, positive=area)
    assert {one.windows for one in seen} == {((0.75, 0.0, 1.0, 1.0),)}


def test_tiles_cut_from_an_area_are_parts_of_it(host, studio, seen):
    area = area_of(host, studio, width=64, height=128, x=64, y=0)
    model = tiled(studio.apply(), [(0, 0), (8, 0)], 8, 2)
    studio.sample(model, SIZE, steps=1, positive=area, negative=area_of(
        host, studio, studio.negative, width=64, height=128, x=64, y=0))
    assert {one.windows for one in seen} == {((0.5, 0.0, 1.0, 0.5),), ((0.5, 0.5, 1.0, 1.0),)}


# Context windows


def windowed(host, model, length=4, overlap=2, **inputs):
    inputs = {
        "context_schedule": "standard_static", "context_stride": 1, "closed_loop": False, "fuse_method": "pyramid",
        "dim": 0, "freenoise": False, "cond_retain_index_list": "", "split_conds_to_windows": False,
        "latent_retain_index_list": "", "causal_window_fix": True, **inputs,
    }
    return host.call("ContextWindowsManual", model=model, context_length=length, context_overlap=overlap, **inputs)[0]


@pytest.fixture
def moving(host, studio):
    """A transition of six frames."""
    a, b = (studio.encode((LEFT,), [studio.subject("dog", seed)]) for seed in (1, 3))
    return host.call("MSDiffusionBlend", embeds_a=a, embeds_b=b, amount=0.5, mode="linear", frames=6)[0]


@pytest.mark.parametrize("fix", [True, False])
@pytest.mark.parametrize("schedule", ["standard_static", "standard_uniform"])
@pytest.mark.parametrize("kind", ["boxes", "auto layout", "frames"])
def test_context_windows_of_a_batch_change_nothing(host, studio, auto, moving, kind, schedule, fix):
    """SDXL's images know nothing of each other, so windows over them give what the whole batch gives."""
    model = {"boxes": studio.apply, "auto layout": auto, "frames": lambda: studio.apply(moving)}[kind]()
    windows = {"context_schedule": schedule, "causal_window_fix": fix}
    parts = studio.sample(windowed(host, model, **windows), batch=6, steps=3)
    whole = studio.sample(model, batch=6, steps=3)
    plain = [studio.sample(given, batch=6, steps=3)
             for given in (studio.demo.model, windowed(host, studio.demo.model, **windows))]
    assert (plain[0] - plain[1]).abs().max() < 1e-4
    assert (parts - whole).abs().max() < (2e-2 if kind == "auto layout" else 2e-4)
    assert (whole - plain[0]).abs().max() > 1


def test_the_images_of_a_window_are_known(host, studio, moving, seen):
    studio.sample(windowed(host, studio.apply(moving)), batch=6, steps=1)
    # From the second window on the host puts the image before it in front.
    assert {one.images for one in seen} == {(0, 1, 2, 3), (1, 2, 3, 4, 5)}


def test_a_transitions_frames_are_counted_over_the_whole_batch(host, studio, moving):
    with pytest.raises(ValueError, match="6 frames.*latent batch has 5 images: set its batch size to 6"):
        studio.sample(windowed(host, studio.apply(moving)), batch=5)


@pytest.mark.parametrize("dim, windows", [
    (3, [(0.0, 0.0, 0.5, 1.0), (7 / 16, 0.0, 1.0, 1.0)]), (2, [(0.0, 0.0, 1.0, 0.5), (0.0, 7 / 16, 1.0, 1.0)]),
])
def test_a_spatial_window_shows_its_part_of_the_layout(host, studio, seen, dim, windows):
    studio.sample(windowed(host, studio.apply(), 8, 0, dim=dim), SIZE, steps=1)
    assert {one.windows for one in seen} == {(window,) for window in windows}


def test_a_spatial_window_that_skips_columns_is_refused(host, studio):
    model = windowed(host, studio.apply(), 4, 1, dim=3, context_schedule="standard_uniform", context_stride=3)
    with pytest.raises(ValueError, match="every 2. row or column"):
        studio.sample(model, SIZE, steps=4)


def test_the_windows_of_animatediff_evolved_are_known(studio, seen):
    """It names the images of a window in options of its own, after the evaluation has begun."""
    model = studio.apply()

    def sliding(executor, model, conds, x_in, timestep, model_options):
        options = model_options["transformer_options"]
        options["ad_params"] = {"sub_idxs": None}
        found = []
        for images in ([0, 1], [2, 3]):
            options["ad_params"]["sub_idxs"] = images
            found.append(executor(model, conds, x_in[images], timestep[images], model_options))
        return [torch.cat(parts) for parts in zip(*found, strict=True)]

    import comfy.patcher_extension as extension

    expected = studio.sample(model, batch=4)
    model.add_wrapper_with_key(extension.WrappersMP.CALC_COND_BATCH, "ADE_sliding", sliding)
    assert torch.allclose(studio.sample(model, batch=4), expected, atol=1e-4)
    assert {(0, 1), (2, 3)} <= {one.images for one in seen}


def test_a_part_of_the_batch_that_nothing_names_is_refused(studio):
    model = studio.apply()

    def halves(executor, model, conds, x_in, timestep, model_options):
        parts = (slice(0, 2), slice(2, 4))
        found = [executor(model, conds, x_in[part], timestep[part], model_options) for part in parts]
        return [torch.cat(parts) for parts in zip(*found, strict=True)]

    import comfy.patcher_extension as extension

    model = model.clone()
    wrappers = model.model_options["transformer_options"]["wrappers"][extension.WrappersMP.CALC_COND_BATCH]
    ours = wrappers.pop("msdiffusion")
    wrappers["halves"], wrappers["msdiffusion"] = [halves], ours
    with pytest.raises(ValueError, match="run has 4 latents but an evaluation has 2"):
        studio.sample(model, batch=4)


def test_predictions_are_told_by_role(studio):
    """The helper of these tests itself."""
    assert [set(one) for one in predictions(studio.demo.model, studio.sample)] == [{"positive", "negative"}] * 2
