"""The adapter loader on files of any name, as it meets them in the model folder."""

import shutil

import pytest
import torch
from safetensors.torch import save_file

from tests.samples import adapter_state, nested


@pytest.fixture
def state():
    return adapter_state(head_dim=32)


@pytest.fixture
def place(host):
    """A path in the model folder, from which whatever is put there is taken away again."""
    paths = []

    def path_of(name):
        paths.append(host.base / "models" / "msdiffusion" / name)
        paths[-1].parent.mkdir(exist_ok=True)
        return paths[-1]

    yield path_of
    for path in paths:
        shutil.rmtree(path) if path.is_dir() else path.unlink()


def refusal(host, name) -> str:
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        host.call("MSDiffusionAdapterLoader", adapter_name=name)
    return str(caught.value)


@pytest.mark.parametrize("name", ["flat.bin", "flat.pt", "flat.sft"])
def test_safetensors_are_listed_and_loaded_under_every_ending(host, place, state, name):
    save_file(state, place(name))
    assert name in host.module("nodes.host.folders").adapter_names()
    assert len(host.call("MSDiffusionAdapterLoader", adapter_name=name)[0].layers.hidden) == 5


def test_a_torch_file_is_loaded_under_the_other_ending(host, place, state):
    torch.save(nested(state), place("pickle.safetensors"))
    assert len(host.call("MSDiffusionAdapterLoader", adapter_name="pickle.safetensors")[0].layers.hidden) == 5


def test_a_folder_with_a_files_name_is_told(host, place):
    place("run.safetensors").mkdir()
    message = refusal(host, "run.safetensors")
    assert message.startswith("run.safetensors in ")
    assert "is a folder, but a file is needed: choose one in it" in message


def test_a_training_checkpoint_is_told_with_the_command_that_converts_it(host, place, state):
    torch.save({f"module.{key}": value for key, value in state.items()}, place("epoch3.pt"))
    assert "python -m msd_core convert epoch3.pt ms_adapter.safetensors" in refusal(host, "epoch3.pt")
