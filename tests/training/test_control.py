"""The stages of the ControlNet: pairs of sketch and scene, and a run over the frozen base that goes on."""

from pathlib import Path

import numpy as np
import pytest
import torch

from msd_core.demo.config import SCENE_SIZE

pytest.importorskip("kornia")

from training import control, sketches  # noqa: E402
from training.control_net import new_control_net  # noqa: E402
from training.shipped import write_shipped  # noqa: E402
from training.sketches import SketchedScenes, draw_pair, draw_sketches, paint_posed, sample_posed  # noqa: E402
from training.student import load_frozen_base  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A run's folder with the weights that ship and a shard of a few pairs."""
    folder = tmp_path_factory.mktemp("run")
    write_shipped(folder)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sketches, "SHARD", 4)
        draw_sketches(folder, 1)
    return folder


def test_a_pair_is_drawn_from_its_seed():
    (first, lines, *_), (second, again, *_) = (draw_pair(np.random.default_rng(3)) for _ in range(2))
    assert np.array_equal(first, second) and np.array_equal(lines, again)
    assert 0.01 < lines.mean() < 0.3


def test_sprites_look_either_way_and_lean():
    rng = np.random.default_rng(0)
    posed = [one for _ in range(40) for one in sample_posed(rng, 2)]
    assert {one.facing for one in posed} == {1, -1}
    assert any(one.facing != one.placed.facing for one in posed)
    assert max(one.tilt for one in posed) > 8 and min(one.tilt for one in posed) < -8


def test_the_sketch_of_a_sprite_on_white_lies_where_it_is():
    posed = sample_posed(np.random.default_rng(1), 1)[0]
    lines = sketches.find_lines(paint_posed(None, [posed]), 0.4, 0.8)
    place = posed.placed
    inside = lines[place.top : place.top + place.side, place.left : place.left + place.side]
    assert lines.any() and inside.sum() == lines.sum()


def test_pairs_come_from_the_shards_as_they_were_drawn(folder):
    pairs = SketchedScenes(folder).pairs
    rng = np.random.default_rng(3_000_000)
    for pair, (_, lines, name, posed) in zip(pairs, [draw_pair(rng) for _ in range(4)], strict=True):
        assert np.array_equal(pair.lines.numpy(), lines)
        assert (pair.name, pair.subjects) == (name, [one.placed for one in posed])
        assert pair.latents.shape == (4, SCENE_SIZE // 8, SCENE_SIZE // 8)


def test_a_run_goes_on_where_it_stopped_and_trains_nothing_of_the_base(folder, monkeypatch):
    monkeypatch.setattr(control, "BATCH", 2)
    monkeypatch.setattr(control, "look_at_control", lambda *_: "looked")
    control.train_control(folder, 1)
    control.train_control(folder, 2)
    assert "step 2/2" in (folder / "control.log").read_text()
    saved = torch.load(folder / "control.pt", weights_only=True)
    assert saved["step"] == 2
    fresh = new_control_net(load_frozen_base(folder)["unet"])
    trained = {f"control.{name}" for name, parameter in fresh.named_parameters() if parameter.requires_grad}
    moved = {name for name, value in fresh.state_dict(prefix="control.").items()
             if not torch.equal(value.bfloat16(), saved["modules"][name].bfloat16())}  # fmt: skip
    assert moved <= trained
    assert any(name.startswith("control.controlnet_down_blocks") for name in moved)


def test_without_sketches_the_stage_says_which_comes_first(tmp_path):
    with pytest.raises(ValueError, match="run the stage sketches first"):
        SketchedScenes(tmp_path)
