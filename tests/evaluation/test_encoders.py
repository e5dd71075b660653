"""The encoders on tiny random weights of the real classes: the same numbers as the packages' own way, and refusals."""

import numpy as np
import pytest
import torch
from PIL import Image

from msd_core.evaluation.encoders import (
    CLIP_NORM,
    IMAGENET_NORM,
    load_clip,
    load_dino,
    load_dinov2,
    prepare,
)
from tests.evaluation.conftest import CLIP_NAME

pytestmark = pytest.mark.usefixtures("no_network")


@pytest.fixture(scope="module")
def pictures():
    generator = torch.Generator().manual_seed(5)
    rough = torch.rand(3, 3, 6, 8, generator=generator)
    smooth = torch.nn.functional.interpolate(rough, size=(90, 120), mode="bicubic")
    return smooth.clamp(0, 1).movedim(1, -1)


def as_pil(picture):
    return Image.fromarray((picture.numpy() * 255).round().astype(np.uint8))


def test_the_preprocessing_is_torchvisions(pictures):
    transforms = pytest.importorskip("torchvision.transforms")
    usual = transforms.Compose([
        transforms.Resize(64, transforms.InterpolationMode.BICUBIC), transforms.CenterCrop(56),
        transforms.ToTensor(), transforms.Normalize(*IMAGENET_NORM),
    ])
    wanted = torch.stack([usual(as_pil(picture)) for picture in pictures])
    found = prepare((pictures * 255).round() / 255, 56, IMAGENET_NORM, 64)
    assert found.shape == wanted.shape
    assert (found - wanted).abs().mean() < 0.01


def test_clip_gives_open_clips_own_vectors(clip_file, pictures):
    open_clip = pytest.importorskip("open_clip")
    encoder = load_clip(clip_file, CLIP_NAME)
    model = open_clip.create_model(CLIP_NAME, pretrained=str(clip_file)).eval()
    with torch.no_grad():
        wanted = model.encode_image(prepare(pictures, 32, CLIP_NORM))
        texts = model.encode_text(open_clip.get_tokenizer(CLIP_NAME)(["a dog on a beach", "a cat"]))
    torch.testing.assert_close(encoder.images(pictures), wanted)
    torch.testing.assert_close(encoder.texts(["a dog on a beach", "a cat"]), texts)


def test_dino_is_built_from_the_shapes_in_its_file(dino_file, pictures):
    timm = pytest.importorskip("timm")
    encoder = load_dino(dino_file)
    model = timm.models.vision_transformer.VisionTransformer(
        img_size=32, patch_size=8, embed_dim=128, depth=2, num_heads=2, num_classes=0
    ).eval()
    model.load_state_dict(torch.load(dino_file, weights_only=True))
    with torch.no_grad():
        wanted = model.forward_features(prepare(pictures, 32, IMAGENET_NORM, 37))[:, 0]
    torch.testing.assert_close(encoder.images(pictures), wanted)


def test_the_shapes_of_dino_vit_s_16_give_timms_own_model(tmp_path):
    timm = pytest.importorskip("timm")
    model = timm.create_model("vit_small_patch16_224.dino", pretrained=False, num_classes=0)
    torch.save(model.half().state_dict(), tmp_path / "dino_deitsmall16_pretrain.pth")
    encoder = load_dino(tmp_path / "dino_deitsmall16_pretrain.pth")
    assert encoder.size == 224 and encoder.model.blocks[0].attn.num_heads == model.blocks[0].attn.num_heads == 6
    assert encoder.name == "DINO ViT 384/16"


def test_dinov2_is_the_class_token_after_the_last_norm(dinov2_folder, pictures):
    transformers = pytest.importorskip("transformers")
    encoder = load_dinov2(dinov2_folder)
    model = transformers.Dinov2Model.from_pretrained(dinov2_folder).eval()
    with torch.no_grad():
        wanted = model(pixel_values=prepare(pictures, 224, IMAGENET_NORM, 256)).pooler_output
    torch.testing.assert_close(encoder.images(pictures), wanted)


def test_a_batch_gives_what_single_pictures_give(clip_file, dino_file, pictures):
    for encoder in (load_clip(clip_file, CLIP_NAME), load_dino(dino_file)):
        apart = torch.cat([encoder.images(picture[None]) for picture in pictures])
        torch.testing.assert_close(encoder.images(pictures), apart, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(("load", "said"), [
    (lambda f: load_clip(f / "none.bin", CLIP_NAME), "none.bin is named but there is no such file"),
    (lambda f: load_clip(f / "text.bin", CLIP_NAME), "text.bin .* can't be read"),
    (lambda f: load_clip(f / "text.bin", "ViT-B-33"), "'ViT-B-33' but open_clip has none of that name.*ViT-B"),
    (lambda f: load_clip(f / "other.pt", CLIP_NAME), r"lacks \w+ but open_clip's msd-tiny-clip needs it as"),
    (lambda f: load_dino(f / "other.pt"), "lacks cls_token, so it is no vision transformer of DINO"),
    (lambda f: load_dinov2(f), "no folder with a config.json"),
    (lambda f: load_dinov2(f / "none"), "there is no such file or folder"),
])
def test_a_file_that_does_not_fit_is_told_in_one_sentence(tmp_path, clip_file, load, said):
    (tmp_path / "text.bin").write_text("no model")
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pt")
    with pytest.raises(ValueError, match=said) as refused:
        load(tmp_path)
    assert "\n" not in str(refused.value)


def test_a_missing_package_is_named_with_its_remedy(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "timm.models.vision_transformer", None)
    with pytest.raises(ValueError, match=r"timm is not installed but DINO needs it: pip install"):
        load_dino(tmp_path / "dino.pth")
