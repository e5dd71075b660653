"""The command line: `python -m msd_core convert` and `python -m msd_core generate`."""

from __future__ import annotations

import argparse
import sys

from .checkpoint import DTYPES, convert_adapter
from .headless import command as generate


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status, 1 after a one-line error."""
    parser = argparse.ArgumentParser(prog="python -m msd_core", description="MS-Diffusion without a graph.")
    commands = parser.add_subparsers(dest="command", required=True)
    convert = commands.add_parser("convert", help="write an adapter as .safetensors, half as large if wanted")
    convert.add_argument("source", help="ms_adapter.bin, or the file or folder of a training checkpoint")
    convert.add_argument("target", help="the .safetensors file to write")
    convert.add_argument(
        "--dtype", choices=DTYPES, help="how numbers are kept; fp16 halves ms_adapter.bin (default: as in the source)"
    )
    generate.add_arguments(commands.add_parser("generate", help="make a picture with Hugging Face diffusers"))
    options = parser.parse_args(arguments)
    try:
        written = _convert(options) if options.command == "convert" else generate.run(options)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"wrote {written}")
    return 0


def _convert(options: argparse.Namespace) -> str:
    """Convert as asked; returns what was written."""
    size, left_out = convert_adapter(options.source, options.target, DTYPES.get(options.dtype))
    others = f", without {left_out} tensors that are not the adapter's" if left_out else ""
    return f"{options.target} ({size / 1e6:.1f} MB{others})"


if __name__ == "__main__":
    sys.exit(main())
