"""Grounding DINO and OWLv2 of transformers, tiny and with random weights, from folders."""

import pytest
import torch

from msd_core.evaluation.detectors import Detector, load_detector
from tests.tiny_models import save_grounding_dino

transformers = pytest.importorskip("transformers")
pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture(scope="module")
def grounding_dino(tmp_path_factory):
    return save_grounding_dino(tmp_path_factory.mktemp("grounding"))


@pytest.mark.parametrize("kind", ["grounding_dino", "owlv2"])
def test_every_detection_has_its_phrase_a_box_in_the_picture_and_a_score(kind, request):
    detector = load_detector(request.getfixturevalue(kind), threshold=0.0)
    pictures = torch.rand(2, 48, 64, 3, generator=torch.Generator().manual_seed(3))
    found = detector.detect(pictures, ["dog", "cat", "dog"])
    assert len(found) == 2
    for seen in found:
        # A phrase that comes twice is asked for once.
        counts = [sum(one.phrase == phrase for one in seen) for phrase in ("dog", "cat")]
        assert counts[0] == counts[1] > 0
        for one in seen:
            x0, y0, x1, y1 = one.box
            assert 0 <= x0 <= x1 <= 1 and 0 <= y0 <= y1 <= 1 and 0 <= one.score <= 1
    assert load_detector(request.getfixturevalue(kind), threshold=1.1).detect(pictures, ["dog"]) == [[], []]


def test_a_batch_finds_what_single_pictures_find(owlv2):
    detector = load_detector(owlv2, threshold=0.0)
    pictures = torch.rand(3, 64, 64, 3, generator=torch.Generator().manual_seed(4))
    together = detector.detect(pictures, ["dog", "cat", "hat", "cap"])
    apart = [detector.detect(picture[None], ["dog", "cat", "hat", "cap"])[0] for picture in pictures]
    for first, second in zip(together, apart, strict=True):
        assert [one.phrase for one in first] == [one.phrase for one in second]
        torch.testing.assert_close(torch.tensor([one.box for one in first]), torch.tensor([one.box for one in second]),
                                   rtol=1e-3, atol=1e-4)


def test_grounding_dino_is_asked_for_a_phrase_in_its_own_form(grounding_dino):
    detector: Detector = load_detector(grounding_dino, threshold=0.0)
    asked, processor = [], detector.processor

    class Heard:
        def __call__(self, **inputs):
            asked.extend(inputs["text"])
            return processor(**inputs)

        post_process_grounded_object_detection = staticmethod(processor.post_process_grounded_object_detection)

    detector.processor = Heard()
    detector.detect(torch.rand(1, 32, 32, 3), ["Dog"])
    assert asked == ["dog."]


def test_another_model_is_refused_with_what_would_do(dinov2_folder):
    with pytest.raises(ValueError, match="is a dinov2 but must be a grounding-dino or owlv2: take"):
        load_detector(dinov2_folder)
