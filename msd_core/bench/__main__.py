"""`python -m msd_core.bench`."""

import sys

from .command import main

if __name__ == "__main__":
    sys.exit(main())
