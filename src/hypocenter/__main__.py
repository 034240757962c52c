"""`python -m hypocenter` is the command `hypocenter`."""

import sys

from hypocenter.cli import main

if __name__ == "__main__":
    sys.exit(main())
