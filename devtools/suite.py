"""`python dev.py test`: every test the project has, in Python and in JavaScript, and a closing summary."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from .environment import EnvironmentProblem, environment_python
from .host import PACK, find_or_clone_host

PASSED, FAILED, MISSING, NOTHING = "passed", "FAILED", "NOT RUN", "nothing to run"


def run_tests(pytest_args: list[str]) -> int:
    """Runs all tests and returns the exit code: 0 where nothing failed and, with CI=true, nothing was left out."""
    ci = os.environ.get("CI", "").lower() == "true"
    host = find_or_clone_host()
    print(f"ComfyUI: {host or 'none'}")
    try:
        python = environment_python(host, "dev")
    except EnvironmentProblem as problem:
        print(f"\nThe tests can't run: {problem}", file=sys.stderr)
        return 1

    results = {
        "Python tests": _pytest(python, host, pytest_args),
        "JavaScript tests": _node_tests(),
        "JavaScript types": _types(),
    }
    print("\n== summary")
    for name, outcome in results.items():
        print(f"{name:<18}{outcome}")
    if host is None:
        count = _count_host_tests(python)
        print(f"\n!!!! {count} HOST TESTS LEFT OUT: no ComfyUI was found; set COMFYUI_PATH to a ComfyUI folder. !!!!")
    bad = {FAILED, MISSING} if ci else {FAILED}
    failed = any(outcome.startswith(tuple(bad)) for outcome in results.values()) or (ci and host is None)
    print("\nFAILED" if failed else "\nAll that ran passed.")
    return int(failed)


def _pytest(python: Path, host: Path | None, args: list[str]) -> str:
    environment = os.environ | ({"COMFYUI_PATH": str(host)} if host else {})
    done = subprocess.run([python, "-m", "pytest", *args], cwd=PACK, env=environment)
    return PASSED if done.returncode == 0 else f"{FAILED} (pytest ended with {done.returncode})"


def _count_host_tests(python: Path) -> str:
    command = [python, "-m", "pytest", "-m", "host", "--collect-only", "-q"]
    said = subprocess.run(command, cwd=PACK, capture_output=True, text=True).stdout
    counts = re.findall(r"^(\d+)(?:/\d+)? tests? collected", said, re.M)
    return counts[-1] if counts else "ALL"


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
