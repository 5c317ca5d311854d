"""``python -m schedsync``, and the console script."""

from __future__ import annotations

import gc
import sys
from pathlib import Path


def entry() -> None:
    """Run the command line of the process, and exit; an interrupt is exit code 130 even during the imports."""
    # Collections, the last one at exit among them, would free nothing but what the end of the process frees.
    gc.disable()
    try:
        from schedsync.cli import run

        code = run(sys.argv[1:])
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        code = 130
    sys.exit(code)


if __name__ == "__main__":
    # `python -m` puts the working directory first on the path. A review runs in directories that nobody trusts, so
    # it is removed; verbs that need Django add it again.
    if sys.path and sys.path[0] in ("", str(Path.cwd())):
        del sys.path[0]
    entry()
