"""One real ComfyUI with all neighbour packs in it, and what comes out of a graph there."""

import itertools
import os
import shutil
import sys
from functools import cached_property
from pathlib import Path

import safetensors.torch
from torch import Tensor

from devtools.server import ComfyServer

from .graph import Node, as_api, upstream
from .models import write_models

STAND_INS = Path(__file__).absolute().parent / "stand_ins"
# Part of a pack that is a repository of its own: folder of the pack, place in it, where it lies beside the packs.
PARTS = [
    ("ComfyUI_UltimateSDUpscale", "repositories/ultimate_sd_upscale", "ultimate-upscale-for-automatic1111"),
]
# Nothing is looked for in the net, whatever a pack does when it is loaded.
NOWHERE = "http://127.0.0.1:9"
OFFLINE = {
    "HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1", "PIP_NO_INDEX": "1", "GIT_TERMINAL_PROMPT": "0",
    "http_proxy": NOWHERE, "https_proxy": NOWHERE, "no_proxy": "127.0.0.1,localhost",
}  # fmt: skip


def packs_folder() -> Path:
    """Where the packs are checked out: the folder that MSD_PACKS names, or ~/packs."""
    return Path(os.environ.get("MSD_PACKS") or Path.home() / "packs").expanduser().absolute()


def found_packs() -> list[Path]:
    """The packs there, in alphabetical order; empty where there is no such folder."""
    folder = packs_folder()
    return sorted(path.parent for path in folder.glob("*/__init__.py")) if folder.is_dir() else []


class PackServer:
    """A server with the packs copied into it, so that what they write beside themselves goes with it."""

    def __init__(self, host: Path):
        # The classic cache keeps the last workflow's results only, so that going back runs anew.
        self.server = ComfyServer(host, sys.executable, options=("--cache-classic",), environment=OFFLINE)
        custom_nodes = self.server.base / "custom_nodes"
        for pack in (*found_packs(), STAND_INS):
            shutil.copytree(pack, custom_nodes / pack.name, ignore=shutil.ignore_patterns(".git", "__pycache__"))
        for pack, place, part in PARTS:
            source, target = packs_folder() / part, custom_nodes / pack / place
            if source.is_dir() and target.parent.is_dir() and not (target.is_dir() and any(target.iterdir())):
                shutil.copytree(source, target, dirs_exist_ok=True)
        write_models(self.server.models)
        self._names, self._tidy = itertools.count(1), 0

    def __enter__(self) -> "PackServer":
        self.server.__enter__()
        return self

    def __exit__(self, *_) -> None:
        self.server.__exit__()

    @cached_property
    def schemas(self) -> dict:
        return self.server.object_info()

    def complaint(self, pack: str) -> str:
        """What the host said where it could not load a pack; empty where it could."""
        folder = self.server.base / "custom_nodes" / pack
        said = [line for line in self.server.log().splitlines() if f"Cannot import {folder} " in line]
        return said[0] if said else ""

    def latents(self, sampled: Node) -> Tensor:
        """The latents that a graph ends in, `[b, 4, h, w]`."""
        return self.latents_and_log(sampled)[0]

    def off(self, a: Node, b: Node) -> float:
        """The largest difference of the latents that two graphs end in."""
        a, b = self.latents(a), self.latents(b)
        assert a.shape == b.shape
        return float((a - b).abs().max())

    def forget(self) -> None:
        """Let the server forget every result, and every model with it."""
        self.latents(Node("EmptyLatentImage", {"width": 64, "height": 64, "batch_size": 1}, number="other"))
        self._tidy = len(self.server.log())

    def tidy(self) -> None:
        """Forget everything if the host has complained of models that something holds on to.

        Packs whose patch refers to the model that carries it have it do so, and it collects garbage at every run then.
        """
        if "memory leak" in self.server.log()[self._tidy :]:
            self.forget()

    def latents_and_log(self, sampled: Node) -> tuple[Tensor, str]:
        """The latents that a graph ends in, and what the server's console said meanwhile."""
        output = Node(
            "SaveLatent", {"samples": sampled, "filename_prefix": f"packs{next(self._names)}"}, number="save"
        )
        entry, log = self.run(output)
        (record,) = entry["outputs"]["save"]["latents"]
        path = self.server.output / record["subfolder"] / record["filename"]
        return safetensors.torch.load_file(path)["latent_tensor"], log

    def run(self, output: Node) -> tuple[dict, str]:
        """Run a graph that ends in an output node; its history entry, and what the console said meanwhile."""
        before = len(self.server.log())
        entry = self.server.run(as_api(upstream(output), self.schemas))
        return entry, self.server.log()[before:]

