"""`python dev.py demo`: two photos' subjects through a real ComfyUI, and a picture of what went in and came out."""

import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .environment import EnvironmentProblem, environment_python
from .host import PACK, find_or_clone_host
from .server import ComfyServer, ServerError

WORKFLOW = PACK / "tests" / "workflows" / "two_photos.api.json"
PHOTO_FOLDERS = (PACK / "example_workflows" / "photos", PACK / "assets" / "photos")
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
    host = find_or_clone_host()
    if host is None:
        raise DemoProblem(
            "it needs a ComfyUI and there is none: not in COMFYUI_PATH, not around this folder (custom_nodes), not in "
            "~/ComfyUI, not in .comfyui/, and it could not be cloned. Set COMFYUI_PATH to a ComfyUI folder."
        )
    print(f"ComfyUI: {host}")
    python = environment_python(host, dev=False)
    workflow = json.loads(WORKFLOW.read_text("utf-8"))
    photos = {name: _photo(name) for name in _photo_names(workflow)}

    gpu = subprocess.run([python, "-c", HAS_GPU], capture_output=True, text=True).stdout.strip() == "True"
    print(f"Starting ComfyUI on the {'GPU' if gpu else 'CPU'} ...", flush=True)
    started = time.monotonic()
    with ComfyServer(host, python, cpu=not gpu) as server:
        print(f"It is ready after {time.monotonic() - started:.0f} s. Running {WORKFLOW.name} ...", flush=True)
        for photo in photos.values():
            shutil.copy(photo, server.input)
        entry = server.run(workflow, on_progress=ProgressLine(workflow))
        images = server.images(entry)
        if not images:
            raise DemoProblem(f"{WORKFLOW.name} saved no image.")
        result = server.view(**images[0])
    print(f"\nDone after {time.monotonic() - started:.0f} s.")
    _write_sheet(python, describe(workflow, photos), result)
    print(f"The picture is in {RESULT}")
    return 0


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
            print(("\n" if first else "\r") + line, end="", flush=True)
        elif first or step == steps > 1:
            print(line, flush=True)


def describe(workflow: dict, photos: dict[str, Path]) -> dict:
    """What the sheet shows of a workflow: photo and phrase of every subject, the layout and the prompt.

    Raises:
        DemoProblem: the workflow has no layout or no encoder with subjects.
    """
    layout = _only(workflow, "MSDiffusionLayout")["inputs"]
    encode = _only(workflow, "MSDiffusionEncode")["inputs"]
    slots = sorted((key for key in encode if key.startswith("subjects.")), key=lambda key: (len(key), key))
    subjects = [workflow[encode[slot][0]] for slot in slots]
    texts = [
        workflow[node["inputs"]["positive"][0]]["inputs"].get("text")
        for node in workflow.values()
        if isinstance(node["inputs"].get("positive"), list)
    ]
    return {
        "subjects": [
            {"photo": str(photos[_source_photo(workflow, subject)]), "phrase": subject["inputs"]["phrase"]}
            for subject in subjects
        ],
        "boxes": json.loads(layout["boxes"])["boxes"],
        "width": layout["width"],
        "height": layout["height"],
        "prompt": next((text for text in texts if isinstance(text, str)), ""),
    }


def _only(workflow: dict, class_type: str) -> dict:
    nodes = [node for node in workflow.values() if node["class_type"] == class_type]
    if len(nodes) != 1:
        raise DemoProblem(f"{WORKFLOW.name} should have one {class_type} node and has {len(nodes)}.")
    return nodes[0]


def _source_photo(workflow: dict, node: dict) -> str:
    """The file name of the LoadImage node that a subject's image comes from, however many nodes lie between."""
    if node["class_type"] == "LoadImage":
        return node["inputs"]["image"]
    for key in ("image", "images", "pixels"):
        if isinstance(node["inputs"].get(key), list):
            return _source_photo(workflow, workflow[node["inputs"][key][0]])
    raise DemoProblem(f"{WORKFLOW.name}: a subject's image does not come from a LoadImage node.")


def _photo_names(workflow: dict) -> list[str]:
    return [node["inputs"]["image"] for node in workflow.values() if node["class_type"] == "LoadImage"]


def _photo(name: str) -> Path:
    for folder in PHOTO_FOLDERS:
        if (folder / name).is_file():
            return folder / name
    raise DemoProblem(f"the photo {name} of {WORKFLOW.name} is in none of {', '.join(map(str, PHOTO_FOLDERS))}.")


def _write_sheet(python: Path, description: dict, result: bytes) -> None:
    RESULT.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        picture, table = Path(folder, "result.png"), Path(folder, "description.json")
        picture.write_bytes(result)
        table.write_text(json.dumps(description), "utf-8")
        script = Path(__file__).with_name("sheet.py")
        drawn = subprocess.run([python, script, table, picture, RESULT], capture_output=True, text=True)
    if drawn.returncode:
        raise DemoProblem(f"the picture could not be drawn.\n{drawn.stderr}")
