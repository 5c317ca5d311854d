"""The files of a set: every YAML file below its directories, hidden ones passed over."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from schedsync.config import SUFFIXES
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.errors import WrongUsage
from schedsync.files.yaml import MAX_BYTES


class OutsideError(Exception):
    """A path leads out of the directory of the set."""


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file: its path as findings name it, its size, its bytes, and the files of the set by their path from it.

    ``blob`` is Git's id of the bytes, where it is known without reading; ``beside`` raises OutsideError, or OSError.
    """

    path: str
    size: int
    content: Callable[[], bytes]
    beside: Callable[[str], bytes]
    blob: str | None = None


def read_files(
    paths: Sequence[Path], root: Path | None = None, within: Path | None = None
) -> tuple[list[SourceFile], list[Finding]]:
    """Read the files below the given paths; a path may be one file, and ``root`` the directory of its set.

    Returns files in the order of their paths, each once, and findings for those that cannot be read, or for paths
    that lead out of ``within``. Raises WrongUsage where a path does not exist: what is gone is no empty set.
    """
    files: list[SourceFile] = []
    findings: list[Finding] = []
    seen: set[Path] = set()

    def unreadable(error: OSError) -> None:
        findings.append(finding("SS101", str(error.filename), f"cannot be read: {error.strerror}"))

    for base in paths:
        if not _exists(base):
            raise WrongUsage(f"no such file or directory: `{base}`", hint="give the directory of the schedules as PATH")
        if within is not None and not base.resolve().is_relative_to(within.resolve()):
            findings.append(leaving(base.as_posix()))
            continue
        bounds = (base if base.is_dir() else root or base.parent).resolve()
        nested = _nested(base, within) if within is not None else None
        if nested is not None:
            findings.append(submodule(nested.as_posix()))
            continue
        for path in [base] if base.is_file() else _walk(base, unreadable):
            if within is not None and path.is_dir() and not path.is_symlink():
                findings.append(submodule(path.as_posix()))
                continue
            _read(path, bounds, files, findings, seen)
    return files, findings


def _nested(base: Path, within: Path) -> Path | None:
    """Return a directory from ``within`` down to a path that is a repository of its own."""
    real = base.resolve()
    between = [one for one in (real, *real.parents) if one.is_relative_to(within) and one != within]
    return next((one for one in between if (one / ".git").exists()), None)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _walk(base: Path, unreadable: Callable[[OSError], None]) -> Iterator[Path]:
    for directory, subdirectories, names in os.walk(base, onerror=unreadable):
        here = Path(directory)
        visible = sorted(name for name in subdirectories if not name.startswith("."))
        # Repositories within the directory are named, for a review that may not enter them.
        yield from (here / name for name in visible if (here / name / ".git").exists())
        subdirectories[:] = visible
        yield from (here / name for name in subdirectories if (here / name).is_symlink())
        yield from (here / name for name in sorted(names) if is_source(name))


def is_source(name: str) -> bool:
    """Say whether a file of this name holds schedules."""
    return name.endswith(SUFFIXES) and not name.startswith(".")


def _read(path: Path, root: Path, files: list[SourceFile], findings: list[Finding], seen: set[Path]) -> None:
    shown = shown_path(path.as_posix())
    try:
        # Where it leads is asked before whether something is there.
        real = path.resolve()
        if not real.is_relative_to(root) or ".git" in real.relative_to(root).parts:
            findings.append(leaving(shown))
        elif path.resolve(strict=True).is_file() and real not in seen:
            seen.add(real)
            with real.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
            files.append(SourceFile(shown, real.stat().st_size, lambda: data, _beside(real.parent, root)))
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "a loop of symbolic links"
        findings.append(finding("SS101", shown, f"cannot be read: {reason}"))


def _beside(directory: Path, root: Path) -> Callable[[str], bytes]:
    def read(name: str) -> bytes:
        try:
            real = (directory / name).resolve()
            if not real.is_relative_to(root) or is_hidden(real.relative_to(root).parts):
                raise OutsideError
            with real.open("rb") as stream:
                data = stream.read(MAX_BYTES + 1)
        except (RuntimeError, ValueError) as error:
            raise OSError(0, "no path of a file") from error
        if len(data) > MAX_BYTES:
            raise OSError(27, os.strerror(27))
        return data

    return read


def is_hidden(parts: Iterable[str]) -> bool:
    """Say whether a path leads through something hidden, such as ``.git``; a ConfigMap's ``..data`` is none."""
    return any(part.startswith(".") and not part.startswith("..") for part in parts)


def shown_path(path: str) -> str:
    """Return a path as text that can be written out, whatever its bytes are."""
    return path.encode("utf-8", "backslashreplace").decode()


def leaving(path: str) -> Finding:
    """Return the finding for a link that leads out of the directory."""
    return finding("SS105", path, "a symbolic link that leaves the directory", "copy the file, or add its path")


def submodule(path: str) -> Finding:
    """Return the finding for a repository within the repository."""
    hint = "keep the schedules in this repository"
    return Finding("SS165", "a submodule: its files are not read", Location(shown_path(path), 1, 1), hint, "warning")


def finding(code: str, path: str, message: str, hint: str | None = None) -> Finding:
    """Return a finding about a file as a whole."""
    return Finding(code, message, Location(path, 1, 1), hint)
