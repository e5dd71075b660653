"""ComfyUI inside this process, with the pack loaded the way ComfyUI loads it.

Import ComfyUI's modules only inside tests and fixtures that use the `host` fixture: before it runs they are not
importable, and where no ComfyUI is installed the tests must still be collected and counted.
"""

import asyncio
import importlib
import logging
import sys
from pathlib import Path
from types import ModuleType


class Host:
    """A ComfyUI in this process, with a base directory of its own, and the pack in it.

    Attributes:
        nodes: node id -> class, the pack's nodes and ComfyUI's own.
        pack: the pack's root package.
        path: the ComfyUI checkout.
        base: the base directory (models/, input/, output/ ...).
    """

    def __init__(self, path: Path, pack: Path, base: Path, options: tuple[str, ...] = ("--cpu",)):
        """
        Args:
            path: the ComfyUI checkout.
            pack: the pack's folder.
            base: an empty folder.
            options: arguments of ComfyUI's command line.
        """
        self.path, self.base = path, base
        self._nodes = _import_comfyui(path, base, options)
        self.nodes: dict[str, type] = self._nodes.NODE_CLASS_MAPPINGS
        asyncio.run(self._nodes.init_builtin_extra_nodes())
        self.pack = self.load(pack)

    def module(self, name: str) -> ModuleType:
        """One of the pack's modules as ComfyUI sees it: `host.module("msd_core.layout")`.

        Its classes are not those of a plain `import msd_core.layout`, which is a second copy outside the pack.
        """
        return importlib.import_module(f"{self.pack.__name__}.{name}")

    def call(self, node_id: str, **inputs) -> tuple:
        """Executes one node, the pack's or ComfyUI's own, and returns its outputs."""
        node = self.nodes[node_id]
        if hasattr(node, "GET_SCHEMA"):
            return node.EXECUTE_NORMALIZED(**inputs).args
        return getattr(node(), node.FUNCTION)(**inputs)

    def load(self, pack: Path) -> ModuleType:
        """Loads a pack as ComfyUI does; returns its root package."""
        said: list[str] = []
        listener = logging.Handler(logging.WARNING)
        listener.emit = lambda record: said.append(record.getMessage())
        logging.getLogger().addHandler(listener)
        try:
            loaded = asyncio.run(self._nodes.load_custom_node(str(pack)))
        finally:
            logging.getLogger().removeHandler(listener)
        if not loaded:
            raise RuntimeError(f"ComfyUI could not load {pack}:\n" + "\n".join(said))
        return sys.modules[str(pack).replace(".", "_x_")]


def _import_comfyui(path: Path, base: Path, options: tuple[str, ...]) -> ModuleType:
    """Imports ComfyUI with the arguments that a test run needs; returns its module `nodes`."""
    for folder in ("custom_nodes", "input", "output", "models", "temp", "user"):
        (base / folder).mkdir(exist_ok=True)
    sys.path.insert(0, str(path))
    import comfy.options

    arguments = ["main.py", *options, "--base-directory", str(base), "--database-url", "sqlite:///:memory:"]
    given, sys.argv = sys.argv, arguments
    comfy.options.enable_args_parsing()
    try:
        import comfy.cli_args
    finally:
        sys.argv = given
        comfy.options.enable_args_parsing(False)
    if comfy.cli_args.args.base_directory != str(base):
        raise RuntimeError("comfy.cli_args was imported before its arguments were given: import it in tests.")

    import nodes

    if Path(nodes.__file__).parent != path:
        raise RuntimeError(f"`import nodes` found {nodes.__file__}, not ComfyUI's: keep the pack's root off sys.path.")
    return nodes
