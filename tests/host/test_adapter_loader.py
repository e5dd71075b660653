"""The adapter loader on files of any name, as it meets them in the model folder."""

import shutil

import pytest
import torch
from safetensors.torch import save_file

from devtools.files import ADAPTER, CHECKPOINT, IMAGE_ENCODER
from tests.conftest import PACK
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


LOADERS = pytest.mark.parametrize("type, name", [
    ("MSDiffusionAdapterLoader", "adapter_name"), ("MSDiffusionOpenCLIPVision", "name"),
])  # fmt: skip


@LOADERS
def test_a_loader_of_an_empty_folder_asks_for_the_released_file_and_says_where_it_is_had(host, type, name):
    node = host.nodes[type]
    (declared,) = node.define_schema().inputs
    assert declared.options == []
    said = node.validate_inputs(**{name: declared.default})
    folder = "msdiffusion" if type == "MSDiffusionAdapterLoader" else "clip_vision"
    assert said.startswith(f"{declared.default} is not in ")
    assert str(host.base / "models" / folder) in said
    assert f"/resolve/main/{declared.default} (" in said
    assert said.endswith("put it there and press R.")
    assert node.validate_inputs() is True, "a name that comes from a link is known when the node runs"


def test_where_there_are_files_the_first_is_chosen_and_another_name_is_refused_with_both_remedies(host, place, state):
    save_file(state, place("mine.safetensors"))
    node = host.nodes["MSDiffusionAdapterLoader"]
    assert node.define_schema().inputs[0].default is None
    assert node.validate_inputs("mine.safetensors") is True
    said = node.validate_inputs("ms_adapter.bin")
    assert "choose another file, or download https://" in said
    assert refusal(host, "ms_adapter.bin") == said


def test_messages_templates_and_the_page_name_the_same_files(host):
    folders = host.module("nodes.host.folders")
    assert (folders.RELEASED_ADAPTER.name, folders.RELEASED_ADAPTER.url) == (ADAPTER.name, ADAPTER.url)
    page = (PACK / "web" / "layout" / "model" / "released.mjs").read_text("utf-8")
    for file in (folders.RELEASED_ADAPTER, folders.OPEN_CLIP, ADAPTER, CHECKPOINT, IMAGE_ENCODER):
        assert f'name: "{file.name}"' in page
        assert f'url: "{file.url}"' in page


def test_a_training_checkpoint_is_told_with_the_command_that_converts_it(host, place, state):
    torch.save({f"module.{key}": value for key, value in state.items()}, place("epoch3.pt"))
    assert "python -m msd_core convert epoch3.pt ms_adapter.safetensors" in refusal(host, "epoch3.pt")
