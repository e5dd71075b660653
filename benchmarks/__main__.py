"""What MS-Diffusion costs, from counting, timing and measuring on this machine.

    python benchmarks [counted timed memory] [--out out/benchmarks] [--ipadapter ~/packs/ComfyUI_IPAdapter_plus]

With the Python that runs ComfyUI, which is found as `dev.py` finds it (COMFYUI_PATH). Writes tables (benchmarks.md),
all numbers (benchmarks.json) and a plot (benchmarks.png), and needs no model files.

    counted   what a step of real-size SDXL does more with subjects: exact, the same on every machine (minutes)
    timed     how long layers, steps and edits take, on the GPU where there is one
    memory    what loading, encoding and sampling take, and 200 re-queues
"""

import argparse
import importlib.machinery
import importlib.util
import json
import logging
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

PACK = Path(__file__).absolute().parent.parent
PARTS = ("counted", "timed", "memory")


class PackPackages:
    """Finds the repository's packages by name; its root on sys.path would hide ComfyUI's module `nodes`."""

    names = ("msd_core", "devtools", "benchmarks", "tests")

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        folder = PACK / name
        if name not in cls.names:
            return None
        if (folder / "__init__.py").exists():
            return importlib.util.spec_from_file_location(
                name, folder / "__init__.py", submodule_search_locations=[str(folder)]
            )
        spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
        spec.submodule_search_locations = [str(folder)]
        return spec


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        "python benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], default=[], help="all of them by default")
    parser.add_argument("--out", type=Path, default=PACK / "out" / "benchmarks")
    parser.add_argument("--ipadapter", type=Path, help="a folder of ComfyUI_IPAdapter_plus, to be counted beside")
    parser.add_argument("--only", default="", help='counted kinds in whose name this stands, as "auto layout"')
    parser.add_argument("--rounds", type=int, default=9, help="of each timed way")
    parser.add_argument("--into", type=Path, help=argparse.SUPPRESS)
    return parser.parse_args()


def main() -> int:
    options = arguments()
    if options.into is not None:
        options.into.write_text(json.dumps(measured(options)), "utf-8")
        return 0
    from benchmarks import report

    options.out.mkdir(parents=True, exist_ok=True)
    results = {"machine": machine()}
    for part in options.parts or PARTS:
        print(f"{part} ...", file=sys.stderr, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            # A process of its own: a ComfyUI can be set up once, and memory is measured from a fresh start.
            into = Path(folder) / "part.json"
            command = [sys.executable, str(PACK / "benchmarks"), part, "--into", str(into)]
            command += ["--rounds", str(options.rounds), "--only", options.only]
            command += ["--ipadapter", str(options.ipadapter.expanduser().absolute())] if options.ipadapter else []
            subprocess.run(command, check=True)
            results[part] = json.loads(into.read_text("utf-8"))
    tables = [f"Measured on {results['machine']}."]
    if "counted" in results:
        steps = results["counted"]["steps"]
        tables += [report.steps_table(steps), report.axes_table(steps), report.edits_table(results["counted"]["edits"])]
        report.plot(results, options.out / "benchmarks.png")
    if "timed" in results:
        tables.append(report.timings_table(results["timed"]))
    if "memory" in results:
        tables.append(report.memory_table(results["memory"]))
    text = "\n\n".join(tables)
    (options.out / "benchmarks.json").write_text(json.dumps(results, indent=1), "utf-8")
    (options.out / "benchmarks.md").write_text(text + "\n", "utf-8")
    print(text, f"\nWritten to {options.out}", sep="\n")
    return 0


def measured(options: argparse.Namespace) -> object:
    """One part, in a ComfyUI in this process."""
    import torch

    from devtools.host import find_host
    from tests.harness import Host

    path = find_host()
    if path is None:
        raise SystemExit("No ComfyUI found: set COMFYUI_PATH to a ComfyUI folder.")
    (part,) = options.parts
    gpu = part == "timed" and torch.cuda.is_available()
    logging.getLogger("MS-Diffusion").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory() as base:
        host = Host(path, PACK, Path(base), (*(() if gpu else ("--cpu",)), "--use-pytorch-cross-attention"))
        import comfy.utils

        comfy.utils.set_progress_bar_enabled(False)
        if part == "counted":
            from benchmarks.counted import Counted

            counted = Counted(host, options.ipadapter)
            return {"steps": list(counted.steps(options.only)), "edits": list(counted.edits())}
        if part == "timed":
            from benchmarks.timed import timings

            return list(timings(host, options.rounds))
        from benchmarks.memory import adapter_load, runs

        return [*adapter_load(host), *runs(host)]


def machine() -> str:
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    return f"{platform.system()} {platform.machine()}, {gpu}, PyTorch {torch.__version__}"


if __name__ == "__main__":
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").absolute() not in (PACK, PACK / "benchmarks")]
    sys.meta_path.insert(0, PackPackages)
    sys.exit(main())
