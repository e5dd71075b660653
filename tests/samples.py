"""Random adapters and boxes of small but uneven sizes, so that no size can be mistaken for another."""

import torch

from msd_core.boxes import Box

HEAD_DIM = 8
TOKENS, DIM, CONTEXT = 5, 24, 40
FEATURE_WIDTH, PHRASE_WIDTH, FREQUENCIES = 28, 20, 3
HIDDEN = (16, 16, 32, 32, 32)


def adapter_shapes(
    *, layers: int, hidden: tuple[int, ...], context: int, tokens: int, dim: int, features: int, grounding: int,
    middle: int, inner: int, feed_forward: int,
) -> dict[str, tuple[int, ...]]:
    """The shape of every tensor of an adapter (SPEC 1)."""
    image_proj = {
        "grounding_latents": (1, tokens, dim),
        "latent_proj.0.weight": (middle, grounding), "latent_proj.0.bias": (middle,),
        "latent_proj.2.weight": (tokens * dim, middle), "latent_proj.2.bias": (tokens * dim,),
        "latent_norm.weight": (dim,), "latent_norm.bias": (dim,),
        "proj_in.weight": (dim, features), "proj_in.bias": (dim,),
        "attention_norm.weight": (dim,), "attention_norm.bias": (dim,),
        "proj_out.weight": (context, dim), "proj_out.bias": (context,),
        "norm_out.weight": (context,), "norm_out.bias": (context,),
    }
    for layer in range(layers):
        for key, shape in {
            "0.norm1.weight": (dim,), "0.norm1.bias": (dim,), "0.norm2.weight": (dim,), "0.norm2.bias": (dim,),
            "0.to_q.weight": (inner, dim), "0.to_kv.weight": (2 * inner, dim), "0.to_out.weight": (dim, inner),
            "1.0.weight": (dim,), "1.0.bias": (dim,),
            "1.1.weight": (feed_forward, dim), "1.3.weight": (dim, feed_forward),
        }.items():
            image_proj[f"layers.{layer}.{key}"] = shape
    shapes = {f"image_proj.{key}": shape for key, shape in image_proj.items()}
    for position, width in enumerate(hidden):
        for projection in ("to_k_ip", "to_v_ip"):
            shapes[f"ms_adapter.{2 * position + 1}.{projection}.weight"] = (width, context)
    return {**shapes, "dummy_image_tokens": (1, 4, context)}


def adapter_state(
    seed: int = 0, *, layers: int = 2, hidden: tuple[int, ...] = HIDDEN, context: int = CONTEXT,
    features: int = FEATURE_WIDTH, phrase: int = PHRASE_WIDTH, head_dim: int = HEAD_DIM,
) -> dict[str, torch.Tensor]:
    """A small flat adapter state dict whose every tensor matters, biases and norms too."""
    shapes = adapter_shapes(
        layers=layers, hidden=hidden, context=context, tokens=TOKENS, dim=DIM, features=features,
        grounding=phrase + 8 * FREQUENCIES, middle=DIM + 4, inner=2 * head_dim, feed_forward=3 * DIM,
    )
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for key, shape in shapes.items():
        drawn = torch.randn(shape, generator=generator)
        state[key] = drawn * shape[-1] ** -0.5 if len(shape) > 1 else 0.5 * drawn + key.endswith("weight")
    return state


def released_state() -> dict[str, torch.Tensor]:
    """An adapter of the released sizes on the meta device: shapes without memory."""
    shapes = adapter_shapes(
        layers=4, hidden=(640,) * 4 + (1280,) * 50 + (640,) * 6 + (1280,) * 10, context=2048, tokens=16, dim=1280,
        features=1664, grounding=768 + 64, middle=1664, inner=1280, feed_forward=5120,
    )
    return {key: torch.empty(shape, device="meta", dtype=torch.float16) for key, shape in shapes.items()}


def nested(state: dict[str, torch.Tensor]) -> dict:
    """The same in the official file's form: sections of their own."""
    sections: dict = {"image_proj": {}, "ms_adapter": {}}
    for key, value in state.items():
        section, _, rest = key.partition(".")
        if rest:
            sections[section][rest] = value
        else:
            sections[key] = value
    return sections


BOX_SETS = {
    "disjoint": (Box(0.0, 0.1, 0.4, 0.9), Box(0.5, 0.0, 1.0, 0.6)),
    "overlapping": (Box(0.0, 0.0, 0.7, 0.8), Box(0.3, 0.2, 1.0, 1.0)),
    "nested": (Box(0.1, 0.1, 0.9, 0.9), Box(0.4, 0.4, 0.6, 0.6)),
    "full frame": (Box(0.0, 0.0, 1.0, 1.0),),
    "fractional": (Box(0.123, 0.456, 0.789, 0.987), Box(0.001, 0.7, 0.0019, 0.7005), Box(1 / 3, 0.0, 2 / 3, 0.15)),
}
MAPS = ((8, 8), (13, 19), (19, 13), (7, 1), (1, 5), (16, 9))
