"""``python -m schedsync``, and the console script."""

from __future__ import annotations

import sys


def entry() -> None:
    """Run the process's own command line, and exit; an interrupt is 130 from the first moment on."""
    try:
        from schedsync.cli import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    entry()
