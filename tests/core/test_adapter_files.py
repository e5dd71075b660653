"""Files of any name and any content: adapters are recognised, and everything else is refused in one sentence."""

import argparse
import os
import pickle
import tarfile
import zipfile

import numpy
import pytest
import torch
from safetensors.torch import save_file

from msd_core.checkpoint import read_adapter
from tests.samples import adapter_state, nested

KEY = "ms_adapter.3.to_k_ip.weight"


@pytest.fixture(scope="module")
def state():
    return adapter_state(head_dim=32)


def refusal(path) -> str:
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        read_adapter(path)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    assert message.startswith(path.name)
    assert ":" in message, "the remedy is missing"
    return message


def as_safetensors(path, state):
    save_file(state, path)


def as_pickle(path, state):
    torch.save(nested(state), path)


def as_old_pickle(path, state):
    torch.save(nested(state), path, _use_new_zipfile_serialization=False)


@pytest.mark.parametrize("write", [as_safetensors, as_pickle, as_old_pickle])
@pytest.mark.parametrize("name", ["a.bin", "a.pt", "a.ckpt", "a.sft", "a.SAFETENSORS", "no extension", "Мой.bin"])
def test_an_adapter_is_recognised_by_its_content(tmp_path, state, write, name):
    write(tmp_path / name, state)
    read = read_adapter(tmp_path / name).state
    assert read.keys() == state.keys()
    assert all(torch.equal(read[key], value) for key, value in state.items())


def test_parameters_are_read_as_plain_tensors(tmp_path, state):
    as_pickle(tmp_path / "a.bin", {key: torch.nn.Parameter(value) for key, value in state.items()})
    assert not any(value.requires_grad for value in read_adapter(tmp_path / "a.bin").state.values())


class Call:
    """Pickled, it is a call of whatever it was given."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


class Own:
    pass


CODE = {
    "os": Call(os.system, "echo this must never run"),
    "eval": Call(eval, "print('this must never run')"),
    "print": Call(print, "this must never run"),
    "class": Own(),
    "module": torch.nn.Linear(1, 1),
    "settings": argparse.Namespace(rate=1.0),
    "numpy": numpy.ones(2),
}


@pytest.mark.parametrize("kind", CODE)
@pytest.mark.parametrize("name", ["evil.bin", "evil.safetensors"])
def test_code_in_a_torch_file_is_named_and_never_run(tmp_path, capfd, kind, name):
    torch.save({"image_proj": CODE[kind]}, tmp_path / name)
    message = refusal(tmp_path / name)
    assert "holds code (" in message
    assert "do not use it" in message
    assert "never run" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("old", [True, False])
def test_code_is_found_in_pickles_of_every_protocol(tmp_path, capfd, protocol, old):
    path = tmp_path / "evil.bin"
    if old:
        path.write_bytes(pickle.dumps([CODE["os"], CODE["eval"]], protocol))
    else:
        torch.save(CODE["os"], path, pickle_protocol=protocol)
    assert "holds code (" in refusal(path)
    assert ".system" in refusal(path)
    assert "never run" not in "".join(capfd.readouterr())


@pytest.mark.parametrize("instructions, what", [
    (b"cos\nsystem\n(S'echo'\ntR.", "os.system"),
    (b"(S'echo'\nios\nsystem\n.", "os.system"),
    (b"(cos\nsystem\nS'echo'\no.", "os.system"),
    (b"\x80\x04\x8c\x02os\x94\x8c\x06system\x94\x8c\x01x0h\x00h\x01\x93.", "os.system"),
    (b"\x80\x02cos\nsystem\ncut off here", "os.system"),
    (b"\x80\x02ctorch.storage\n_load_from_bytes\nC\x01xR.", "torch.storage._load_from_bytes"),
    (b"\x80\x02\x82\x01.", "instructions that no tensor needs"),
    (b"\x80\x02X\x01\x00\x00\x00aQ.", "instructions that no tensor needs"),
    (b"\x80\x02}K\x01a.", "instructions that no tensor needs"),
], ids=["global", "inst", "obj", "memo", "cut off", "a load in the load", "extension", "persistent id", "append"])
def test_every_instruction_beyond_tensors_counts_as_code(tmp_path, instructions, what):
    (tmp_path / "evil.bin").write_bytes(instructions)
    assert f"holds code ({what})" in refusal(tmp_path / "evil.bin")


@pytest.mark.filterwarnings("ignore")
def test_a_torchscript_program_is_code(tmp_path):
    torch.jit.script(torch.nn.Linear(1, 1)).save(tmp_path / "script.bin")
    assert "holds code (a TorchScript program)" in refusal(tmp_path / "script.bin")


def test_tensors_in_another_protocol_are_no_code(tmp_path, state):
    torch.save(nested(state), tmp_path / "a.bin", pickle_protocol=4)
    message = refusal(tmp_path / "a.bin")
    assert "protocol 4, but only protocol 2" in message
    assert "save it again" in message


def archive_of_photos(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("cat.jpg", "")


def archive_of_an_adapter(path):
    archive_of_photos(path.with_name("cat"))
    with tarfile.open(path, "w") as archive:
        archive.add(path.with_name("cat"), "ms_adapter.bin")


@pytest.mark.parametrize("name", ["wrong.bin", "wrong.safetensors"])
@pytest.mark.parametrize("write, words", [
    (lambda path: path.write_bytes(b"\n<!DOCTYPE html><html>404</html>"), ["it is a web page", "repeat it"]),
    (lambda path: path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n"), ["Git LFS pointer", "repeat it"]),
    (lambda path: path.write_bytes(b'{"error":"Unauthorized"}'), ["neither safetensors nor", "(24 bytes)", "repeat"]),
    (lambda path: path.write_bytes(b"\x00" * 9999), ["neither safetensors nor", "(9999 bytes)"]),
    (lambda path: path.write_bytes(pickle.dumps({"a": 1}, 2)), ["its pickle is not one that torch.save writes"]),
    (archive_of_photos, ["an archive of files", "unpack it"]),
    (archive_of_an_adapter, ["a tar archive", "unpack it"]),
    (lambda path: path.mkdir(), ["is a folder, but an adapter is a file", "choose the file in it"]),
    (lambda path: None, ["is not in", "correct the path"]),
])
def test_what_is_no_model_file_is_told_as_what_it_is(tmp_path, name, write, words):
    write(tmp_path / name)
    message = refusal(tmp_path / name)
    assert all(word in message for word in words), message


def test_a_file_that_may_not_be_read_is_told(tmp_path, state, monkeypatch):
    as_pickle(tmp_path / "mine.bin", state)

    def locked(*_):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(type(tmp_path), "open", locked)
    assert "can't be opened (Permission denied)" in refusal(tmp_path / "mine.bin")


@pytest.mark.timeout(60)
@pytest.mark.parametrize("section, first", [("image_proj.layers", "0, 1, 2"), ("ms_adapter", "1, 3, 5 ... 11")])
@pytest.mark.parametrize("number", ["4000000000", "x", "²", "٣", "", "01", "-1", "8", "9" * 5000])
def test_a_layer_of_an_absurd_number_is_answered_at_once(tmp_path, state, section, first, number):
    save_file({**state, f"{section}.{number}.weight": torch.ones(1)}, tmp_path / "a.safetensors")
    message = refusal(tmp_path / "a.safetensors")
    assert f'a layer of {section} is numbered "{number[:50]}' in message
    assert f"layers are numbered {first}:" in message


def test_a_gap_in_the_layers_is_told_by_the_number_that_is_too_large(tmp_path, state):
    rest = {key: value for key, value in state.items() if not key.startswith("ms_adapter.5.")}
    as_pickle(tmp_path / "a.bin", rest)
    assert 'ms_adapter is numbered "9", but its 4 layers are numbered 1, 3, 5 ... 7' in refusal(tmp_path / "a.bin")


@pytest.mark.parametrize("key, shown", [
    ("image_proj.a\nb", r"holds image_proj.a\nb (1"),
    ("image_proj.a\u202eb", r"holds image_proj.a\u202eb (1"),
    ("image_proj." + "a" * 100_000, "holds image_proj.aaa"),
])
def test_absurd_names_stay_in_one_line(tmp_path, state, key, shown):
    save_file({**state, key: torch.ones(1)}, tmp_path / "a.safetensors")
    assert shown in refusal(tmp_path / "a.safetensors")


def test_keys_that_are_no_text_are_told(tmp_path, state):
    torch.save({1: state[KEY], None: {b"x": state[KEY]}}, tmp_path / "a.bin")
    assert "is an unknown model (its first tensor is 1)" in refusal(tmp_path / "a.bin")


@pytest.mark.parametrize("text", ["²", "٣", "9" * 5000, "64.0", "", "-8", "08"])
def test_an_absurd_head_width_is_told(tmp_path, state, text):
    save_file(state, tmp_path / "a.safetensors", metadata={"msd_head_dim": text})
    assert f'"msd_head_dim" is "{text[:50]}' in refusal(tmp_path / "a.safetensors")


@pytest.mark.parametrize("dtype", ["float8_e4m3fn", "float8_e5m2", "int8", "uint8", "int64", "bool", "complex64"])
@pytest.mark.parametrize("write", [as_safetensors, as_pickle])
def test_tensors_that_are_no_weights_are_told_by_their_type(tmp_path, state, write, dtype):
    write(tmp_path / "a.bin", {**state, KEY: state[KEY].to(getattr(torch, dtype))})
    assert f"{KEY} is {dtype}, but an adapter's weights are float" in refusal(tmp_path / "a.bin")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("change, words", [
    (lambda value: value.to_sparse(), f"{KEY} is a sparse_coo tensor, but"),
    (lambda value: value.to_sparse_csr(), f"{KEY} is a sparse_csr tensor, but"),
    (lambda value: torch.nested.nested_tensor([value[0], value[1, :3]]), f"{KEY} is a nested tensor, but"),
    (lambda value: torch.quantize_per_tensor(value, 0.1, 0, torch.qint8), f"{KEY} is qint8, but"),
    (lambda value: value.to("meta"), f"{KEY} has the shape [16, 40] but no values"),
    (lambda value: value[:0], f"{KEY} has the shape [0, 40] but no values"),
])
def test_tensors_of_other_kinds_are_told(tmp_path, state, change, words):
    as_pickle(tmp_path / "a.bin", {**state, KEY: change(state[KEY])})
    assert words in refusal(tmp_path / "a.bin")


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16])
@pytest.mark.parametrize("values", [[float("nan")], [float("inf")], [-float("inf")], [float("nan"), float("inf")]])
def test_one_value_that_is_not_finite_is_found_in_every_float_type(tmp_path, state, dtype, values):
    changed = {key: value.to(dtype, copy=True) for key, value in state.items()}
    as_pickle(tmp_path / "good.bin", changed)
    read_adapter(tmp_path / "good.bin")
    for place, value in enumerate(values):
        changed[KEY][7, place] = value
    as_pickle(tmp_path / "bad.bin", changed)
    assert f"{KEY} holds NaN or infinite values" in refusal(tmp_path / "bad.bin")


def test_a_dict_that_holds_itself_is_told(tmp_path, state):
    content = nested(state)
    content["image_proj"]["again"] = content
    torch.save(content, tmp_path / "a.bin")
    assert "image_proj.again is a dict that holds itself" in refusal(tmp_path / "a.bin")


def test_endless_nesting_is_told(tmp_path):
    content: dict = {}
    for _ in range(300):
        content = {"a": content}
    torch.save(content, tmp_path / "a.bin")
    assert "dicts in dicts more than 16 deep" in refusal(tmp_path / "a.bin")


def test_tensors_in_a_list_are_no_adapter(tmp_path, state):
    torch.save({**nested(state), "image_proj": [state[KEY]]}, tmp_path / "a.bin")
    assert "is an unknown model" in refusal(tmp_path / "a.bin")
