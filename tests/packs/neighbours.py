"""What the packs put on a model, each as a function from a model to a model."""

from collections.abc import Callable
from dataclasses import dataclass

from .graph import Node, Scene


@dataclass(frozen=True)
class Neighbour:
    """One way of putting a pack on a model.

    Attributes:
        pack: the pack's folder.
        put_on: from a scene and a model to a model.
        either_order: whether the nodes' order makes no difference without us either.
        adds: whether it adds to the output of the attention, so that sums are made in another order.
        acts: whether it changes the picture of its own.
        copies: whether it evaluates with a copy of the options that the model had where its node stands, so that the
            subjects must be on the model before it.
    """

    pack: str
    put_on: Callable[[Scene, Node], Node]
    either_order: bool = True
    adds: bool = False
    acts: bool = True
    copies: bool = False


def ip_adapter(scene: Scene, model: Node, **inputs) -> Node:
    return scene.node(
        "IPAdapterAdvanced", model=model, clip_vision=scene.node("StandInClipVision"), image=scene.photo("fish", 3),
        ipadapter=scene.node("IPAdapterModelLoader", ipadapter_file="packs.safetensors"), **inputs,
    )  # fmt: skip


def instant_id(scene: Scene, model: Node, **inputs) -> Node:
    return scene.node(
        "InstantIDAttentionPatch", model=model, insightface=scene.node("InstantIDFaceAnalysis"),
        instantid=scene.node("InstantIDModelLoader", instantid_file="packs.safetensors"),
        image=scene.photo("fish", 3), **inputs,
    )  # fmt: skip


def pulid(scene: Scene, model: Node, method: str = "neutral", **inputs) -> Node:
    return scene.node(
        "ApplyPulid", model=model, eva_clip=scene.node("StandInEvaClip"), image=scene.photo("fish", 3), method=method,
        pulid=scene.node("PulidModelLoader", pulid_file="packs.safetensors"),
        face_analysis=scene.node("PulidInsightFaceLoader"), **inputs,
    )  # fmt: skip


def nag(scene: Scene, model: Node, **inputs) -> Node:
    """Normalized Attention Guidance of sd-perturbed-attention."""
    return scene.node("NormalizedAttentionGuidance", model=model, negative=scene.text("a dog"), **inputs)


def tiled(scene: Scene, model: Node, method: str = "MultiDiffusion", together: int = 4, **inputs) -> Node:
    """Tiles of 64 pixels, some of them in one call of the model."""
    given = {"tile_width": 64, "tile_height": 64, "tile_overlap": 16, "tile_batch_size": together, **inputs}
    return scene.node("TiledDiffusion", model=model, method=method, **given)


def automatic_cfg(scene: Scene, model: Node, **inputs) -> Node:
    return scene.node("Automatic CFG", model=model, **inputs)


def excellent_attention(scene: Scene, model: Node, **inputs) -> Node:
    """It makes both predictions itself, with a copy of the options that the model has at this place."""
    return scene.node("Automatic CFG - Excellent attention", model=model, uncond_sigma_end=0.0, **inputs)


def couple_ppm(scene: Scene, model: Node, base: Node, *others: tuple, base_mask: Node | None = None) -> Node:
    """Regions of ComfyUI-ppm: the sampler's own prompt, and others with their masks."""
    named = {f"cond_{number}": text for number, (text, _) in enumerate(others, 1)}
    named |= {f"mask_{number}": mask for number, (_, mask) in enumerate(others, 1)}
    base_mask = base_mask or scene.mask(0.0, 1.0)
    return scene.node("AttentionCouplePPM", model=model, base_cond=base, base_mask=base_mask, **named)


def couple_tooling(scene: Scene, model: Node, base: Node, *others: tuple[Node, Node]) -> Node:
    """Regions of comfyui-tooling-nodes: a prompt for the background, and others with their masks."""
    region = scene.node("ETN_BackgroundRegion", conditioning=base)
    for text, mask in others:
        region = scene.node("ETN_DefineRegion", mask=mask, conditioning=text, regions=region)
    return scene.node("ETN_AttentionMask", model=model, regions=region)


def regions(scene: Scene) -> tuple:
    """The scene's prompt, and two others to the left and to the right."""
    return (
        scene.positive,
        (scene.text("a cat"), scene.mask(0.0, 0.375)),
        (scene.text("on the grass a robot"), scene.mask(0.625, 1.0)),
    )


def plain(type: str, **inputs) -> Callable[[Scene, Node], Node]:
    """A node that takes a model and gives a model."""
    return lambda scene, model: scene.node(type, model=model, **inputs)


GUIDANCE, AUTOMATIC = "sd-perturbed-attention", "ComfyUI-AutomaticCFG"
WINDOWS = {"tile_width": 64, "tile_height": 64, "tile_overlap": 32, "sigma_end": -1.0}

NEIGHBOURS = {
    "ip_adapter": Neighbour("ComfyUI_IPAdapter_plus", ip_adapter, adds=True),
    "instant_id": Neighbour("ComfyUI_InstantID", instant_id, adds=True),
    "pulid": Neighbour("PuLID_ComfyUI", pulid, adds=True),
    "perturbed_attention": Neighbour(GUIDANCE, plain("PerturbedAttention")),
    "smoothed_energy": Neighbour(GUIDANCE, plain("SmoothedEnergyGuidanceAdvanced")),
    "sliding_windows": Neighbour(GUIDANCE, plain("SlidingWindowGuidanceAdvanced", **WINDOWS)),
    "momentum": Neighbour(GUIDANCE, plain("MomentumGuidance")),
    "frequencies": Neighbour(GUIDANCE, plain("FrequencyDecoupledGuidance")),
    "nag": Neighbour(GUIDANCE, nag, either_order=False),
    "pladis": Neighbour(GUIDANCE, plain("PLADIS"), either_order=False),
    "tiles_multi": Neighbour("ComfyUI-TiledDiffusion", lambda scene, model: tiled(scene, model)),
    "tiles_mixture": Neighbour(
        "ComfyUI-TiledDiffusion", lambda scene, model: tiled(scene, model, "Mixture of Diffusers")),
    "tiles_spot": Neighbour("ComfyUI-TiledDiffusion", lambda scene, model: tiled(scene, model, "SpotDiffusion")),
    "deep_cache": Neighbour("ComfyUI-deepcache", plain("DeepCache", cache_interval=2, cache_depth=1)),
    "first_block_cache": Neighbour("Comfy-WaveSpeed", plain("ApplyFBCacheOnModel", residual_diff_threshold=1.0)),
    "automatic_cfg": Neighbour(AUTOMATIC, automatic_cfg),
    "warp_drive": Neighbour(AUTOMATIC, plain("Automatic CFG - Warp Drive", uncond_sigma_start=1000.0)),
    "excellent_attention": Neighbour(AUTOMATIC, excellent_attention, either_order=False, copies=True),
    "couple_ppm": Neighbour("ComfyUI-ppm", lambda scene, model: couple_ppm(scene, model, *regions(scene))),
    "couple_tooling": Neighbour(
        "comfyui-tooling-nodes", lambda scene, model: couple_tooling(scene, model, *regions(scene))),
    "regional_cfg": Neighbour("ComfyUI-Inspire-Pack", lambda scene, model: scene.node(
        "RegionalCFG //Inspire", model=model, mask=scene.mask(0.0, 0.5))),
    "evolved_sampling": Neighbour("ComfyUI-AnimateDiff-Evolved", plain("ADE_UseEvolvedSampling"), acts=False),
}  # fmt: skip
