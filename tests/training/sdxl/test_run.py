"""Runs of the trainer: the loss falls, they go on where they stopped, their checkpoints are whole and load."""

from __future__ import annotations

import csv
import errno
import shutil
import sys
import threading
from types import SimpleNamespace

import pytest
import torch
import torch.distributed as dist
from PIL import Image
from safetensors.torch import load_file

from msd_core.checkpoint import read_adapter
from tests.tiny_sdxl import SIDE, SIZES, settings
from training.sdxl.checkpoints import TEXT_FILE, checkpoints
from training.sdxl.pictures import HeldOutPictures
from training.sdxl.projectors import untrained
from training.sdxl.run import Run
from training.sdxl.sources import LiveSamples, StoredSamples, store
from training.sdxl.weights import text_parameters
from training.shards import Full, Shards


@pytest.fixture
def restored(base):
    """`restored()`: the base as it was before any run, whatever has learned of it or was rounded."""
    modules = [base.pipe.unet, base.pipe.text_encoder, base.pipe.text_encoder_2, base.image_encoder]
    kept = [{name: value.clone() for name, value in module.state_dict().items()} for module in modules]

    def restore() -> None:
        for module, state in zip(modules, kept, strict=True):
            module.float().load_state_dict(state)
        modules[0].requires_grad_(False).zero_grad()

    yield restore
    restore()


@pytest.fixture
def start(base, shards_folder, tmp_path):
    """`start("folder", steps=4, ...)`: a run."""

    def made(folder="run", look=None, samples=None, accelerator=None, **changes) -> Run:
        for module in base.pipe.unet.modules():
            module._forward_hooks.clear()
            module._forward_pre_hooks.clear()
        told = settings(**changes)
        torch.manual_seed(told.seed)
        trained = untrained(base, told.projector, SIZES)
        samples = samples or LiveSamples(Shards(shards_folder), base, (SIDE, SIDE))
        last = range(len(samples) - told.held_out, len(samples))
        return Run(base, trained, samples, told, tmp_path / folder, held_out=last, accelerator=accelerator, look=look)

    return made


def losses(folder) -> dict[int, str]:
    with (folder / "losses.csv").open() as file:
        return {int(row["step"]): row["loss"] for row in csv.DictReader(file)}


def test_a_run_learns_and_what_is_frozen_stays(start, base, tmp_path):
    before = {name: p.clone() for name, p in base.pipe.unet.named_parameters()}
    run = start(steps=6)
    first = run.held_out_loss()
    began = {name: p.detach().clone() for name, p in run.weights.masters.items()}
    run.run()
    assert all(torch.equal(p, before[name]) for name, p in base.pipe.unet.named_parameters())
    assert [name for name, p in run.weights.masters.items() if torch.equal(p, began[name])] == []
    assert run.held_out_loss() < first
    assert list(losses(tmp_path / "run")) == [1, 2, 3, 4, 5, 6]


def test_a_checkpoint_is_the_average_in_the_released_format(start, tmp_path):
    run = start(steps=3, keep=1)
    run.run()
    assert [entry.name for entry in checkpoints(tmp_path / "run")] == ["checkpoint-000003"]
    read = read_adapter(tmp_path / "run/checkpoint-000003/ms_adapter.safetensors")
    assert read.head_dim == SIZES.head_dim
    assert torch.equal(read.state["dummy_image_tokens"], run.trained.dummy_image_tokens.half())
    moved = 0
    for name, value in run.weights.averaged.items():
        assert torch.equal(read.state[name], value.half())
        moved += not torch.equal(value, run.weights.masters[name])
    assert moved


@pytest.mark.parametrize("changes", [
    {}, {"optimiser": "muon"},
    {"projector": "plain", "masks": False, "image_attention_loss": 0.01, "text_attention_loss": 0.01,
     "precision": "bf16", "checkpointing": True, "accumulate": 2, "warm_up": 3, "fall": 0.5, "average_on_cpu": True},
], ids=["adamw", "muon", "all at once"])
def test_a_run_that_is_cut_off_goes_on_with_the_same_losses(start, restored, tmp_path, changes):
    start("whole", steps=4, save_every=1, **changes).run()
    shutil.copytree(tmp_path / "whole", tmp_path / "cut")
    for late in checkpoints(tmp_path / "cut")[-2:]:
        shutil.rmtree(late)
    restored()
    again = start("cut", steps=4, **changes)
    assert again.step == 2 and list(losses(tmp_path / "cut")) == [1, 2]
    again.run()
    assert losses(tmp_path / "cut") == losses(tmp_path / "whole")
    assert len(set(losses(tmp_path / "cut").values())) == 4


def test_text_attention_that_has_learned_is_kept_beside_the_adapter(start, restored, base, tmp_path):
    before = {name: p.clone() for name, p in text_parameters(base.pipe.unet).items()}
    run = start(steps=2, text_attention_loss=0.01)
    run.run()
    kept = load_file(tmp_path / "run/checkpoint-000002" / TEXT_FILE)
    assert set(kept) == set(before) and not any(torch.equal(kept[name], before[name].half()) for name in kept)
    assert all(torch.equal(kept[name], run.weights.averaged[name].half()) for name in kept)


def test_a_run_with_other_settings_is_not_gone_on_with(start):
    start(steps=2).run()
    with pytest.raises(ValueError, match="was trained with --projector grounding but this run has plain: use the same"):
        start(steps=4, projector="plain")
    assert start(steps=8, keep=1, save_every=5).step == 2


def test_a_full_disk_leaves_the_checkpoints_before_it(start, tmp_path, monkeypatch, capsys):
    """On the way the run says so and learns on; at its end it has to be mended."""
    run, write = start(steps=5), torch.save

    class Narrow:
        """A file on a disk with room for its beginning."""

        def __init__(self, file):
            self.file, self.room = file, 700

        def write(self, content):
            self.room -= len(content)
            if self.room < 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self.file.write(content)

        def flush(self):
            self.file.flush()

    def full(state, file):
        write(state, file if state["step"] == 2 else Narrow(file))

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(Full, match=r"checkpoint-000005 can't be written \(No space left on device\), .*: make room"):
        run.run()
    files = {file.name for file in (tmp_path / "run").iterdir()}
    assert "checkpoint-000002" in files and not any("000004" in name or "000005" in name for name in files)
    said = capsys.readouterr().out
    assert said.count("checkpoint-000004 can't be written") == 1 and "Training goes on." in said
    monkeypatch.undo()
    again = start(steps=5)
    assert again.step == 2
    again.run()
    assert checkpoints(tmp_path / "run")[-1].name == "checkpoint-000005"


def test_losses_that_find_no_room_are_said_once_and_end_nothing(start, tmp_path, monkeypatch, capsys):
    run = start(steps=3)

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(csv.DictWriter, "writerow", full)
    run.run()
    assert capsys.readouterr().out.count("run can't take losses and pictures (No space left on device): make room") == 1
    assert checkpoints(tmp_path / "run")[-1].name == "checkpoint-000003"


def test_the_gradient_is_the_mean_of_all_processes(start, monkeypatch):
    """In messages of any size, and zero where nothing has reached a weight in this process."""
    run = start()
    masters = run.weights.masters
    for number, parameter in enumerate(masters.values()):
        parameter.grad = None if number == 2 else torch.full_like(parameter, float(number))
    sent = []

    def with_the_other_process(flat):
        sent.append(flat.numel())
        flat += 100

    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    monkeypatch.setattr(dist, "all_reduce", with_the_other_process)
    monkeypatch.setattr("training.sdxl.weights.BUCKET", 2000)
    run.weights.gather_gradients()
    assert len(sent) > 3 and sum(sent) == sum(p.numel() for p in masters.values())
    for number, parameter in enumerate(masters.values()):
        assert torch.all(parameter.grad == (100 + (0 if number == 2 else number)) / 2)


def test_processes_that_split_weights_are_refused(start, monkeypatch):
    accelerator = SimpleNamespace(distributed_type="DistributedType.FSDP")
    with pytest.raises(ValueError, match="set up for FSDP but each process trains a whole adapter"):
        start(accelerator=accelerator)


@pytest.mark.parametrize("other, said", [
    ((0, 0, 12), "step 2 and step 0"), ((2, 4, 11), "12 samples and 11 samples"),
], ids=["checkpoints", "shards"])
def test_processes_that_see_other_files_are_refused(start, other, said):
    """Two machines whose folders are not the same: their averaged gradients would be of different weights."""
    start(steps=2).run()
    accelerator = SimpleNamespace(
        distributed_type="DistributedType.MULTI_GPU", num_processes=2, process_index=0, is_main_process=True,
        device=torch.device("cpu"), gather=lambda mine: torch.cat([mine, torch.tensor([other])]),
    )
    with pytest.raises(ValueError, match=f"{said} .*: name folders that all machines share"):
        start(steps=4, accelerator=accelerator)


def test_adapter_and_settings_have_to_agree(base, shards_folder, tmp_path):
    samples = LiveSamples(Shards(shards_folder), base, (SIDE, SIDE))
    with pytest.raises(ValueError, match="has the projector linear but the settings say grounding"):
        Run(base, untrained(base, "linear", SIZES), samples, settings(), tmp_path, held_out=())


def test_a_damaged_checkpoint_is_named(start, tmp_path):
    start(steps=2).run()
    (tmp_path / "run/checkpoint-000002/state.pt").write_bytes(b"half of it")
    with pytest.raises(ValueError, match="checkpoint-000002 can't be read .*: delete that folder to go on from"):
        start(steps=4)


def test_a_loss_that_is_no_number_ends_the_run_before_it_is_saved(start, tmp_path):
    run = start(steps=4)
    run.weights.masters["image_proj.proj_out.weight"].data.fill_(torch.nan)
    with pytest.raises(ValueError, match="The loss of step 1 is nan: go on from the last checkpoint"):
        run.run()
    assert checkpoints(tmp_path / "run") == []


def test_looks_are_made_with_the_averages_and_change_nothing(start, restored, base, shards_folder, tmp_path):
    start("blind", steps=4).run()
    restored()
    settings_of = {"steps": 4, "look_every": 2, "look_steps": 2}
    look = HeldOutPictures(base, Shards(shards_folder), [12, 13], settings(**settings_of), tmp_path / "seen")
    run = start("seen", look=look, **settings_of)
    run.run()
    assert losses(tmp_path / "seen") == losses(tmp_path / "blind")
    pictures = sorted((tmp_path / "seen/pictures").iterdir())
    assert [file.name for file in pictures] == ["000002.png", "000004.png"]
    assert Image.open(pictures[0]).size == (2 * SIDE, 3 * SIDE)
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    board = EventAccumulator(str(tmp_path / "seen/tensorboard"))
    board.Reload()
    assert board.Tags()["images"] == ["held_out/pictures"]
    assert {"training/loss", "training/rate", "held_out/loss"} <= set(board.Tags()["scalars"])
    assert [event.step for event in board.Scalars("held_out/loss")] == [2, 4]
    told = [repr(event.value) for event in board.Scalars("training/loss")]
    assert [float(one) for one in told] == pytest.approx([float(one) for one in losses(tmp_path / "seen").values()])


def test_pictures_are_made_of_what_the_settings_say_that_the_base_predicts(start, base, shards_folder, tmp_path):
    """Not of what its scheduler says, which `--prediction` is there to overrule."""
    predicted = []

    def look(prediction):
        told = settings(look_steps=2, prediction=prediction)
        pictures = HeldOutPictures(base, Shards(shards_folder), [12], told, tmp_path / str(prediction))
        watch = base.pipe.scheduler
        grid = pictures(start().trained, 0)
        assert base.pipe.scheduler is watch
        predicted.append(base.pipe.scheduler.config.prediction_type)
        return grid

    as_told, other = look("epsilon"), look("v_prediction")
    assert torch.equal(as_told, look(None)) and not torch.equal(as_told, other)
    assert predicted == ["epsilon"] * 3


def test_pictures_for_which_the_card_has_no_room_end_no_run(start, tmp_path, capsys):
    asked = []

    def look(trained, step):
        asked.append(step)
        raise torch.OutOfMemoryError("CUDA out of memory.")

    start(steps=4, look_every=2, look=look).run()
    assert asked == [2] and checkpoints(tmp_path / "run")[-1].name == "checkpoint-000004"
    said = capsys.readouterr().out
    assert said.count("no room for pictures of held-out samples") == 1 and "step 4 held-out loss" in said


def test_samples_encoded_beforehand_give_the_same_run(start, restored, base, shards_folder, tmp_path):
    start("live", steps=3).run()
    restored()
    stored = store(Shards(shards_folder), base, (SIDE, SIDE), tmp_path / "encoded", {"base": "tiny"})
    start("stored", steps=3, samples=stored).run()
    live, kept = ([float(one) for one in losses(tmp_path / name).values()] for name in ("live", "stored"))
    assert kept == pytest.approx(live, rel=1e-4)


def test_samples_are_encoded_once_and_for_one_base(base, shards_folder, tmp_path, monkeypatch):
    shards, folder = Shards(shards_folder), tmp_path / "encoded"
    monkeypatch.setattr("training.sdxl.sources.BLOCK", 4)
    wait = threading.Barrier(2).wait
    parts = [threading.Thread(target=store, args=(shards, base, (SIDE, SIDE), folder, {"base": "tiny"}),
                              kwargs={"rank": rank, "processes": 2, "wait": wait}) for rank in range(2)]
    for part in parts:
        part.start()
    for part in parts:
        part.join()
    first = {file.name: file.stat().st_mtime_ns for file in folder.iterdir()}
    assert len(first) == 4 + 2
    again = store(shards, base, (SIDE, SIDE), folder, {"base": "tiny"})
    assert {file.name: file.stat().st_mtime_ns for file in folder.iterdir()} == first and len(again) == 14
    live = LiveSamples(shards, base, (SIDE, SIDE)).take([9])[0]
    torch.testing.assert_close(again.take([9])[0].latents, live.latents, atol=1e-5, rtol=1e-5)
    (folder / "encoded-00002.safetensors").unlink()
    with pytest.raises(ValueError, match="has no encoded-00002.safetensors: encode the shards into it again"):
        StoredSamples(folder)
    with pytest.raises(ValueError, match="was encoded with base tiny but this run has other: name another folder"):
        store(shards, base, (SIDE, SIDE), folder, {"base": "other"})


def test_eight_bit_optimisers_come_from_bitsandbytes_and_only_where_asked_for(start, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
    start("plain")
    with pytest.raises(ValueError, match="--optimiser is adamw8bit but bitsandbytes is not installed: pip install"):
        start("eight", optimiser="adamw8bit")
    made = SimpleNamespace(AdamW8bit=type("AdamW8bit", (torch.optim.AdamW,), {}))
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", made)
    assert type(start("made", optimiser="adamw8bit").optimisers[0]).__name__ == "AdamW8bit"
