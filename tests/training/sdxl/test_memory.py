"""What is counted of a GPU's memory."""

from __future__ import annotations

import re

import pytest
import torch
from torch import nn

from devtools.host import PACK
from training.sdxl.command import main
from training.sdxl.memory import GIB, Kept, Need, RealSize, _FusedAttention, _Ledger, frozen_bytes, needs, report
from training.sdxl.settings import Settings

pytest.importorskip("diffusers")
pytest.importorskip("transformers")


@pytest.fixture(scope="module")
def real():
    return RealSize(Settings(size="256x256"))


def counted(net: nn.Module, *inputs: torch.Tensor) -> int:
    ledger = _Ledger(net)
    with torch.autograd.graph.saved_tensors_hooks(ledger.pack, lambda kept: kept), _FusedAttention():
        net(*inputs)
    ledger.close()
    return sum(ledger.units.values())


def test_what_autograd_keeps_is_counted_once_and_weights_not_at_all():
    with torch.device("meta"):
        net, x = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 8)), torch.empty(5, 8)
        frozen = nn.Sequential(nn.Linear(8, 32), nn.GELU(), nn.Linear(32, 8)).requires_grad_(False)
    assert counted(net, x) == 4 * 5 * (8 + 32 + 32)
    assert counted(frozen, x.requires_grad_()) == 4 * 5 * 32  # what the GELU needs


def test_attention_is_counted_as_fused_kernels_keep_it():
    """Queries, keys, values, output, and one number for each query; never the probabilities."""

    class Attention(nn.Module):
        def forward(self, q, k, v, mask):
            return nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)

    q, k, v = (torch.empty(1, 2, length, 4, device="meta", requires_grad=True) for length in (100, 30, 30))
    mask = torch.empty(100, 30, device="meta")
    assert counted(Attention(), q, k, v, mask) == 4 * (2 * 4 * (100 + 30 + 30 + 100) + 2 * 100 + 100 * 30)


def test_checkpointing_keeps_less_and_computes_its_largest_block_again(real):
    plain, less = real.kept(False), real.kept(True)
    assert plain.largest == 0 < less.largest < less.all < plain.all / 4
    larger = RealSize(Settings(size="256x512")).kept(False)
    assert 1.7 < larger.all / plain.all < 2.0  # keys and values are the same for any size


def test_needs_add_up_and_fit_where_they_fit(real):
    frozen, kept = frozen_bytes("bf16"), Kept(GIB // 2, GIB // 8)
    assert frozen["UNet"] == 2 * 2_567_463_684
    default = needs(Settings(), frozen, real, kept, False)
    learning = sum(p.numel() for p in real.trained.learning().values())
    assert default.fixed["optimiser"] == 2 * default.fixed["trained weights"] == 8 * learning
    assert set(default.fixed) - set(needs(Settings(), frozen, real, kept, True).fixed) == {
        "autoencoder", "text encoders", "image encoder"
    }
    eight = needs(Settings(optimiser="adamw8bit", average_on_cpu=True), frozen, real, kept, False)
    assert default.total(1) - eight.total(1) == (6 + 4) * learning
    need = Need({"weights": 10 * GIB}, {"kept": GIB})
    assert [need.largest_batch(card) for card in (8, 24, 40)] == [0, 11, 26] and need.total(3) == 13 * GIB


def test_the_text_attention_loss_needs_what_it_trains(real):
    """Three quarters of the adapter's weights more, for which the paper says about 70 %."""
    learning = sum(p.numel() for p in real.trained.learning().values())
    assert 0.68 < real.text / learning < 0.8


def test_a_dry_run_tells_it_and_trains_nothing(capsys, monkeypatch):
    kept = {True: Kept(GIB // 2, GIB // 8), False: Kept(5 * GIB, 0)}
    monkeypatch.setattr(RealSize, "kept", lambda self, checkpointing: kept[checkpointing])
    assert main(["--dry-run", "--batch", "4"]) == 0
    said = capsys.readouterr().out
    assert said.startswith("Counted for each GPU, not measured: SDXL and the released adapter's sizes, 1024x1024")
    assert "24 GB   40 GB   80 GB" in said and "in all, 4 pictures" in said and "largest block" in said


@pytest.mark.slow
def test_the_readme_tells_what_is_counted():
    said = report(Settings())
    text = (PACK / "training" / "README.md").read_text("utf-8")
    rows = {"defaults": "these settings", "without checkpointing": "without checkpointing", "`--encoded`": "--encoded",
            "`--encoded --average-on-cpu --optimiser adamw8bit`": "--encoded --average-on-cpu, adamw8bit"}
    for told, counted_as in rows.items():
        cells = re.search(rf"^\| {re.escape(told)} \| (.*) \| (.*) \| (.*) \|$", text, re.M).groups()
        found = re.search(rf"^{re.escape(counted_as)} +(\S+) +(\S+) +(\S+)$", said, re.M).groups()
        assert tuple("-" if cell == "none" else cell for cell in cells) == found, told
