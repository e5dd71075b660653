"""What turns image features into tokens: the grounding resampler, the plain one, a linear layer (table 3); their files.

The plain resampler is the grounding resampler that never starts from phrase and box, so its file is the released
format, for *Encode* with `grounding` off. Without masks too the file is of that format, for layouts of whole frames.
The linear layer has no place in that format; `read_trained` reads all three.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from msd_core.adapter import Adapter
from msd_core.checkpoint import DUMMY_TOKENS, HEAD_DIM_KEY, AdapterFile, read_adapter
from msd_core.headless.unet import check_layers, layers_of

from ..new_adapter import AdapterSizes, adapter_shapes, new_adapter
from .base import Base

PROJECTOR_KEY = "msd_projector"
DUMMIES = 4


class LinearProjector(nn.Module):
    """One linear layer from the image encoder's class token to all of a subject's tokens, and a norm (w/o RS).

    Phrase and box have no way in. Called as the resampler is.
    """

    def __init__(self, feature_width: int, tokens: int, out_width: int) -> None:
        super().__init__()
        self.tokens, self.feature_width, self.out_width = tokens, feature_width, out_width
        self.linear = nn.Linear(feature_width, tokens * out_width)
        self.norm = nn.LayerNorm(out_width)

    def forward(self, features: Tensor, phrases: Tensor, boxes: Tensor, grounding: Tensor | bool = True) -> Tensor:
        return self.norm(self.linear(features[:, 0]).unflatten(-1, (self.tokens, self.out_width)))


class Trained(nn.Module):
    """An adapter with all that its file holds.

    Attributes:
        adapter: the nets.
        projector: "grounding", "plain" or "linear".
        head_dim: width of a head of the resampler.
        dummy_image_tokens: `[1, 4, C]`. No subject's position sees them, and equation 6 sets to zero what other
            positions make of them, so their gradient is exactly zero: they stay what they were.
    """

    def __init__(self, adapter: Adapter, projector: str, head_dim: int, dummies: Tensor) -> None:
        super().__init__()
        self.adapter, self.projector, self.head_dim = adapter, projector, head_dim
        self.register_buffer(DUMMY_TOKENS, dummies)

    @property
    def grounded(self) -> bool:
        """Whether phrase and box start its queries."""
        return self.projector == "grounding"

    def learning(self) -> dict[str, nn.Parameter]:
        """The weights that a gradient reaches, by the names of the file."""
        unused = ("image_proj.latent_proj.", "image_proj.latent_norm.")
        return {key: value for key, value in self.adapter.named_parameters()
                if self.grounded or not key.startswith(unused)}

    def state(self, weights: Mapping[str, Tensor] | None = None) -> dict[str, Tensor]:
        """The flat file's tensors.

        Args:
            weights: to stand in the place of some of them, such as averages.
        """
        state = {**self.adapter.state_dict(), DUMMY_TOKENS: self.dummy_image_tokens}
        return {key: (weights or {}).get(key, value) for key, value in state.items()}

    def metadata(self) -> dict[str, str]:
        """What the file says beside its tensors."""
        return {"format": "pt", HEAD_DIM_KEY: str(self.head_dim), PROJECTOR_KEY: self.projector}


def untrained(base: Base, projector: str, sizes: AdapterSizes) -> Trained:
    """A new adapter for a base, of the sizes of its resampler (`Base.sizes`); its random numbers are torch's own."""
    adapter = new_adapter(base.pipe.unet, sizes)
    context = adapter.image_proj.out_width
    if projector == "linear":
        adapter.image_proj = LinearProjector(sizes.feature_width, sizes.tokens, context)
    return Trained(adapter, projector, sizes.head_dim, torch.randn(1, DUMMIES, context))


def started(file: str | Path, base: Base, projector: str) -> Trained:
    """An adapter from a file, to go on training.

    Raises:
        ValueError: the file is no adapter, made for another base, or the projector is one that the format can't hold.
    """
    if projector == "linear":
        raise ValueError(
            f"--init is {file} but --projector linear has no place in an adapter's file: leave --init out, or train "
            "the resampler."
        )
    read = read_adapter(file)
    trained = _from_state(read.state, projector, read.head_dim)
    check_layers(layers_of(base.pipe.unet), trained.adapter.layers)
    wanted, given = trained.adapter.image_proj.feature_width, base.image_encoder.config.hidden_size
    if wanted != given:
        raise ValueError(
            f"{Path(file).name} needs image features {wanted} wide but the image encoder gives {given}: use CLIP "
            "ViT-bigG/14 (laion2B-39B-b160k)."
        )
    trained.adapter.image_proj.frequencies(base.pipe.text_encoder.config.hidden_size)
    return trained


def read_trained(file: str | Path) -> Trained:
    """What a run has saved as `ms_adapter.safetensors`, whatever its projector.

    Raises:
        ValueError: the file is none of these.
    """
    file = Path(file)
    try:
        with safe_open(file, framework="pt") as opened:
            metadata = opened.metadata() or {}
            linear = metadata.get(PROJECTOR_KEY) == "linear"
            state = {key: opened.get_tensor(key) for key in opened.keys()} if linear else {}  # noqa: SIM118
    except FileNotFoundError:
        raise ValueError(f"{file} is named but there is no such file: name a checkpoint's adapter.") from None
    except Exception:
        metadata, linear, state = {}, False, {}
    if linear:
        return _from_state(state, "linear", int(metadata[HEAD_DIM_KEY]))
    read: AdapterFile = read_adapter(file)
    return _from_state(read.state, metadata.get(PROJECTOR_KEY, "grounding"), read.head_dim)


def _from_state(state: Mapping[str, Tensor], projector: str, head_dim: int) -> Trained:
    state = {key: value.float() for key, value in state.items()}
    layers = {key: value for key, value in state.items() if key.startswith("ms_adapter.")}
    if projector == "linear":
        context = next(iter(layers.values())).shape[1]
        weight = state["image_proj.linear.weight"]
        adapter = _bare(layers, context)
        adapter.image_proj = LinearProjector(weight.shape[1], weight.shape[0] // context, context)
    else:
        adapter = Adapter(dict(state), head_dim)
        adapter.image_proj.grounding_latents.requires_grad_(True)
    dummies = state.pop(DUMMY_TOKENS, None)
    adapter.load_state_dict(state)
    if dummies is None:
        dummies = torch.randn(1, DUMMIES, adapter.image_proj.out_width)
    return Trained(adapter, projector, head_dim, dummies)


def _bare(layers: Mapping[str, Tensor], context: int) -> Adapter:
    """An adapter with the projections of a file and the smallest resampler, to be replaced."""
    from msd_core.adapter import LayerTable

    hidden = tuple(value.shape[0] for key, value in layers.items() if key.endswith("to_k_ip.weight"))
    smallest: dict[str, Any] = dict(tokens=1, width=8, layers=1, head_dim=8, feature_width=8, phrase_width=8)
    return Adapter(adapter_shapes(AdapterSizes(**smallest), LayerTable(hidden, context)), 8)
