"""The five models of the data construction, of their real classes, tiny and with random weights."""

import pytest

from tests import offline, tiny_models

no_network = offline.no_network


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Each model's folder by the name that the command has for it, and CLIP's."""
    for package in ("transformers", "spacy", "scipy"):
        pytest.importorskip(package)
    folder = tmp_path_factory.mktemp("models")
    return {
        "captioner": tiny_models.save_blip2(folder / "blip2"), "entities": tiny_models.save_spacy(folder / "spacy"),
        "detector": tiny_models.save_grounding_dino(folder / "grounding"),
        "segmenter": tiny_models.save_sam(folder / "sam"),
        "embedder": tiny_models.save_dinov2(folder / "dinov2"), "clip": tiny_models.save_clip(folder / "clip"),
    }
