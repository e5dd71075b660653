"""Subjects as text: on the command line and in files."""

from __future__ import annotations

import json
import sys

import pytest

from msd_core.headless.subjects import SubjectText, parse_subject, read_overlap, read_subjects


def test_a_subject_option_holds_picture_phrase_and_box() -> None:
    subject = parse_subject('C:\\photos\\dog.png:"red dog":0,0.25,0.5,0.75')
    assert (subject.picture, subject.phrase) == ("C:\\photos\\dog.png", "red dog")
    assert subject.box.edges == (0, 0.25, 0.5, 0.75)
    assert subject == SubjectText(subject.picture, "red dog", subject.box, 1.0, 0.0, 1.0, "stretch", None, "subject")


def test_a_subject_option_may_hold_weight_start_end_fit_and_mask() -> None:
    text = "a.png:dog:0,0.25,0.5,0.75:weight=0.8:mask=C:\\masks\\dog=1.png:start=.1:fit=pad:mask_is=background:end=0.9"
    subject = parse_subject(text)
    assert (subject.weight, subject.start, subject.end) == (0.8, 0.1, 0.9)
    assert (subject.fit, subject.mask) == ("pad", "C:\\masks\\dog=1.png") and subject.mask_is == "background"


@pytest.mark.parametrize("text, said", [
    ("dog.png", "must hold picture:phrase:box: write photo.png"),
    ("dog.png:dog", "must hold picture:phrase:box: write photo.png"),
    ("dog.png:dog:0,1,2", "box '0,1,2' must be four numbers"),
    ("dog.png:dog:a,b,c,d", "box 'a,b,c,d' must be four numbers"),
    ("dog.png:dog:0,0,1,2", "y1 is 2 but boxes are fractions of the frame"),
    ("dog.png::0,0,1,1", "phrase is '' but must name the subject"),
    ("dog.png:dog:0,0,1,1:wieght=2", "setting 'wieght=2' but may have weight, start, end, fit, mask, mask_is"),
    ("dog.png:dog:0,0,1,1:mask=", "setting 'mask=' but may have"),
    ("dog.png:dog:0,0,1,1:weight=much", "weight is 'much' but must be a number: write weight=0.8"),
    ("dog.png:dog:0,0,1,1:weight=nan", "weight is 'nan' but must be a number"),
    ("dog.png:dog:0,0,1,1:fit=squeeze", "fit of 'dog' is 'squeeze' but must be one of stretch, pad, crop"),
    ("dog.png:dog:0,0,1,1:mask_is=hat", "mask_is of 'dog' is 'hat' but must be one of subject, background"),
])
def test_a_subject_option_that_cannot_be_read_says_how_to_write_it(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said) as error:
        parse_subject(text)
    assert str(error.value).count("\n") == 0


FILE = [
    {"picture": "dog.png", "phrase": "dog", "box": [0, 0.25, 0.5, 0.75]},
    {"picture": ["a.png", "b.png"], "phrase": "red backpack", "box": {"x0": 0.5, "y0": 0, "x1": 1, "y1": 1},
     "weight": 0.8, "start": 0.1, "end": 0.9, "fit": "pad", "mask": "backpack_mask.png"},
    {"picture": "cat#7", "phrase": "cat", "box": [0, 0, 1, 1], "mask": None},
]


@pytest.mark.parametrize("form", ["list", "object", "yaml", "yml"])
def test_a_file_of_subjects_says_the_same(form, tmp_path) -> None:
    """Pictures and masks lie beside the file; what the demo draws lies nowhere."""
    content, file = FILE, tmp_path / "subjects.json"
    if form in ("yaml", "yml"):
        yaml = pytest.importorskip("yaml")
        file = tmp_path / f"subjects.{form}"
        file.write_text(yaml.safe_dump(content), "utf-8")
    else:
        file.write_text(json.dumps(content if form == "list" else {"subjects": content}), "utf-8")
    dog, backpack, cat = read_subjects(file)
    assert dog == parse_subject(f"{tmp_path / 'dog.png'}:dog:0,0.25,0.5,0.75")
    assert backpack.picture == (str(tmp_path / "a.png"), str(tmp_path / "b.png"))
    assert (backpack.weight, backpack.start, backpack.end, backpack.fit) == (0.8, 0.1, 0.9, "pad")
    assert backpack.mask == str(tmp_path / "backpack_mask.png") and backpack.box.edges == (0.5, 0, 1, 1)
    assert cat.picture == "cat#7" and cat.mask is None


@pytest.mark.parametrize("content, said", [
    ("[", "subjects.json is no valid JSON .* in line 1"),
    ("[]", "holds no list of subjects: write"),
    ('{"dogs": []}', "holds no list of subjects: write"),
    ("[7]", "Subject 1 of subjects.json is 7 but must be an object"),
    ('[{"phrase": "dog", "box": [0, 0, 1, 1]}]', "Subject 1 of subjects.json lacks picture but needs"),
    ('[{"picture": "a.png", "phrase": "dog", "box": [0, 0, 1, 1], "wieght": 2}]', "has 'wieght' but needs .* may have"),
    ('[{"picture": "a.png", "phrase": "dog", "box": [0, 0, 1]}]', "Subject 1 of .*: Box 1 has 3 numbers but needs 4"),
    ('[{"picture": "a.png", "phrase": "dog", "box": 5}]', "Subject 1 of .*: Box 1 is 5 but must be an object"),
    ('[{"picture": "a.png", "phrase": 5, "box": [0, 0, 1, 1]}]', "The phrase is 5 but must name the subject"),
    ('[{"picture": 5, "phrase": "dog", "box": [0, 0, 1, 1]}]', "picture is 5 but must be a file or a list of files"),
    ('[{"picture": [], "phrase": "dog", "box": [0, 0, 1, 1]}]', r"picture is \[\] but must be a file or a list"),
    ('[{"picture": "a.png", "phrase": "dog", "box": [0, 0, 1, 1], "weight": "x"}]', "weight is 'x' but must be a"),
    ('[{"picture": "a.png", "phrase": "dog", "box": [0, 0, 1, 1], "weight": true}]', "weight is True but must be a"),
])
def test_a_file_that_cannot_be_read_says_where_and_why(content: str, said: str, tmp_path) -> None:
    file = tmp_path / "subjects.json"
    file.write_text(content, "utf-8")
    with pytest.raises(ValueError, match=said) as error:
        read_subjects(file)
    assert str(error.value).count("\n") == 0


def test_a_file_may_say_what_happens_where_boxes_overlap(tmp_path) -> None:
    file = tmp_path / "subjects.json"
    apart = {"subjects": FILE, "overlap": "apart"}
    for content, overlap in ((FILE, None), ({"subjects": FILE}, None), (apart, "apart")):
        file.write_text(json.dumps(content), "utf-8")
        assert read_overlap(file) == overlap
    file.write_text(json.dumps({"subjects": FILE, "overlap": "above"}), "utf-8")
    with pytest.raises(ValueError, match="overlap in subjects.json is 'above' but must be one of mix, front, nearest"):
        read_overlap(file)


def test_a_file_that_is_not_there_is_named(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"none.json can't be read \(there is no such file\): check the path"):
        read_subjects(tmp_path / "none.json")


def test_yaml_without_its_package_says_so_and_broken_yaml_where(tmp_path, monkeypatch) -> None:
    file = tmp_path / "subjects.yaml"
    file.write_text("- picture: [a.png", "utf-8")
    if pytest.importorskip("yaml"):
        with pytest.raises(ValueError, match="subjects.yaml is no valid YAML .*: correct it there") as error:
            read_subjects(file)
        assert str(error.value).count("\n") == 0
    monkeypatch.setitem(sys.modules, "yaml", None)
    with pytest.raises(ValueError, match="is YAML but PyYAML is not installed: pip install pyyaml, or write JSON"):
        read_subjects(file)
