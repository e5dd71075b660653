"""A tiny SDXL in memory and as a folder, and shards of drawn samples."""

from __future__ import annotations

import pytest
import torch

from tests import offline

no_network = offline.no_network


@pytest.fixture(scope="session")
def shared_base():
    from tests.tiny_sdxl import new_base

    return new_base()


@pytest.fixture
def base(shared_base):
    """The tiny base, without hooks of earlier tests, frozen, in fp32."""
    unet = shared_base.pipe.unet
    for module in unet.modules():
        module._forward_hooks.clear()
        module._forward_pre_hooks.clear()
    unet.disable_gradient_checkpointing()
    shared_base.prepare(torch.device("cpu"), torch.float32)
    return shared_base


@pytest.fixture(scope="session")
def shards_folder(tmp_path_factory):
    from tests.tiny_sdxl import drawn_sample
    from training.shards import ShardWriter

    folder = tmp_path_factory.mktemp("shards")
    with ShardWriter(folder, samples_per_shard=6) as writer:
        for number in range(14):
            writer.add(drawn_sample(number))
    return folder


@pytest.fixture(scope="session")
def base_files(tmp_path_factory):
    """The tiny base on disk: the pipeline's folder and the image encoder's."""
    from tests.tiny_sdxl import new_base

    folder = tmp_path_factory.mktemp("base")
    base = new_base()
    base.pipe.save_pretrained(folder / "sdxl")
    base.image_encoder.save_pretrained(folder / "vision")
    return folder / "sdxl", folder / "vision"
