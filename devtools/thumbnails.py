"""Pictures for the example workflows: subjects on the left, each led into its place on the right. Needs Pillow."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageFilter, ImageOps

from msd_core.demo.config import SCENE_SIZE
from msd_core.demo.scenes import paint_scene
from msd_core.demo.world import draw_subject

from .examples import FRAMES, Drawing, Example, ExampleSubject, Kind
from .host import PACK
from .page import FAINT, FRAME, INK, PAPER, Page, Point, Rectangle

GREY = "#808080"
COLORS = ("#4f9dff", "#ff8a4c", "#37c98b", "#c77dff")
PICTURE: Rectangle = (208, 122, 488, 402)
DRAWING_SIZE = 768
PHOTOS = PACK / "example_workflows" / "photos"

CAPTIONS: dict[Kind, str] = {
    "plain": "subjects and their boxes",
    "control": "the lines of the collage as a sketch",
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


class Sprite:
    """A subject as its node draws it.

    Attributes:
        picture: it on white.
        mask: white where it is.
        cutout: it on nothing, cropped to its bounds.
    """

    def __init__(self, subject: ExampleSubject):
        pixels, mask, _ = draw_subject(subject.source.kind, subject.source.seed, DRAWING_SIZE)
        self.picture = Image.fromarray(np.round(pixels * 255).astype(np.uint8))
        self.mask = Image.fromarray(np.round(mask * 255).astype(np.uint8))
        whole = self.picture.copy()
        whole.putalpha(self.mask)
        self.cutout = whole.crop(self.mask.getbbox())


class Snapshot:
    """A subject as its photo shows it.

    Attributes:
        picture: the photo.
    """

    def __init__(self, subject: ExampleSubject):
        self.picture = Image.open(PHOTOS / subject.source.file).convert("RGB")


def draw_thumbnail(example: Example, path: Path) -> None:
    """Draws the picture beside an example's graph, a square JPEG."""
    page = Page()
    page.text(24, 36, example.heading, 30, INK)
    drawn = all(isinstance(subject.source, Drawing) for subject in example.subjects)
    draw = _draw_layout if example.real else DRAWINGS[example.kind]
    draw(page, example, [(Sprite if drawn else Snapshot)(subject) for subject in example.subjects])
    one = example.kind == "plain" and len(example.subjects) == 1
    plain = "a subject and its box" if one else CAPTIONS.get(example.kind, "")
    page.text(24, 462, "what goes in: photos and boxes" if example.real else plain, 17, FAINT)
    page.save(path, 72 if example.real else 90)  # photos keep less of what a drawing needs


def _draw_boxes(page: Page, example: Example, sprites: list[Sprite]) -> None:
    boxes = _boxes(example)
    if example.kind == "control":
        page.rectangle(PICTURE, FRAME, FAINT, 1.5)
    elif example.kind == "collage":
        page.rectangle(PICTURE, GREY, FAINT, 1.5)
    else:
        page.photo(_scene(example), PICTURE, FAINT)
    _draw_subjects(page, example, sprites, [(box[0], (box[1] + box[3]) / 2) for box in boxes])
    for index, (sprite, box) in enumerate(zip(sprites, boxes, strict=True)):
        if example.kind == "control":
            page.lines(_edges(sprite), _inside(box, sprite))
        else:
            page.cutout(sprite.cutout, _inside(box, sprite, 1.0 if example.kind == "collage" else 0.9))
        page.rectangle(box, None, COLORS[index], 3)
        page.dot(box[0], (box[1] + box[3]) / 2, COLORS[index])
    if example.kind == "hires":
        page.corner(PICTURE, 1 / 1.5, PAPER)
    if example.kind == "tiles":
        for left, right, color in ((0, 0.6, INK), (0.4, 1, COLORS[3])):
            page.dashed_rectangle(_in_picture((left, 0, right, 1)), color, 3)
    if example.kind == "views":
        _draw_schedules(page, example)
    for index, box in enumerate(boxes):
        page.tag(box[0], box[1], str(index + 1), COLORS[index])


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


def _draw_layout(page: Page, example: Example, photos: list[Snapshot]) -> None:
    """The layout alone: what SDXL makes of it can't be drawn."""
    boxes = _boxes(example)
    page.rectangle(PICTURE, FRAME, FAINT, 1.5)
    _draw_subjects(page, example, photos, [(box[0], (box[1] + box[3]) / 2) for box in boxes])
    for index, box in enumerate(boxes):
        page.rectangle(box, None, COLORS[index], 3)
        page.dot(box[0], (box[1] + box[3]) / 2, COLORS[index])
        page.tag(box[0], box[1], str(index + 1), COLORS[index])


def _draw_auto_layout(page: Page, example: Example, sprites: list[Sprite]) -> None:
    boxes = _boxes(example)
    places = [_inside(box, sprite) for box, sprite in zip(_moved(boxes), sprites, strict=True)]
    page.photo(_scene(example), PICTURE, FAINT)
    _draw_subjects(page, example, sprites, [(left, (top + bottom) / 2) for left, top, _, bottom in places])
    for index, (sprite, place, box) in enumerate(zip(sprites, places, boxes, strict=True)):
        page.glow(sprite.cutout, place, COLORS[index])
        page.cutout(sprite.cutout, place)
        page.dashed_rectangle(box, COLORS[index])
        page.tag(box[0], box[1], str(index + 1), COLORS[index])


def _moved(boxes: list[Rectangle]) -> list[Rectangle]:
    """Where the example's picture has its subjects: the first lower, the second further up and to the right."""
    side = PICTURE[2] - PICTURE[0]
    return [
        (left + across * side, top + down * side, right + across * side, bottom + down * side)
        for (left, top, right, bottom), (across, down) in zip(boxes, ((0.0, 0.1), (0.1, -0.1)), strict=True)
    ]


def _draw_free_form(page: Page, example: Example, sprites: list[Sprite]) -> None:
    places = [_inside(box, sprite, 0.84) for box, sprite in zip(_boxes(example), sprites, strict=True)]
    page.photo(_scene(example), PICTURE, FAINT)
    _draw_subjects(page, example, sprites, [(left, (top + bottom) / 2) for left, top, _, bottom in places])
    for index, (sprite, (left, top, right, bottom)) in enumerate(zip(sprites, places, strict=True)):
        page.outline(sprite.cutout, (left, top, right, bottom), INK, 10)
        page.outline(sprite.cutout, (left, top, right, bottom), COLORS[index], 8)
        page.cutout(sprite.cutout, (left, top, right, bottom))
        page.tag(left - 13, top - 13, str(index + 1), COLORS[index])


def _draw_blend(page: Page, example: Example, sprites: list[Sprite]) -> None:
    scene, side, gap = _scene(example), 132, 16
    first, second = (_in_scene(scene, sprite) for sprite in sprites)
    _draw_subjects(page, example, sprites, [])
    for frame in range(FRAMES):
        left, top = PICTURE[0] + frame % 2 * (side + gap), PICTURE[1] + frame // 2 * (side + gap)
        share = frame / (FRAMES - 1)
        color = COLORS[0] if share < 0.5 else COLORS[1]
        page.photo(Image.blend(first, second, share), (left, top, left + side, top + side), color)
        page.tag(left, top, str(frame + 1), color)


def _draw_attribution(page: Page, example: Example, sprites: list[Sprite]) -> None:
    scene = _scene(example)
    for sprite, subject in zip(sprites, example.subjects, strict=True):
        place = tuple(round(edge * scene.width) for edge in subject.box)
        _paste(scene, sprite, place)
    _draw_subjects(page, example, sprites, [])
    for index, (sprite, subject) in enumerate(zip(sprites, example.subjects, strict=True)):
        left, top = 244, (98, 288)[index]
        shape = Image.new("L", scene.size)
        place = tuple(round(edge * scene.width) for edge in subject.box)
        laid = _fitted(sprite.cutout.getchannel("A"), place)
        shape.paste(*laid)
        page.heat(scene, shape, (left, top, left + 170, top + 170))
        page.rectangle((left, top, left + 170, top + 170), None, COLORS[index], 3)
        page.tag(left, top, str(index + 1), COLORS[index])


def _draw_scores(page: Page, example: Example, sprites: list[Sprite]) -> None:
    """Images with bars beside them; in the second one a subject is missing."""
    _draw_subjects(page, example, sprites, [])
    side, gap, left = 88, 14, PICTURE[0] + 8
    for number, shares in enumerate(((0.92, 0.84), (0.9, 0.14), (0.78, 0.7))):
        top = PICTURE[1] + number * (side + gap) - 6
        scene = _scene(example)
        for sprite, subject, share in zip(sprites, example.subjects, shares, strict=True):
            if share > 0.5:
                _paste(scene, sprite, tuple(round(edge * scene.width) for edge in subject.box))
        page.photo(scene, (left, top, left + side, top + side), FAINT)
        start, end = left + side + 18, PICTURE[2]
        for index, share in enumerate(shares):
            middle = top + side * (index + 1) / 3
            page.rectangle((start, middle - 7, end, middle + 7), FRAME, FRAME, 0)
            page.rectangle((start, middle - 7, start + (end - start) * share, middle + 7), COLORS[index],
                           COLORS[index], 0)


DRAWINGS: dict[Kind, Callable[[Page, Example, list[Any]], None]] = {
    "plain": _draw_boxes, "control": _draw_boxes, "hires": _draw_boxes, "views": _draw_boxes, "tiles": _draw_boxes,
    "collage": _draw_boxes,
    "auto layout": _draw_auto_layout, "regions": _draw_free_form, "blend": _draw_blend,
    "attribution": _draw_attribution, "scores": _draw_scores,
}  # fmt: skip


def _draw_subjects(page: Page, example: Example, sprites: Sequence[Sprite | Snapshot], ends: Sequence[Point]) -> None:
    """The drawings with their phrases, and a thread from each drawing to where it leads."""
    tile, gap = (136, 40) if len(example.subjects) > 1 else (164, 0)
    top = (PICTURE[1] + PICTURE[3]) / 2 - (len(example.subjects) * (tile + gap) - gap) / 2 - 8
    for index, (subject, sprite) in enumerate(zip(example.subjects, sprites, strict=True)):
        color, upper = COLORS[index], top + index * (tile + gap)
        views = [sprite.picture, *([ImageOps.mirror(sprite.picture)] if subject.mirrored else [])]
        side = tile - 22 * (len(views) - 1)
        for shift, view in reversed(list(enumerate(views))):
            left, above = 24 + 22 * shift, upper + 22 * shift
            page.photo(view, (left, above, left + side, above + side), color)
        page.text(24, upper + tile + 7, subject.phrase, 17, color)
        if ends:
            page.thread((24 + tile, upper + tile / 2), ends[index], color)


def _scene(example: Example) -> Image.Image:
    """The example's scene without subjects, square."""
    pixels = np.round(paint_scene(example.scene, SCENE_SIZE, SCENE_SIZE, 1) * 255).astype(np.uint8)
    return Image.fromarray(pixels).resize((840, 840), Image.Resampling.BICUBIC)


def _in_scene(scene: Image.Image, sprite: Sprite) -> Image.Image:
    """A scene with one sprite in its middle."""
    picture = scene.copy()
    _paste(picture, sprite, tuple(round(edge * scene.width) for edge in (0.12, 0.12, 0.88, 0.88)))
    return picture


def _paste(picture: Image.Image, sprite: Sprite, place: tuple[int, ...]) -> None:
    cutout, at = _fitted(sprite.cutout, place)
    picture.paste(cutout, at, cutout)


def _fitted(image: Image.Image, place: tuple[int, ...]) -> tuple[Image.Image, tuple[int, int]]:
    """An image as large as fits into a rectangle of pixels, and its upper left corner there."""
    left, top, right, bottom = place
    fitted = ImageOps.contain(image, (right - left, bottom - top), Image.Resampling.LANCZOS)
    return fitted, (left + (right - left - fitted.width) // 2, top + (bottom - top - fitted.height) // 2)


def _edges(sprite: Sprite) -> Image.Image:
    """The drawing's lines in white on black."""
    soft = sprite.picture.convert("L").filter(ImageFilter.GaussianBlur(2))
    edges = soft.filter(ImageFilter.FIND_EDGES).point(lambda value: min(255, 18 * value))
    return edges.filter(ImageFilter.MaxFilter(5)).crop(sprite.mask.getbbox())


def _boxes(example: Example) -> list[Rectangle]:
    return [_in_picture(subject.box) for subject in example.subjects]


def _inside(box: Rectangle, sprite: Sprite, share: float = 0.9) -> Rectangle:
    """Where in a box the sprite's cutout lies: in the middle, filling a share of it."""
    left, top, right, bottom = box
    width, height = sprite.cutout.size
    scale = share * min((right - left) / width, (bottom - top) / height) / 2
    x, y = (left + right) / 2, (top + bottom) / 2
    return x - width * scale, y - height * scale, x + width * scale, y + height * scale


def _in_picture(edges: Rectangle) -> Rectangle:
    """Fractions of the picture as places on the page."""
    return tuple(PICTURE[axis % 2] + edge * (PICTURE[2] - PICTURE[0]) for axis, edge in enumerate(edges))
