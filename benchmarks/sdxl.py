"""SDXL at its real size without its weights: a model, an adapter and subjects on the meta device, in a real ComfyUI."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from tests.samples import released_state

from .ledger import Ledger

META = torch.device("meta")
UNET = {
    "image_size": 32, "in_channels": 4, "out_channels": 4, "model_channels": 320, "num_res_blocks": [2, 2, 2],
    "channel_mult": [1, 2, 4], "transformer_depth": [0, 0, 2, 2, 10, 10], "transformer_depth_middle": 10,
    "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10], "use_spatial_transformer": True,
    "use_linear_in_transformer": True, "context_dim": 2048, "num_head_channels": 64, "num_classes": "sequential",
    "adm_in_channels": 2816, "legacy": False, "use_temporal_attention": False, "use_temporal_resblock": False,
}  # fmt: skip
TEXT, TEXT_WIDTH, POOLED, TOKENS = 77, 2048, 1280, 16
WORDS = (
    "dog", "cat", "hat", "cup", "car", "tree", "ball", "lamp", "book", "boot", "bird", "fish", "sofa", "vase", "drum",
    "kite",
)  # fmt: skip
LEVELS = (14.6146, 10.7, 7.9, 5.9, 4.4, 3.3, 2.5, 1.9, 1.4, 0.9, 0.3, 0.0)
"""Noise levels of a short run."""


def boxes(count: int, top: float = 0.3, bottom: float = 0.7) -> list[tuple[float, float, float, float]]:
    """Boxes side by side over 40 % of the height."""
    return [(number / count, top, (number + 1) / count, bottom) for number in range(count)]


class RealSize:
    """SDXL's UNet and the released adapter's shapes, with what a run on them needs."""

    def __init__(self, host: Any, dtype: torch.dtype = torch.float16) -> None:
        """
        Args:
            host: a ComfyUI with the pack in it (see `tests.harness.Host`), with PyTorch's attention.
            dtype: what the UNet computes in.
        """
        import comfy.model_patcher
        import comfy.supported_models

        self.host, self.dtype = host, dtype
        config = comfy.supported_models.SDXL({**UNET, "dtype": dtype})
        config.set_inference_dtype(dtype, None)
        model = config.get_model({}, "", device="meta")
        readable = model.model_sampling
        model.model_sampling = type(readable)(model.model_config).to(META)
        self.model = comfy.model_patcher.ModelPatcher(model, load_device=META, offload_device=META)
        # Shares of the schedule are looked up in values.
        self.model.object_patches["model_sampling"] = readable
        file = host.module("msd_core.checkpoint").AdapterFile(released_state(), 64)
        self.adapter = host.module("nodes.host.adapter").ManagedAdapter(file, "the released adapter")
        self.adapter._load = lambda: META
        self.adapter.project = lambda tokens, dtype: torch.empty(
            *tokens.shape[:-1], 2 * sum(self.adapter.layers.hidden), dtype=dtype
        )

    def embeds(self, count: int, places: Sequence | None = None, masks: Tensor | None = None) -> Any:
        """Encoded subjects in boxes (see `boxes`), or in masks `[n, h, w]`."""
        layout, embeds = self.host.module("msd_core.layout"), self.host.module("msd_core.embeds")
        box = self.host.module("msd_core.boxes").Box
        if masks is None:
            regions = [layout.Region(box(*place)) for place in places or boxes(count)]
        else:
            regions = [layout.Region.from_mask(mask) for mask in masks]
        tokens = (torch.zeros(1, TOKENS, TEXT_WIDTH) for _ in regions)
        subjects = (embeds.SubjectTokens(*one) for one in zip(tokens, regions, WORDS, strict=False))
        return embeds.SubjectEmbeds(tuple(subjects), self.adapter, frame=(1024, 1024))

    def apply(self, embeds: Any, **inputs: Any) -> Any:
        inputs = {"scale": 0.6, "start_percent": 0.0, "end_percent": 1.0, **inputs}
        return self.host.call("MSDiffusionApply", model=self.model, embeds=embeds, **inputs)[0]

    def auto_layout(self, embeds: Any, clip: Any, **inputs: Any) -> Any:
        """The value of *MS-Diffusion Auto Layout* for a prompt that names every subject, its encoding on meta."""
        prompt = " ".join(f"a {subject.phrase}" for subject in embeds.subjects)
        made = self.host.call(
            "MSDiffusionAutoLayout", clip=clip, prompt=prompt, **{"threshold": 0.5, "start_step": 2, **inputs}
        )[0]
        return replace(made, prompt=self._on_meta(made.prompt))

    def watch(self, model: Any, embeds: Any, clip: Any) -> Any:
        """The model, watched."""
        text, patch = self.host.module("nodes.host.text"), self.host.module("nodes.host.patch")
        prompt = text.Prompt.of(clip, " ".join(f"a {subject.phrase}" for subject in embeds.subjects))
        return patch.watch_subjects(model, embeds, self._on_meta(prompt))[0]

    def _on_meta(self, prompt: Any) -> Any:
        return replace(prompt, encoding=torch.empty(len(prompt.pieces), TEXT_WIDTH, dtype=self.dtype, device=META))

    def run(
        self, model: Any, side: int = 1024, batch: int = 1, evaluations: int = 3
    ) -> tuple[list[Ledger], Ledger, int]:
        """A run of some evaluations with guidance, through the host's own guider and wrappers.

        Args:
            model: what a node has made of `self.model`.
            side: of the picture, in pixels.

        Returns:
            What each evaluation did, what the run did beside them, and the bytes on the device that it kept.
        """
        import comfy.samplers

        ledgers, kept = [], []
        run = self.host.module("nodes.host.run")

        class Sampler:
            @staticmethod
            def sample(predict, sigmas, extra_args, callback, noise, *_):
                for level in LEVELS[:evaluations]:
                    ledger = Ledger(level=level)
                    with _paused(beside), ledger:
                        predict(noise, torch.empty(batch, device=META), **extra_args)
                    ledgers.append(ledger)
                kept.extend(bytes_kept(one) for one in run._RUNNING.values())
                return noise

        guider = comfy.samplers.CFGGuider(model)
        conditioning = [torch.empty(1, TEXT, TEXT_WIDTH, device=META), {"pooled_output": torch.zeros(1, POOLED)}]
        guider.set_conds([conditioning], [[conditioning[0].clone(), conditioning[1]]])
        guider.set_cfg(7.5)
        latents = torch.empty(batch, 4, side // 8, side // 8, device=META)
        beside = Ledger()
        with torch.no_grad(), _without_memory_management(model), beside:
            inner = guider.inner_sample
            guider.inner_sample = lambda noise, latent, *rest, **named: inner(noise, None, *rest, **named)
            guider.sample(latents, latents, Sampler, torch.tensor(LEVELS[: evaluations + 1]))
        return ledgers, beside, sum(kept)


def bytes_kept(run: Any) -> int:
    """Bytes on the device that a sampling run holds, shared storage counted once."""
    found: dict[int, int] = {}
    seen: set[int] = set()

    def visit(one: Any) -> None:
        if id(one) in seen:
            return
        seen.add(id(one))
        if isinstance(one, Tensor):
            if one.device.type != "cpu":
                storage = one.untyped_storage()
                found[storage._cdata] = storage.nbytes()
        elif isinstance(one, dict):
            for part in (*one.keys(), *one.values()):
                visit(part)
        elif isinstance(one, (list, tuple, set)):
            for part in one:
                visit(part)
        elif type(one).__module__.find(".msd_core.") >= 0 and hasattr(one, "__dict__"):
            visit(vars(one))

    for name, value in vars(run).items():
        if name not in ("patch", "account", "evaluation", "latents", "steps") and not name.startswith("_guider"):
            visit(value)
    return sum(found.values())


@contextmanager
def _paused(ledger: Ledger):
    ledger._silent, before = True, ledger._silent
    try:
        yield
    finally:
        ledger._silent = before


@contextmanager
def _without_memory_management(model: Any):
    """The host neither loads the model nor asks how much memory is free: there is none to ask of."""
    import comfy.model_management
    import comfy.sampler_helpers

    def prepared(patcher: Any, shape: Any, conds: Any, *rest: Any, **named: Any) -> tuple:
        patcher.model.current_patcher = patcher
        return patcher.model, conds, []

    def free(device: Any = None, torch_free_too: bool = False) -> Any:
        return (1 << 50, 1 << 50) if torch_free_too else 1 << 50

    stand_ins = [
        (comfy.sampler_helpers, "prepare_sampling", prepared), (comfy.model_management, "get_free_memory", free),
        (model, "pre_run", lambda: None), (model, "cleanup", lambda: None),
    ]
    before = [(owner, name, vars(owner).get(name)) for owner, name, _ in stand_ins]
    for owner, name, value in stand_ins:
        setattr(owner, name, value)
    try:
        yield
    finally:
        for owner, name, value in before:
            if value is None:
                delattr(owner, name)
            else:
                setattr(owner, name, value)


def side_by_side(base: Ledger, with_subjects: Ledger, kept: int = 0) -> dict[str, float]:
    """What one step costs beside another: FLOP, bytes and calls in percent of it, waits and bytes kept as they are."""
    calls, more = sum(base.calls.values()), sum(with_subjects.calls.values())
    return dict(
        flop=100 * (with_subjects.flop / base.flop - 1), bytes=100 * (with_subjects.bytes / base.bytes - 1),
        calls=more - calls, calls_percent=100 * (more / calls - 1),
        waits=with_subjects.waits.total() - base.waits.total(), kept=kept / 1e6,
    )
