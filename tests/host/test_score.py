"""MS-Diffusion Score: the same figures as the metrics' own, from files in the host's folders, and what it refuses."""

import json
import shutil

import pytest
import torch

from tests.evaluation import conftest as tiny

clip_file, dino_file, dinov2_folder, owlv2 = tiny.clip_file, tiny.dino_file, tiny.dinov2_folder, tiny.owlv2
LEFT, RIGHT = (0.0, 0.2, 0.5, 0.8), (0.5, 0.2, 1.0, 0.8)


@pytest.fixture
def files(host, clip_file, dino_file, dinov2_folder):
    """Encoders in the host's folders, by the names that the node offers."""
    folder = host.base / "models" / "clip_vision"
    folder.mkdir(exist_ok=True)
    placed = {"clip": folder / "tiny_clip.bin", "dino": folder / "tiny_dino.pth", "dinov2": folder / "tiny_dinov2"}
    shutil.copy(clip_file, placed["clip"])
    shutil.copy(dino_file, placed["dino"])
    shutil.copytree(dinov2_folder, placed["dinov2"])
    yield placed
    for path in placed.values():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


@pytest.fixture
def score(host):
    """`score(subjects, **inputs)`: report, scores as read from their JSON, and the pictures of bars."""

    def run(subjects, images=None, prompt="a dog", **inputs):
        named = {f"subject{socket}": subject for socket, subject in enumerate(subjects) if subject is not None}
        inputs = {"clip": "none", "dino": "none", **inputs}
        images = torch.rand(2, 40, 48, 3, generator=torch.Generator().manual_seed(3)) if images is None else images
        node = host.nodes["MSDiffusionScore"]
        with torch.inference_mode():  # as the host runs nodes
            made = node.EXECUTE_NORMALIZED(images=images, prompt=prompt, subjects=named, **inputs)
        return made.args[0], json.loads(made.args[1]), made.ui.as_dict()["images"]

    return run


def sprite(host, kind, seed):
    image, _, phrase = host.call("MSDiffusionDemoSubject", kind=kind, seed=seed, size=192)
    return host.call("MSDiffusionSubject", image=image, phrase=phrase, weight=1.0, fit="stretch")[0]


def test_the_scores_are_those_of_the_metrics_themselves(host, studio, score, files):
    encoders, scorer = host.module("msd_core.evaluation.encoders"), host.module("msd_core.evaluation.scorer")
    subjects, images = studio.subjects(2), torch.rand(3, 40, 48, 3, generator=torch.Generator().manual_seed(1))
    own = scorer.Scorer(encoders.load_clip(files["clip"], tiny.CLIP_NAME), encoders.load_dino(files["dino"]),
                        encoders.load_dinov2(files["dinov2"]))
    shown = [scorer.ShownSubject(one.phrase, tuple(one.views), box)
             for one, box in zip(subjects, (LEFT, RIGHT), strict=True)]
    expected = own.score(images, "a dog and a red backpack", shown)
    report, told, bars = score(
        subjects, images, "a dog and a red backpack", clip="tiny_clip.bin", dino="tiny_dino.pth", dinov2="tiny_dinov2",
        clip_model=tiny.CLIP_NAME, layout=studio.layout((LEFT, RIGHT)),
    )
    assert told["images"] == expected
    for metric in ("clip_i", "clip_t", "dino", "m_dino", "region"):
        assert told["mean"][metric] == pytest.approx(sum(row[metric] for row in expected) / 3)
    assert told["measured_by"] == {"clip": f"CLIP {tiny.CLIP_NAME}", "dino": "DINO ViT 128/8",
                                   "region": "DINOv2 tiny_dinov2"}
    assert f"image 3: CLIP-I {expected[2]['clip_i']:.3f}, DINO {expected[2]['dino']:.3f}" in report
    assert "mean of 3: " in report and "dino: DINO ViT 128/8" in report
    assert len(bars) == 3


def test_the_k_th_socket_has_the_k_th_box_and_embeds_count_before_the_layout(studio, score):
    first, second = studio.subjects(2)
    layout, swapped = studio.layout((LEFT, RIGHT)), studio.layout((RIGHT, LEFT))
    judged = {"clip": "demo judge", "dino": "demo judge"}
    images = torch.rand(1, 40, 48, 3, generator=torch.Generator().manual_seed(2))
    _, whole, _ = score([first, second], images, layout=layout, **judged)
    _, alone, _ = score([None, second], images, layout=layout, **judged)
    assert alone["images"][0]["region_each"] == [pytest.approx(whole["images"][0]["region_each"][1])]
    embeds = studio.encode((LEFT, RIGHT), [first, second])
    _, applied, _ = score([first, second], images, layout=swapped, embeds=embeds, **judged)
    assert applied["images"] == whole["images"] != score([first, second], images, layout=swapped, **judged)[1]["images"]
    assert "region" not in score([first, second], images, **judged)[1]["mean"]


def test_a_tile_is_scored_in_its_own_part_of_the_regions(host, studio, score):
    subject = studio.subject()
    embeds = studio.encode(((0.25, 0.25, 0.75, 0.75),), [subject])
    tile = host.call("MSDiffusionCropEmbeds", embeds=embeds, x=0, y=0, width=80, height=80, frame_width=160,
                     frame_height=160)[0]
    image = torch.rand(1, 80, 80, 3, generator=torch.Generator().manual_seed(4))
    _, told, _ = score([subject], image, dino="demo judge", embeds=tile)
    _, same, _ = score([subject], image, dino="demo judge", layout=studio.layout(((0.5, 0.5, 1.0, 1.0),)))
    assert told["images"] == same["images"]
    corner = host.call("MSDiffusionCropEmbeds", embeds=embeds, x=0, y=0, width=32, height=32, frame_width=160,
                       frame_height=160)[0]
    with pytest.raises(ValueError, match="'dog' has no part in the tile"):
        score([subject], image, dino="demo judge", embeds=corner)


def test_the_demos_judge_knows_a_sprite_again_and_what_a_prompt_says(host, score):
    cat, mug = sprite(host, "cat", 16), sprite(host, "mug", 12)
    image = cat.views
    own, other = (score([one], image, "a cat", clip="demo judge", dino="demo judge")[1]["mean"] for one in (cat, mug))
    assert own["dino"] > 0.9 > 0.6 > other["dino"]
    assert own["m_dino"] == pytest.approx(own["dino"])
    said, unsaid = (score([cat], image, prompt, clip="demo judge")[1]["mean"]["clip_t"] for prompt in ("cat", "rocket"))
    assert said > unsaid


def test_a_picture_of_bars_shows_what_was_scored(host, studio):
    bars = host.module("nodes.host.score_bars")
    rows = [{"clip_i": 0.5, "dino": value, "region_each": [0.2, 0.8], "swap_each": [True, False]}
            for value in (0.0, 1.0)]
    low, high = bars.draw_bars(torch.zeros(2, 20, 30, 3), rows, ["a phrase that is much too long for it", "mug"])
    assert low.shape == high.shape and low.shape[1:] == (bars.WIDTH, 3)
    metric = torch.tensor([int(bars.METRIC[at : at + 2], 16) for at in (1, 3, 5)]) / 255
    filled = [((one - metric).abs().amax(dim=-1) < 1e-3).sum() for one in (low, high)]
    assert 2.5 < filled[1] / filled[0] < 3.5


def test_models_are_read_again_only_where_their_file_has_changed(host, studio, score, files, monkeypatch):
    module, read = host.module("nodes.host.score"), []
    load = module.load_dino
    monkeypatch.setattr(module, "load_dino", lambda *given: read.append(given) or load(*given))
    subject = studio.subject()
    first = score([subject], dino="tiny_dino.pth")[1]
    assert score([subject], dino="tiny_dino.pth")[1] == first and len(read) == 1
    state = torch.load(files["dino"])
    torch.save({key: value * 1.5 for key, value in state.items()}, files["dino"])
    assert score([subject], dino="tiny_dino.pth")[1] != first and len(read) == 2


def test_a_detectors_findings_are_compared_with_the_boxes(host, studio, score, owlv2):
    folder = host.base / "models" / "detection" / "owl"
    shutil.copytree(owlv2, folder)
    try:
        report, told, _ = score([studio.subject("dog")], detector="owl", layout=studio.layout((LEFT,)))
    finally:
        shutil.rmtree(folder)
    assert 0 < told["mean"]["miou"] < 1 and told["measured_by"] == {"detector": "owlv2, scores from 0.2"}
    assert {"miou", "ap50", "counts"} == set(told["mean"]) and "mIoU" in report


def test_the_node_offers_files_and_folders_of_the_hosts_model_folders(host, files):
    (host.base / "models" / "detection" / "finder").mkdir(parents=True)
    (host.base / "models" / "detection" / "finder" / "config.json").write_text('{"model_type": "owlv2"}')
    (host.base / "models" / "clip_vision" / "broken").mkdir(parents=True)
    (host.base / "models" / "clip_vision" / "broken" / "config.json").write_text("no JSON")
    inputs = {one.id: one for one in host.nodes["MSDiffusionScore"].GET_SCHEMA().inputs}
    try:
        assert {"none", "demo judge", "tiny_clip.bin", "tiny_dino.pth"} <= set(inputs["clip"].options)
        assert inputs["dinov2"].options == ["none", "tiny_dinov2"]
        assert inputs["detector"].options == ["none", "finder"]
    finally:
        shutil.rmtree(host.base / "models" / "detection" / "finder")
        shutil.rmtree(host.base / "models" / "clip_vision" / "broken")


def test_what_can_not_be_scored_is_refused_in_one_sentence(studio, score, files):
    subjects = studio.subjects(2)
    for error, said, inputs in (
        (ValueError, "are all none but scores need one: choose CLIP ViT-B/32", {}),
        (FileNotFoundError, "none.pth is not in .*clip_vision", {"dino": "none.pth"}),
        (FileNotFoundError, "gone is not in .*detection", {"detector": "gone"}),
        (ValueError, "tiny_clip.bin lacks cls_token", {"dino": "tiny_clip.bin"}),
        (ValueError, "open_clip has none of that name", {"clip": "tiny_clip.bin", "clip_model": "ViT-X"}),
        (ValueError, "Subject 2, 'red backpack', takes box 2 but there are 1 boxes",
         {"dino": "demo judge", "layout": studio.layout((LEFT,))}),
        (ValueError, "The embeds have 1 subjects but 2 are linked here",
         {"dino": "demo judge", "embeds": studio.encode((LEFT,), subjects[:1])}),
    ):
        with pytest.raises(error, match=said) as refused:
            score(subjects, **inputs)
        assert "\n" not in str(refused.value)
    assert "clip_i" not in score([], clip="demo judge")[1]["mean"]
