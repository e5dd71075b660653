"""Where tests find the pack's code and its hosts.

- `import msd_core`, `devtools`, `training`, `benchmarks` and `tests` work; the pack's root itself is never on sys.path,
  because its folder `nodes/` would hide ComfyUI's module `nodes`.
- `host`: ComfyUI in this process (harness.py). `comfy_server`: a real ComfyUI process (devtools/server.py), one for the
  whole run. `floor_server`: the same with the oldest supported ComfyUI, which MSD_FLOOR_HOST names.
- Tests below tests/host/ and tests that use one of these fixtures carry the mark `host`.
- Under CI=true nothing may be left out but the tests beside other packs and those that need a GPU.
"""

import importlib.util
import json
import os
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).absolute().parent
PACK = TESTS.parent
HOST_FIXTURES = {"host", "comfy_server", "floor_server"}
IN_CI = os.environ.get("CI", "").lower() == "true"
EVERYTHING = IN_CI or bool(os.environ.get("MSD_ALL_TESTS"))


class PackPackages:
    """Finds the pack's packages that stand on their own, by name and without sys.path."""

    names = ("msd_core", "devtools", "training", "benchmarks")

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name in cls.names:
            folder = PACK / name
            return importlib.util.spec_from_file_location(
                name, folder / "__init__.py", submodule_search_locations=[str(folder)]
            )


sys.path[:] = [entry for entry in sys.path if Path(entry or ".").absolute() != PACK]
sys.meta_path.insert(0, PackPackages)
# Fixed, so that ComfyUI's own folder `tests`, once on sys.path, can't take the name over.
sys.modules["tests"].__path__ = [str(TESTS)]

from devtools.host import find_host  # noqa: E402
from devtools.server import ComfyServer  # noqa: E402
from tests.harness import Host  # noqa: E402

HOST = find_host()

# The same examples on every machine, and no verdict from a clock.
settings.register_profile("pack", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("pack")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    for item in items:
        if HOST_FIXTURES & set(item.fixturenames) or TESTS / "host" in item.path.parents:
            item.add_marker(pytest.mark.host)
    # The browser comes last: an open Playwright keeps an event loop running, beside which ComfyUI can't be set up.
    items.sort(key=lambda item: TESTS / "browser" in item.path.parents)


def pytest_runtest_setup(item):
    if HOST is None and item.get_closest_marker("host"):
        reason = "no ComfyUI found: set COMFYUI_PATH to a ComfyUI folder"
        pytest.fail(reason, pytrace=False) if IN_CI else pytest.skip(reason)
    if item.get_closest_marker("gpu"):
        import torch

        if not torch.cuda.is_available():
            pytest.skip("no GPU")
    if not EVERYTHING and item.get_closest_marker("slow"):
        pytest.skip("slow: set MSD_ALL_TESTS=1 to run it")


LEFT_OUT: Counter = Counter()
KINDS = ("packs", "gpu", "browser", "host")
# Not on every machine, and no machine of CI has to have them.
MAY_BE_LEFT_OUT = {"packs", "gpu"}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        kinds = [kind for kind in KINDS if item.get_closest_marker(kind)]
        _leave_out(report, "slow" if "slow: set" in str(report.longrepr) else next(iter(kinds), "other"))
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    if report.skipped:
        _leave_out(report, "files without their package")
    return report


def _leave_out(report, kind):
    LEFT_OUT[kind] += 1
    if IN_CI and kind not in MAY_BE_LEFT_OUT:
        report.outcome, report.longrepr = "failed", f"left out, which CI does not allow: {report.longrepr[-1]}"


def pytest_terminal_summary(terminalreporter):
    if LEFT_OUT:
        counts = ", ".join(f"{count} {kind}" for kind, count in sorted(LEFT_OUT.items()))
        terminalreporter.write_line(f"left out: {counts}")
    if told := os.environ.get("MSD_LEFT_OUT"):
        Path(told).write_text(json.dumps(dict(sorted(LEFT_OUT.items()))), "utf-8")


@pytest.fixture(scope="session")
def host(tmp_path_factory) -> Host:
    """ComfyUI in this process, with the pack: `host.nodes["MSDiffusionApply"].execute(...)`."""
    return Host(HOST, PACK, tmp_path_factory.mktemp("comfyui"))


@pytest.fixture(scope="session")
def comfy_server():
    """A real ComfyUI process with the pack: `comfy_server.run(workflow)`."""
    with ComfyServer(HOST, sys.executable) as server:
        yield server


@pytest.fixture(scope="module")
def floor_server():
    """A real process of the oldest supported ComfyUI, with the pack."""
    floor = os.environ.get("MSD_FLOOR_HOST")
    if not floor:
        pytest.skip("MSD_FLOOR_HOST names no ComfyUI of the oldest supported version")
    with ComfyServer(Path(floor).expanduser().absolute(), sys.executable) as server:
        yield server
