"""Scoring a graph's images with encoders and detectors from the host's model folders."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import comfy.model_management
import comfy.model_patcher
import folder_paths
from comfy_api.latest import ui
from torch import Tensor, nn

from ...msd_core.cells import WHOLE, Window
from ...msd_core.embeds import SubjectEmbeds
from ...msd_core.evaluation.detectors import THRESHOLDS, load_detector
from ...msd_core.evaluation.encoders import load_clip, load_dino, load_dinov2
from ...msd_core.evaluation.judge import judge_encoders
from ...msd_core.evaluation.regions import Edges
from ...msd_core.evaluation.report import as_report, mean_scores, picture_scores
from ...msd_core.evaluation.scorer import Scorer, ShownSubject
from ...msd_core.layout import Layout
from ...msd_core.subject import Subject
from .folders import model_path
from .score_bars import draw_bars

NONE, JUDGE = "none", "demo judge"
ENCODERS, DETECTORS = "clip_vision", "detection"


@dataclass(frozen=True)
class Measures:
    """What measures, by the names that the node offers."""

    clip: str = NONE
    dino: str = NONE
    dinov2: str = NONE
    detector: str = NONE
    clip_model: str = ""


class Told(NamedTuple):
    """What the node says: the report to read, the scores as JSON, and a picture of bars for each image."""

    report: str
    scores: str
    bars: ui.PreviewImage


def encoder_choices() -> list[str]:
    """What may measure CLIP-I and CLIP-T, and what DINO and M-DINO: which a file is, its name does not tell."""
    return [NONE, JUDGE, *folder_paths.get_filename_list(ENCODERS)]


def dinov2_choices() -> list[str]:
    """What may measure regions in the place of DINO."""
    return [NONE, *_folders(ENCODERS, ("dinov2",))]


def detector_choices() -> list[str]:
    """What may find subjects."""
    return [NONE, *_folders(DETECTORS, tuple(THRESHOLDS))]


def score_images(
    measures: Measures, images: Tensor, prompt: str, subjects: Mapping[int, Subject], layout: Layout | None,
    embeds: SubjectEmbeds | None,
) -> Told:
    """Score images of one prompt and the same subjects.

    Args:
        images: IMAGE `[b, h, w, 3]`.
        subjects: by socket, the one at k with the k-th region of the layout.
        layout, embeds: where the subjects were to stand; the embeds count if both are given.

    Raises:
        ValueError: nothing measures, a model is another than it should be, or subjects and regions don't match.
    """
    in_order = sorted(subjects.items())
    boxes = _boxes([socket for socket, _ in in_order], [subject.phrase for _, subject in in_order], layout, embeds)
    shown = [ShownSubject(subject.phrase, tuple(subject.views), box)
             for (_, subject), box in zip(in_order, boxes, strict=True)]
    loaded = _loaded(measures)
    if loaded.patchers:
        comfy.model_management.load_models_gpu(list(loaded.patchers), force_full_load=True)
    pictures = images[..., :3].float()
    rows = loaded.scorer.score(pictures, prompt, shown)
    names, phrases = loaded.scorer.names(), [subject.phrase for subject in shown]
    scores = {"images": [picture_scores(row) for row in rows], "mean": mean_scores(rows), "measured_by": names}
    bars = draw_bars(pictures.cpu(), rows, phrases)
    return Told(as_report(rows, phrases, names), json.dumps(scores, ensure_ascii=False), ui.PreviewImage(bars))


def _boxes(
    sockets: list[int], phrases: list[str], layout: Layout | None, embeds: SubjectEmbeds | None
) -> list[Edges | None]:
    """Each linked subject's box in fractions of the image, None for all if nothing says where they stand."""
    if embeds is not None:
        if len(embeds.regions) != len(sockets):
            raise ValueError(
                f"The embeds have {len(embeds.regions)} subjects but {len(sockets)} are linked here: link the same "
                "subjects as in Encode MS-Diffusion Subjects."
            )
        return [_inside(region.box.edges, embeds.window, phrase)
                for region, phrase in zip(embeds.regions, phrases, strict=True)]
    if layout is None:
        return [None] * len(sockets)
    last = max(sockets, default=-1)
    if last >= len(layout.regions):
        raise ValueError(
            f"Subject {last + 1}, {phrases[-1]!r}, takes box {last + 1} but there are {len(layout.regions)} boxes: "
            "draw one for it in MS-Diffusion Layout, or unlink the layout."
        )
    return [layout.regions[socket].box.edges for socket in sockets]


def _inside(edges: Edges, window: Window, phrase: str) -> Edges:
    """A box of the frame in fractions of the part of it that the image shows."""
    if window == WHOLE:
        return edges
    sides = window[2] - window[0], window[3] - window[1]
    x0, y0, x1, y1 = (min(max((edge - window[axis % 2]) / sides[axis % 2], 0.0), 1.0)
                      for axis, edge in enumerate(edges))
    if x0 >= x1 or y0 >= y1:
        raise ValueError(
            f"{phrase!r} has no part in the tile that the embeds were cropped to, but each subject is scored in its "
            "region: score the whole image, with the embeds of the whole."
        )
    return x0, y0, x1, y1


class _Loaded(NamedTuple):
    """A scorer, and its models as the host manages them."""

    scorer: Scorer
    patchers: tuple[Any, ...]


_last: dict[tuple, _Loaded] = {}
"""The models that measured last: the next images are mostly measured by the same."""


def _loaded(measures: Measures) -> _Loaded:
    """The models by name, read again only where a name or its file has changed."""
    files = {
        "clip": _file(measures.clip), "dino": _file(measures.dino),
        "dinov2": _folder(ENCODERS, measures.dinov2), "detector": _folder(DETECTORS, measures.detector),
    }
    if JUDGE not in (measures.clip, measures.dino) and not any(files.values()):
        raise ValueError(
            "clip, dino, dinov2 and detector are all none but scores need one: choose CLIP ViT-B/32 and DINO ViT-S/16 "
            f"in models/{ENCODERS} for the paper's, or the demo judge for the demo's drawings."
        )
    key = (measures, *(os.stat(file).st_mtime_ns if file else 0 for file in files.values()))
    if key not in _last:
        _last.clear()
        _last[key] = _load(measures, files)
    return _last[key]


def _load(measures: Measures, files: dict[str, str | None]) -> _Loaded:
    said, like = judge_encoders() if JUDGE in (measures.clip, measures.dino) else (None, None)
    clip = load_clip(files["clip"], measures.clip_model) if files["clip"] else None
    dino = load_dino(files["dino"]) if files["dino"] else None
    region = load_dinov2(files["dinov2"]) if files["dinov2"] else None
    detector = load_detector(files["detector"]) if files["detector"] else None
    patchers = tuple(_managed(one.model) for one in (clip, dino, region, detector) if one is not None)
    clip = said if measures.clip == JUDGE else clip
    dino = like if measures.dino == JUDGE else dino
    return _Loaded(Scorer(clip, dino, region, detector), patchers)


def _managed(model: nn.Module) -> Any:
    """A model as the host manages it; wrapped, because the host sets attributes that transformers' classes compute."""
    device = comfy.model_management.get_torch_device()
    return comfy.model_patcher.ModelPatcher(nn.Sequential(model), device, comfy.model_management.unet_offload_device())


def _file(name: str) -> str | None:
    return None if name in (NONE, JUDGE) else model_path(ENCODERS, name)


def _folders(kind: str, types: tuple[str, ...]) -> list[str]:
    """Folders as transformers keeps models in, by name, in one of the host's model folders."""
    found = {}
    for place in reversed(folder_paths.get_folder_paths(kind)):
        if os.path.isdir(place):
            found |= {entry.name: entry.path for entry in os.scandir(place) if _model_type(entry.path) in types}
    return sorted(found)


def _folder(kind: str, name: str) -> str | None:
    """The path of such a folder.

    Raises:
        FileNotFoundError: there is none of this name.
    """
    if name == NONE:
        return None
    places = folder_paths.get_folder_paths(kind)
    found = next((path for place in places if os.path.isdir(path := os.path.join(place, name))), None)
    if found is None:
        raise FileNotFoundError(f"{name} is not in {', '.join(places)}: put the folder there and refresh the page.")
    return found


def _model_type(path: str) -> str | None:
    """What a folder's `config.json` calls its model, None without one."""
    try:
        with open(os.path.join(path, "config.json"), encoding="utf-8") as file:
            return json.load(file).get("model_type")
    except (OSError, ValueError, AttributeError):
        return None
