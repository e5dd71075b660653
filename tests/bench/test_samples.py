"""The benchmarks' samples and how many there are."""

import itertools
import json
import math
import re
from pathlib import Path

import pytest
from PIL import Image

from msd_core.bench import dreambench, msbench, sprites
from msd_core.bench.samples import check_pictures

PACK = Path(__file__).parents[2]
PAPER = {"living": 10, "object": 10, "upwearing": 5, "midwearing": 6, "downwearing": 3, "wholewearing": 2, "scene": 4}


def expected_count(sizes: dict[str, int]) -> tuple[int, int]:
    """Combinations and samples of so many subjects in each group, by the formulas alone."""
    combinations = samples = 0
    for combination in msbench.COMBINATIONS:
        runs = itertools.groupby(combination.groups)
        ways = math.prod(math.comb(sizes[group], len(list(run))) for group, run in runs)
        combinations += ways
        samples += ways * (1 if combination.has_scene else len(msbench.SCENES))
    return combinations, samples


@pytest.fixture
def full(tmp_path):
    """A folder as the paper's: 40 subjects, one pixel each."""
    for group, count in PAPER.items():
        (tmp_path / group).mkdir()
        for number in range(count):
            Image.new("RGB", (1, 1)).save(tmp_path / group / f"{group}{number}.png")
    return tmp_path


def test_the_papers_40_subjects_give_1148_combinations_and_4488_samples(full):
    bench = msbench.ms_bench(full)
    assert len(bench.samples) == len({sample.id for sample in bench.samples}) == 4488
    assert expected_count(PAPER) == (1148, 4488)
    assert bench.count[0] == "living+living: C(10, 2) = 45 combinations x 6 = 270 samples"
    assert bench.count[-2] == "upwearing+midwearing+downwearing: 5 x 6 x 3 = 90 combinations x 6 = 540 samples"
    assert bench.count[-1].startswith("40 subjects (10 living, 10 object, ")
    assert bench.count[-1].endswith("): 1148 combinations, 4488 samples")
    assert len(bench.count) == 14


def test_no_other_sizes_of_the_groups_at_hand_give_the_papers_counts():
    at_hand = PAPER | {"living": 9}
    assert expected_count(at_hand) == (1036, 4036)
    one_more = [group for group in PAPER if expected_count(at_hand | {group: at_hand[group] + 1})
                == (1148, 4488)]
    assert one_more == ["living"]


def test_prompts_boxes_and_phrases_are_table_4s(full):
    (full / "living/living0.png").rename(full / "living/dog2.png")
    (full / "object/object0.png").rename(full / "object/colorful_sneaker.png")
    found = {sample.id: sample for sample in msbench.ms_bench(full).samples}
    worn = found["living+upwearing/dog2+upwearing3/in the snow"]
    assert worn.prompt == "a dog wearing a upwearing in the snow"
    assert [subject.box for subject in worn.subjects] == [(0.25, 0.25, 0.75, 0.75), (0.25, 0, 0.75, 0.25)]
    scene = found["living+object+scene/dog2+colorful_sneaker+scene1"]
    assert scene.prompt == "a dog and a sneaker with a scene in the background"
    assert scene.subjects[2].box == (0, 0, 1, 1)


def test_the_boxes_are_those_of_the_canvas():
    text = (PACK / "web/layout/model/presets.mjs").read_text("utf-8")
    named = dict(re.findall(r"const (\w+) = rects\((.*?)\);", text))
    for combination in msbench.COMBINATIONS:
        (told,) = re.findall(rf'name: "{combination.name.replace("+", "_")}",\s*rects: (.*?)(?: }},|,\n)', text)
        for name, value in named.items():
            told = told.replace(name, value)
        edges = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", told)]
        boxes = [tuple(edges[start : start + 4]) for start in range(0, len(edges), 4)]
        assert boxes == [tuple(box) for box in combination.boxes], combination.name


def test_a_phrases_file_has_the_last_word(full):
    (full / "phrases.json").write_text(json.dumps({"object/object3": "red teapot"}))
    prompts = {sample.prompt for sample in msbench.ms_bench(full).samples}
    assert "a living and a red teapot on the grass" in prompts
    (full / "phrases.json").write_text(json.dumps({"object/none": "x"}))
    with pytest.raises(ValueError, match="names 'object/none' but there is no such picture"):
        msbench.ms_bench(full)


@pytest.mark.parametrize(("stem", "said"), [
    ("dog2", "dog"), ("colorful_sneaker", "sneaker"), ("t-shirt", "t-shirt"), ("wolf_plushie", "stuffed animal"),
    ("shirt1", "shirt"), ("7", "7"),
])
def test_a_category_follows_from_the_file_name(stem, said):
    assert msbench.category(stem) == said


def test_a_seed_is_the_samples_own_and_the_same_everywhere(full):
    samples = msbench.ms_bench(full).samples
    assert len({sample.seed(0, number) for sample in samples for number in range(5)}) == 5 * 4488
    assert samples[0].id == "living+living/living0+living1/in a room"
    assert samples[0].seed(7, 2) == 933436273161


def test_a_few_samples_are_spread_over_all_kinds(full):
    bench = msbench.ms_bench(full)
    some = bench.some(60)
    assert len(some) == 60 and len({sample.kind for sample in some}) >= 12
    assert bench.some(10_000) == bench.some(None) == bench.samples
    chosen = bench.some(10, ["living+scene", "object+scene"])
    assert len(chosen) == 10 and {sample.kind for sample in chosen} == {"living+scene", "object+scene"}
    assert {sample.kind for sample in bench.some(only=["living+scene"])} == {"living+scene"}
    with pytest.raises(ValueError, match=r"--only is 'dogs' but MS-Bench has no such type: say living\+living; "):
        bench.some(only=["dogs"])


def test_dreambench_is_30_subjects_by_25_prompts_with_the_papers_box(tmp_path):
    for subject in dreambench.CLASSES:
        (tmp_path / subject).mkdir()
        for number in range(2):
            Image.new("RGB", (2, 2)).save(tmp_path / subject / f"{number:02d}.jpg")
    bench = dreambench.dream_bench(tmp_path)
    assert len(dreambench.CLASSES) == 30
    assert len(bench.samples) == len({sample.id for sample in bench.samples}) == 750
    assert (bench.count, bench.per_sample) == (("30 subjects x 25 prompts = 750 samples",), 5)
    for sample in bench.samples:
        (subject,) = sample.subjects
        assert subject.box == (0.25, 0.25, 0.75, 0.75)
        assert subject.phrase in sample.prompt
        assert [picture.name[-6:] for picture in subject.pictures] == ["00.jpg"] and len(subject.photos) == 2
    prompts = {sample.id for sample in bench.samples}
    assert "dog5/a dog in a chef outfit" in prompts and "vase/a vase floating on top of water" in prompts


def test_sprites_are_held_out_and_every_type_has_its_share():
    bench = sprites.sprite_bench(3)
    assert bench.count == ("10 types x 3 = 30 samples",)
    assert len({sample.id for sample in bench.samples}) == 30
    for sample in bench.samples:
        assert all(subject.phrase in sample.prompt for subject in sample.subjects)
    shared = bench.samples[-1].subjects[0]
    assert shared.pictures != shared.photos
    scene = next(sample for sample in bench.samples if sample.kind == "living+scene").subjects[1]
    assert scene.box == (0, 0, 1, 1)


def test_single_sprites_stand_in_dreambenchs_box():
    bench = sprites.sprite_bench(2, types=sprites.SINGLE_TYPES)
    assert [sample.kind for sample in bench.samples] == ["living", "living", "object", "object"]
    for sample in bench.samples:
        (subject,) = sample.subjects
        assert subject.box == (0.25, 0.25, 0.75, 0.75) and subject.phrase in sample.prompt


def test_sprites_are_the_same_at_every_call():
    first, again = (sprites.sprite_bench(1).samples[4].subjects[1].pictures[0].open() for _ in range(2))
    other = sprites.sprite_bench(1, seed=1).samples[4].subjects[1].pictures[0].open()
    assert first.tobytes() == again.tobytes() != other.tobytes()


def test_what_is_missing_is_told_before_anything_is_made(tmp_path, full):
    for make, folder, said in (
        (msbench.ms_bench, tmp_path / "none", "no such folder: check --data"),
        (dreambench.dream_bench, tmp_path / "none", "no such folder: check --data"),
        (dreambench.dream_bench, tmp_path / "scene", "holds no folders but DreamBench has one"),
    ):
        with pytest.raises(ValueError, match=said):
            make(folder)
    with pytest.raises(ValueError, match="0 samples of each type"):
        sprites.sprite_bench(0)
    (full / "object/object1.png").write_text("no picture")
    bench = msbench.ms_bench(full)
    with pytest.raises(ValueError, match="object1.png can't be read"):
        check_pictures(bench.samples)
    for file in (full / "scene").iterdir():
        file.unlink()
    (full / "scene").rmdir()
    with pytest.raises(ValueError, match="lacks the folder scene of MS-Bench's 7"):
        msbench.ms_bench(full)
