"""Devices and memory belong to ComfyUI."""

import ast
import sys
from pathlib import Path

import pytest
import torch

PACK = Path(__file__).parents[2]


def test_the_adapter_is_loaded_through_model_management_and_can_be_freed(studio):
    import comfy.model_management as management

    patcher = studio.demo.adapter.patcher
    studio.encode()
    assert any(loaded.model is patcher for loaded in management.current_loaded_models)
    management.unload_all_models()
    assert not any(loaded.model is patcher for loaded in management.current_loaded_models)
    assert torch.isfinite(studio.sample(studio.apply())).all()


def test_the_adapter_need_not_be_loaded_while_sampling(studio):
    """Its keys and values are made before the UNet is loaded; after that it may be freed at any step."""
    import comfy.model_management as management

    patched = studio.apply()
    expected = studio.sample(patched, steps=3)
    patcher = studio.demo.adapter.patcher
    watched = patched.clone()
    freed = []

    def free_adapter(args):
        for loaded in list(management.current_loaded_models):
            if loaded.model is patcher:
                loaded.model_unload()
                management.current_loaded_models.remove(loaded)
                freed.append(1)
        return args["denoised"]

    watched.set_model_sampler_post_cfg_function(free_adapter)
    assert torch.equal(studio.sample(watched, steps=3), expected)
    assert freed == [1]


def test_weights_keep_the_files_dtype_and_compute_in_fp32(host, studio):
    adapter, checkpoint = host.module("nodes.host.adapter"), host.module("msd_core.checkpoint")
    state = {key: value.half() for key, value in studio.demo.adapter.model.state_dict().items()}
    half = adapter.ManagedAdapter(checkpoint.AdapterFile(state, 32), "half")
    assert {parameter.dtype for parameter in half.model.parameters()} == {torch.float16}
    tokens = studio.encode(adapter=half).subjects[0].tokens
    assert tokens.dtype == torch.float32
    assert (tokens - studio.encode().subjects[0].tokens).abs().max() < 0.02


def test_subject_tensors_are_made_per_device_and_dtype_and_not_per_layer(host, studio, monkeypatch):
    attention = host.module("msd_core.attention")
    built = []
    token_mask = attention.token_mask
    monkeypatch.setattr(attention, "token_mask", lambda *args: (built.append(1), token_mask(*args))[1])
    studio.sample(studio.apply(), steps=3)
    sizes = len({(shape) for shape in ((5, 5), (10, 10))})
    assert 1 <= len(built) <= sizes


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_a_run_keeps_keys_and_values_in_the_unets_dtype_and_projects_them_in_no_other(host, studio, monkeypatch, dtype):
    adapter = host.module("msd_core.adapter").Adapter
    original, asked, runs = adapter.project_joint, [], []

    def spy(self, tokens, dtype):
        asked.append(dtype)
        return original(self, tokens, dtype)

    monkeypatch.setattr(adapter, "project_joint", spy)
    key_values = host.module("nodes.host.run").SubjectKeyValues
    monkeypatch.setattr(host.module("nodes.host.run"), "SubjectKeyValues",
                        lambda *args: runs.append(key_values(*args)) or runs[-1])
    studio.sample(studio.apply(model=studio.in_dtype(dtype)), steps=1)
    assert asked == [dtype] * 2
    assert {key[1] for key in runs[0]._kept} == {dtype}


@pytest.mark.parametrize("folder", ["nodes", "nodes/host"])
def test_no_device_is_named_and_no_cache_emptied(folder):
    for path in (PACK / folder).glob("*.py"):
        source = path.read_text("utf-8")
        for word in (".cuda(", '"cuda"', "empty_cache", "inference_mode", "no_grad"):
            assert word not in source, f"{path.name} has {word}"


def test_the_core_imports_nothing_of_the_host_and_only_its_own_packages():
    allowed = sys.stdlib_module_names | {"torch", "einops", "safetensors", "numpy"}
    for path in (PACK / "msd_core").rglob("*.py"):
        # What is driven through diffusers needs diffusers.
        if "headless" in path.parts:
            continue
        # A benchmark's pictures are files.
        here = allowed | {"PIL"} if "bench" in path.parts else allowed
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module]
            for name in names:
                assert name.split(".")[0] in here, f"{path.name} imports {name}"


def test_layers_import_only_downwards():
    for path in (PACK / "nodes" / "host").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.level:
                assert node.level == 1 or (node.level == 3 and node.module.startswith("msd_core")), path.name
