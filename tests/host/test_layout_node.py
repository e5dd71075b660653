"""The layout node: boxes, detectors' boxes and masks in; masks, preview and pixel boxes out."""

import json

import pytest
import torch

BOXES = json.dumps({"boxes": [{"x0": 0.0, "y0": 0.0, "x1": 0.5, "y1": 1.0, "label": "dog", "color": "#00ff00"},
                              {"x0": 0.25, "y0": 0.5, "x1": 1.0, "y1": 1.0}]})


def run(host, **inputs):
    names = ("layout", "width", "height", "masks", "preview", "bounding_boxes")
    given = {"width": 320, "height": 160, "boxes": BOXES, **inputs}
    return dict(zip(names, host.call("MSDiffusionLayout", **given), strict=True))


def test_outputs_describe_the_drawn_boxes(host):
    out = run(host)
    assert (out["width"], out["height"]) == (320, 160)
    assert [box.edges for box in out["layout"].boxes] == [(0.0, 0.0, 0.5, 1.0), (0.25, 0.5, 1.0, 1.0)]
    assert out["masks"].shape == (2, 160, 320)
    assert out["masks"][0].sum() == 160 * 160
    assert out["masks"][1, 80:, 80:].min() == 1
    assert out["masks"][1].sum() == 80 * 240
    first = out["bounding_boxes"][0][0]
    assert (first["x"], first["y"], first["width"], first["height"]) == (0, 0, 160, 160)


def test_the_preview_shows_each_box_in_its_colour_and_keeps_the_aspect(host):
    preview = run(host)["preview"]
    assert preview.shape == (1, 512, 1024, 3)
    inside, outside = preview[0, 300, 100], preview[0, 100, 900]
    assert inside[1] > inside[0] + 0.1
    assert outside.max() < 0.2


def test_the_background_lies_under_the_boxes_and_changes_no_size(host):
    white = torch.ones(1, 33, 77, 3)
    out = run(host, background=white)
    assert (out["width"], out["height"]) == (320, 160)
    assert out["preview"][0, 100, 900].min() > 0.5


def test_a_detectors_boxes_replace_the_drawn_ones(host):
    frame = [{"x": 32, "y": 16, "width": 64, "height": 80, "metadata": {"label": "cat"}}]
    layout = run(host, bounding_boxes=frame)["layout"]
    assert [box.edges for box in layout.boxes] == [(0.1, 0.1, 0.3, 0.6)]
    assert layout.boxes[0].label == "cat"


def test_both_of_the_hosts_types_of_boxes_fit_and_say_the_same(host):
    declared, _ = host.nodes["MSDiffusionLayout"].GET_NODE_INFO_V1()["input"]["optional"]["bounding_boxes"]
    assert set(declared.split(",")) == {"BOUNDING_BOX", "BOUNDING_BOXES"}
    entry = {"x": 32, "y": 16, "width": 64, "height": 80, "metadata": {"type": "obj", "text": "", "desc": "cat"}}
    single, frames, several = (run(host, bounding_boxes=value)["layout"] for value in (entry, [[entry]], [entry]))
    assert single.boxes == frames.boxes == several.boxes
    assert [box.edges for box in several.boxes] == [(0.1, 0.1, 0.3, 0.6)]


def test_its_own_bounding_boxes_come_back_the_same(host):
    first = run(host)
    again = run(host, bounding_boxes=first["bounding_boxes"])
    assert again["layout"].boxes == first["layout"].boxes


def test_masks_replace_the_boxes_with_their_bounds_and_keep_the_labels(host):
    masks = torch.zeros(2, 40, 80)
    masks[0, 10:20, 20:60] = 1
    masks[1, ::2, 40:] = 1
    out = run(host, masks=masks)
    regions = out["layout"].regions
    assert regions[0].box.edges == (0.25, 0.25, 0.75, 0.5)
    assert regions[0].box.label == "dog"
    assert regions[1].box.edges == (0.5, 0.0, 1.0, 0.975)
    assert torch.equal(out["masks"][1, ::4], out["masks"][1, 1::4])
    assert out["masks"][1].mean().item() == pytest.approx(0.25)


@pytest.mark.parametrize("change", [
    lambda masks: masks[:, None], lambda masks: masks.half(), lambda masks: masks.bool(), lambda masks: masks.byte(),
], ids=["a channel", "half", "bool", "uint8"])
def test_masks_of_every_form_make_the_same_layout(host, change):
    masks = torch.zeros(2, 40, 80)
    masks[0, 10:20, 20:60] = 1
    masks[1, ::2, 40:] = 1
    expected, out = run(host, masks=masks), run(host, masks=change(masks))
    assert out["layout"] == expected["layout"]
    assert torch.equal(out["masks"], expected["masks"])
    assert torch.equal(out["preview"], expected["preview"])


@pytest.mark.parametrize("masks, words", [
    (torch.ones(2, 40, 80) * torch.tensor([1, 255])[:, None, None], "Mask 2 holds values from 255 to 255 but"),
    (torch.ones(2, 3, 40, 80), r"The masks input has the shape \[2, 3, 40, 80\] but must be"),
    (torch.zeros(1, 64, 64), "Mask 1 covers nothing .largest value 0,"),
    (torch.ones(1, 4, 4) / 0, "Mask 1 holds NaN or infinite values"),
])
def test_masks_that_make_no_regions_are_refused(host, masks, words):
    with pytest.raises(ValueError, match=words):
        run(host, masks=masks)


def test_an_empty_layout_is_a_value_like_any_other(host):
    out = run(host, boxes='{"version":1,"boxes":[]}')
    assert out["layout"].regions == ()
    assert out["masks"].shape == (1, 160, 320)
    assert out["bounding_boxes"] == [[]]
    assert run(host, boxes="")["layout"].regions == ()


def report_of(host, **inputs):
    given = {"width": 320, "height": 160, "boxes": BOXES, **inputs}
    return host.nodes["MSDiffusionLayout"].EXECUTE_NORMALIZED(**given).ui["msd_layout"][0]


def test_the_canvas_is_told_the_size_and_the_boxes_in_effect(host):
    report = report_of(host)
    assert (report["width"], report["height"]) == (320, 160)
    assert report["boxes"][0] == {"x0": 0.0, "y0": 0.0, "x1": 0.5, "y1": 1.0, "label": "dog", "color": "#00ff00"}
    assert report["background"] is None
    assert report["masks"] == []
    frame = [{"x": 32, "y": 16, "width": 64, "height": 80}]
    assert report_of(host, bounding_boxes=frame)["boxes"][0]["x0"] == 0.1


def test_linked_pictures_reach_the_canvas_as_temporary_files_as_sharp_as_it_shows_them(host):
    import folder_paths
    from PIL import Image

    masks = torch.zeros(2, 40, 80)
    masks[:, :20] = 1
    report = report_of(host, background=torch.ones(1, 1500, 3000, 3), masks=masks)
    records = [report["background"], *report["masks"]]
    assert len(records) == 3
    sizes = []
    for record in records:
        assert record["type"] == "temp"
        path = f"{folder_paths.get_temp_directory()}/{record['subfolder']}/{record['filename']}"
        sizes.append(Image.open(path).size)
    assert sizes == [(2048, 1024), (80, 40), (80, 40)]


# Its left column is outside, its right column inside; written by pycocotools.
HALF = {"size": [1, 2], "counts": "11"}
DIAGONAL = {"size": [2, 2], "counts": "0120"}


def painted(*masks):
    return json.dumps({"boxes": [
        {"x0": 0.25 * index, "y0": 0.5, "x1": 0.25 * index + 0.25, "y1": 1.0, "mask": mask}
        for index, mask in enumerate(masks)
    ]})


def test_a_painted_box_keeps_its_bounds_and_acts_where_it_is_painted(host):
    plain, out = run(host, boxes=painted(None, None).replace('"mask": null', '"z": 1')), run(
        host, boxes=painted(HALF, DIAGONAL))
    assert [box.edges for box in out["layout"].boxes] == [box.edges for box in plain["layout"].boxes]
    assert out["bounding_boxes"] == plain["bounding_boxes"]
    expected = torch.zeros(2, 160, 320)
    expected[0, 80:, 40:80] = 1
    expected[1, 80:120, 80:120] = expected[1, 120:, 120:160] = 1
    assert torch.equal(out["masks"], expected)
    assert torch.equal(out["layout"].regions[0].cells(4, 8)[2:, :2], torch.tensor([[False, True]] * 2))
    changed = (out["preview"] - plain["preview"]).abs().amax(dim=-1)[0]
    assert changed[300:500, 20:120].min() > 0.05, "the left half is no longer tinted"
    assert changed[300:500, 140:240].max() == 0


def test_the_canvas_is_told_what_is_painted(host):
    report = report_of(host, boxes=painted(HALF, DIAGONAL))
    assert [box["mask"] for box in report["boxes"]] == [HALF, DIAGONAL]
    assert report["masks"] == []


def test_linked_masks_replace_what_is_painted(host):
    masks = torch.zeros(2, 40, 80)
    masks[:, :20] = 1
    boxes = painted(HALF, DIAGONAL)
    assert run(host, boxes=boxes, masks=masks)["layout"] == run(host, masks=masks)["layout"]


def test_what_is_painted_wrongly_is_refused_before_the_run(host):
    validate = host.nodes["MSDiffusionLayout"].validate_inputs
    assert validate(boxes=painted(HALF)) is True
    for mask, words in (
        ({**HALF, "counts": "12"}, "Box 1: the mask's counts add up to 3 but its size 1x2 has 2 pixels: paint it anew"),
        ({**HALF, "size": [10**9, 10**9]}, "Box 1: the mask has the size [1000000000, 1000000000] but"),
    ):
        told = validate(boxes=painted(mask))
        assert told.startswith(words) and "\n" not in told


OVERLAPPING = json.dumps({"boxes": [[0.0, 0.0, 0.75, 1.0], [0.25, 0.0, 1.0, 1.0]]})


def test_mix_is_what_the_node_always_did(host):
    plain, mixed = run(host, boxes=OVERLAPPING), run(host, boxes=OVERLAPPING, overlap="mix")
    assert plain["layout"] == mixed["layout"]
    assert all(region.company is None for region in mixed["layout"].regions)
    assert mixed["masks"].sum(dim=0).max() == 2
    for name in ("masks", "preview"):
        assert torch.equal(plain[name], mixed[name])


@pytest.mark.parametrize("overlap, columns", [("front", (80, 240)), ("nearest", (160, 160)), ("apart", (160, 160))])
def test_overlapping_boxes_share_nothing_and_the_picture_shows_it(host, overlap, columns):
    boxes = OVERLAPPING if overlap != "apart" else '[[0,0,0.5,1],[0.25,0,0.75,1]]'
    out = run(host, boxes=boxes, overlap=overlap)
    assert out["masks"].sum(dim=0).max() == 1
    assert tuple(int(mask[0].sum()) for mask in out["masks"]) == columns
    border = columns[0] * 1024 // 320
    tints = out["preview"][0, 400, [border - 30, border + 30]]
    assert (tints[0] - tints[1]).abs().max() > 0.05
    moved = [box.edges for box in out["layout"].boxes]
    if overlap == "apart":
        assert moved == [(0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)]
        assert [entry["x"] for entry in out["bounding_boxes"][0]] == [0, 160]
    else:
        assert moved == [(0.0, 0.0, 0.75, 1.0), (0.25, 0.0, 1.0, 1.0)]


def test_the_canvas_is_told_where_each_region_acts(host):
    assert report_of(host, boxes=OVERLAPPING)["overlap"] == "mix"
    assert report_of(host, boxes=OVERLAPPING)["regions"] == []
    report = report_of(host, boxes=OVERLAPPING, overlap="nearest")
    assert report["overlap"] == "nearest"
    assert report["boxes"][0]["x1"] == 0.75
    # COCO's runs: 128 columns of 128 pixels inside and as many outside, and the other way round.
    assert report["regions"] == [
        {"size": [128, 256], "counts": "0PP`0PP`0"}, {"size": [128, 256], "counts": "PP`0PP`0"},
    ]
    moved = report_of(host, boxes="[[0,0,0.5,1],[0.25,0,0.75,1]]", overlap="apart")
    assert [box["x0"] for box in moved["boxes"]] == [0.0, 0.5]


def test_linked_masks_and_boxes_share_nothing_either_and_the_drawn_ones_say_who_is_in_front(host):
    masks = torch.zeros(2, 40, 80)
    masks[0, :, :60] = masks[1, :, 20:] = 1
    out = run(host, masks=masks, overlap="front")
    assert [int(mask[0].sum()) for mask in out["masks"]] == [80, 240]
    first = json.dumps({"boxes": [{"x0": 0, "y0": 0, "x1": 1, "y1": 1, "z": 1}]})
    assert [int(mask[0].sum()) for mask in run(host, boxes=first, masks=masks, overlap="front")["masks"]] == [240, 80]
    frame = [{"x": 0, "y": 0, "width": 240, "height": 160}, {"x": 80, "y": 0, "width": 240, "height": 160}]
    assert run(host, bounding_boxes=frame, overlap="nearest")["masks"].sum(dim=0).max() == 1
    with pytest.raises(ValueError, match="overlap is apart, which moves boxes, but 2 regions come from linked masks"):
        run(host, masks=masks, overlap="apart")


@pytest.mark.parametrize("boxes, overlap, words", [
    ("[[0.3,0.3,0.4,0.4],[0,0,1,1]]", "front", "Box 1 lies wholly behind box 2 and would act nowhere with"),
    ("[[0,0,1,1],[0.3,0.3,0.4,0.4]]", "apart", "they measure 320x160 and 32x16 pixels in a frame of 320x160: make"),
])
def test_boxes_that_can_not_be_kept_from_one_another_are_refused(host, boxes, overlap, words):
    with pytest.raises(ValueError, match=words):
        run(host, boxes=boxes, overlap=overlap)
    run(host, boxes=boxes)


def test_an_empty_layout_has_any_overlap(host):
    for overlap in ("mix", "front", "nearest", "apart"):
        assert run(host, boxes="", overlap=overlap)["layout"].regions == ()
