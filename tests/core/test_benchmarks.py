"""How costs are counted, and how they are told."""

import json

import pytest
import torch
import torch.nn.functional as F

from benchmarks import report
from benchmarks.ledger import ATTENTION, Ledger
from benchmarks.timed import interleaved

META = torch.device("meta")


def counted(work, device="meta"):
    with torch.no_grad(), Ledger(device) as ledger:
        work()
    return ledger


def test_a_product_is_two_operations_for_each_multiply_add_and_moves_its_operands_and_its_result():
    a, b = torch.empty(3, 4, device=META), torch.empty(4, 5, device=META, dtype=torch.float32)
    ledger = counted(lambda: a @ b)
    assert ledger.calls == {"mm": 1}
    assert ledger.flop == 2 * 3 * 4 * 5
    assert ledger.bytes == 4 * (12 + 20 + 15)


def test_views_cost_nothing_and_copies_do():
    x = torch.empty(4, 6, device=META)
    assert not counted(lambda: x.view(24)[3:].unsqueeze(0).expand(5, -1)).calls
    assert counted(lambda: x.t().contiguous()).calls == {"clone": 1}


def test_attention_is_one_call_on_every_device():
    for device in ("meta", "cpu"):
        q, k = (torch.empty(2, 3, length, 8, device=device).normal_() for length in (7, 5))
        ledger = counted(lambda q=q, k=k: F.scaled_dot_product_attention(q, k, k), device)
        assert ledger.calls == {ATTENTION: 1}
        assert ledger.flop == 2 * 2 * 3 * 7 * 5 * (8 + 8)


@pytest.mark.parametrize("work", [
    lambda x: x.sum().item(), lambda x: x.cpu(), lambda x: torch.ones(3).to(META), lambda x: torch.equal(x, x),
    lambda x: x.tolist(), lambda x: bool((x > 0).all()),
])  # fmt: skip
def test_what_waits_for_the_device_is_written_down(work):
    x = torch.empty(3, device=META)
    assert counted(lambda: work(x)).waits.total() == 1
    assert counted(lambda: x + 1).waits.total() == 0


@pytest.mark.parametrize("work", [
    lambda x: x.repeat_interleave(torch.ones(3, dtype=torch.int64, device=META)), lambda x: x.nonzero(),
], ids=["repeat_interleave", "nonzero"])  # fmt: skip
def test_a_length_that_only_the_device_knows_is_refused(work):
    with pytest.raises(RuntimeError, match="waits for the device"):
        counted(lambda: work(torch.empty(3, device=META)))


def test_ways_take_turns_and_the_first_round_does_not_count():
    order = []
    found = interleaved({name: lambda name=name: order.append(name) for name in "ab"}, 3, torch.device("cpu"))
    assert order == list("ab") * 4
    assert all(times["low"] <= times["median"] <= times["high"] for times in found.values())


def row(**changes):
    return {"kind": "boxes", "step": "", "subjects": 2, "side": 1024, "batch": 1, "flop": 0.05, "bytes": 1.2,
            "calls": 140, "calls_percent": 8.1, "waits": 0, "kept": 13.5, **changes}


def test_results_become_tables_and_a_plot(tmp_path):
    pytest.importorskip("matplotlib")
    steps = [row(), row(), row(subjects=4), row(side=512), row(batch=8), row(kind="auto layout, steady", step="last")]
    table = report.steps_table(steps)
    assert table.count("| boxes") == 1
    assert "+140 (8.1 %)" in table
    assert report.axes_table(steps).count("| boxes") == 3
    times = {"median": 0.002, "low": 0.001, "high": 0.003, "rounds": 9}
    timed = [{"what": "a step", "device": "CPU", "dtype": "float32", "ways": {"a": times, "b": times}}]
    assert "2.0 ms (1.0 to 3.0)" in report.timings_table(timed)
    report.plot({"counted": {"steps": steps}}, tmp_path / "plot.png")
    assert (tmp_path / "plot.png").stat().st_size > 10_000
    json.dumps(steps)
