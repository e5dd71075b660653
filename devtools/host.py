"""Finding a ComfyUI to run in."""

import os
import shutil
import subprocess
from pathlib import Path

REPOSITORY = "https://github.com/Comfy-Org/ComfyUI"
TAG = "v0.33.0"
PACK = Path(__file__).absolute().parent.parent


def is_comfyui(folder: Path) -> bool:
    """Whether `folder` is a ComfyUI checkout."""
    return (folder / "main.py").is_file() and (folder / "comfy" / "cli_args.py").is_file()


def candidates() -> list[Path]:
    """The places a ComfyUI may stand in, in the order they are asked."""
    places = []
    if os.environ.get("COMFYUI_PATH"):
        places.append(Path(os.environ["COMFYUI_PATH"]).expanduser().absolute())
    if PACK.parent.name == "custom_nodes":
        places.append(PACK.parent.parent)
    return [*places, Path.home() / "ComfyUI", PACK / ".comfyui"]


def find_host() -> Path | None:
    """The first candidate that is a ComfyUI checkout; None where there is none. Downloads nothing."""
    return next((place for place in candidates() if is_comfyui(place)), None)


def find_or_clone_host() -> Path | None:
    """As `find_host`, and as the last resort the pinned release cloned into `.comfyui/`. None where that fails too."""
    host = find_host()
    wanted = os.environ.get("COMFYUI_PATH")
    if wanted and host != candidates()[0]:
        print(f"COMFYUI_PATH={wanted} holds no ComfyUI (no main.py beside a comfy/ folder); looking elsewhere.")
    return host or _clone(PACK / ".comfyui")


def _clone(target: Path) -> Path | None:
    if not shutil.which("git"):
        print("No ComfyUI found, and no git to clone one with.")
        return None
    print(f"No ComfyUI found; cloning {TAG} from {REPOSITORY} into {target} ...", flush=True)
    half = target.with_name(target.name + ".part")
    shutil.rmtree(half, ignore_errors=True)
    command = ["git", "-c", "advice.detachedHead=false", "clone", "--depth", "1", "--branch", TAG, REPOSITORY, half]
    done = subprocess.run(command, env=os.environ | {"GIT_TERMINAL_PROMPT": "0"})
    if done.returncode or not is_comfyui(half):
        shutil.rmtree(half, ignore_errors=True)
        print("Cloning failed.")
        return None
    shutil.rmtree(target, ignore_errors=True)
    half.rename(target)
    return target
