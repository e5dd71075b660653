"""Stage 5: the adapter and the image encoder, with the base frozen, over the resampler and attention that ship."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from msd_core.adapter import Adapter
from msd_core.attention import attend_to_subjects, token_mask
from msd_core.boxes import Box
from msd_core.demo.config import ADAPTER, CONTEXT_WIDTH, CROSS_ATTENTIONS, SCENE_SIZE, UNET
from msd_core.demo.world import Identity, Placed, caption
from msd_core.headless.unet import CrossAttentionHooks
from msd_core.layout import Region, region_cells

from .autoencoder import load_autoencoder
from .base import BATCH, NAMING, new_base, predict_velocity, training_sizes, weighted_error
from .device import on_device, pictures_of
from .diffusion import STEPS, add_noise
from .latents import LatentScenes, Scene
from .references import ReferencePool, normalise, side_by_side
from .text import TextEncoders, random_caption
from .trainer import Schedule, Trainer, load_averaged
from .vision import TraitHeads, image_features, new_image_encoder

TEXT_DROP, GROUNDING_DROP, IMAGE_DROP = 0.15, 0.10, 0.05
SHARED = 0.3
"""How often a reference shows a second sprite, so that only the phrase says which one is meant."""
COLOUR_PHRASE = 0.25
TRAITS = 0.05
BARE = 0.25
"""Share of the joint stage's scenes that see no subjects, so that the base alone stays a text-to-image model."""


def adapter_shapes() -> dict[str, Tensor]:
    """The flat checkpoint's shapes (SPEC 1) on the meta device."""
    width, context, tokens = ADAPTER["width"], ADAPTER["output_width"], ADAPTER["tokens"]
    hidden = width * ADAPTER["ffn_mult"]
    norm = {"weight": (width,), "bias": (width,)}
    parts: dict[str, dict[str, tuple[int, ...]]] = {
        "latent_proj.0": {"weight": (width, ADAPTER["phrase_width"] + 8 * ADAPTER["fourier_frequencies"])},
        "latent_proj.2": {"weight": (tokens * width, width)},
        "proj_in": {"weight": (width, ADAPTER["feature_width"])},
        "proj_out": {"weight": (context, width)},
        "norm_out": {"weight": (context,)},
    }
    for layer in range(ADAPTER["layers"]):
        parts |= {f"layers.{layer}.0.norm1": norm, f"layers.{layer}.0.to_q": {"weight": (width, width)},
                  f"layers.{layer}.1.1": {"weight": (hidden, width)}}
    shapes = {f"image_proj.{part}.{key}": shape for part, keys in parts.items() for key, shape in keys.items()}
    shapes["image_proj.grounding_latents"] = (1, tokens, width)
    for position in range(len(CROSS_ATTENTIONS)):
        for projection in ("to_k_ip", "to_v_ip"):
            shapes[f"ms_adapter.{2 * position + 1}.{projection}.weight"] = (UNET["block_out_channels"][1], context)
    return {key: torch.empty(shape, device="meta") for key, shape in shapes.items()}


def new_adapter(unet: nn.Module) -> Adapter:
    """An untrained adapter, its projections started from the frozen text projections."""
    adapter = Adapter(adapter_shapes(), ADAPTER["head_dim"])
    latents = adapter.image_proj.grounding_latents
    latents.data.normal_()
    latents.requires_grad_(True)
    for projection, name in zip(adapter.ms_adapter.values(), CROSS_ATTENTIONS, strict=True):
        attention = unet.get_submodule(name)
        projection.to_k_ip.weight.data.copy_(attention.to_k.weight)
        projection.to_v_ip.weight.data.copy_(attention.to_v.weight)
    return adapter


class Subjects:
    """The subjects of the batch at hand, as the cross-attentions see them; `scale` 0 is no adapter."""

    def __init__(self) -> None:
        self.projected: list[tuple[Tensor, Tensor]] = []
        self.mask: Tensor | None = None
        self.scale = 0.0

    def set(self, adapter: Adapter, tokens: Tensor, regions: list[list[Region]], scale: float = 1.0,
            masked: bool = True) -> None:
        """Tokens `[B, n, t, C]` of up to n subjects in each picture, and their regions."""
        count = tokens.shape[1]
        size = SCENE_SIZE // 16
        cells = torch.zeros(len(regions), count, size, size, dtype=torch.bool)
        for row, picture in zip(cells, regions, strict=True):
            found = region_cells(picture, size, size)
            row[: len(picture)] = found if masked else True
        self.mask = token_mask(cells, [tokens.shape[2]] * count, tokens.dtype)
        pad = (0, 0, 0, 8)
        self.projected = [(F.pad(k, pad), F.pad(v, pad)) for k, v in adapter.project(tokens.flatten(1, 2))]
        self.scale = scale

    def add(self, out: Tensor, query: Tensor, _: Tensor, layer: int, heads: int) -> Tensor:
        """The text attention's output plus the subjects' part, in the conditional rows (the first ones)."""
        if not self.scale:
            return out
        key, value = self.projected[layer]
        rows = len(key)
        key, value, mask = (x.to(query.dtype) for x in (key, value, self.mask))
        image = attend_to_subjects(query[:rows], key, value, mask, heads)
        return out + self.scale * (image if rows == len(out) else F.pad(image, (0, 0, 0, 0, 0, len(out) - rows)))


def install(unet: nn.Module) -> Subjects:
    """The subjects that a UNet's cross-attentions will add to the text from now on (equation 6)."""
    subjects = Subjects()
    for layer, name in enumerate(CROSS_ATTENTIONS):
        attention = unet.get_submodule(name)
        CrossAttentionHooks(attention, partial(subjects.add, layer=layer, heads=attention.heads))
    return subjects


class Student(nn.Module):
    """What the stage trains: image encoder, adapter, and the trait heads that help."""

    def __init__(self, unet: nn.Module) -> None:
        super().__init__()
        self.vision = new_image_encoder()
        self.adapter = new_adapter(unet)
        self.traits = TraitHeads(ADAPTER["tokens"] * CONTEXT_WIDTH)
        for part in (self.vision.vision_model.encoder.layers[-1], self.vision.vision_model.post_layernorm,
                     self.vision.visual_projection):
            part.requires_grad_(False)

    def tokens(self, text: TextEncoders, pictures: Tensor, phrases: list[str], boxes: Tensor,
               grounding: Tensor | bool = True, seen: Tensor | None = None) -> Tensor:
        """Subject tokens `[n, t, C]` of reference pictures `[n, 3, H, W]` in 0..1; unseen ones have zero features."""
        features = image_features(self.vision, normalise(pictures))
        if seen is not None:
            features = features * seen[:, None, None]
        with torch.no_grad():
            embedded = text.phrase(phrases)
        return self.adapter.image_proj(features, embedded, boxes, grounding)


def regions_of(subjects: list[Placed]) -> list[Region]:
    """The subjects' boxes as regions."""
    return [Region(Box(*subject.box)) for subject in subjects]


def gather(tokens: Tensor, counts: list[int]) -> Tensor:
    """Tokens `[sum n, t, C]` as `[B, most n, t, C]`, zero where a picture has fewer subjects."""
    most = max(counts)
    return torch.stack([F.pad(part, (0, 0, 0, 0, 0, most - len(part))) for part in tokens.split(counts)])


def load_frozen_base(folder: Path) -> nn.ModuleDict:
    """The averaged weights of the joint stage, where it has run, else of the base stage; frozen."""
    base = new_base()
    if (folder / "joint.pt").exists():
        load_averaged("joint", folder, joint_modules(base, Student(base["unet"])))
    else:
        load_averaged("base", folder, base)
    return base.eval().requires_grad_(False)


def joint_modules(base: nn.ModuleDict, student: Student) -> nn.ModuleDict:
    """What the joint stage trains, in its checkpoint's order."""
    return nn.ModuleDict({"unet": base["unet"], "text": base["text"], "student": student})


def load_student(folder: Path, unet: nn.Module) -> Student:
    """The averaged weights of the adapter stage, where it has run, else of the joint stage; frozen."""
    student = Student(unet)
    if (folder / "adapter.pt").exists():
        load_averaged("adapter", folder, nn.ModuleDict({"student": student}))
    else:
        load_averaged("joint", folder, joint_modules(new_base(), student))
    return student.eval().requires_grad_(False)


def phrase_for(identity: Identity, rng: np.random.Generator) -> str:
    """The kind, sometimes with its main colour."""
    return f"{identity.main} {identity.kind}" if rng.random() < COLOUR_PHRASE else identity.kind


def adapter_loss(base: nn.ModuleDict, student: Student, subjects: Subjects, scenes: list[Scene], pool: ReferencePool,
                 rng: np.random.Generator, generator: torch.Generator, bare: float = 0.0) -> tuple[Tensor, Tensor]:
    """The diffusion loss of a batch of scenes and the sum of the helping losses; a share `bare` has no subjects."""
    people = [placed for scene in scenes for placed in scene.subjects]
    pictures, phrases = [], []
    for placed in people:
        picture = pool.pick(placed.identity, rng)
        if rng.random() < SHARED:
            pair = [picture, pool.other(placed.identity, rng)]
            picture = side_by_side(*(pair if rng.random() < 0.5 else pair[::-1]), rng)
        pictures.append(picture)
        phrases.append(phrase_for(placed.identity, rng))
    boxes = torch.tensor([placed.box for placed in people])
    seen = torch.rand(len(people), generator=generator) >= IMAGE_DROP
    grounding = (torch.rand(len(people), generator=generator) >= GROUNDING_DROP) | ~seen
    tokens = student.tokens(base["text"], pictures_of(np.stack(pictures)), phrases, boxes, grounding, seen.float())
    naming, _ = student.traits(tokens.flatten(1), [placed.identity for placed in people])

    captions = ["" if rng.random() < TEXT_DROP else
                caption(s.name, [p.identity.kind for p in s.subjects]) if rng.random() < 0.7 else
                random_caption(s.name, [p.identity for p in s.subjects], rng) for s in scenes]
    latents = on_device(torch.stack([scene.latents for scene in scenes])).float()
    t = torch.randint(STEPS, (len(scenes),), generator=generator)
    noisy, velocity = add_noise(latents, torch.randn(latents.shape, generator=generator), t)
    learns = any(p.requires_grad for p in base.parameters())
    with torch.set_grad_enabled(learns):
        context, pooled, words = base["text"](captions)
    subjects.set(student.adapter, gather(tokens, [len(s.subjects) for s in scenes]),
                 [[] if rng.random() < bare else regions_of(s.subjects) for s in scenes])
    predicted = predict_velocity(base["unet"], noisy, t, context, pooled, training_sizes(len(scenes), generator))
    helping = TRAITS * naming + (NAMING * words if learns else 0.0)
    return weighted_error(predicted, velocity, scenes), helping


def train_joint(folder: Path, steps: int) -> None:
    """Go on training the base together with an adapter, so that later a frozen base is easy to steer."""
    from .looks import look_at_adapter

    torch.manual_seed(8)
    base = new_base()
    if (folder / "base.pt").exists():
        load_averaged("base", folder, base)
    subjects = install(base["unet"])
    student = start_student(folder, base)
    trainer = Trainer("joint", folder, joint_modules(base, student), Schedule(steps, 2e-3), coarse=("unet",))
    scenes, pool = LatentScenes(folder), ReferencePool(folder)
    autoencoder = load_autoencoder(folder) if trainer.rank == 0 else None

    def loss(step: int, generator: torch.Generator) -> Tensor:
        rng = np.random.default_rng([step, trainer.rank, 9])
        diffusion, helping = adapter_loss(base, student, subjects, scenes.batch(BATCH, rng), pool, rng, generator, BARE)
        trainer.note(diffusion)
        return diffusion + helping

    def look() -> str:
        return look_at_adapter(folder / f"joint_{trainer.step:05d}.png", base, student, subjects, autoencoder)

    trainer.run(loss, look, look_every=900)


def start_student(folder: Path, base: nn.ModuleDict) -> Student:
    """A student to start from: the joint stage's, else a new one with the trained image encoder."""
    student = Student(base["unet"])
    if (folder / "joint.pt").exists():
        load_averaged("joint", folder, joint_modules(new_base(), student))
    elif (folder / "vision.pt").exists():
        saved = torch.load(folder / "vision.pt", map_location="cpu", weights_only=True)["modules"]
        student.vision.load_state_dict({
            key.removeprefix("vision."): value for key, value in saved.items() if key.startswith("vision.")
        })
    return student


def train_adapter(folder: Path, steps: int) -> None:
    """Train, or go on training, to `steps`."""
    from .looks import look_at_adapter

    torch.manual_seed(4)
    base = load_frozen_base(folder)
    base["unet"].bfloat16()
    subjects = install(base["unet"])
    student = start_student(folder, base)
    trainer = Trainer("adapter", folder, nn.ModuleDict({"student": student}), Schedule(steps, 2e-3))
    scenes, pool = LatentScenes(folder), ReferencePool(folder)
    autoencoder = load_autoencoder(folder) if trainer.rank == 0 else None

    def loss(step: int, generator: torch.Generator) -> Tensor:
        rng = np.random.default_rng([step, trainer.rank, 7])
        diffusion, helping = adapter_loss(base, student, subjects, scenes.batch(BATCH, rng), pool, rng, generator)
        trainer.note(diffusion)
        return diffusion + helping

    def look() -> str:
        return look_at_adapter(folder / f"adapter_{trainer.step:05d}.png", base, student, subjects, autoencoder)

    trainer.run(loss, look, look_every=600)
