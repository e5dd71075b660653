"""`python dev.py demo`: workflow 00 in a real ComfyUI, else headless; a picture of what went in and what came out."""

import copy
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from .environment import EnvironmentProblem, environment_python
from .host import PACK, find_or_clone_host
from .server import ComfyServer, ServerError

WORKFLOW = PACK / "tests" / "workflows" / "try_it_now.api.json"
RESULT = PACK / "out" / "demo.png"
HAS_GPU = "import torch as t; print(t.cuda.is_available() or t.backends.mps.is_available() or t.xpu.is_available())"


class DemoProblem(Exception):
    """The demo can't run; the message says why."""


def run_demo() -> int:
    """Runs the demo and returns the exit code."""
    try:
        return _demo()
    except ServerError as problem:
        reason = problem.message
    except (DemoProblem, EnvironmentProblem) as problem:
        reason = str(problem)
    print(f"\nThe demo failed: {reason}", file=sys.stderr)
    return 1


def _demo() -> int:
    workflow = json.loads(WORKFLOW.read_text("utf-8"))
    host = find_or_clone_host()
    with tempfile.TemporaryDirectory() as folder:
        if host:
            print(f"ComfyUI: {host}")
            python = environment_python(host)
            files = run_in_comfyui(host, python, workflow, Path(folder))
        else:
            print("There is no ComfyUI, so the same picture is made without one: python -m msd_core generate --demo")
            python = environment_python(None, "headless")
            files = run_headless(python, workflow, Path(folder))
        _write_sheet(python, workflow, files, Path(folder))
    print(f"The picture is in {RESULT}")
    return 0


def variants(workflow: dict) -> dict[str, dict]:
    """The workflow as it is, with its boxes exchanged, and without the adapter, by the titles of their pictures."""
    swapped, off = copy.deepcopy(workflow), copy.deepcopy(workflow)
    layout = _only(swapped, "MSDiffusionLayout")["inputs"]
    boxes = json.loads(layout["boxes"])
    layout["boxes"] = json.dumps({**boxes, "boxes": boxes["boxes"][::-1]})
    _only(off, "MSDiffusionApply")["inputs"]["scale"] = 0.0
    return {"result": workflow, "boxes swapped": swapped, "adapter off": off}


def run_in_comfyui(host: Path, python: Path, workflow: dict, folder: Path) -> dict[str, Path]:
    """Runs every variant through the HTTP API of a ComfyUI of its own; the pictures' files by title."""
    gpu = subprocess.run([python, "-c", HAS_GPU], capture_output=True, text=True).stdout.strip() == "True"
    print(f"Starting ComfyUI on the {'GPU' if gpu else 'CPU'} ...", flush=True)
    started, files = time.monotonic(), {}
    with ComfyServer(host, python, cpu=not gpu) as server:
        print(f"It is ready after {time.monotonic() - started:.0f} s.")
        for title, variant in variants(workflow).items():
            print(f"\n{title}:", flush=True)
            began = time.monotonic()
            images = server.images(server.run(variant, on_progress=ProgressLine(variant)))
            if not images:
                raise DemoProblem(f"{WORKFLOW.name} saved no image.")
            files[title] = folder / f"{title}.png"
            files[title].write_bytes(server.view(**images[0]))
            print(f"\n  {time.monotonic() - began:.1f} s")
    return files


def run_headless(python: Path, workflow: dict, folder: Path) -> dict[str, Path]:
    """Makes every variant with `python -m msd_core generate`; the pictures' files by title."""
    files = {}
    for title, variant in variants(workflow).items():
        print(f"\n{title}:", flush=True)
        files[title] = folder / f"{title}.png"
        command = [python, "-m", "msd_core", "generate", *headless_options(variant), "--out", files[title]]
        if subprocess.run(command, cwd=PACK).returncode:
            raise DemoProblem("python -m msd_core generate ended with an error; see its words above.")
    return files


def headless_options(workflow: dict) -> list[str]:
    """What a workflow says, as options of `python -m msd_core generate`.

    Raises:
        DemoProblem: it samples with another sampler than euler, which is the one that headless has.
    """
    scene, sampler = Scene.of(workflow), _only(workflow, "KSampler")["inputs"]
    if sampler["sampler_name"] != "euler":
        raise DemoProblem(f"{WORKFLOW.name} samples with {sampler['sampler_name']}, which needs ComfyUI: use euler.")
    options = ["--demo", "--prompt", scene.prompt, "--negative", scene.negative]
    for (kind, seed), phrase, box in zip(scene.drawings, scene.phrases, scene.boxes, strict=True):
        options += ["--subject", f"{kind}#{seed}:{phrase}:{','.join(f'{edge:g}' for edge in box)}"]
    for name, value in {
        "scale": _only(workflow, "MSDiffusionApply")["inputs"]["scale"], "guidance": sampler["cfg"],
        "steps": sampler["steps"], "seed": sampler["seed"], "schedule": sampler["scheduler"],
        "width": scene.width, "height": scene.height,
    }.items():  # fmt: skip
        options += [f"--{name}", str(value)]
    return options


class ProgressLine:
    """Says which node runs and how far it is: on a terminal in lines that rewrite themselves."""

    def __init__(self, workflow: dict):
        self._workflow = workflow
        self._seen: list[str] = []

    def __call__(self, node: str, step: int, steps: int) -> None:
        first = node not in self._seen
        if first:
            self._seen.append(node)
        name = self._workflow.get(node, {}).get("class_type", node)
        line = f"  [{len(self._seen)}/{len(self._workflow)}] {name}" + (f" {step}/{steps}" if steps > 1 else "")
        if sys.stdout.isatty():
            print(("\n" if first and len(self._seen) > 1 else "\r") + line, end="", flush=True)
        elif first or step == steps > 1:
            print(line, flush=True)


@dataclass(frozen=True)
class Scene:
    """What a workflow of drawn subjects shows.

    Attributes:
        drawings: kind and seed of each subject.
        phrases: their phrases.
        boxes: their boxes, x0, y0, x1, y1.
        width, height: of the picture.
        prompt, negative: what the picture shows and what not.
    """

    drawings: tuple[tuple[str, int], ...]
    phrases: tuple[str, ...]
    boxes: tuple[tuple[float, ...], ...]
    width: int
    height: int
    prompt: str
    negative: str

    @classmethod
    def of(cls, workflow: dict) -> "Scene":
        """Reads a workflow in API format.

        Raises:
            DemoProblem: it has not just one layout, encoder and sampler.
        """
        layout, encode, sampler = (
            _only(workflow, kind)["inputs"] for kind in ("MSDiffusionLayout", "MSDiffusionEncode", "KSampler")
        )
        slots = sorted((key for key in encode if key.startswith("subjects.")), key=lambda key: (len(key), key))
        drawn = [workflow[workflow[encode[slot][0]]["inputs"]["image"][0]]["inputs"] for slot in slots]
        boxes = json.loads(layout["boxes"])["boxes"]
        return cls(
            drawings=tuple((drawing["kind"], drawing["seed"]) for drawing in drawn),
            phrases=tuple(drawing["kind"] for drawing in drawn),
            boxes=tuple(tuple(box[edge] for edge in ("x0", "y0", "x1", "y1")) for box in boxes),
            width=layout["width"], height=layout["height"],
            prompt=workflow[sampler["positive"][0]]["inputs"]["text"],
            negative=workflow[sampler["negative"][0]]["inputs"]["text"],
        )  # fmt: skip


def _only(workflow: dict, class_type: str) -> dict:
    nodes = [node for node in workflow.values() if node["class_type"] == class_type]
    if len(nodes) != 1:
        raise DemoProblem(f"{WORKFLOW.name} should have one {class_type} node and has {len(nodes)}.")
    return nodes[0]


def _write_sheet(python: Path, workflow: dict, files: dict[str, Path], folder: Path) -> None:
    """Draws the picture in the environment, which has Pillow."""
    RESULT.parent.mkdir(exist_ok=True)
    scene, table = Scene.of(workflow), folder / "sheet.json"
    shown = {
        "drawings": scene.drawings, "phrases": scene.phrases, "boxes": scene.boxes, "width": scene.width,
        "height": scene.height, "prompt": scene.prompt, "pictures": {title: str(file) for title, file in files.items()},
    }  # fmt: skip
    table.write_text(json.dumps(shown), "utf-8")
    drawn = subprocess.run([python, "-m", "devtools.sheet", table, RESULT], cwd=PACK, capture_output=True, text=True)
    if drawn.returncode:
        raise DemoProblem(f"the picture could not be drawn.\n{drawn.stderr}")
