"""What the packs import and this machine lacks, put in place before any pack is loaded.

- Face models (insightface, facexlib) are stood in for: a face is found in every picture, in its middle, and its
  embedding is drawn with the picture's own brightness as the seed.
- One name each that a snapshot expects of an older host.
"""

import importlib.abc
import importlib.machinery
import sys
from pathlib import Path

import folder_paths

HERE = Path(__file__).absolute().parent


def _older_cosmos(module):
    def apply_rotary_pos_emb(*_):
        raise NotImplementedError("only other models need this")

    module.apply_rotary_pos_emb = apply_rotary_pos_emb


def _older_chroma(module):
    from comfy.ldm.flux.layers import DoubleStreamBlock, SingleStreamBlock

    module.DoubleStreamBlock, module.SingleStreamBlock = DoubleStreamBlock, SingleStreamBlock


NAMES = {"comfy.ldm.cosmos.predict2": _older_cosmos, "comfy.ldm.chroma.layers": _older_chroma}


class Completed(importlib.abc.MetaPathFinder):
    """Adds the missing names to a module of the host right after it has run."""

    def find_spec(self, name, path=None, target=None):
        if name not in NAMES:
            return None
        spec = importlib.machinery.PathFinder.find_spec(name, path, target)
        if spec is not None:
            run = spec.loader.exec_module

            def exec_module(module):
                run(module)
                NAMES[name](module)

            spec.loader.exec_module = exec_module
        return spec


sys.meta_path.insert(0, Completed())
sys.path.append(str(HERE / "modules"))
# One pack imports its own files as custom_nodes.<its folder>.
sys.path.append(folder_paths.base_path)
