"""The command line: `python -m msd_core convert` and `python -m msd_core generate`."""

from __future__ import annotations

import argparse
import sys

from .checkpoint import convert_adapter
from .headless import command as generate


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status, 1 after a one-line error."""
    parser = argparse.ArgumentParser(prog="python -m msd_core", description="MS-Diffusion without a graph.")
    commands = parser.add_subparsers(dest="command", required=True)
    convert = commands.add_parser("convert", help="convert an adapter file from .bin to .safetensors")
    convert.add_argument("source", help="the official ms_adapter.bin")
    convert.add_argument("target", help="the .safetensors file to write")
    generate.add_arguments(commands.add_parser("generate", help="make a picture with Hugging Face diffusers"))
    options = parser.parse_args(arguments)
    try:
        if options.command == "convert":
            convert_adapter(options.source, options.target)
            written = options.target
        else:
            written = generate.run(options)
    except (ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"wrote {written}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
