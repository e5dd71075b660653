"""Results that survive a kill, a full disk and a second process."""

import json
import multiprocessing
import resource
import signal

import pytest

from msd_core.bench.journal import Full, Journal, read_results

HEADER = {"benchmark": "sprites", "settings": {"steps": 20, "scale": 1.0}}


def record(number, **more):
    return {"id": f"sample {number}", "kind": "a", **more}


def test_what_was_appended_is_read_back_and_a_later_record_replaces_its_earlier_one(tmp_path):
    journal = Journal(tmp_path / "a.jsonl", HEADER)
    journal.append(record(1, error="gone"))
    journal.append(record(2, images=[]))
    journal.append(record(1, images=[]))
    journal.close()
    results = read_results(tmp_path / "a.jsonl")
    assert results.header["settings"] == HEADER["settings"]
    assert [entry["id"] for entry in results.records] == ["sample 1", "sample 2"]
    assert not results.failed and len(results.scored) == 2


def test_half_a_line_is_stepped_over_and_the_next_record_stands_on_its_own(tmp_path):
    file = tmp_path / "a.jsonl"
    first = Journal(file, HEADER)
    first.append(record(1, images=[]))
    first.close()
    with file.open("ab") as killed:
        killed.write(b'{"id": "sample 2", "ima')
    second = Journal(file, HEADER)
    assert second.results.torn == 1 and len(second.results.records) == 1
    second.append(record(3, images=[]))
    second.close()
    found = read_results(file)
    assert [entry["id"] for entry in found.records] == ["sample 1", "sample 3"] and found.torn == 1


def test_another_runs_file_is_refused_with_the_setting_in_which_they_differ(tmp_path):
    Journal(tmp_path / "a.jsonl", HEADER).close()
    other = {**HEADER, "settings": {"steps": 30, "scale": 1.0}}
    with pytest.raises(ValueError, match="was begun with settings steps 20 but 30 is asked for"):
        Journal(tmp_path / "a.jsonl", other)


def test_a_file_of_something_else_is_left_alone(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("my notes\n")
    with pytest.raises(ValueError, match="holds no results"):
        Journal(file, HEADER)
    assert file.read_text() == "my notes\n"
    for name, said in (("none.jsonl", "there is no such file"), ("", "can't be read")):
        with pytest.raises(ValueError, match=said):
            read_results(tmp_path / name)
    with pytest.raises(ValueError, match="can't be written"):
        Journal(tmp_path / "none" / "a.jsonl", HEADER)


def test_a_disk_that_is_full_ends_with_a_sentence_and_leaves_whole_lines(tmp_path):
    file = tmp_path / "a.jsonl"
    journal = Journal(file, HEADER)
    journal.append(record(1, images=[]))
    size = file.stat().st_size
    kept, heard = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, kept[1]))
    try:
        with pytest.raises(Full, match="can't be written .*: make room and run the same command again"):
            journal.append(record(2, prompt="x" * 500))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, kept)
        signal.signal(signal.SIGXFSZ, heard)
    assert file.stat().st_size == size
    journal.append(record(2, images=[]))
    assert len(read_results(file).records) == 2


def write_many(file, start):
    journal = Journal(file, HEADER)
    for number in range(start, start + 100):
        journal.append(record(number, prompt="x" * 2000))
    journal.close()


def test_processes_share_a_file_and_no_line_is_mixed(tmp_path):
    file = tmp_path / "a.jsonl"
    context = multiprocessing.get_context("fork")
    workers = [context.Process(target=write_many, args=(file, 100 * number)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    found = read_results(file)
    assert found.torn == 0 and len(found.records) == 300
    lines = file.read_text().splitlines()
    assert len(lines) == 301 and "format" in json.loads(lines[0])
