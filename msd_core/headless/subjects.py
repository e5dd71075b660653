"""Subjects as text: `photo.png:"dog":0,0.25,0.5,0.75:weight=0.8`, or a JSON or YAML file of them."""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from ..boxes import Box, parse_boxes
from ..overlap import OVERLAPS, Overlap
from ..subject import FITS, MASK_MEANINGS, Fit, MaskIs

EXAMPLE = 'write photo.png:"dog":0,0.25,0.5,0.75'
SETTINGS = ("weight", "start", "end", "fit", "mask", "mask_is")
NUMBERS = ("weight", "start", "end")
_OPTION = re.compile(r"(?P<picture>.+):(?P<phrase>[^:]*):(?P<box>[^:=]*)(?::(?P<settings>.*))?", re.DOTALL)
_NEXT_SETTING = re.compile(rf":(?=(?:{'|'.join(SETTINGS)})=)")


@dataclass(frozen=True)
class SubjectText:
    """One subject as the user names it.

    Attributes:
        picture: a file (or `cat#7`, the demo's seventh cat), or several files of views.
        phrase: its name in words.
        box: where it goes.
        weight: factor on the scale.
        start, end: the part of the noise schedule in which it acts, 0..1.
        fit: how a picture that is not square becomes so.
        mask: a picture that is white on the subject, or one for each view.
        mask_is: what it is white on, the `subject` or the `background`.
    """

    picture: str | tuple[str, ...]
    phrase: str
    box: Box
    weight: float = 1.0
    start: float = 0.0
    end: float = 1.0
    fit: Fit = "stretch"
    mask: str | tuple[str, ...] | None = None
    mask_is: MaskIs = "subject"


def parse_subject(text: str) -> SubjectText:
    """Read `photo.png:"dog":0,0.25,0.5,0.75`, maybe with `:weight=0.8:start=0.2:end=0.9:fit=pad:mask=dog_mask.png`.

    Raises:
        ValueError: it is not picture, phrase and four numbers, or a setting is unknown or no number.
    """
    found = _OPTION.fullmatch(text)
    if not found:
        raise ValueError(f"--subject is {text!r} but must hold picture:phrase:box: {EXAMPLE}.")
    try:
        edges = [float(edge) for edge in found["box"].split(",")]
    except ValueError:
        edges = []
    if len(edges) != 4:
        raise ValueError(
            f"The box {found['box']!r} must be four numbers x0,y0,x1,y1 from 0 to 1: {EXAMPLE}."
        )
    settings: dict[str, Any] = {}
    for setting in _NEXT_SETTING.split(found["settings"]) if found["settings"] else ():
        name, _, value = setting.partition("=")
        if name not in SETTINGS or not value:
            raise ValueError(
                f"--subject has the setting {setting!r} but may have {', '.join(SETTINGS)}: "
                f"{EXAMPLE}:weight=0.8:mask=dog_mask.png."
            )
        settings[name] = _number(value, name) if name in NUMBERS else value
    return _checked({"picture": found["picture"], "phrase": found["phrase"].strip("\"'"), **settings}, Box(*edges))


def read_subjects(file: str | Path) -> list[SubjectText]:
    """Read a JSON or YAML file: a list of subjects, each with `picture`, `phrase`, `box` and maybe more.

    Pictures and masks are named from the file's own folder.

    Raises:
        ValueError: the file can't be read, or a subject lacks something or has something unknown.
    """
    file = Path(file)
    content = _load(file)
    if isinstance(content, dict):
        content = content.get("subjects")
    if not isinstance(content, list) or not content:
        raise ValueError(
            f"{file.name} holds no list of subjects: write "
            '[{"picture": "dog.png", "phrase": "dog", "box": [0, 0.25, 0.5, 0.75]}].'
        )
    return [
        _from_entry(entry, f"Subject {number} of {file.name}", file.parent) for number, entry in enumerate(content, 1)
    ]


def read_overlap(file: str | Path) -> Overlap | None:
    """What happens where boxes overlap, as a file of subjects says under `overlap` beside `subjects`; None if it
    doesn't.

    Raises:
        ValueError: the file can't be read, or says something unknown.
    """
    file = Path(file)
    content = _load(file)
    overlap = content.get("overlap") if isinstance(content, dict) else None
    if overlap is not None and overlap not in OVERLAPS:
        raise ValueError(
            f"overlap in {file.name} is {overlap!r} but must be one of {', '.join(OVERLAPS)}: choose one."
        )
    return overlap


def _load(file: Path) -> Any:
    try:
        text = file.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = "there is no such file" if not file.exists() else type(error).__name__
        raise ValueError(f"The file of subjects {file} can't be read ({reason}): check the path.") from None
    if file.suffix.lower() not in (".yaml", ".yml"):
        try:
            return json.loads(text)
        except json.JSONDecodeError as error:
            raise ValueError(
                f"{file.name} is no valid JSON ({error.msg} in line {error.lineno}): correct it there."
            ) from None
    try:
        import yaml
    except ImportError:
        raise ValueError(
            f"{file.name} is YAML but PyYAML is not installed: pip install pyyaml, or write JSON."
        ) from None
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(f"{file.name} is no valid YAML ({str(error).splitlines()[0]}): correct it there.") from None


def _from_entry(entry: Any, name: str, folder: Path) -> SubjectText:
    known = [field.name for field in fields(SubjectText)]
    if not isinstance(entry, dict):
        raise ValueError(f"{name} is {entry!r} but must be an object with picture, phrase and box: write one.")
    unknown, missing = [key for key in entry if key not in known], [key for key in known[:3] if key not in entry]
    if unknown or missing:
        wrong = f"has {unknown[0]!r}" if unknown else f"lacks {missing[0]}"
        raise ValueError(f"{name} {wrong} but needs picture, phrase and box and may have {', '.join(known[3:])}.")
    entry = {key: value for key, value in entry.items() if value is not None}
    for key in NUMBERS:
        if key in entry:
            entry[key] = _number(entry[key], f"{name}: {key}")
    for key in ("picture", "mask"):
        if key in entry:
            paths = entry[key] if isinstance(entry[key], list) else [entry[key]]
            if not paths or not all(isinstance(path, str) for path in paths):
                raise ValueError(f"{name}: {key} is {entry[key]!r} but must be a file or a list of files: name one.")
            placed = tuple(str(folder / path) if _is_file(path, folder) else path for path in paths)
            entry[key] = placed[0] if len(placed) == 1 else placed
    try:
        box = parse_boxes([entry.pop("box")])[0]
        return _checked(entry, box)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def _is_file(path: str, folder: Path) -> bool:
    """Whether a name is that of a file, and not `cat#7`, which the demo draws."""
    return "#" not in path or (folder / path).exists()


def _checked(values: dict[str, Any], box: Box) -> SubjectText:
    phrase = values["phrase"]
    if not isinstance(phrase, str) or not phrase.strip():
        raise ValueError(f'The phrase is {phrase!r} but must name the subject: write a word such as "dog".')
    for name, choices in (("fit", FITS), ("mask_is", MASK_MEANINGS)):
        if values.get(name, choices[0]) not in choices:
            raise ValueError(
                f"{name} of {phrase!r} is {values[name]!r} but must be one of {', '.join(choices)}: choose one."
            )
    return SubjectText(**values, box=box)


def _number(value: Any, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if isinstance(value, bool) or not math.isfinite(number):
        raise ValueError(f"{name} is {value!r} but must be a number: write {name.split()[-1]}=0.8.")
    return number
