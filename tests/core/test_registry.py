"""What the registry and GitHub are told: pictures, versions, workflows, and what the package holds."""

import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
from PIL import Image

from devtools.host import PACK

tomllib = pytest.importorskip("tomllib", reason="part of Python from 3.11 on")
yaml = pytest.importorskip("yaml")

PROJECT = tomllib.loads((PACK / "pyproject.toml").read_text("utf-8"))
RAW = "https://raw.githubusercontent.com/ms-diffusion-comfyui/ms-diffusion-comfyui/main/"
MEGABYTE = 10**6
ACTIONS = {"actions/checkout", "actions/setup-python", "actions/setup-node", "actions/upload-artifact",
           "Comfy-Org/publish-node-action"}  # fmt: skip


def read_yaml(path: str) -> dict:
    read = yaml.safe_load((PACK / path).read_text("utf-8"))
    # YAML 1.1 reads the key `on` as true.
    return {("on" if key is True else key): value for key, value in read.items()}


def packed() -> list[Path]:
    """The files that `comfy node pack` takes: git's, without those that .comfyignore names."""
    pathspec = pytest.importorskip("pathspec")
    if shutil.which("git") is None or not (PACK / ".git").exists():
        pytest.skip("no git repository")
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=PACK, capture_output=True, check=True).stdout.decode()
    lines = (PACK / ".comfyignore").read_text("utf-8").splitlines()
    ignored = pathspec.GitIgnoreSpec.from_lines(line for line in lines if line and line[0] != "#")
    return [PACK / name for name in listed.split("\0") if name and not ignored.match_file(name)]


@pytest.mark.parametrize(("name", "ratio", "widest"), [("Icon", 1.0, 400), ("Banner", 21 / 9, 2100)])
def test_icon_and_banner_are_in_the_repository_in_the_shapes_that_the_registry_shows(name, ratio, widest):
    address = PROJECT["tool"]["comfy"][name]
    assert address.startswith(RAW)
    file = PACK / address.removeprefix(RAW)
    with Image.open(file) as picture:
        assert picture.width / picture.height == pytest.approx(ratio, abs=0.01)
        assert picture.width <= widest
    assert file.stat().st_size < 200_000


def test_the_version_is_the_same_wherever_it_is_told():
    version = PROJECT["project"]["version"]
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    assert read_yaml("CITATION.cff")["version"] == version
    assert f"\n## {version} " in (PACK / "CHANGELOG.md").read_text("utf-8")


def test_the_floor_is_the_same_wherever_it_is_told():
    floor = PROJECT["tool"]["comfy"]["requires-comfyui"].removeprefix(">=")
    assert f"ComfyUI {floor} or newer" in (PACK / "README.md").read_text("utf-8")


def test_what_pip_installs_for_comfyui_is_what_the_project_depends_on():
    listed = (PACK / "requirements.txt").read_text("utf-8").split()
    assert sorted(listed) == sorted(PROJECT["project"]["dependencies"])


def test_the_package_is_under_16_megabytes_and_holds_what_the_pack_runs_on(tmp_path):
    files = packed()
    names = {file.relative_to(PACK).as_posix() for file in files}
    with zipfile.ZipFile(tmp_path / "node.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for file in files:
            archive.write(file, file.relative_to(PACK))
    assert (tmp_path / "node.zip").stat().st_size < 16 * MEGABYTE
    assert {"__init__.py", "pyproject.toml", "requirements.txt", "LICENSE", "README.md"} <= names
    folders = ("nodes/", "msd_core/", "web/", "locales/", "example_workflows/", "subgraphs/", "msd_core/demo/weights/")
    for folder in folders:
        assert any(name.startswith(folder) for name in names), folder
    left_out = ("tests/", "devtools/", "training/", "benchmarks/", ".ci/", ".github/")
    assert not [name for name in names if name.startswith(left_out)]


def test_nothing_that_is_packed_imports_what_stays_out():
    for file in packed():
        if file.suffix == ".py":
            for line in file.read_text("utf-8").splitlines():
                assert not re.match(r"\s*(from|import) (devtools|training|tests|benchmarks)\b", line), f"{file}: {line}"


@pytest.mark.parametrize("name", ["tests", "publish"])
def test_workflows_are_well_formed_and_use_known_actions_of_fixed_versions(name):
    workflow = read_yaml(f".github/workflows/{name}.yml")
    assert set(workflow) <= {"name", "on", "permissions", "concurrency", "jobs"}
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert set(job) <= {"name", "runs-on", "strategy", "timeout-minutes", "steps"} and job["timeout-minutes"]
        for step in job["steps"]:
            assert ("run" in step) != ("uses" in step)
            if "uses" in step:
                action, _, version = step["uses"].partition("@")
                assert action in ACTIONS and re.fullmatch(r"v\d+", version)


def test_tests_run_on_linux_windows_and_macos():
    jobs = read_yaml(".github/workflows/tests.yml")["jobs"]
    systems = {entry["os"].split("-")[0] for entry in jobs["tests"]["strategy"]["matrix"]["include"]}
    assert systems == {"ubuntu", "windows", "macos"}


def test_issue_forms_have_what_github_asks_for():
    for name in ("fault", "wish"):
        form = read_yaml(f".github/ISSUE_TEMPLATE/{name}.yml")
        assert {"name", "description", "body"} <= set(form)
        ids = [part["id"] for part in form["body"]]
        assert len(ids) == len(set(ids))
        for part in form["body"]:
            assert part["type"] in {"textarea", "input", "dropdown", "checkboxes"}
            assert part["attributes"]["label"]
