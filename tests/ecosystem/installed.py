"""The tools that hook Celery, in a directory of their own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

_ROOT = Path(__file__).parents[2]


class NotInstalled(Exception):
    """The tools are not on this machine and cannot be installed."""


def installed() -> Path:
    """Return the directory with the tools of the group `ecosystem`, installed once for each virtual environment."""
    directory = Path(sys.prefix) / "ecosystem"
    stamp, wanted = directory / "stamp", (_ROOT / "pyproject.toml").read_text(encoding="utf-8")
    if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted:
        return directory
    done = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--upgrade", "--target", str(directory), "--group",
         "ecosystem"],
        cwd=_ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise NotInstalled(f"the tools cannot be installed: {done.stderr.strip()[-300:]}")
    stamp.write_text(wanted, encoding="utf-8")
    return directory
