"""The converter: other formats and types, adapters out of training checkpoints, and targets that can't be written."""

import stat
import subprocess
import sys
from collections import OrderedDict

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn

from msd_core.__main__ import main
from msd_core.checkpoint import DTYPES, convert_adapter, read_adapter
from tests.samples import HEAD_DIM, adapter_state, nested

# Where cross-attentions stand in a UNet, in the adapter's order: down, up, mid, and 2 before 10.
PLACES = (
    "down_blocks.1.attentions.0.transformer_blocks.0", "down_blocks.1.attentions.1.transformer_blocks.0",
    "up_blocks.0.attentions.1.transformer_blocks.2", "up_blocks.0.attentions.1.transformer_blocks.10",
    "mid_block.attentions.0.transformer_blocks.0",
)


@pytest.fixture
def wide_heads():
    """An adapter whose attention is 64 wide, as an official file without metadata must be read."""
    return adapter_state(head_dim=32)


@pytest.fixture
def target(tmp_path):
    return tmp_path / "out.safetensors"


def write_bin(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    torch.save(content, path)
    return path


def refusal(source, target, *options, **keywords) -> str:
    before = sorted(target.parent.iterdir()) if target.parent.is_dir() else None
    with pytest.raises((ValueError, FileNotFoundError)) as caught:
        convert_adapter(source, target, *options, **keywords)
    assert before == (sorted(target.parent.iterdir()) if target.parent.is_dir() else None), "something was left"
    message = str(caught.value)
    assert "\n" not in message
    assert ": " in message, "the remedy is missing"
    return message


def is_the_adapter(path, state) -> bool:
    read = read_adapter(path).state
    return read.keys() == state.keys() and all(torch.equal(read[key], value) for key, value in state.items())


def test_the_converter_keeps_dtypes_and_writes_the_head_width(tmp_path, wide_heads):
    half = {key: value.half() for key, value in wide_heads.items()}
    source = write_bin(tmp_path / "any name.pt", nested(half))
    assert main(["convert", str(source), str(tmp_path / "out.safetensors")]) == 0
    with safe_open(tmp_path / "out.safetensors", framework="pt") as file:
        assert file.metadata()["msd_head_dim"] == "64"
        assert {file.get_tensor(key).dtype for key in file.keys()} == {torch.float16}  # noqa: SIM118


def test_the_converter_runs_as_a_command(tmp_path, wide_heads, request):
    source = write_bin(tmp_path / "ms_adapter.bin", nested(wide_heads))
    done = subprocess.run(
        [sys.executable, "-m", "msd_core", "convert", source, tmp_path / "ms_adapter.safetensors"],
        cwd=request.config.rootpath, capture_output=True, text=True,
    )
    assert done.returncode == 0, done.stderr
    assert read_adapter(tmp_path / "ms_adapter.safetensors").head_dim == 64


@pytest.mark.parametrize("source, target, words", [
    ("missing.bin", "out.safetensors", "missing.bin"),
    ("good.bin", "out.bin", "must end in .safetensors"),
])
def test_the_converter_says_what_is_wrong_and_writes_nothing(tmp_path, wide_heads, capsys, source, target, words):
    write_bin(tmp_path / "good.bin", nested(wide_heads))
    assert main(["convert", str(tmp_path / source), str(tmp_path / target)]) == 1
    assert words in capsys.readouterr().err
    assert not (tmp_path / target).exists()


def test_a_head_width_in_the_source_goes_with_it(tmp_path, target):
    save_file(adapter_state(), tmp_path / "small.bin", metadata={"msd_head_dim": str(HEAD_DIM)})
    convert_adapter(tmp_path / "small.bin", target)
    assert read_adapter(target).head_dim == HEAD_DIM


@pytest.mark.parametrize("name, share", [("fp16", 0.5), ("bf16", 0.5), ("fp32", 1.0)])
def test_a_type_is_chosen_and_the_size_is_said(tmp_path, wide_heads, target, capsys, name, share):
    source = write_bin(tmp_path / "ms_adapter.bin", nested(wide_heads))
    assert main(["convert", str(source), str(target), "--dtype", name]) == 0
    read = read_adapter(target).state
    assert all(torch.equal(read[key], value.to(DTYPES[name])) for key, value in wide_heads.items())
    assert 0.9 < target.stat().st_size / (share * source.stat().st_size) < 1.1
    assert capsys.readouterr().out == f"wrote {target} ({target.stat().st_size / 1e6:.1f} MB)\n"


def test_a_value_that_the_type_can_not_hold_is_told_with_both_limits(tmp_path, wide_heads, target):
    wide_heads["ms_adapter.3.to_v_ip.weight"][1, 2] = -70000.0
    source = write_bin(tmp_path / "ms_adapter.bin", nested(wide_heads))
    message = refusal(source, target, torch.float16)
    assert "ms_adapter.3.to_v_ip.weight has values up to 70000, but float16 ends at 65504" in message
    convert_adapter(source, target, torch.bfloat16)


class Processor(nn.Module):
    def __init__(self, state, layer):
        super().__init__()
        for name in ("to_k_ip", "to_v_ip"):
            weight = state[f"ms_adapter.{layer}.{name}.weight"]
            setattr(self, name, nn.Linear(*reversed(weight.shape), bias=False))
            getattr(self, name).weight = nn.Parameter(weight.clone())


def grow(root: nn.Module, path: str) -> nn.Module:
    """The module at a dotted path, made where it is not there."""
    for part in path.split("."):
        if part not in root._modules:
            root.add_module(part, nn.Module())
        root = root._modules[part]
    return root


class Training(nn.Module):
    """UNet, resampler and projections in one module, the projections also as the UNet's processors."""

    def __init__(self, state):
        super().__init__()
        self.unet, self.image_proj_model = nn.Module(), nn.Module()
        processors = [Processor(state, 2 * position + 1) for position in range(len(PLACES))]
        # The order in which a module lists its parts need not be the adapter's.
        for place, processor in reversed(list(zip(PLACES, processors, strict=True))):
            attention = grow(self.unet, f"{place}.attn2")
            attention.to_q, attention.processor = nn.Linear(2, 2), processor
        for key, value in state.items():
            if key.startswith("image_proj."):
                path, _, name = key.removeprefix("image_proj.").rpartition(".")
                (grow(self.image_proj_model, path) if path else self.image_proj_model).register_parameter(
                    name, nn.Parameter(value.clone())
                )
        self.adapter_modules = nn.ModuleList(part for one in processors for part in (nn.Identity(), one))
        self.dummy_image_tokens = nn.Parameter(state["dummy_image_tokens"].clone())


@pytest.mark.parametrize("safe", [True, False])
@pytest.mark.parametrize("whole", [True, False])
def test_what_accelerate_saves_is_converted(tmp_path, wide_heads, target, safe, whole):
    accelerate = pytest.importorskip("accelerate")
    accelerator, folder = accelerate.Accelerator(cpu=True), tmp_path / "checkpoint-10"
    model = accelerator.prepare(Training(wide_heads))
    if whole:
        accelerator.save_state(str(folder), safe_serialization=safe)
    else:
        accelerator.save_model(model, str(folder), max_shard_size="40KB", safe_serialization=safe)
    convert_adapter(folder, target)
    assert is_the_adapter(target, wide_heads)


def trained(state, names=("image_proj_model", "adapter_modules")) -> dict:
    """A training module's state dict, without its UNet's projections."""
    renamed = {"image_proj": names[0], "ms_adapter": names[1], "dummy_image_tokens": "dummy_image_tokens"}
    flat = {".".join([renamed[key.split(".")[0]], *key.split(".")[1:]]): value for key, value in state.items()}
    return {"unet.conv_in.weight": torch.ones(3), **flat}


def prefixed(prefix, state) -> dict:
    return {f"{prefix}{key}": value for key, value in state.items()}


def by_deepspeed(module, stage=2) -> dict:
    if stage == 3:
        module = {key: value[:0] if value.ndim == 1 else value.new_empty(0) for key, value in module.items()}
    return {
        "module": OrderedDict(module), "buffer_names": [], "optimizer": None, "lr_scheduler": None,
        "param_shapes": [OrderedDict((key, value.shape) for key, value in module.items())],
        "frozen_param_shapes": None, "shared_params": {}, "sparse_tensor_module_names": set(), "skipped_steps": 0,
        "global_steps": 10, "dp_world_size": 1, "mp_world_size": 1, "ds_version": "0.14.0",
        "ds_config": {"zero_optimization": {"stage": stage}, "bf16": {"enabled": False}},
    }


CHECKPOINTS = {
    "data parallel": lambda state: prefixed("module.", trained(state)),
    "data parallel, the adapter's own names": lambda state: prefixed("module.", state),
    "state_dict": lambda state: {"state_dict": trained(state), "epoch": 3, "lr": 1e-4},
    "nested state_dict": lambda state: {"state_dict": {"module": nested(state)}},
    "compiled": lambda state: prefixed("_orig_mod.", trained(state)),
    "FSDP": lambda state: {
        key.replace("layers.0.", "layers.0._fsdp_wrapped_module."): value for key, value in trained(state).items()
    },
    "with the optimizer": lambda state: {
        **nested(state), "optimizer": {"state": {0: {"exp_avg": state["ms_adapter.1.to_k_ip.weight"]}}},
    },
    "DeepSpeed": lambda state: by_deepspeed(trained(state)),
}


@pytest.mark.parametrize("kind", CHECKPOINTS)
def test_a_training_checkpoint_is_recognised_and_converted(tmp_path, wide_heads, target, kind, capsys):
    content = CHECKPOINTS[kind](wide_heads)
    source = write_bin(tmp_path / "epoch3.pt", content)
    with pytest.raises(ValueError, match="epoch3.pt is a training checkpoint of MS-Diffusion .* msd_core convert ep"):
        read_adapter(source)
    assert main(["convert", str(source), str(target)]) == 0
    assert is_the_adapter(target, wide_heads)
    others = kind not in ("data parallel, the adapter's own names", "nested state_dict")
    assert ("without 1 tensors that are not the adapter's" in capsys.readouterr().out) == others


@pytest.mark.parametrize("place", ["pytorch_model/mp_rank_00_model_states.pt", "mp_rank_00_model_states.pt"])
def test_a_deepspeed_folder_is_converted(tmp_path, wide_heads, target, place):
    write_bin(tmp_path / "checkpoint-10" / place, by_deepspeed(trained(wide_heads)))
    convert_adapter(tmp_path / "checkpoint-10", target)
    assert is_the_adapter(target, wide_heads)


def test_a_deepspeed_folder_names_its_latest_step(tmp_path, wide_heads, target):
    for step, state in ((10, adapter_state(seed=1, head_dim=32)), (20, wide_heads)):
        write_bin(tmp_path / "run" / f"global_step{step}" / "mp_rank_00_model_states.pt", by_deepspeed(trained(state)))
    (tmp_path / "run" / "latest").write_text("global_step20\n")
    convert_adapter(tmp_path / "run", target)
    assert is_the_adapter(target, wide_heads)


def test_models_in_files_of_their_own_are_put_together(tmp_path, wide_heads, target):
    folder = tmp_path / "checkpoint-10"
    folder.mkdir()
    save_file({"conv_in.weight": torch.ones(3)}, folder / "model.safetensors")
    for number, section in enumerate(("image_proj", "ms_adapter"), 1):
        part = {key.removeprefix(f"{section}."): wide_heads[key] for key in wide_heads if key.startswith(section)}
        save_file(part, folder / f"model_{number}.safetensors")
    convert_adapter(folder, target)
    del wide_heads["dummy_image_tokens"]
    assert is_the_adapter(target, wide_heads)


def test_a_shard_of_zero_3_is_told_with_the_way_to_merge_it(tmp_path, wide_heads, target):
    write_bin(tmp_path / "run" / "mp_rank_00_model_states.pt", by_deepspeed(trained(wide_heads), stage=3))
    assert "no values, as in a shard of DeepSpeed's ZeRO-3: run the checkpoint's zero_to_fp32.py" in refusal(
        tmp_path / "run", target
    )


def test_two_adapters_in_one_checkpoint_are_told(tmp_path, wide_heads, target):
    source = write_bin(tmp_path / "epoch3.pt", {"model": trained(wide_heads), "ema": trained(wide_heads)})
    assert 'holds 2 adapters ("model.image_proj_model." and "ema.image_proj_model.")' in refusal(source, target)


def test_a_folder_without_weights_names_what_was_looked_for(tmp_path, target):
    (tmp_path / "run").mkdir()
    message = refusal(tmp_path / "run", target)
    assert "run holds no weights of a training checkpoint (model*.safetensors, pytorch_model*.bin" in message


def test_what_is_wrong_with_a_checkpoint_is_told_before_anything_is_written(tmp_path, wide_heads, target):
    broken = trained(wide_heads)
    broken["adapter_modules.3.to_k_ip.weight"][0, 0] = float("nan")
    assert "ms_adapter.3.to_k_ip.weight holds NaN" in refusal(write_bin(tmp_path / "a.pt", broken), target)
    del broken["adapter_modules.3.to_k_ip.weight"]
    assert "lacks ms_adapter.3.to_k_ip.weight" in refusal(write_bin(tmp_path / "a.pt", broken), target)


def test_a_target_without_a_folder_is_told(tmp_path, wide_heads):
    source = write_bin(tmp_path / "ms_adapter.bin", nested(wide_heads))
    message = refusal(source, tmp_path / "absent" / "out.safetensors")
    assert f"out.safetensors is to be written into {tmp_path / 'absent'}, which is no folder: make it first" in message
    message = refusal(source, source / "out.safetensors")
    assert f"into {source}, which is no folder" in message


def test_a_folder_as_target_is_told(tmp_path, wide_heads, target):
    target.mkdir()
    message = refusal(write_bin(tmp_path / "ms_adapter.bin", nested(wide_heads)), target)
    assert "The target out.safetensors is a folder" in message


def test_a_target_that_is_the_source_is_told_and_stays(tmp_path, wide_heads, target):
    save_file(wide_heads, target)
    assert "Source and target are both out.safetensors" in refusal(target, target, torch.float16)
    assert is_the_adapter(target, wide_heads)


def test_a_folder_that_may_not_be_written_to_is_told_before_the_source_is_read(tmp_path, monkeypatch):
    locked = tmp_path / "locked"
    locked.mkdir()

    def touch(path, *_, **__):
        raise PermissionError(13, "Permission denied", str(path))

    # As the superuser, under whom tests may run, everything may be written to.
    monkeypatch.setattr(type(tmp_path), "touch", touch)
    message = refusal(tmp_path / "never read.bin", locked / "out.safetensors")
    assert f"out.safetensors can't be written into {locked} (Permission denied): choose a folder" in message


def test_a_full_disk_is_told_and_keeps_what_was_there(tmp_path, wide_heads, target, monkeypatch):
    import msd_core.checkpoint.convert as convert

    save_file(wide_heads, target)

    def full(*_, **__):
        raise convert.SafetensorError("Error while serializing: I/O error: No space left on device (os error 28)")

    monkeypatch.setattr(convert, "save_file", full)
    source = write_bin(tmp_path / "ms_adapter.bin", nested(adapter_state(seed=1, head_dim=32)))
    message = refusal(source, target)
    assert f"can't be written into {tmp_path} (No space left on device (os error 28)): choose a folder" in message
    assert is_the_adapter(target, wide_heads)


def test_the_file_is_readable_as_any_other_new_file(tmp_path, wide_heads, target):
    convert_adapter(write_bin(tmp_path / "ms_adapter.bin", nested(wide_heads)), target)
    (tmp_path / "other").touch()
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE((tmp_path / "other").stat().st_mode)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ms_adapter.bin", "other", "out.safetensors"]
