"""From a subject's photo and name to its embeds: what is refused, what is read, and what the embeds remember."""

import io
import json

import pytest
import torch
from PIL import Image

from devtools.workflows import API_EXAMPLES
from tests.host.conftest import LEFT, RIGHT

NAN = float("nan")


def crop(host, embeds, x=0, y=0, width=64, height=64, frame_width=128, frame_height=128):
    return host.call(
        "MSDiffusionCropEmbeds", embeds=embeds, x=x, y=y, width=width, height=height, frame_width=frame_width,
        frame_height=frame_height,
    )[0]


def blend(host, a, b, amount=0.5, frames=1):
    return host.call("MSDiffusionBlend", embeds_a=a, embeds_b=b, amount=amount, mode="linear", frames=frames)[0]


@pytest.mark.parametrize("phrase", ["(dog:1.5)", "a ((red)) backpack", "dog"])
def test_a_phrase_is_read_to_the_letter_and_never_weighted(host, studio, phrase):
    """The tokens of CLIP's own tokenizer, at the end token of its final layer: weight syntax is text like any other."""
    clip = studio.demo.clip
    found = host.module("nodes.host.encode").phrase_embedding(clip, phrase)
    ids = clip.tokenizer.clip_l.tokenizer(phrase)["input_ids"]
    padded = torch.tensor([ids + [ids[-1]] * (77 - len(ids))])
    expected = clip.cond_stage_model.clip_l.transformer(padded)[0][:, len(ids) - 1]
    assert torch.allclose(found, expected, atol=1e-5)


def test_weight_syntax_in_a_phrase_would_be_seen(host, studio):
    embedding = host.module("nodes.host.encode").phrase_embedding
    assert (embedding(studio.demo.clip, "(dog:1.5)") - embedding(studio.demo.clip, "dog")).abs().max() > 1e-2


@pytest.mark.parametrize("inputs, words", [
    (dict(mask=torch.full((1, 48, 64), NAN)), "The mask holds NaN"),
    (dict(mask=torch.ones(1, 9, 9).index_fill(2, torch.tensor(4), NAN)), "The mask holds NaN"),
    (dict(weight=NAN), "weight of 'dog' is nan"),
    (dict(weight=float("inf")), "weight of 'dog' is inf"),
    (dict(start_percent=NAN), "starts at nan"),
    (dict(end_percent=NAN), "ends at nan"),
])
def test_what_is_no_number_is_refused_in_one_sentence(studio, inputs, words):
    with pytest.raises(ValueError, match=words) as caught:
        studio.subject(**inputs)
    assert ":" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_image_with_nan_is_refused(studio):
    image = studio.photo(0)
    image[0, 5, 6, 1] = NAN
    with pytest.raises(ValueError, match="The image holds NaN"):
        studio.subject_of(image)


@pytest.fixture
def load(host):
    """Saves RGBA pixels as a file and loads it with Load Image: `load(pixels, "RGB")` gives its image and its mask."""
    def save_and_load(pixels, mode="RGBA"):
        picture = Image.fromarray((pixels * 255).round().byte().numpy(), "RGBA").convert(mode)
        picture.save(host.base / "input" / f"subject_{mode}.png")
        return host.call("LoadImage", image=f"subject_{mode}.png")

    return save_and_load


def rgba() -> torch.Tensor:
    """A photo with a disc in its middle that is opaque; what lies around it is still in the file: `[48, 64, 4]`."""
    y, x = torch.linspace(-1, 1, 48)[:, None], torch.linspace(-1, 1, 64)[None, :]
    alpha = (4 * (0.6 - (y**2 + x**2).sqrt())).clamp(0, 1)
    colors = torch.rand(48, 64, 3, generator=torch.Generator().manual_seed(0))
    return torch.cat([colors, alpha[..., None]], dim=-1)


def views_of(host, image, **inputs):
    inputs = {"phrase": "dog", "weight": 1.0, "fit": "stretch", **inputs}
    return host.call("MSDiffusionSubject", image=image, **inputs)[0].views


def test_a_transparent_file_is_cut_out_by_either_way_through_the_hosts_nodes(host, load, said):
    image, mask = load(rgba())
    assert image.shape == (1, 48, 64, 3)
    linked = views_of(host, image, mask=mask, mask_is="background")
    joined = views_of(host, host.call("JoinImageWithAlpha", image=image, alpha=mask)[0])
    expected = views_of(host, (rgba()[None] * 255).round() / 255)
    for views in (linked, joined):
        assert (views - expected).abs().max() <= 1.01 / 255
        assert (views - views_of(host, image)).abs().max() > 0.5
    assert said() == []


def test_the_mask_of_a_transparent_file_is_warned_of_if_it_is_taken_for_the_subjects(host, load, said):
    image, mask = load(rgba())
    views_of(host, image, mask=mask)
    (message,) = said()
    assert "The mask covers 100 % of the border" in message
    assert message.endswith("set mask_is to background.")


@pytest.mark.parametrize("mode", ["RGB", "P"])
def test_the_mask_of_an_opaque_file_leaves_the_whole_photo_or_is_refused_with_the_remedy(host, load, said, mode):
    opaque = rgba()
    opaque[..., 3] = 1
    image, mask = load(opaque, mode)
    assert mask.max() == 0
    assert torch.equal(views_of(host, image, mask=mask, mask_is="background"), views_of(host, image))
    with pytest.raises(ValueError, match="largest value 0.*for Load Image's MASK of an opaque picture, set mask_is"):
        views_of(host, image, mask=mask)
    assert said() == []


def test_the_preview_shows_a_checkerboard_and_the_subject_stays_black_there(host):
    inputs = {"phrase": "dog", "weight": 1.0, "fit": "stretch"}
    subject, preview = host.call("MSDiffusionSubject", image=rgba()[None], **inputs)
    assert subject.views[0, 3, 3].max() < 0.05
    assert preview[0, 3, 3].min() > 0.35
    assert torch.equal(preview[0, 200:300, 200:300], subject.views[0, 200:300, 200:300])


def test_without_mask_is_the_tokens_are_those_of_a_mask_of_the_subject(studio):
    mask = torch.zeros(1, 48, 64)
    mask[:, 8:40, 20:50] = 1
    without, given, other = (
        studio.encode(subjects=[studio.subject(mask=mask if index < 2 else 1 - mask, **inputs)]).subjects[0].tokens
        for index, inputs in enumerate(({}, {"mask_is": "subject"}, {"mask_is": "background"}))
    )
    cropped = studio.encode(subjects=[studio.subject_of(studio.photo(0)[:, 8:40, 20:50])]).subjects[0].tokens
    assert torch.equal(without, given)
    assert torch.equal(without, other)
    assert torch.equal(without, cropped)


def test_a_prompt_saved_before_mask_is_gives_the_same_image(comfy_server):
    now = json.loads((API_EXAMPLES / "one_subject.api.json").read_text("utf-8"))
    for node in now.values():
        if node["class_type"] == "KSampler":
            node["inputs"]["steps"] = 2
        if node["class_type"] == "MSDiffusionSubject":
            node["inputs"]["mask"] = [node["inputs"]["image"][0], 1]
    before = json.loads(json.dumps(now))
    subjects = [node["inputs"] for node in before.values() if node["class_type"] == "MSDiffusionSubject"]
    assert [inputs.pop("mask_is") for inputs in subjects] == ["subject"]
    pixels = []
    for prompt in (now, before):
        (record,) = comfy_server.images(comfy_server.run(prompt), "output")
        pixels.append(Image.open(io.BytesIO(comfy_server.view(**record))).convert("RGB").tobytes())
    assert pixels[0] == pixels[1]


def test_a_workflow_saved_before_mask_is_keeps_its_values_in_their_places(host):
    """The frontend saves a node's values in its schema's order, without names."""
    schema = host.nodes["MSDiffusionSubject"].GET_SCHEMA()
    widgets = [declared.id for declared in schema.inputs if declared.get_io_type() not in ("IMAGE", "MASK")]
    assert widgets == ["phrase", "weight", "fit", "start_percent", "end_percent", "mask_is"]


def test_no_example_sends_a_preview_with_its_checkerboard_on():
    for path in sorted(API_EXAMPLES.glob("*.json")):
        graph = json.loads(path.read_text("utf-8"))
        previews = [[number, 1] for number, node in graph.items() if node["class_type"] == "MSDiffusionSubject"]
        takers = {node["class_type"] for node in graph.values() if any(v in previews for v in node["inputs"].values())}
        assert takers <= {"PreviewImage", "SaveImage"}, path.name


def test_a_detectors_box_that_is_no_number_is_refused(host):
    boxes = [{"x": 0, "y": NAN, "width": 32, "height": 32}]
    with pytest.raises(ValueError, match="Bounding box 1 .*'y': nan.* finite numbers .*: check"):
        host.call("MSDiffusionLayout", width=64, height=64, bounding_boxes=boxes)


def test_a_muted_subject_leaves_the_others_in_their_boxes(studio):
    middle = (0.25, 0.25, 0.75, 0.75)
    three = studio.subjects(3)
    for silent in range(3):
        acting = [None if k == silent else subject for k, subject in enumerate(three)]
        embeds = studio.encode((LEFT, middle, RIGHT), acting)
        found = {subject.phrase: subject.region.box.edges for subject in embeds.subjects}
        boxes = dict(zip(("dog", "red backpack", "cat"), (LEFT, middle, RIGHT), strict=True))
        assert found == {phrase: edges for k, (phrase, edges) in enumerate(boxes.items()) if k != silent}


def test_a_real_run_without_the_first_subject_still_makes_its_picture(comfy_server):
    """Muting a subject takes its link out of the prompt, and nothing else."""
    graph = json.loads((API_EXAMPLES / "two_subjects.api.json").read_text("utf-8"))
    encode = next(node for node in graph.values() if node["class_type"] == "MSDiffusionEncode")
    sampler = next(node for node in graph.values() if node["class_type"] == "KSampler")
    sampler["inputs"]["steps"] = 1
    del encode["inputs"]["subjects.subject0"]
    assert len(comfy_server.images(comfy_server.run(graph))) == 1


def test_embeds_keep_the_size_of_the_layouts_frame(host, studio):
    embeds = studio.encode(layout=studio.layout((LEFT, RIGHT), width=320, height=192))
    assert embeds.frame == (320, 192)
    tile = crop(host, embeds, x=64)
    assert (tile.frame, tile.window) == ((320, 192), (0.5, 0.0, 1.0, 0.5))
    inner = crop(host, tile, x=0)
    assert (inner.frame, inner.window) == ((320, 192), (0.5, 0.0, 0.75, 0.25))
    for blended in (blend(host, tile, tile), blend(host, tile, tile, frames=3)):
        assert (blended.frame, blended.window) == (tile.frame, tile.window)
