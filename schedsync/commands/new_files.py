"""Writes files that are not there yet: all of them or none, and never over a file that exists."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path

from schedsync.core.names import first_names
from schedsync.errors import Failed, WrongUsage

_MOST_NAMES = 5


def check_new(files: Iterable[Path], hint: str = "give another directory to `--out`, or move the files away") -> None:
    """Raise WrongUsage where a file exists."""
    present = [f"`{file}`" for file in files if os.path.lexists(file)]
    if present:
        exist = "exists" if len(present) == 1 else "exist"
        message = f"{first_names(present, _MOST_NAMES)} {exist} already"
        raise WrongUsage(message, hint=f"{hint}; nothing was written")


def write_new(files: Mapping[Path, str]) -> None:
    """Write new files, and the directories that they need.

    Raises WrongUsage where a file exists or the place is wrong, Failed where the disk is full or broken; then nothing
    is left of what was written.
    """
    made: list[Path] = []
    try:
        for file, text in files.items():
            made += _make_directories(file.parent)
            made += _make_file(file, text)
    except FileExistsError as error:
        _remove(made)
        raise WrongUsage(f"cannot write `{error.filename2 or error.filename}`: it exists already") from error
    except OSError as error:
        _remove(made)
        kind = WrongUsage if isinstance(error, (NotADirectoryError, PermissionError)) else Failed
        raise kind(f"cannot write `{error.filename}`: {error.strerror}") from error
    except BaseException:
        _remove(made)
        raise


def _make_directories(directory: Path) -> list[Path]:
    missing = [parent for parent in (directory, *directory.parents) if not parent.exists()]
    for parent in reversed(missing):
        parent.mkdir()
    return missing[::-1]


def _make_file(file: Path, text: str) -> list[Path]:
    """Write a file beside its place, then give it its name, which fails where another one has it."""
    beside = file.with_name(f".schedsync-{secrets.token_hex(8)}")
    try:
        with beside.open("x", encoding="utf-8") as stream:
            stream.write(text)
        os.link(beside, file)
    finally:
        beside.unlink(missing_ok=True)
    return [file]


def _remove(made: Iterable[Path]) -> None:
    for path in reversed(list(made)):
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
