"""SDXL pipelines from files on this machine. Nothing here asks the network."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any

import torch

from ..adapter import LayerTable
from .tensor_files import check_folder, tensor_shapes
from .text import clip_tokenizers
from .unet import check_layers

SDXL = Path(__file__).parent / "sdxl"
"""SDXL's configuration in diffusers' form."""

OLDEST_DIFFUSERS = (0, 42)

# What a single file of SDXL holds, and what each part is.
PARTS = {
    "model.diffusion_model.": "UNet",
    "first_stage_model.": "VAE",
    "conditioner.embedders.0.transformer.": "CLIP-L text encoder",
    "conditioner.embedders.1.model.": "CLIP-G text encoder",
}


def require_packages() -> None:
    """Make sure that the packages that only this engine needs are there.

    Raises:
        ValueError: one is missing or too old.
    """
    for name in ("diffusers", "transformers", "PIL"):
        try:
            found = importlib.import_module(name)
        except ImportError:
            raise ValueError(
                f"{'pillow' if name == 'PIL' else name} is not installed but pictures without ComfyUI need it: "
                'pip install -e ".[headless]" in the folder of MS-Diffusion.'
            ) from None
        if name == "diffusers":
            version = tuple(int(number) for number in re.findall(r"\d+", found.__version__)[:2])
            if version < OLDEST_DIFFUSERS:
                raise ValueError(
                    f"diffusers is {found.__version__} but must be {'.'.join(map(str, OLDEST_DIFFUSERS))} or newer: "
                    "pip install -U diffusers."
                )


def load_base(
    base: str | Path, dtype: torch.dtype, layers: LayerTable | None, *, controlnet: str | Path | None = None,
    facts: Path = SDXL,
) -> Any:
    """Load an SDXL pipeline on the CPU.

    Args:
        base: a diffusers folder, or a single file as ComfyUI loads it.
        dtype: of its weights.
        layers: the cross-attentions that the adapter was made for, or None if there is no adapter yet.
        controlnet: a ControlNet's folder; the pipeline is then its kind.
        facts: the configuration of a single file.

    Raises:
        ValueError: the base is missing, damaged or of another shape.
    """
    import diffusers

    base, parts = Path(base), {"dtype": dtype, "local_files_only": True}
    kind = diffusers.StableDiffusionXLPipeline
    if controlnet is not None:
        check_folder(controlnet, "ControlNet", "config.json", "_class_name", "ControlNetModel", "use one made for SDXL")
        parts["controlnet"] = diffusers.ControlNetModel.from_pretrained(str(controlnet), **parts)
        kind = diffusers.StableDiffusionXLControlNetPipeline
    if base.is_dir():
        check_folder(base, "base", "model_index.json", "_class_name", "StableDiffusionXL", "use an SDXL base")
        weights = [file.name for file in (base / "unet").glob("diffusion_pytorch_model*")]
        variant = "fp16" if weights and all(".fp16" in name for name in weights) else None
        return kind.from_pretrained(str(base), variant=variant, **parts)
    shapes = tensor_shapes(base)
    _check_single_file(shapes, base.name, layers)
    first, second = clip_tokenizers()
    pipe = kind.from_single_file(str(base), config=str(facts), tokenizer=first, tokenizer_2=second, **parts)
    if "v_pred" in shapes:
        pipe.scheduler = type(pipe.scheduler).from_config(
            pipe.scheduler.config, prediction_type="v_prediction", rescale_betas_zero_snr="ztsnr" in shapes
        )
    return pipe


def single_file_layers(shapes: dict[str, tuple[int, ...]]) -> LayerTable:
    """The cross-attentions of a UNet in a single file, in the adapter's order: down, up, mid."""
    pattern = re.compile(
        r"model\.diffusion_model\.(input_blocks|output_blocks|middle_block)\.(?:(\d+)\.)?1\."
        r"transformer_blocks\.(\d+)\.attn2\.to_k\.weight"
    )
    order = ("input_blocks", "output_blocks", "middle_block")
    found = []
    for key, shape in shapes.items():
        if match := pattern.fullmatch(key):
            found.append(((order.index(match[1]), int(match[2] or 0), int(match[3])), shape))
    widths = [shape for _, shape in sorted(found)]
    return LayerTable(tuple(shape[0] for shape in widths), widths[0][1] if widths else 0)


def _check_single_file(shapes: dict[str, tuple[int, ...]], name: str, layers: LayerTable | None) -> None:
    lacking = [part for prefix, part in PARTS.items() if not any(key.startswith(prefix) for key in shapes)]
    if lacking:
        raise ValueError(
            f"{name} lacks the {' and the '.join(lacking)} of SDXL's four parts: use a whole SDXL checkpoint such as "
            "sd_xl_base_1.0.safetensors."
        )
    if any(key.startswith(("edm_mean", "edm_vpred")) for key in shapes):
        raise ValueError(
            f"{name} is trained on EDM's noise levels but SDXL's are needed: use a checkpoint that is trained as SDXL."
        )
    if layers is not None:
        check_layers(single_file_layers(shapes), layers, name)
    channels = shapes["model.diffusion_model.input_blocks.0.0.weight"][1]
    if channels != 4:
        raise ValueError(
            f"{name} takes latents of {channels} channels but text to image has 4: use a checkpoint that is not made "
            "for inpainting or editing."
        )
