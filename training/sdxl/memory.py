"""What training at SDXL's real size needs of a GPU: counted on the meta device, without weights and without a GPU.

What autograd keeps for the backward pass is counted tensor by tensor, attention as the fused kernels keep it.
Not in the count: what kernels need while they compute, the allocator's gaps, the driver. `SPARE` is left for that.
"""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from msd_core.boxes import Box
from msd_core.headless.base import SDXL
from msd_core.layout import Region

from ..new_adapter import AdapterSizes, new_adapter
from .base import DTYPES
from .batch import Batch
from .diffusion import Noise
from .loss import BatchLoss, Drops
from .order import seeded
from .projectors import LinearProjector, Trained
from .settings import Settings
from .weights import text_parameters

CARDS = (24, 40, 80)
SPARE = 0.1
SUBJECTS = 4
PATCHES, WORDS, POOLED = 257, 77, 1280
GIB = 2**30
UNITS = ("ResnetBlock2D", "BasicTransformerBlock")
"""What diffusers computes twice, each by itself."""


class _Fused(torch.autograd.Function):
    """Attention that keeps what the fused kernels keep: its inputs, its output and a sum for each query."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        out = torch.empty(*q.shape[:-1], v.shape[-1], dtype=q.dtype, device=q.device)
        sums = torch.empty(q.shape[:-1], dtype=torch.float32, device=q.device)
        ctx.save_for_backward(q, k, v, out, sums, *([] if mask is None else [mask]))
        return out

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple:
        q, k, v, *_ = ctx.saved_tensors
        return torch.empty_like(q), torch.empty_like(k), torch.empty_like(v), None


class _FusedAttention(TorchFunctionMode):
    def __torch_function__(self, function: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        kwargs = kwargs or {}
        if function is nn.functional.scaled_dot_product_attention:
            return _Fused.apply(*args[:3], kwargs.get("attn_mask"))
        return function(*args, **kwargs)


class Kept(NamedTuple):
    """Bytes that the backward pass needs of one picture.

    Attributes:
        all: in all.
        largest: in the largest of the units that are computed twice, when they are; else 0.
    """

    all: int
    largest: int


class _Ledger:
    """Counts what autograd keeps, each storage once, that of weights not at all."""

    def __init__(self, *modules: nn.Module) -> None:
        self._weights = {p.untyped_storage()._cdata for module in modules for p in module.parameters()}
        self._seen: dict[int, Tensor] = {}
        self.units: dict[str | None, int] = {}
        self.unit: str | None = None
        self._handles = []
        for module in modules:
            for name, part in module.named_modules():
                if type(part).__name__ in UNITS:
                    self._handles += [part.register_forward_pre_hook(self._entering(name)),
                                      part.register_forward_hook(self._left)]

    def _entering(self, name: str) -> Any:
        def enter(*_: Any) -> None:
            self.unit = name

        return enter

    def _left(self, *_: Any) -> None:
        self.unit = None

    def pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._weights and storage._cdata not in self._seen:
            self._seen[storage._cdata] = tensor  # alive, so that its number is not given again
            self.units[self.unit] = self.units.get(self.unit, 0) + storage.nbytes()
        return tensor

    def close(self) -> None:
        for handle in self._handles:
            handle.remove()


class RealSize:
    """SDXL's UNet and an adapter of the released sizes on the meta device."""

    def __init__(self, settings: Settings) -> None:
        import diffusers

        self.settings, self.dtype = settings, DTYPES[settings.precision]
        with torch.device("meta"):
            unet = diffusers.UNet2DConditionModel.from_config(_config("unet"))
        self.unet = nn.Module.to(unet, self.dtype).eval().requires_grad_(False)
        sizes = AdapterSizes(tokens=settings.tokens, width=settings.width, layers=settings.layers)
        with torch.device("meta"):
            adapter = new_adapter(self.unet, sizes)
            context = adapter.image_proj.out_width
            if settings.projector == "linear":
                adapter.image_proj = LinearProjector(sizes.feature_width, sizes.tokens, context)
            self.trained = Trained(adapter.to(self.dtype), settings.projector, 64, torch.empty(1, 4, context))
        self.text = sum(p.numel() for p in text_parameters(self.unet).values())
        self.scheduler = diffusers.EulerDiscreteScheduler.from_config(_config("scheduler"))
        self._loss = BatchLoss(self.unet, self.trained, Noise(self.scheduler), self._empty(), settings)
        if settings.text_attention_loss:
            for parameter in text_parameters(self.unet).values():
                parameter.requires_grad_(True)

    def _empty(self) -> tuple[Tensor, Tensor]:
        return _meta(self.dtype, 1, WORDS, 2048), _meta(self.dtype, 1, POOLED)

    def kept(self, checkpointing: bool) -> Kept:
        """What one picture with four subjects keeps."""
        whole = self._count(False)
        if not checkpointing:
            return Kept(sum(whole.values()), 0)
        largest = max(size for unit, size in whole.items() if unit is not None)
        return Kept(sum(self._count(True).values()), largest)

    def _count(self, checkpointing: bool) -> dict[str | None, int]:
        if checkpointing:
            self.unet.enable_gradient_checkpointing()
        else:
            self.unet.disable_gradient_checkpointing()
        ledger = _Ledger(self.unet, self.trained)
        no = torch.zeros(1, dtype=torch.bool)
        try:
            with ExitStack() as stack:
                stack.enter_context(torch.autograd.graph.saved_tensors_hooks(ledger.pack, lambda kept: kept))
                stack.enter_context(_FusedAttention())
                losses = self._loss(self._batch(), seeded(0), Drops(no, no, no))
                del losses
        finally:
            ledger.close()
            self._loss.done()
        return ledger.units

    def _batch(self) -> Batch:
        width, height = self.settings.pixels
        boxes = [Box(k / SUBJECTS, 0.2, (k + 1) / SUBJECTS, 0.8) for k in range(SUBJECTS)]
        return Batch(
            latents=_meta(torch.float32, 1, 4, height // 8, width // 8), context=_meta(self.dtype, 1, WORDS, 2048),
            pooled=_meta(self.dtype, 1, POOLED), sizes=_meta(torch.float32, 1, 6),
            features=_meta(self.dtype, SUBJECTS, PATCHES, 1664), phrases=_meta(self.dtype, SUBJECTS, 768),
            spans=_meta(torch.bool, SUBJECTS, WORDS), boxes=_meta(torch.float32, SUBJECTS, 4), counts=[SUBJECTS],
            regions=[[Region(box) for box in boxes]],
        )


class Need(NamedTuple):
    """Bytes of a GPU, by what they are for; `fixed` whatever the batch, `each` for each picture of a pass."""

    fixed: dict[str, int]
    each: dict[str, int]

    def total(self, batch: int) -> int:
        return sum(self.fixed.values()) + batch * sum(self.each.values())

    def largest_batch(self, card: int) -> int:
        """How many pictures fit into a card of so many GiB, 0 if none does."""
        left = card * GIB * (1 - SPARE) - sum(self.fixed.values())
        return max(0, int(left // sum(self.each.values())))


def frozen_bytes(precision: str) -> dict[str, int]:
    """The frozen models' weights by part, the autoencoder's in fp32."""
    import diffusers
    import transformers

    width = DTYPES[precision].itemsize
    with torch.device("meta"):
        parts = {
            "UNet": (diffusers.UNet2DConditionModel.from_config(_config("unet")), width),
            "autoencoder": (diffusers.AutoencoderKL.from_config(_config("vae")), 4),
            "text encoders": (nn.ModuleList([
                transformers.CLIPTextModel(transformers.CLIPTextConfig(**_config("text_encoder"))),
                transformers.CLIPTextModelWithProjection(transformers.CLIPTextConfig(**_config("text_encoder_2"))),
            ]), width),
            "image encoder": (transformers.CLIPVisionModelWithProjection(
                transformers.CLIPVisionConfig(**_config("image_encoder"))), width),
        }
    return {name: sum(p.numel() for p in module.parameters()) * size for name, (module, size) in parts.items()}


def needs(settings: Settings, frozen: dict[str, int], real: RealSize, kept: Kept, encoded: bool) -> Need:
    """What a process needs.

    Args:
        encoded: whether the samples are encoded beforehand (`--encoded`), so that only the UNet is on the card.
    """
    learning = sum(p.numel() for p in real.trained.learning().values())
    text = real.text if settings.text_attention_loss else 0
    trained = learning + text
    fixed = {"UNet": frozen["UNet"]}
    if not encoded:
        fixed |= {name: size for name, size in frozen.items() if name != "UNet"}
    fixed["trained weights"] = 4 * trained
    if settings.precision == "bf16":
        fixed["their bf16 copies"] = 2 * learning
    fixed["gradients"] = 4 * trained + real.dtype.itemsize * text
    fixed["optimiser"] = {"adamw": 8, "adamw8bit": 2, "muon": 4}[settings.optimiser] * trained
    if not settings.average_on_cpu:
        fixed["moving average"] = 4 * trained
    each = {"kept for the backward pass": kept.all}
    if kept.largest:
        each["largest block, computed again"] = kept.largest
    return Need(fixed, each)


def report(settings: Settings) -> str:
    """The count for these settings as text."""
    frozen, real = frozen_bytes(settings.precision), RealSize(settings)
    kinds = {True: real.kept(True), False: real.kept(False)}
    need = needs(settings, frozen, real, kinds[settings.checkpointing], False)
    width, height = settings.pixels
    lines = [f"Counted for each GPU, not measured: SDXL and the released adapter's sizes, {width}x{height}, "
             f"{SUBJECTS} subjects, {settings.precision}.", ""]
    lines += [f"{name:32}{size / GIB:7.2f} GiB" for name, size in need.fixed.items()]
    lines += [f"{name:32}{size / GIB:7.2f} GiB a picture" for name, size in need.each.items()]
    lines += [f"{f'in all, {settings.batch} pictures':32}{need.total(settings.batch) / GIB:7.2f} GiB", ""]
    lines.append(f"Most pictures a pass with {SPARE:.0%} of the card left free:")
    lines.append(f"{'':44}" + "".join(f"{f'{card} GB':>8}" for card in CARDS))
    leaner = replace(settings, average_on_cpu=True)
    rows = (
        ("these settings", settings, settings.checkpointing, False),
        ("without checkpointing" if settings.checkpointing else "with checkpointing", settings,
         not settings.checkpointing, False),
        ("--encoded", settings, settings.checkpointing, True),
        ("--encoded --average-on-cpu", leaner, settings.checkpointing, True),
        ("--encoded --average-on-cpu, adamw8bit", replace(leaner, optimiser="adamw8bit"), settings.checkpointing, True),
    )
    for name, told, checkpointing, encoded in rows:
        row = needs(told, frozen, real, kinds[checkpointing], encoded)
        lines.append(f"{name:44}" + "".join(f"{row.largest_batch(card) or '-':>8}" for card in CARDS))
    return "\n".join(lines)


def _config(part: str) -> dict[str, Any]:
    file = SDXL / part / ("scheduler_config.json" if part == "scheduler" else "config.json")
    return json.loads(file.read_text("utf-8"))


def _meta(dtype: torch.dtype, *shape: int) -> Tensor:
    return torch.empty(shape, dtype=dtype, device="meta")

