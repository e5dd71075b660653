"""Files of random weights in the released formats, for the host's own loaders and the pack's.

A loader knows a file by its keys and shapes, so each file has all of them. The UNet has SDXL's blocks on the way down,
which tell the host what it is, at a third of the width and with single transformer blocks elsewhere. The text encoders,
the image encoder and the autoencoder have one size each in the host. The encoders' large matrices are zero and take no
place on the disk: a layer then hands on what it gets, with its biases added. So pixels and words still reach the end.
"""

import json
import math
from collections.abc import Iterator
from pathlib import Path

import torch

from tests.samples import adapter_shapes, nested

Shapes = dict[str, tuple[int, ...]]

WIDTH, CONTEXT, POOLED = 320, 2048, 2816
FEATURES, PHRASE = 1664, 768
DEPTHS = {4: 2, 5: 2, 7: 10, 8: 10}
"""Transformer blocks of the UNet's input blocks."""
CROSS_ATTENTIONS = sum(DEPTHS.values()) + 6 + 1
LARGE = 2**19
"""An encoder's matrix of more numbers is left zero."""


def write_released_files(models: Path) -> list[Path]:
    """Writes checkpoint, image encoder and adapter into the host's folder of models; returns the three files."""
    files = [
        models / "checkpoints" / "sd_xl_base_1.0.safetensors",
        models / "clip_vision" / "CLIP-ViT-bigG-14.safetensors",
        models / "msdiffusion" / "ms_adapter.bin",
    ]
    for file in files:
        file.parent.mkdir(parents=True, exist_ok=True)
    whole = unet() | autoencoder()
    write_safetensors(files[0], {**whole, **text_encoders()}, drawn=whole.keys())
    write_safetensors(files[1], image_encoder())
    shapes = adapter_shapes(
        layers=1, hidden=(WIDTH,) * CROSS_ATTENTIONS, context=CONTEXT, tokens=16, dim=64, features=FEATURES,
        grounding=PHRASE + 64, middle=64, inner=64, feed_forward=128,
    )  # fmt: skip
    torch.save(nested({key: draw(key, shape) for key, shape in shapes.items()}), files[2])
    return files


def draw(key: str, shape: tuple[int, ...]) -> torch.Tensor:
    """Random weights of a size that keeps activations as large as they are; scales of norms lie around 1."""
    drawn = torch.randn(shape, generator=torch.Generator().manual_seed(len(key) + math.prod(shape)))
    if len(shape) > 1:
        return (drawn * math.prod(shape[1:]) ** -0.5).half()
    return (0.1 * drawn + key.endswith("weight")).half()


def write_safetensors(path: Path, shapes: Shapes, drawn=()) -> None:
    """Writes fp16 weights; large ones that are no embedding and not in `drawn` as a hole in the file."""
    header, end = {}, 0
    for key, shape in shapes.items():
        start, end = end, end + 2 * math.prod(shape)
        header[key] = {"dtype": "F16", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for key, shape in shapes.items():
            if key in drawn or key.endswith("embedding.weight") or math.prod(shape) <= LARGE:
                file.seek(8 + len(text) + header[key]["data_offsets"][0])
                file.write(draw(key, shape).numpy().tobytes())
        file.truncate(8 + len(text) + end)


def unet() -> Shapes:
    shapes: Shapes = {}
    time = 4 * WIDTH
    for name, inputs in (("time_embed", WIDTH), ("label_emb.0", POOLED)):
        shapes |= linear(f"{name}.0", inputs, time) | linear(f"{name}.2", time, time)
    shapes |= conv("input_blocks.0.0", 4, WIDTH)
    for number in range(1, 9):
        if number % 3 == 0:
            shapes |= conv(f"input_blocks.{number}.0.op", WIDTH, WIDTH)
        else:
            shapes |= residual(f"input_blocks.{number}.0", WIDTH, time)
            shapes |= transformer(f"input_blocks.{number}.1", DEPTHS.get(number, 0))
    shapes |= residual("middle_block.0", WIDTH, time) | transformer("middle_block.1", 1)
    shapes |= residual("middle_block.2", WIDTH, time)
    for number in range(9):
        shapes |= residual(f"output_blocks.{number}.0", 2 * WIDTH, time)
        shapes |= transformer(f"output_blocks.{number}.1", int(number < 6))
        if number in (2, 5):
            shapes |= conv(f"output_blocks.{number}.2.conv", WIDTH, WIDTH)
    shapes |= norm("out.0", WIDTH) | conv("out.2", WIDTH, 4)
    return {f"model.diffusion_model.{key}": shape for key, shape in shapes.items()}


def residual(name: str, inputs: int, time: int) -> Shapes:
    skip = conv(f"{name}.skip_connection", inputs, WIDTH, 1) if inputs != WIDTH else {}
    return {
        **norm(f"{name}.in_layers.0", inputs), **conv(f"{name}.in_layers.2", inputs, WIDTH),
        **linear(f"{name}.emb_layers.1", time, WIDTH), **norm(f"{name}.out_layers.0", WIDTH),
        **conv(f"{name}.out_layers.3", WIDTH, WIDTH), **skip,
    }  # fmt: skip


def transformer(name: str, depth: int) -> Shapes:
    if not depth:
        return {}
    shapes = norm(f"{name}.norm", WIDTH) | linear(f"{name}.proj_in", WIDTH, WIDTH)
    for number in range(depth):
        block = f"{name}.transformer_blocks.{number}"
        for attention, context in (("attn1", WIDTH), ("attn2", CONTEXT)):
            for part, inputs in (("to_q", WIDTH), ("to_k", context), ("to_v", context)):
                shapes[f"{block}.{attention}.{part}.weight"] = (WIDTH, inputs)
            shapes |= linear(f"{block}.{attention}.to_out.0", WIDTH, WIDTH)
        shapes |= linear(f"{block}.ff.net.0.proj", WIDTH, 8 * WIDTH) | linear(f"{block}.ff.net.2", 4 * WIDTH, WIDTH)
        for position in (1, 2, 3):
            shapes |= norm(f"{block}.norm{position}", WIDTH)
    return shapes | linear(f"{name}.proj_out", WIDTH, WIDTH)


def autoencoder() -> Shapes:
    widths = (128, 256, 512, 512)
    shapes = conv("encoder.conv_in", 3, 128) | conv("decoder.conv_in", 4, 512)
    shapes |= norm("encoder.norm_out", 512) | conv("encoder.conv_out", 512, 8)
    shapes |= norm("decoder.norm_out", 128) | conv("decoder.conv_out", 128, 3)
    shapes |= conv("quant_conv", 8, 8, 1) | conv("post_quant_conv", 4, 4, 1)
    for half in ("encoder", "decoder"):
        shapes |= block(f"{half}.mid.block_1", 512, 512) | block(f"{half}.mid.block_2", 512, 512)
        shapes |= norm(f"{half}.mid.attn_1.norm", 512)
        for part in ("q", "k", "v", "proj_out"):
            shapes |= conv(f"{half}.mid.attn_1.{part}", 512, 512, 1)
    for level, width in enumerate(widths):
        below, above = widths[max(level - 1, 0)], widths[min(level + 1, 3)]
        for number in range(2):
            shapes |= block(f"encoder.down.{level}.block.{number}", width if number else below, width)
        for number in range(3):
            shapes |= block(f"decoder.up.{level}.block.{number}", width if number else above, width)
        if level < 3:
            shapes |= conv(f"encoder.down.{level}.downsample.conv", width, width)
        if level:
            shapes |= conv(f"decoder.up.{level}.upsample.conv", width, width)
    return {f"first_stage_model.{key}": shape for key, shape in shapes.items()}


def block(name: str, inputs: int, outputs: int) -> Shapes:
    skip = conv(f"{name}.nin_shortcut", inputs, outputs, 1) if inputs != outputs else {}
    return {
        **norm(f"{name}.norm1", inputs), **conv(f"{name}.conv1", inputs, outputs),
        **norm(f"{name}.norm2", outputs), **conv(f"{name}.conv2", outputs, outputs), **skip,
    }  # fmt: skip


def text_encoders() -> Shapes:
    small, large = "conditioner.embedders.0.transformer.text_model.", "conditioner.embedders.1.model."
    shapes = {
        f"{small}embeddings.token_embedding.weight": (49408, 768),
        f"{small}embeddings.position_embedding.weight": (77, 768),
        **norm(f"{small}final_layer_norm", 768),
        **dict(clip_layers(f"{small}encoder.layers", 12, 768, 3072)),
        f"{large}token_embedding.weight": (49408, 1280), f"{large}positional_embedding": (77, 1280),
        f"{large}text_projection": (1280, 1280), f"{large}logit_scale": (), **norm(f"{large}ln_final", 1280),
    }  # fmt: skip
    for number in range(32):
        layer = f"{large}transformer.resblocks.{number}"
        shapes |= norm(f"{layer}.ln_1", 1280) | norm(f"{layer}.ln_2", 1280)
        shapes |= {f"{layer}.attn.in_proj_weight": (3840, 1280), f"{layer}.attn.in_proj_bias": (3840,)}
        shapes |= linear(f"{layer}.attn.out_proj", 1280, 1280)
        shapes |= linear(f"{layer}.mlp.c_fc", 1280, 5120) | linear(f"{layer}.mlp.c_proj", 5120, 1280)
    return shapes


def image_encoder() -> Shapes:
    return {
        "vision_model.embeddings.class_embedding": (FEATURES,),
        "vision_model.embeddings.patch_embedding.weight": (FEATURES, 3, 14, 14),
        "vision_model.embeddings.position_embedding.weight": (257, FEATURES),
        **norm("vision_model.pre_layrnorm", FEATURES), **norm("vision_model.post_layernorm", FEATURES),
        **dict(clip_layers("vision_model.encoder.layers", 48, FEATURES, 8192)),
        "visual_projection.weight": (1280, FEATURES),
    }  # fmt: skip


def clip_layers(name: str, layers: int, width: int, inner: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """The layers of a CLIP encoder under Hugging Face's names."""
    for number in range(layers):
        layer = f"{name}.{number}"
        for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
            yield from linear(f"{layer}.self_attn.{part}", width, width).items()
        yield from linear(f"{layer}.mlp.fc1", width, inner).items()
        yield from linear(f"{layer}.mlp.fc2", inner, width).items()
        for position in (1, 2):
            yield from norm(f"{layer}.layer_norm{position}", width).items()


def linear(name: str, inputs: int, outputs: int) -> Shapes:
    return {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}


def conv(name: str, inputs: int, outputs: int, kernel: int = 3) -> Shapes:
    return {f"{name}.weight": (outputs, inputs, kernel, kernel), f"{name}.bias": (outputs,)}


def norm(name: str, width: int) -> Shapes:
    return {f"{name}.weight": (width,), f"{name}.bias": (width,)}
