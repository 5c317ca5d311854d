"""``python -m schedsync``, and the console script."""

from __future__ import annotations

import sys
from pathlib import Path


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
    # `python -m` puts the working directory first, and a review's may be anyone's: what needs it, adds it again.
    if sys.path and sys.path[0] in ("", str(Path.cwd())):
        del sys.path[0]
    entry()
