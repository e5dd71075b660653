"""`python dev.py test`: every test the project has, in Python and in JavaScript, and a closing summary."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from .environment import EnvironmentProblem, environment_python
from .host import PACK, find_or_clone_host

PASSED, FAILED, MISSING, NOTHING = "passed", "FAILED", "NOT RUN", "nothing to run"


def run_tests(pytest_args: list[str]) -> int:
    """Runs all tests and returns the exit code: 0 where nothing failed and, with CI=true, nothing was left out."""
    if {"-h", "--help"} & set(pytest_args):
        print("python dev.py test [arguments of pytest]\n\nRuns all tests, in Python and in JavaScript. -k WORDS and a "
              "file's path choose Python tests;\nMSD_ALL_TESTS=1 adds what takes long. See README.md.")
        return 0
    ci = os.environ.get("CI", "").lower() == "true"
    host = find_or_clone_host()
    print(f"ComfyUI: {host or 'none'}")
    try:
        python = environment_python(host, "dev")
    except EnvironmentProblem as problem:
        print(f"\nThe tests can't run: {problem}", file=sys.stderr)
        return 1

    ran, left_out = _pytest(python, host, pytest_args)
    results = {
        "Python tests": ran,
        "JavaScript tests": _node_tests(),
        "JavaScript types": _types(),
    }
    print("\n== summary")
    for name, outcome in results.items():
        print(f"{name:<18}{outcome}")
    if host is None:
        print("\n!!!! HOST TESTS LEFT OUT: no ComfyUI was found; set COMFYUI_PATH to a ComfyUI folder. !!!!")
    bad = {FAILED, MISSING} if ci else {FAILED}
    failed = any(outcome.startswith(tuple(bad)) for outcome in results.values()) or (ci and host is None)
    counts = ", ".join(f"{count} {kind}" for kind, count in left_out.items()) or "nothing"
    print(f"\n{'FAILED' if failed else 'All that ran passed'}; left out: {counts}.")
    return int(failed)


def _pytest(python: Path, host: Path | None, args: list[str]) -> tuple[str, dict[str, int]]:
    """How it ended, and how many tests of each kind were left out."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "left_out.json"
        environment = os.environ | {"MSD_LEFT_OUT": str(told)} | ({"COMFYUI_PATH": str(host)} if host else {})
        done = subprocess.run([python, "-m", "pytest", *args], cwd=PACK, env=environment)
        left_out = json.loads(told.read_text("utf-8")) if told.exists() else {}
    return PASSED if done.returncode == 0 else f"{FAILED} (pytest ended with {done.returncode})", left_out


def _node_tests() -> str:
    files = sorted(str(file.relative_to(PACK)) for file in (PACK / "tests" / "web").rglob("*.test.*js"))
    if not files:
        return NOTHING
    return _tool("node", ["--test", *files])


def _types() -> str:
    if not (PACK / "tsconfig.json").is_file():
        return NOTHING
    return _tool("npx", ["-y", "-p", "typescript@5", "tsc", "-p", "tsconfig.json"])


def _tool(name: str, args: list[str]) -> str:
    tool = shutil.which(name)
    if tool is None:
        print(f"\n!!!! {name} IS MISSING: install Node.js to run this part of the tests. !!!!")
        return f"{MISSING} ({name} is missing)"
    print(f"\n== {name} {' '.join(args)}", flush=True)
    return PASSED if subprocess.run([tool, *args], cwd=PACK).returncode == 0 else FAILED
