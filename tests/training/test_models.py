"""The five steps by the real BLIP-2, spaCy, Grounding DINO, SAM, DINOv2 and CLIP, tiny and with random weights."""

from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from tests.tiny_models import SAID
from training.data import View
from training.data.boxes import load_boxes
from training.data.captions import load_captioner
from training.data.embeddings import load_embedder
from training.data.entities import SpacyEntities, load_entities
from training.data.masks import load_segmenter

pytestmark = pytest.mark.usefixtures("no_network")
BOXES = [(0.1, 0.2, 0.6, 0.9), (0.5, 0.0, 1.0, 0.5), (0.0, 0.0, 1.0, 1.0)]


def view(seed: int = 0, size: tuple[int, int] = (60, 80)) -> View:
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)
    return View(pixels, None, 0.0)


def grey(value: int) -> View:
    return View(np.full((60, 80, 3), value, np.uint8), None, 0.0)


def test_blip2_says_what_each_frame_shows_and_the_same_each_time(models):
    captioner = load_captioner(models["captioner"])
    views = [grey(0), grey(224), view()]
    said = captioner(views)
    assert set(said) <= set(SAID) and len(set(said)) > 1
    assert said == captioner(views) == [captioner([one])[0] for one in views]


def test_blip2_in_half_precision_says_something_too(models):
    captioner = load_captioner(models["captioner"], dtype="bfloat16")
    assert next(captioner.model.parameters()).dtype == torch.bfloat16
    assert set(captioner([grey(0)])) <= set(SAID)


def test_spacy_finds_things_in_the_captions_words_without_articles_and_numbers(models):
    entities = load_entities(models["entities"])
    assert [entities(said) for said in SAID] == [
        ["red dog", "hat"], ["cat", "bench"], ["man", "brown mug"], ["dogs", "cat"]]
    for said in SAID:
        assert all(phrase in said for phrase in entities(said))
    # Each once; and what captions say about themselves is no thing.
    assert entities("the dog and a dog with the hat") == ["dog", "hat"]
    assert entities("") == []


def chunks(*found, ents=()):
    """A pipeline whose parser and recogniser say so."""
    spacy = pytest.importorskip("spacy")
    pipeline = spacy.blank("en")

    class Read:
        pipe_names = ["parser", "ner"]

        def __call__(self, text):
            doc = pipeline(text)
            for token in doc:
                token.lemma_, token.pos_ = token.text.lower(), "NUM" if token.like_num else "NOUN"
                token.head = doc[0]

            def spans(words):
                return [doc.char_span(text.index(one), text.index(one) + len(one)) for one in words]

            named = spans(name for name, _ in ents)
            for span, (_, label) in zip(named, ents, strict=True):
                span.label_ = label
            return SimpleNamespace(noun_chunks=spans(found), ents=named)

    return SpacyEntities(Read())


def test_captions_of_pictures_are_no_things_and_names_of_products_are():
    text = "a picture of a Fender by her dog and 12 hats and the background at Paris in it"
    found = chunks("a picture", "her dog", "12 hats", "the background", "it",
                   ents=[("Fender", "PRODUCT"), ("Paris", "GPE")])
    assert found(text) == ["Fender", "dog", "hats"]


def test_a_pipeline_that_finds_nothing_is_refused_with_what_would_do(tmp_path):
    spacy = pytest.importorskip("spacy")
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(ValueError, match="has nothing but needs a parser or ner: take en_core_web"):
        load_entities(tmp_path / "blank")
    with pytest.raises(ValueError, match="is en_none but can't be loaded .*directory.: name a folder, or an installed"):
        load_entities("en_none")


def test_grounding_dino_finds_phrases_in_a_frame(models):
    found = load_boxes(models["detector"], threshold=0.0)(view(), ["dog", "cat"])
    assert {one.phrase for one in found} == {"dog", "cat"}
    assert all(0 <= edge <= 1 for one in found for edge in one.box)
    assert load_boxes(models["detector"], threshold=1.1)(view(), ["dog"]) == []


def test_sam_gives_each_box_a_mask_of_the_frame_which_hangs_on_the_box(models):
    segmenter = load_segmenter(models["segmenter"])
    masks = segmenter(view(), BOXES)
    assert [(mask.shape, mask.dtype) for mask in masks] == [((60, 80), bool)] * 3
    assert (masks[0] != masks[1]).any()
    assert segmenter(view(), []) == []
    # Boxes are asked for together and answered apart.
    np.testing.assert_array_equal(segmenter(view(), BOXES[1:2])[0], masks[1])


def test_sam_is_asked_in_pixels(models):
    segmenter, asked = load_segmenter(models["segmenter"]), {}
    real = segmenter.processor

    class Heard:
        image_processor = real.image_processor

        def __call__(self, **inputs):
            asked.update(inputs)
            return real(**inputs)

    segmenter.processor = Heard()
    segmenter(view(), [(0.25, 0.5, 0.75, 1.0)])
    assert asked["input_boxes"] == [[[20.0, 30.0, 60.0, 60.0]]]


def test_of_sams_three_masks_the_one_that_it_thinks_best_is_taken(models):
    segmenter = load_segmenter(models["segmenter"])
    real, kept = segmenter.model.forward, {}

    def heard(*inputs, **named):
        kept["outputs"] = real(*inputs, **named)
        kept["outputs"].iou_scores = torch.tensor([[[0.1, 0.2, 0.9]]])
        kept["outputs"].pred_masks = torch.tensor([-1.0, -1.0, 1.0]).view(1, 1, 3, 1, 1).expand(-1, -1, -1, 16, 16)
        return kept["outputs"]

    segmenter.model.forward = heard
    assert segmenter(view(), BOXES[:1])[0].all()


@pytest.mark.parametrize("name", ["embedder", "clip"])
def test_embeddings_are_of_the_things_alone_and_of_length_1(models, name):
    embedder = load_embedder(models[name])
    frame, masks = view(), [np.ones((60, 80), bool) for _ in BOXES]
    masks[0][:, :20] = False
    seen = embedder(frame, BOXES, masks)
    assert seen.dtype == np.float32 and len(seen) == 3
    np.testing.assert_allclose(np.linalg.norm(seen, axis=1), 1, atol=1e-5)
    # What is outside of the mask does not count, what is inside does.
    for changed, same in ((~masks[0], True), (masks[0], False)):
        other = View(np.where(changed[..., None], 255 - frame.pixels, frame.pixels), None, 0.0)
        assert np.allclose(embedder(other, BOXES[:1], masks[:1])[0], seen[0], atol=1e-5) == same


def test_the_edges_of_a_thing_are_seen(models):
    embedder = load_embedder(models["embedder"])
    pixels = np.full((64, 64, 3), 128, np.uint8)
    edged = pixels.copy()
    edged[:, :4] = 0
    whole = [(0.0, 0.0, 1.0, 1.0)], [np.ones((64, 64), bool)]
    assert not np.allclose(embedder(View(pixels, None, 0), *whole), embedder(View(edged, None, 0), *whole), atol=1e-4)


@pytest.mark.parametrize("name, load, wanted", [
    ("captioner", load_captioner, "blip-2"), ("detector", load_boxes, "grounding-dino or owlv2"),
    ("segmenter", load_segmenter, "sam"), ("embedder", load_embedder, "clip or dinov2"),
])
def test_another_model_and_a_folder_that_is_none_are_refused(models, tmp_path, name, load, wanted):
    shutil.copytree(models[name], tmp_path / "other")
    file = tmp_path / "other" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "model_type": "bert"}))
    with pytest.raises(ValueError, match=f"is a bert but must be a {wanted}.*: take "):
        load(tmp_path / "other")
    with pytest.raises(ValueError, match="there is no such file or folder"):
        load(tmp_path / "none")


def test_a_package_that_is_missing_is_named_with_the_extra(monkeypatch):
    import sys

    from msd_core.packages import require_package

    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ValueError, match=r'av is not installed but videos needs it: pip install -e "\.\[training\]"'):
        require_package("av", "av", "videos", "training")
