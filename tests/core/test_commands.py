"""The two commands' own setting up, as far as it needs no download."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from devtools import environment, suite

TESTS = Path(__file__).absolute().parents[1]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An environment's place, and no installing into it."""
    monkeypatch.setattr(environment, "VENV", tmp_path / ".venv")
    monkeypatch.setattr(environment, "_install", lambda *args: None)
    monkeypatch.delenv("MSD_PYTHON", raising=False)
    return tmp_path / ".venv"


def works(python) -> bool:
    return subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode == 0


@pytest.mark.parametrize("state", ["none", "interrupted", "without pip", "a file"])
def test_an_environment_that_is_not_whole_is_made_again(folder, state):
    python = environment._python_in(folder)
    if state == "interrupted":
        python.parent.mkdir(parents=True)
        python.write_text("half")
    if state == "without pip":
        environment.venv.create(folder)
    if state == "a file":
        folder.with_name(".venv.part").mkdir()
    assert works(environment.environment_python(None))
    assert not folder.with_name(".venv.part").exists()
    # Its scripts know the name that it has now.
    pip = next(python.parent.glob("pip3*"), None)
    assert pip is None or ".venv.part" not in pip.read_bytes().decode(errors="replace")


def test_a_whole_environment_is_left_as_it_is(folder):
    environment.environment_python(None)
    (folder / "mine").touch()
    environment.environment_python(None)
    assert (folder / "mine").exists()


def test_a_folder_that_takes_no_environment_is_said_in_one_sentence(folder, monkeypatch):
    def refuse(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(environment.venv, "create", refuse)
    with pytest.raises(environment.EnvironmentProblem, match="can't be made .Permission denied.*MSD_PYTHON"):
        environment.environment_python(None)


def test_an_environment_that_lacks_a_package_is_not_called_ready(monkeypatch):
    monkeypatch.setenv("MSD_PYTHON", sys.executable)
    monkeypatch.setitem(environment.EXTRAS, "dev", environment.Extra("the test tools", ("pytest", "no_such_package")))
    with pytest.raises(environment.EnvironmentProblem, match="it lacks: no_such_package"):
        environment.environment_python(None, "dev")


@pytest.mark.parametrize("system, machine, gpu, says", [
    ("Linux", "x86_64", None, "3 GB.*no NVIDIA GPU"), ("Linux", "x86_64", "/usr/bin/nvidia-smi", "3 GB to download"),
    ("Darwin", "arm64", None, None),
])
def test_the_size_of_a_large_download_is_said_before_it_starts(monkeypatch, system, machine, gpu, says):
    monkeypatch.setattr(environment.platform, "system", lambda: system)
    monkeypatch.setattr(environment.platform, "machine", lambda: machine)
    monkeypatch.setattr(environment.shutil, "which", lambda name: gpu)
    said = environment._size(environment.TORCH)
    assert re.search(says, said) if says else said == ""
    assert environment._size(["pytest"]) == ""


@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_help_clones_and_installs_nothing(monkeypatch, capsys, flag):
    monkeypatch.setattr(suite, "find_or_clone_host", lambda: pytest.fail("looked for a host"))
    assert suite.run_tests([flag]) == 0
    assert "python dev.py test" in capsys.readouterr().out


def test_the_last_line_counts_what_was_left_out_by_kind(monkeypatch, capsys):
    monkeypatch.setattr(suite, "find_or_clone_host", lambda: None)
    monkeypatch.setattr(suite, "environment_python", lambda *args: sys.executable)
    monkeypatch.setattr(suite, "_node_tests", lambda: suite.PASSED)
    monkeypatch.setattr(suite, "_types", lambda: suite.PASSED)

    def pytest_run(command, cwd, env):
        with open(env["MSD_LEFT_OUT"], "w") as told:
            json.dump({"host": 419, "packs": 12}, told)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(suite.subprocess, "run", pytest_run)
    monkeypatch.delenv("CI", raising=False)
    assert suite.run_tests([]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "All that ran passed; left out: 419 host, 12 packs."


def test_what_is_left_out_is_counted_by_kind_and_fails_in_ci(tmp_path):
    """In a run of its own: a test that skips, a file without its package, and one that needs packs."""
    (tmp_path / "conftest.py").write_text(
        "import importlib.util, sys, types\n"
        "sys.modules['tests'] = types.ModuleType('tests')\n"
        f"spec = importlib.util.spec_from_file_location('tests.conftest', {str(TESTS / 'conftest.py')!r})\n"
        "ours = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(ours)\n"
        "pytest_runtest_makereport = ours.pytest_runtest_makereport\n"
        "pytest_make_collect_report = ours.pytest_make_collect_report\n"
        "pytest_terminal_summary = ours.pytest_terminal_summary\n"
    )
    (tmp_path / "test_some.py").write_text(
        "import pytest\n"
        "def test_skips(): pytest.skip('no')\n"
        "@pytest.mark.packs('x')\ndef test_packs(): pytest.skip('no packs')\n"
        "def test_runs(): pass\n"
    )
    (tmp_path / "test_other.py").write_text("import pytest\npytest.importorskip('no_such_package')\n")
    for ci, passes in (("false", True), ("true", False)):
        told = tmp_path / "told.json"
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", tmp_path,
                   "--continue-on-collection-errors", tmp_path]
        done = subprocess.run(
            command, cwd=tmp_path, capture_output=True, text=True,
            env=os.environ | {"CI": ci, "MSD_LEFT_OUT": str(told)},
        )
        assert (done.returncode == 0) == passes, done.stdout + done.stderr
        assert json.loads(told.read_text()) == {"files without their package": 1, "other": 1, "packs": 1}
