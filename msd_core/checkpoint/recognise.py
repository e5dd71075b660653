"""Finding an adapter among a file's tensors, by their names: alone, or as training leaves it."""

from __future__ import annotations

import re

from torch import Tensor

from .names import DUMMY_TOKENS, LATENTS, SECTIONS, shown

_WRAPPERS = re.compile(r"(?:(?<=\.)|^)(?:_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)\.")
_NUMBERED = re.compile(r"(?P<of>(?:.*\.)?)(?P<layer>[0-9]+)\.(?P<rest>to_[kv]_ip\.weight)")
_IN_UNET = re.compile(
    r"(?P<of>(?:.*\.)?)(?P<layer>(?:down_blocks|up_blocks|mid_block)\..*attn2)\.processor\.(?P<rest>to_[kv]_ip\.weight)"
)
_UNET_ORDER = ("down_blocks", "up_blocks", "mid_block")


def adapter_in(state: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """The adapter's tensors among those of a flat state dict, under the names of an adapter file.

    In a training checkpoint they may stand under any prefixes, and its projections within the UNet's processors.

    Raises:
        ValueError: there is no adapter, with what the tensors look like; or there is more than one.
    """
    if f"{SECTIONS[0]}.{LATENTS}" in state and any(key.startswith(f"{SECTIONS[1]}.") for key in state):
        return {key: value for key, value in state.items() if key.partition(".")[0] in (*SECTIONS, DUMMY_TOKENS)}
    plain = {_WRAPPERS.sub("", key): value for key, value in state.items()}
    resamplers = [key.removesuffix(LATENTS) for key in plain if f".{key}".endswith(f".{LATENTS}")]
    projections = _projections(plain)
    if not resamplers or not projections:
        raise ValueError(
            f"{name} is {_describe(state)}, but an MS-Diffusion adapter (ms_adapter.bin) is needed: "
            "put that file into models/msdiffusion and choose it."
        )
    for found in (resamplers, list(projections)):
        if len(found) > 1:
            raise ValueError(
                f'{name} holds {len(found)} adapters ("{shown(found[0])}" and "{shown(found[1])}"), but one is needed: '
                "save the tensors of one alone."
            )
    (resampler,), ((_, layers),) = resamplers, projections.items()
    adapter = {
        f"{SECTIONS[0]}.{key.removeprefix(resampler)}": value
        for key, value in plain.items() if key.startswith(resampler) and key not in layers.values()
    }
    adapter |= {f"{SECTIONS[1]}.{key}": plain[source] for key, source in layers.items()}
    dummies = [key for key in plain if f".{key}".endswith(f".{DUMMY_TOKENS}")]
    return adapter | ({DUMMY_TOKENS: plain[dummies[0]]} if len(dummies) == 1 else {})


def _projections(state: dict[str, Tensor]) -> dict[str, dict[str, str]]:
    """For each prefix with projections below it, `layer.to_k_ip.weight` -> the tensor's name in the state dict.

    The UNet's processors count where projections stand nowhere else; the two may be the same tensors.
    """
    found = _matches(state, _NUMBERED)
    if found:
        return {of: {f"{layer}.{rest}": key for (layer, rest), key in keys.items()} for of, keys in found.items()}
    numbered = {}
    for of, keys in _matches(state, _IN_UNET).items():
        # Self- and cross-attention alternate, and only the latter have projections.
        layers = sorted({layer for layer, _ in keys}, key=_place_in_unet)
        numbers = {layer: 2 * position + 1 for position, layer in enumerate(layers)}
        numbered[of] = {f"{numbers[layer]}.{rest}": key for (layer, rest), key in keys.items()}
    return numbered


def _matches(state: dict[str, Tensor], pattern: re.Pattern) -> dict[str, dict[tuple[str, str], str]]:
    found: dict[str, dict[tuple[str, str], str]] = {}
    for key in state:
        if match := pattern.fullmatch(key):
            found.setdefault(match["of"], {})[match["layer"], match["rest"]] = key
    return found


def _place_in_unet(layer: str) -> tuple[int, list[int]]:
    """Where a cross-attention comes in diffusers' order."""
    return _UNET_ORDER.index(layer.partition(".")[0]), [int(part) for part in layer.split(".") if part.isdecimal()]


def _describe(state: dict[str, Tensor]) -> str:
    def has(*parts: str) -> bool:
        return any(part in key for key in state for part in parts)

    if not state:
        return "empty"
    if has("ip_adapter.") or "image_proj.latents" in state or "image_proj.proj.weight" in state:
        return "an IP-Adapter"
    if has("lora_up", "lora_down", "lora_A", "lora_B", "lora.up", "lora.down"):
        return "a LoRA"
    if has("model.diffusion_model."):
        return "a whole checkpoint"
    if has("input_blocks.", "down_blocks."):
        return "a UNet or ControlNet"
    if has("vision_model.", "visual."):
        return "an image encoder"
    return f"an unknown model (its first tensor is {shown(next(iter(state)))})"
