"""The files of a set: every YAML file below its directories, hidden ones passed over."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from schedsync.conf import SUFFIXES
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.errors import WrongUsage
from schedsync.sources.yaml import MAX_BYTES


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file: its path as findings name it, its bytes, where it lies, and the directory that it may not leave."""

    path: str
    data: bytes
    size: int
    real: Path
    root: Path


def read_files(paths: Sequence[Path], root: Path | None = None) -> tuple[list[SourceFile], list[Finding]]:
    """Read the files below the given paths; a path may be one file, and ``root`` the directory of its set.

    Returns files in the order of their paths, each once, and findings for those that cannot be read. Raises
    WrongUsage where a path does not exist: a directory that is gone is no empty set.
    """
    files: list[SourceFile] = []
    findings: list[Finding] = []
    seen: set[Path] = set()

    def unreadable(error: OSError) -> None:
        findings.append(_finding("SS101", str(error.filename), f"cannot be read: {error.strerror}", None))

    for base in paths:
        if not _exists(base):
            raise WrongUsage(f"no such file or directory: `{base}`", hint="give the directory of the schedules as PATH")
        bounds = (base if base.is_dir() else root or base.parent).resolve()
        for path in [base] if base.is_file() else _walk(base, unreadable):
            _read(path, bounds, files, findings, seen)
    return files, findings


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _walk(base: Path, unreadable: Callable[[OSError], None]) -> Iterator[Path]:
    for directory, subdirectories, names in os.walk(base, onerror=unreadable):
        subdirectories[:] = sorted(name for name in subdirectories if not name.startswith("."))
        here = Path(directory)
        yield from (here / name for name in subdirectories if (here / name).is_symlink())
        yield from (here / name for name in sorted(names) if name.endswith(SUFFIXES) and not name.startswith("."))


def _read(path: Path, root: Path, files: list[SourceFile], findings: list[Finding], seen: set[Path]) -> None:
    shown = path.as_posix().encode("utf-8", "backslashreplace").decode()
    try:
        real = path.resolve(strict=True)
        if not real.is_relative_to(root):
            findings.append(
                _finding(
                    "SS105",
                    shown,
                    "a symbolic link that leaves the directory",
                    "copy the file, or add its path",
                )
            )
        elif real.is_file() and real not in seen:
            seen.add(real)
            with real.open("rb") as stream:
                files.append(SourceFile(shown, stream.read(MAX_BYTES + 1), real.stat().st_size, real, root))
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "a loop of symbolic links"
        findings.append(_finding("SS101", shown, f"cannot be read: {reason}", None))


def _finding(code: str, path: str, message: str, hint: str | None) -> Finding:
    return Finding(code, message, Location(path, 1, 1), hint)
