"""The command `driftline`, also as `python -m stream`: Ctrl-C ends it without a traceback, while it is imported too."""

import sys
from typing import Final

_INTERRUPTED: Final = 130  # EXIT_INTERRUPTED, before it can be imported


def main() -> int:
    """Run one command and return its exit code."""
    try:
        from stream.cli import main as run  # takes most of a second, which is when people notice a mistake
    except KeyboardInterrupt:
        return _INTERRUPTED
    return run()


if __name__ == "__main__":
    sys.exit(main())
