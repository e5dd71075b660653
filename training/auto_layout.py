"""Measure auto layout on held-out pairs: looks, place, exchanged and doubled subjects, beside plain boxes and controls.

    python -m training.auto_layout --folder runs/demo --pairs 40 --seeds 3

The pictures are made by the headless engine on the weights that ship. `--folder` keeps the probe, which is trained if
it is not there, and the results: `auto_layout.json`, `auto_layout.md` and `auto_layout.png`. Started again with the
same rows and seeds, it goes on after the last pair that was judged.

Starts of each pair: `right`, the boxes that the scene was drawn with; `rough`, each moved by about a quarter of the
frame; `overlapping`, the second moved onto the first, to about a quarter of the frame from it; `none`, boxes over the
whole frame without grounding. The controls read no maps: `random places`, disjoint squares anywhere, and `pushed
apart`, the boxes where the same fit puts them without any map.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from msd_core.auto_layout import AutoLayoutSettings
from msd_core.auto_layout.fit import Fit
from msd_core.auto_layout.places import Frame, Places
from msd_core.auto_layout.settings import START
from msd_core.boxes import Box
from msd_core.demo import config
from msd_core.embeds import SubjectEmbeds
from msd_core.headless import MSDiffusionPipeline
from msd_core.headless.demo import demo_pipeline
from msd_core.layout import Region
from msd_core.subject import Subject, prepare_views

from .card import write_auto_layout
from .finder import Sprite, find_sprites
from .grids import save_grid
from .judged import PAIRS, Judged, judge, summary, table
from .looks import Case, held_out_cases, real_pictures
from .probe import Probe, load_probe

Boxes = tuple[tuple[float, float, float, float], ...]

CELLS = config.SCENE_SIZE // 16
"""Cells along each side of the demo's feature maps."""

FROM = START[False]
"""Share of the noise schedule from which random places act: where `steady` begins without boxes."""

DRAWN = "the scene as it is drawn"
WHOLE = ((0.0, 0.0, 1.0, 1.0),) * 2


@dataclass(frozen=True)
class Row:
    """One way of making the pictures.

    Attributes:
        start: which boxes there are: "right", "rough", "overlapping", "none".
        method: "boxes", "paper", "steady", or a control.
        settings: of auto layout.
    """

    start: str
    method: str
    settings: AutoLayoutSettings | None = None

    @property
    def name(self) -> str:
        return f"{self.start}: {self.method}"


def _auto(start: str, method: str, *, before: str = "boxes") -> Row:
    settings = AutoLayoutSettings(method=method, boxes_before=before == "boxes")
    return Row(start, method if start == "none" else f"{method}, {before} before", settings)


ROWS = (
    Row("right", "boxes"), _auto("right", "paper"), _auto("right", "steady"), _auto("right", "steady", before="off"),
    Row("rough", "boxes"), _auto("rough", "paper"), _auto("rough", "steady"), _auto("rough", "steady", before="off"),
    Row("rough", "pushed apart"),
    Row("overlapping", "boxes"), _auto("overlapping", "paper"), _auto("overlapping", "steady"),
    Row("overlapping", "pushed apart"),
    _auto("none", "paper", before="off"), _auto("none", "steady", before="off"), Row("none", "random places"),
)


def boxes_of(case: Case, start: str) -> Boxes:
    """The boxes that a picture begins with."""
    right = tuple(subject.box for subject in case.subjects)
    rng = np.random.default_rng(case.seed)
    if start == "right":
        return right
    if start == "none":
        return WHOLE
    if start == "rough":
        return tuple(_moved(box, float(rng.uniform(0, 2 * math.pi)), 0.25) for box in right)
    first, second = right
    (x, y), (u, v) = ((box[0] + box[2], box[1] + box[3]) for box in right)
    return first, _moved(second, math.atan2(y - v, x - u), max(math.hypot(x - u, y - v) / 2 - 0.25, 0.25))


def _moved(box: Sequence[float], angle: float, distance: float) -> tuple[float, float, float, float]:
    """A box moved, on cells of the latent, and no further than the frame's edge."""
    cells = config.SCENE_SIZE // 8
    width, height = box[2] - box[0], box[3] - box[1]
    left = round(min(max(box[0] + distance * math.cos(angle), 0.0), 1 - width) * cells) / cells
    top = round(min(max(box[1] + distance * math.sin(angle), 0.0), 1 - height) * cells) / cells
    return left, top, left + width, top + height


def random_places(seed: int, side: float = 0.5) -> Boxes:
    """Two disjoint squares on cells of the feature map."""
    rng = np.random.default_rng(seed)
    free = CELLS - round(side * CELLS)
    while True:
        (a, b), (c, d) = rng.integers(0, free + 1, (2, 2)) / CELLS
        if max(abs(a - c), abs(b - d)) >= side - 1e-6:
            return (a, b, a + side, b + side), (c, d, c + side, d + side)


def pushed_apart(boxes: Boxes) -> Boxes:
    """Boxes where the fit puts them where every map is flat: apart, and near where they were drawn."""
    places = Places([Region(_box(box)) for box in boxes], Frame(CELLS, CELLS))
    fit = Fit(places, 1, [False] * len(boxes), 0.05, torch.device("cpu"))
    rows, columns = fit.places(fit.score(torch.ones(1, CELLS, CELLS, len(boxes))))
    return tuple(places.box(k, int(rows[k]), int(columns[k])) for k in range(len(boxes)))


def _box(edges: Sequence[float]) -> Box:
    return Box(*(min(max(edge, 0.0), 1.0) for edge in edges))


class Studio:
    """The demo set, and what it has made of a pair."""

    def __init__(self, pipeline: MSDiffusionPipeline, probe: Probe, seeds: int) -> None:
        self._pipeline, self._probe, self._seeds = pipeline, probe, seeds

    def make(self, case: Case, row: Row | None) -> Tensor:
        """Pictures `[seeds, 3, H, W]` in -1..1 of a pair; of the bare model for no row."""
        size = config.SCENE_SIZE // 8
        noise = torch.stack([
            torch.randn(4, size, size, generator=torch.Generator().manual_seed(case.seed + seed))
            for seed in range(self._seeds)
        ])
        made = self._pipeline(
            case.prompt, row and self._encode(case, row), scale=config.ADAPTER_SCALE,
            auto_layout=row and row.settings, schedule="normal", width=config.SCENE_SIZE, height=config.SCENE_SIZE,
            num_inference_steps=config.STEPS, guidance_scale=config.GUIDANCE, num_images_per_prompt=self._seeds,
            latents=noise, output_type="pt",
        )
        return made.images.float() * 2 - 1

    def find(self, pictures: Tensor) -> list[list[Sprite]]:
        return [find_sprites(self._probe, picture) for picture in pictures]

    def _encode(self, case: Case, row: Row) -> SubjectEmbeds:
        boxes = boxes_of(case, row.start)
        if row.method == "pushed apart":
            boxes = pushed_apart(boxes)
        if row.method == "random places":
            boxes = random_places(case.seed)
        subjects = [
            Subject(prepare_views(torch.from_numpy(picture)[None].float() / 255), placed.identity.kind,
                    start=FROM if row.method == "random places" else 0.0)
            for picture, placed in zip(case.references, case.subjects, strict=True)
        ]
        return self._pipeline.encode(subjects, [_box(box) for box in boxes], grounding=row.start != "none")


def measure(folder: Path, pairs: int, seeds: int, seed: int, rows: Sequence[Row], minutes: float) -> dict:
    """Make and judge the pictures, pair by pair, until all are done or the time is up; results are kept as it goes, and
    gone on from.
    """
    pipeline = demo_pipeline()
    pipeline.pipe.set_progress_bar_config(disable=True)
    probe, accuracy = load_probe(folder, pipeline.pipe.vae)
    studio, begun = Studio(pipeline, probe, seeds), time.monotonic()
    results = earlier(folder / "auto_layout.json", [DRAWN, *(row.name for row in rows)], seeds, seed)
    judged: dict[str, list[list[Judged]]] = results["judged"]
    shown: list[Tensor] = []
    for number, case in enumerate(held_out_cases(pairs, seed)):
        if number < results["pairs"]:
            continue
        bare_pictures = studio.make(case, None)
        bare, made = studio.find(bare_pictures), [bare_pictures[:1]]
        drawn = real_pictures([case])
        judged[DRAWN].append([judge(case, drawn[0], studio.find(drawn)[0], [])])
        for row in rows:
            pictures = studio.make(case, row)
            made.append(pictures[:1])
            judged[row.name].append([
                judge(case, picture, sprites, reference)
                for picture, sprites, reference in zip(pictures, studio.find(pictures), bare, strict=True)
            ])
        if number < 8:
            shown.append(torch.cat(made))
        results |= {
            "pairs": number + 1, "probe": accuracy,
            "rows": {name: summary(pictures) for name, pictures in judged.items()},
        }
        (folder / "auto_layout.json").write_text(json.dumps(results, default=asdict))
        (folder / "auto_layout.md").write_text(table(results["rows"]) + "\n")
        print(f"pair {number + 1} of {pairs}, {(time.monotonic() - begun) / 60:.1f} min", flush=True)
        if time.monotonic() - begun > 60 * minutes:
            print(f"Stopped after {number + 1} of {pairs} pairs: the {minutes:g} minutes of --minutes are up.")
            break
    if shown:
        save_grid(folder / "auto_layout.png", torch.stack(shown, dim=1).flatten(0, 1), columns=len(shown))
    return results


def earlier(file: Path, names: Sequence[str], seeds: int, seed: int) -> dict:
    """What a run with the same rows and seeds has left in a file, or the beginning of one."""
    settings = {"seeds": seeds, "seed": seed}
    fresh = {**settings, "pairs": 0, "rows": {}, "judged": {name: [] for name in names}}
    found = json.loads(file.read_text()) if file.exists() else {}
    if not settings.items() <= found.items() or list(found.get("judged", ())) != list(names):
        return fresh
    judged = {name: [[_judged(one) for one in pair] for pair in pairs] for name, pairs in found["judged"].items()}
    return {**found, "judged": judged}


def _judged(told: dict) -> Judged:
    return Judged(tuple(told["ident"]), tuple(told["near"]), told["exchanged"], told["doubles"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=500, help="of the pairs")
    parser.add_argument("--minutes", type=float, default=math.inf, help="end after the pair in which they are over")
    parser.add_argument("--rows", default="", help="only rows whose name has this in it")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--card", action="store_true", help="write the results into the demo set's model card")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    options.folder.mkdir(parents=True, exist_ok=True)
    rows = [row for row in ROWS if options.rows in row.name]
    print(table(measure(options.folder, options.pairs, options.seeds, options.seed, rows, options.minutes)["rows"]))
    if options.card:
        print(write_auto_layout(options.folder))


if __name__ == "__main__":
    main()
