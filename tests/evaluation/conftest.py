"""Encoders and detectors of the real classes, tiny and with random weights, as files and folders."""

import json

import pytest
import torch

from tests import offline

no_network = offline.no_network

CLIP_NAME = "msd-tiny-clip"
CLIP_CONFIG = {
    "embed_dim": 16,
    "quick_gelu": True,
    "vision_cfg": {"image_size": 32, "layers": 2, "width": 64, "patch_size": 8, "head_width": 32},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 1},
}


@pytest.fixture(scope="session")
def clip_file(tmp_path_factory):
    """A CLIP of open_clip's own class."""
    open_clip = pytest.importorskip("open_clip")
    folder = tmp_path_factory.mktemp("clip")
    (folder / f"{CLIP_NAME}.json").write_text(json.dumps(CLIP_CONFIG))
    open_clip.add_model_config(folder / f"{CLIP_NAME}.json")
    torch.manual_seed(0)
    model = open_clip.create_model(CLIP_NAME, load_weights=False)
    torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
    return folder / "open_clip_pytorch_model.bin"


@pytest.fixture(scope="session")
def dino_file(tmp_path_factory):
    """A vision transformer of timm's own class."""
    timm = pytest.importorskip("timm")
    torch.manual_seed(1)
    model = timm.models.vision_transformer.VisionTransformer(
        img_size=32, patch_size=8, embed_dim=128, depth=2, num_heads=2, num_classes=0
    )
    file = tmp_path_factory.mktemp("dino") / "dino.pth"
    torch.save(model.state_dict(), file)
    return file


@pytest.fixture(scope="session")
def dinov2_folder(tmp_path_factory):
    """A DINOv2 of transformers' own class."""
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(2)
    config = transformers.Dinov2Config(hidden_size=32, num_hidden_layers=2, num_attention_heads=2, mlp_ratio=2,
                                       image_size=56, patch_size=14)
    folder = tmp_path_factory.mktemp("dinov2")
    transformers.Dinov2Model(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def owlv2(tmp_path_factory):
    """An OWLv2 of transformers' own class, with its processor."""
    from msd_core.headless.text import clip_tokenizers

    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("owlv2")
    config = transformers.Owlv2Config(
        text_config={"vocab_size": 49408, "hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1,
                     "num_attention_heads": 2, "max_position_embeddings": 77},
        vision_config={"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
                       "image_size": 64, "patch_size": 16},
        projection_dim=16,
    )
    torch.manual_seed(1)
    transformers.Owlv2ForObjectDetection(config).save_pretrained(folder)
    images = transformers.Owlv2ImageProcessor(size={"height": 64, "width": 64})
    transformers.Owlv2Processor(images, clip_tokenizers()[0]).save_pretrained(folder)
    return folder
