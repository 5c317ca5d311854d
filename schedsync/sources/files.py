"""The files of a set: every YAML file below its directories, hidden ones passed over."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.errors import WrongUsage
from schedsync.sources.yaml import MAX_BYTES

SUFFIXES = (".yaml", ".yml")


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file: its path as findings name it, its bytes, where it lies, and the directory that it may not leave."""

    path: str
    data: bytes
    real: Path
    root: Path


def read_files(paths: Sequence[Path]) -> tuple[list[SourceFile], list[Finding]]:
    """Read the files below the given paths; a path may be one file.

    Returns files in the order of their paths, each once, and findings for those that cannot be read. Raises
    WrongUsage where a path does not exist: a directory that is gone is no empty set.
    """
    files: list[SourceFile] = []
    findings: list[Finding] = []
    seen: set[Path] = set()
    for base in paths:
        if not base.exists():
            raise WrongUsage(f"no such file or directory: `{base}`", hint="give the directory of the schedules as PATH")
        for path in [base] if base.is_file() else _walk(base):
            _read(path, base, files, findings, seen)
    return files, findings


def _walk(base: Path) -> Iterator[Path]:
    for directory, subdirectories, names in os.walk(base):
        subdirectories[:] = sorted(name for name in subdirectories if not name.startswith("."))
        here = Path(directory)
        yield from (here / name for name in subdirectories if (here / name).is_symlink())
        yield from (here / name for name in sorted(names) if name.endswith(SUFFIXES) and not name.startswith("."))


def _read(path: Path, base: Path, files: list[SourceFile], findings: list[Finding], seen: set[Path]) -> None:
    shown = path.as_posix()
    root = (base if base.is_dir() else base.parent).resolve()
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
                files.append(SourceFile(shown, _limited(stream.read(MAX_BYTES + 1), real), real, root))
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "a loop of symbolic links"
        findings.append(_finding("SS101", shown, f"cannot be read: {reason}", None))


def _limited(data: bytes, real: Path) -> bytes:
    """Return the data; a file over the limit as so many zeros as it has, so that its size can be told unread."""
    return data if len(data) <= MAX_BYTES else bytes(real.stat().st_size)


def _finding(code: str, path: str, message: str, hint: str | None) -> Finding:
    return Finding(code, message, Location(path, 1, 1), hint)
