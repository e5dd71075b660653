"""The collage node in a real ComfyUI."""

import pytest
import torch

from tests.host.conftest import LEFT, RIGHT


def collage(studio, boxes=(LEFT, RIGHT), subjects=None, layout=None, **inputs):
    subjects = studio.subjects(len(boxes)) if subjects is None else subjects
    named = {f"subject{index}": subject for index, subject in enumerate(subjects) if subject is not None}
    layout = layout or studio.layout(boxes)
    return studio.host.call("MSDiffusionCollage", layout=layout, subjects=named, **inputs)


def test_each_subjects_cut_out_lies_in_its_box(studio):
    """A photo of 64 by 48, of which the mask keeps a square, in boxes of 80 by 160 pixels."""
    mask = torch.zeros(1, 48, 64)
    mask[:, 10:30, 20:40] = 1
    photo = torch.ones(1, 48, 64, 3)
    photo[:, 10:30, 20:40] = torch.tensor([0.0, 0.0, 1.0])
    cut = studio.host.call("MSDiffusionSubject", image=photo, phrase="dog", weight=1.0, fit="crop", mask=mask)[0]
    image, found = collage(studio, subjects=[cut, studio.subject("cat")])
    assert image.shape == (1, 160, 160, 3)
    assert found.shape == (1, 160, 160)
    blue = torch.tensor([0.0, 0.0, 1.0]).expand(80, 80, 3)
    assert torch.allclose(image[0, 40:120, :80], blue, atol=1e-6)
    assert (found[0, 40:120, :80] > 1 - 1e-6).all()
    assert not found[0, :40, :80].any()
    assert not found[0, 120:, :80].any()
    assert (found[0, 50:110, 80:] > 1 - 1e-6).all()


def test_a_muted_subject_leaves_its_box_empty(studio):
    _, mask = collage(studio, subjects=[None, studio.subject("cat")])
    assert not mask[..., :80].any()
    assert mask[..., 80:].any()


def test_a_batch_of_backgrounds_makes_a_batch_of_collages(studio):
    image, mask = collage(studio, background=torch.rand(2, 40, 40, 3))
    assert (image.shape, mask.shape) == ((2, 160, 160, 3), (2, 160, 160))


@pytest.mark.parametrize("boxes, subjects, words", [
    ((LEFT,), 2, "Subject 2, 'red backpack', takes box 2 but there are 1 boxes: draw one"),
    ((), 1, "Subject 1, 'dog', takes box 1 but there are 0 boxes: draw one"),
    ((LEFT,), 0, "There are 0 subjects but 1 or more are needed: link"),
])
def test_subjects_and_boxes_that_do_not_match_are_refused(studio, boxes, subjects, words):
    with pytest.raises(ValueError, match=words):
        collage(studio, boxes, studio.subjects(subjects))


def test_a_collage_can_be_encoded_and_sampled_from(host, studio):
    image, _ = collage(studio)
    latent = host.call("VAEEncode", pixels=image, vae=studio.demo.vae)[0]["samples"]
    assert latent.shape == (1, 4, 20, 20)
