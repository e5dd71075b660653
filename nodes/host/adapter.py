"""An adapter under ComfyUI's model management: loaded when it computes, freed when the memory is wanted."""

from __future__ import annotations

import comfy.model_management
import comfy.model_patcher
import comfy.ops
import torch
from torch import Tensor

from ...msd_core.adapter import Adapter, LayerTable
from ...msd_core.checkpoint import DUMMY_TOKENS, AdapterFile, read_adapter
from ...msd_core.photo import KnownPhotos


class ManagedAdapter:
    """The value of MSD_ADAPTER. Weights keep the file's dtype and are cast as they are used; it computes in fp32.

    Attributes:
        photos: those that it has read, for subjects that come again with another phrase or weight.
    """

    def __init__(self, file: AdapterFile, name: str) -> None:
        self.name = name
        with torch.device("meta"):
            model = Adapter(file.state, file.head_dim, comfy.ops.manual_cast)
        weights = {key: value for key, value in file.state.items() if key != DUMMY_TOKENS}
        model.load_state_dict(weights, assign=True)
        self.model = model.eval().requires_grad_(False)
        self.patcher = comfy.model_patcher.CoreModelPatcher(
            self.model,
            load_device=comfy.model_management.get_torch_device(),
            offload_device=comfy.model_management.unet_offload_device(),
        )
        self.photos = KnownPhotos()

    @classmethod
    def load(cls, path: str, name: str) -> ManagedAdapter:
        """Read, check and wrap an adapter file (see `checkpoint.read_adapter` for what it refuses)."""
        return cls(read_adapter(path), name)

    def __deepcopy__(self, memo: dict) -> ManagedAdapter:
        return self

    @property
    def layers(self) -> LayerTable:
        return self.model.layers

    @property
    def feature_width(self) -> int:
        return self.model.image_proj.feature_width

    def resample(self, features: Tensor, phrases: Tensor, boxes: Tensor, grounding: bool) -> Tensor:
        """Tokens `[n, t, C]` fp32 of n views, on the CPU (see `Resampler.forward`)."""
        device = self._load()
        tokens = self.model.image_proj(*(x.to(device, torch.float32) for x in (features, phrases, boxes)), grounding)
        return tokens.detach().cpu()

    def project(self, tokens: Tensor, dtype: torch.dtype) -> Tensor:
        """Keys and values of tokens in every layer, on the CPU, in a UNet's dtype (see `Adapter.project_joint`)."""
        device = self._load()
        return self.model.project_joint(tokens.to(device, torch.float32), dtype).cpu()

    def _load(self) -> torch.device:
        comfy.model_management.load_models_gpu([self.patcher])
        return self.patcher.load_device
