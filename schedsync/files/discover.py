"""The files of a set: every YAML file below its directories that is not hidden."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from schedsync.config import FILE, PROJECT, SUFFIXES
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.errors import WrongUsage
from schedsync.files.bounds import MAX_FILES, MAX_SET_BYTES, too_large
from schedsync.files.configurations import check_one_set, reader
from schedsync.files.yaml import MAX_BYTES

#: A function that gets the path and the bytes of each file that is read.
Note = Callable[[Path, bytes], None]


class OutsideError(Exception):
    """A path leads out of the directory of the set."""


class SetTooLarge(Exception):
    """The files of the set are too many, or too large together."""

    def __init__(self, finding: Finding) -> None:
        super().__init__(finding.message)
        self.finding = finding


@dataclass(frozen=True, slots=True)
class SourceFile:
    """One file: its path as findings name it, its size in bytes, and its content.

    ``beside`` returns the bytes of another file of the set, by its path relative to this one; it raises OutsideError
    or OSError. ``blob`` is Git's id of the bytes, None unless it is known without reading them. ``real`` is where the
    file is on the disk, with all links followed and its name as the system knows it; None for a file that is not there.
    """

    path: str
    size: int
    content: Callable[[], bytes]
    beside: Callable[[str], bytes]
    blob: str | None = None
    real: Path | None = None


#: Files that are not on the disk although the set has them, by the path of the configuration that they are below.
Absent = Mapping[Path, Sequence[SourceFile]]


def read_files(
    paths: Sequence[Path],
    root: Path | None = None,
    within: Path | None = None,
    note: Note | None = None,
    own: Path | None = None,
    *,
    enters: bool = True,
    absent: Absent = MappingProxyType({}),
) -> tuple[list[SourceFile], list[Finding]]:
    """Read the files below the given paths; a path may be one file, and ``root`` the directory of its set.

    Returns the files in the order of their paths, each once, and findings about files that cannot be read and about
    paths that lead out of ``within``. ``note`` gets the real path and the bytes of each file that is read, and each
    link with the path in it. ``own`` is the configuration of the set. Without ``enters``, repositories within the
    directories are findings, and their files are not read. ``absent`` files are added. Raises WrongUsage if a path does
    not exist, because a missing set is not an empty one, and if a directory has the configuration of another set.
    """
    collector = _Collector(root, within, note or _forget, own, enters=enters)
    for base in paths:
        collector.files += absent.get(base, ())
        if not _exists(base) and base in absent:
            continue
        if not _exists(base):
            raise WrongUsage(f"no such file or directory: `{base}`", hint="give the directory of the schedules as PATH")
        try:
            collector.add(base)
        except SetTooLarge as error:
            return [], [*collector.findings, error.finding]
    return collector.files, collector.findings


class _Collector:
    """The files read so far, each once, and the findings about those that cannot be read."""

    def __init__(self, root: Path | None, within: Path | None, note: Note, own: Path | None, *, enters: bool) -> None:
        self.root, self.within, self.note, self.own, self.enters = root, within, note, own, enters
        self.files: list[SourceFile] = []
        self.findings: list[Finding] = []
        self.seen: set[Path] = set()
        self.bytes = 0

    def add(self, base: Path) -> None:
        """Add the files at or below one path."""
        if self.within is not None:
            if not base.resolve().is_relative_to(self.within.resolve()):
                self.findings.append(leaving_link(base.as_posix()))
                return
            if not self.enters and (nested := _nested(base, self.within)):
                shown = nested if base.is_absolute() else Path(os.path.relpath(nested))
                self.findings.append(skipped_submodule(shown.as_posix()))
                return
        _note_link(base, self.note)
        bounds = (base if base.is_dir() else self.root or base.parent).resolve()
        for path in [base] if base.is_file() else _walk(base, self._skipped, self._unreadable):
            if path != base and path.name in (FILE, PROJECT):
                check_one_set(path.as_posix(), self.own, reader(path))
            else:
                self._read(path, bounds)

    def _skipped(self, directory: Path) -> bool:
        """Say whether a directory is a repository that is not entered, and add the finding."""
        is_skipped = not self.enters and (directory / ".git").exists()
        if is_skipped:
            self.findings.append(skipped_submodule(directory.as_posix()))
        return is_skipped

    def _unreadable(self, error: OSError) -> None:
        self.findings.append(file_finding("SS101", str(error.filename), f"cannot be read: {error.strerror}"))

    def _read(self, path: Path, bounds: Path) -> None:
        shown = printable_path(path.as_posix())
        try:
            # Look where the path leads before looking whether a file is there: nobody is told about files outside.
            real = path.resolve()
            if not real.is_relative_to(bounds) or ".git" in real.relative_to(bounds).parts:
                self.findings.append(leaving_link(shown))
            elif path.resolve(strict=True).is_file() and real not in self.seen:
                self.seen.add(real)
                self.bytes = check_size(shown, len(self.seen), self.bytes + real.stat().st_size)
                self.files.append(_source_file(shown, real, bounds, self.note))
                _note_link(path, self.note)
        except (OSError, RuntimeError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else "a loop of symbolic links"
            self.findings.append(file_finding("SS101", shown, f"cannot be read: {reason}"))


def check_size(path: str, files: int, size: int) -> int:
    """Return the size of the files so far in bytes; raises SetTooLarge if they are too many or too large together."""
    place = Location(path, 1, 1)
    if files > MAX_FILES:
        raise SetTooLarge(too_large(f"more than {MAX_FILES:,} files; a set has at most that many", place))
    if size > MAX_SET_BYTES:
        message = f"{size / 2**20:,.0f} MB of files up to here; a set has at most {MAX_SET_BYTES // 2**20} MB"
        raise SetTooLarge(too_large(message, place))
    return size


def _forget(_path: Path, _data: bytes) -> None:
    """Ignore a file that was read."""


def note_file(path: Path, note: Note) -> None:
    """Give a file that was read elsewhere to ``note``, and the path in it if it is a link; raises OSError."""
    note(path.resolve(), path.read_bytes())
    _note_link(path, note)


def _note_link(path: Path, note: Note) -> None:
    if path.is_symlink():
        absolute = path.absolute()
        note(absolute.parent.resolve() / absolute.name, os.fsencode(path.readlink()))


def _source_file(shown: str, real: Path, bounds: Path, note: Note) -> SourceFile:
    data = _read_bounded(real)
    note(real, data)
    return SourceFile(shown, real.stat().st_size, lambda: data, _beside(real.parent, bounds, note), real=real)


def _read_bounded(path: Path) -> bytes:
    """Return a file's bytes, but never more than one byte over the limit."""
    with path.open("rb") as stream:
        return stream.read(MAX_BYTES + 1)


def _nested(base: Path, within: Path) -> Path | None:
    """Return a directory between ``within`` and a path that is a repository of its own; None without any."""
    real = base.resolve()
    between = [parent for parent in (real, *real.parents) if parent.is_relative_to(within) and parent != within]
    return next((directory for directory in between if (directory / ".git").exists()), None)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError:
        return False


def _walk(base: Path, skipped: Callable[[Path], bool], unreadable: Callable[[OSError], None]) -> Iterator[Path]:
    for directory, subdirectories, names in os.walk(base, onerror=unreadable):
        here = Path(directory)
        visible = sorted(name for name in subdirectories if not name.startswith("."))
        subdirectories[:] = [name for name in visible if not skipped(here / name)]
        yield from (here / name for name in subdirectories if (here / name).is_symlink())
        yield from (here / name for name in sorted(names) if is_source(name) or name in (FILE, PROJECT))


def is_source(name: str) -> bool:
    """Say whether a file of this name contains schedules."""
    return name.endswith(SUFFIXES) and not name.startswith(".")


def _beside(directory: Path, bounds: Path, note: Note) -> Callable[[str], bytes]:
    def read(name: str) -> bytes:
        try:
            real = (directory / name).resolve()
            if not real.is_relative_to(bounds) or is_hidden(real.relative_to(bounds).parts):
                raise OutsideError
            data = _read_bounded(real)
        except (RuntimeError, ValueError) as error:
            raise OSError(0, "not a path of a file") from error
        if len(data) > MAX_BYTES:
            raise OSError(27, os.strerror(27))
        note(real, data)
        return data

    return read


def is_hidden(parts: Iterable[str]) -> bool:
    """Say whether a path contains a hidden name, such as ``.git``; a ConfigMap's ``..data`` is not hidden."""
    return any(part.startswith(".") and not part.startswith("..") for part in parts)


def printable_path(path: str) -> str:
    """Return a path as text that can be printed; bytes that are not UTF-8 become escapes."""
    return path.encode("utf-8", "backslashreplace").decode()


def leaving_link(path: str) -> Finding:
    """Return the finding about a link that leads out of the directory."""
    hint = "copy the file, or add its directory to `paths`"
    return file_finding("SS105", path, "a symbolic link that leaves the directory", hint)


def skipped_submodule(path: str) -> Finding:
    """Return the finding about a repository within the repository."""
    hint = "keep the schedules in this repository"
    place = Location(printable_path(path), 1, 1)
    return Finding("SS165", "a submodule: its files are not read", place, hint, "warning")


def file_finding(code: str, path: str, message: str, hint: str | None = None) -> Finding:
    """Return a finding about a file as a whole, at its first character."""
    return Finding(code, message, Location(path, 1, 1), hint)
