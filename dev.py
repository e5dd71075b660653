"""The project's two commands; they need nothing but Python 3.10 and set up the rest themselves.

python dev.py demo      run workflow 00 in a real ComfyUI, else headless, and write out/demo.png
python dev.py test      run all tests; further arguments go to pytest (python dev.py test -k layout)

ComfyUI is looked for in COMFYUI_PATH, around this folder (custom_nodes), in ~/ComfyUI and in .comfyui/, else cloned.
MSD_PYTHON names a ready environment to use instead of .venv. CI=true makes a missing ComfyUI or Node.js a failure.
"""

import signal
import sys

if sys.version_info < (3, 10):  # noqa: UP036 (this file is what an older Python meets first)
    sys.exit(f"Python 3.10 or newer is needed, this is {sys.version.split()[0]}.")

from devtools.demo import run_demo
from devtools.suite import run_tests


def main(args: list[str]) -> int:
    """Runs one command and returns the exit code."""
    sys.stdout.reconfigure(line_buffering=True)
    # Ended from outside, the demo still stops the server that it started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        if args == ["demo"]:
            return run_demo()
        if args[:1] == ["test"]:
            return run_tests(args[1:])
    except KeyboardInterrupt:
        print("\nStopped.")
        return 130
    print(__doc__)
    return 0 if args in (["-h"], ["--help"]) else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
