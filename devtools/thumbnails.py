"""Pictures for the example workflows: what goes in on the left, what a real run makes of it on the right.

What needs SDXL shows photos and boxes alone: no result is drawn that nobody has made.

Usage, from the pack's folder, with a ComfyUI where the two commands look for it: python -m devtools.thumbnails
Words after it choose examples by name. Needs Pillow.
"""

import io
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from msd_core.demo.world import draw_subject

from .environment import environment_python
from .examples import FRAMES, Drawing, Example, ExampleSubject, Kind
from .graphs import Graph
from .host import find_or_clone_host
from .page import FAINT, FRAME, INK, PAPER, Page, Point, Rectangle
from .server import ComfyServer
from .workflows import EXAMPLES, EXAMPLES_IN_ORDER, PHOTOS, REAL_EXAMPLES, build

COLORS = ("#4f9dff", "#ff8a4c", "#37c98b", "#c77dff")
PICTURE: Rectangle = (208, 122, 488, 402)
HEADING_TOP = 66
"""Under the badge that the list of templates lays over the upper left corner."""
PAIR = ((244, 104), (244, 282))
PAIR_SIDE = 166
DRAWING_SIZE = 768
ONE_SUBJECT, INPUTS_ONLY = "a subject and its box", "what goes in: photos and boxes"

CAPTIONS: dict[Kind, str] = {
    "plain": "subjects and their boxes",
    "control": "the subjects stand as the sketch draws them",
    "hires": "small first, then 1.5 times as large",
    "auto layout": "rough boxes that overlap, moved apart",
    "regions": "regions of any shape instead of boxes",
    "views": "several views; weight and time of each subject",
    "blend": "one step for each image of a batch",
    "attribution": "where each subject acts",
    "tiles": "each tile has its part of the layout",
    "scores": "how near each image comes to its subjects",
    "collage": "cut-outs in their boxes, then sampled",
}
SHOWN: dict[Kind, tuple[tuple[str, str], ...]] = {
    "control": (("PreviewImage", "Canny"), ("SaveImage", "VAEDecode")),
    "regions": (("PreviewImage", "MSDiffusionLayout"), ("SaveImage", "VAEDecode")),
    "collage": (("PreviewImage", "MSDiffusionCollage"), ("SaveImage", "VAEDecode")),
    "attribution": (("SaveImage", "MSDiffusionAttributionMaps"),),
    "scores": (("MSDiffusionScore", "VAEDecode"),),
}
"""Which nodes' pictures are shown: their types and the types of what they show; by default what is saved."""
SAVED = (("SaveImage", "VAEDecode"),)


def run(server: ComfyServer, example: Example) -> list[Image.Image]:
    """The pictures of a real run that its thumbnail shows; the last of them is its result.

    A ControlNet's example runs once more with it bypassed, and that picture comes before the last.
    """
    graph = build(example)
    pictures = _pictures(server, graph, example.kind)
    if example.kind == "control":
        for node in graph.nodes:
            node.bypassed |= node.type == "ControlNetApplyAdvanced"
        pictures[-1:-1] = _pictures(server, graph, example.kind)[-1:]
    return pictures


def _pictures(server: ComfyServer, graph: Graph, kind: Kind) -> list[Image.Image]:
    prompt = _queued(graph)
    outputs = server.run(prompt)["outputs"]
    pictures = []
    for type, shown in SHOWN.get(kind, SAVED):
        number = next(
            number for number, node in prompt.items()
            if node["class_type"] == type and prompt[node["inputs"]["images"][0]]["class_type"] == shown
        )  # fmt: skip
        pictures += [Image.open(io.BytesIO(server.view(**record))).convert("RGB")
                     for record in outputs[number]["images"]]  # fmt: skip
    return pictures


def _queued(graph: Graph) -> dict:
    """A graph as the frontend queues it: links go past its bypassed nodes, to what has the output's name there."""
    prompt = graph.to_api()
    gone = {str(node.id): node for node in graph.nodes if node.bypassed}
    for number, node in prompt.items():
        for name, value in node["inputs"].items():
            if number not in gone and isinstance(value, list) and value[0] in gone:
                passed = list(gone[value[0]].kind.outputs)[value[1]]
                node["inputs"][name] = prompt[value[0]]["inputs"][passed]
    return {number: node for number, node in prompt.items() if number not in gone}


def draw_thumbnail(example: Example, results: Sequence[Image.Image], path: Path) -> None:
    """Draws the picture beside an example's graph, a square JPEG.

    Args:
        results: what `run` has yielded; nothing for an example that needs files.
    """
    page = Page()
    page.text(24, HEADING_TOP, example.heading, 26, INK)
    draw = _draw_layout if example.real else DRAWINGS.get(example.kind, _draw_result)
    draw(page, example, results)
    one = example.kind == "plain" and len(example.subjects) == 1
    caption = INPUTS_ONLY if example.real else ONE_SUBJECT if one else CAPTIONS[example.kind]
    page.text(24, 462, caption, 17, FAINT)
    page.save(path, 72 if example.real else 85)  # photos keep less of what a drawing needs


def _draw_layout(page: Page, example: Example, results: Sequence[Image.Image]) -> None:
    """The layout alone."""
    page.rectangle(PICTURE, FRAME, FAINT, 1.5)
    _draw_boxes(page, example)


def _draw_result(page: Page, example: Example, results: Sequence[Image.Image]) -> None:
    page.photo(results[0], PICTURE, FAINT)
    _draw_boxes(page, example)
    if example.kind == "hires":
        page.corner(PICTURE, 1 / 1.5, PAPER)
    if example.kind == "tiles":
        for left, right, color in ((0, 0.6, INK), (0.4, 1, COLORS[3])):
            page.dashed_rectangle(_in_picture((left, 0, right, 1)), color, 3)
    if example.kind == "views":
        _draw_schedules(page, example)


def _draw_boxes(page: Page, example: Example) -> None:
    boxes = [_in_picture(subject.box) for subject in example.subjects]
    _draw_subjects(page, example, [(box[0], (box[1] + box[3]) / 2) for box in boxes])
    for index, box in enumerate(boxes):
        if example.kind == "auto layout":
            page.dashed_rectangle(box, COLORS[index], 3)
        else:
            page.rectangle(box, None, COLORS[index], 3)
        page.dot(box[0], (box[1] + box[3]) / 2, COLORS[index])
    corners: set[Point] = set()
    for index, box in enumerate(boxes):
        left, top = box[0] + 30 * ((box[0], box[1]) in corners), box[1]
        corners.add((box[0], box[1]))
        page.tag(left, top, str(index + 1), COLORS[index])


def _draw_schedules(page: Page, example: Example) -> None:
    """Under the picture, a bar for each subject: the part of the run in which it acts, as thick as its weight."""
    left, right = PICTURE[0], PICTURE[2]
    for index, subject in enumerate(example.subjects):
        settings, y = dict(subject.settings), 418 + 18 * index
        start, end = (left + (right - left) * settings.get(f"{name}_percent", full)
                      for name, full in (("start", 0), ("end", 1)))  # fmt: skip
        half = 5 * settings.get("weight", 1.0)
        page.rectangle((left, y - 1, right, y + 1), FAINT, FAINT, 0)
        page.rectangle((start, y - half, end, y + half), COLORS[index], COLORS[index], 0)


def _draw_pair(page: Page, example: Example, results: Sequence[Image.Image]) -> None:
    """What stands between, and what comes of it; or a map for each subject."""
    _draw_subjects(page, example, [])
    for index, (result, (left, top)) in enumerate(zip(results, PAIR, strict=True)):
        edges = (left, top, left + PAIR_SIDE, top + PAIR_SIDE)
        page.whole(result, edges)
        page.rectangle(edges, None, COLORS[index] if example.kind == "attribution" else FAINT, 3)


def _draw_control(page: Page, example: Example, results: Sequence[Image.Image]) -> None:
    """The lines, and what comes without and with the ControlNet that follows them."""
    _draw_subjects(page, example, [])
    side, gap = 112, 10
    for row, (result, words) in enumerate(zip(results, ("lines", "without", "with"), strict=True)):
        left, top = 284, 96 + row * (side + gap)
        page.photo(result, (left, top, left + side, top + side), FAINT)
        page.text(208, top + side / 2 - 10, words, 17, FAINT)


def _draw_batch(page: Page, example: Example, results: Sequence[Image.Image]) -> None:
    side, gap = 132, 16
    _draw_subjects(page, example, [])
    for frame, result in enumerate(results):
        left, top = PICTURE[0] + frame % 2 * (side + gap), PICTURE[1] + frame // 2 * (side + gap)
        color = COLORS[0] if frame < FRAMES / 2 else COLORS[1]
        page.photo(result, (left, top, left + side, top + side), color)
        page.tag(left, top, str(frame + 1), color)


def _draw_scores(page: Page, example: Example, results: Sequence[Image.Image]) -> None:
    """Each image with its bars, as the node shows them."""
    _draw_subjects(page, example, [])
    height = (450 - 100) / len(results)
    for number, result in enumerate(results):
        top = 100 + number * height
        page.whole(result, (PICTURE[0], top, PICTURE[2], top + height - 6))


DRAWINGS: dict[Kind, Callable[[Page, Example, Sequence[Image.Image]], None]] = {
    "control": _draw_control, "regions": _draw_pair, "collage": _draw_pair, "attribution": _draw_pair,
    "blend": _draw_batch, "scores": _draw_scores,
}  # fmt: skip


def _draw_subjects(page: Page, example: Example, ends: Sequence[Point]) -> None:
    """The subjects' pictures with their phrases, and a thread from each to where it leads."""
    tile, gap = (136, 40) if len(example.subjects) > 1 else (164, 0)
    top = (PICTURE[1] + PICTURE[3]) / 2 - (len(example.subjects) * (tile + gap) - gap) / 2 - 8
    top = max(top, HEADING_TOP + 36)
    for index, subject in enumerate(example.subjects):
        color, upper = COLORS[index], top + index * (tile + gap)
        picture = _picture(subject)
        views = [picture, *([ImageOps.mirror(picture)] if subject.mirrored else [])]
        side = tile - 22 * (len(views) - 1)
        for shift, view in reversed(list(enumerate(views))):
            left, above = 24 + 22 * shift, upper + 22 * shift
            page.photo(view, (left, above, left + side, above + side), color)
        page.text(24, upper + tile + 7, subject.phrase, 17, color)
        if ends:
            page.thread((24 + tile, upper + tile / 2), ends[index], color)


def _picture(subject: ExampleSubject) -> Image.Image:
    """A subject's picture: drawn as its node draws it, or its photo."""
    if not isinstance(subject.source, Drawing):
        return Image.open(PHOTOS / subject.source.file).convert("RGB")
    pixels, _, _ = draw_subject(subject.source.kind, subject.source.seed, DRAWING_SIZE)
    return Image.fromarray(np.round(pixels * 255).astype(np.uint8))


def _in_picture(edges: Rectangle) -> Rectangle:
    """Fractions of the picture as places on the page."""
    return tuple(PICTURE[axis % 2] + edge * (PICTURE[2] - PICTURE[0]) for axis, edge in enumerate(edges))


def main(names: list[str]) -> None:
    chosen = [example for example in (*REAL_EXAMPLES, *EXAMPLES_IN_ORDER) if not names or example.name in names]
    for example in chosen:
        if example.real:
            draw_thumbnail(example, (), EXAMPLES / f"{example.title}.jpg")
    to_run = [example for example in chosen if not example.real]
    if not to_run:
        return
    host = find_or_clone_host()
    if host is None:
        sys.exit("Thumbnails need a ComfyUI: set COMFYUI_PATH to its folder.")
    with ComfyServer(host, environment_python(host)) as server:
        for example in to_run:
            draw_thumbnail(example, run(server, example), EXAMPLES / f"{example.title}.jpg")
            print(example.name, flush=True)


if __name__ == "__main__":
    main(sys.argv[1:])
