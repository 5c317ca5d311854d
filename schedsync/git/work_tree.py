"""Which of the files that were read differ from a commit. Git is asked for one list for all files.

The bytes that schedsync read are compared, not those that are on the disk now. No filter of Git runs, and no flag in
the index can hide a difference; only line ends that Git converts do not count as one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from schedsync.config import FILE, PROJECT
from schedsync.files.discover import is_hidden, is_source, printable_path
from schedsync.git.entries import LINK, SUBMODULE, Entry
from schedsync.git.repository import Repository, blob_id

_CONFIGURATIONS = (FILE, PROJECT)


@dataclass
class FilesRead:
    """The files that were read, by their absolute paths, each with the ids that Git may give to its bytes."""

    ids: dict[Path, frozenset[str]] = field(default_factory=dict)

    def note(self, path: Path, data: bytes) -> None:
        """Remember a file and the bytes that were read; of a link, the path in it."""
        texts = {data, data.replace(b"\r\n", b"\n")}
        self.ids[path] = frozenset(name for text in texts for name in _blob_ids(text))


def _blob_ids(data: bytes) -> Iterator[str]:
    """Yield the ids of bytes in repositories that use SHA-1 and in those that use SHA-256."""
    yield blob_id(data)
    yield blob_id(data, "sha256")


def differing_files(repository: Repository, commit: str, bases: Sequence[Path], read: FilesRead) -> tuple[str, ...]:
    """Return the paths of the files that the commit does not have as they were read, from the repository's root.

    Files below ``bases`` that are in the commit and no longer in the work tree differ too, and so do untracked and
    ignored files that were read. Files in submodules do not count.
    """
    root, roots = repository.root.resolve(), [base.resolve() for base in bases]
    asked = {*roots, *read.ids, *_nested_repositories([*read.ids, *roots], root), *_configurations(roots, root)}
    inside = [PurePosixPath(path.relative_to(root).as_posix()) for path in asked if path.is_relative_to(root)]
    entries = repository.entries(commit, _outermost(inside)) if inside else {}
    submodules = [root / path for path, entry in entries.items() if entry.mode == SUBMODULE]
    differing = {path for path, ids in read.ids.items() if _differs(path, ids, entries, root)}
    # A sparse checkout leaves files out; they were read from the index.
    differing |= set(_missing(entries, roots, root)) - read.ids.keys()
    ours = [path for path in differing if not any(path.is_relative_to(directory) for directory in submodules)]
    return tuple(sorted(printable_path(_shown(path, root)) for path in ours))


def _outermost(paths: Sequence[PurePosixPath]) -> list[PurePosixPath]:
    """Return the paths that are not below another one."""
    result: list[PurePosixPath] = []
    for path in sorted(paths):
        if not result or not path.is_relative_to(result[-1]):
            result.append(path)
    return result


def _differs(path: Path, ids: frozenset[str], entries: Mapping[str, Entry], root: Path) -> bool:
    entry = entries.get(path.relative_to(root).as_posix()) if path.is_relative_to(root) else None
    return entry is None or entry.mode == SUBMODULE or entry.id not in ids


def _missing(entries: Mapping[str, Entry], roots: Sequence[Path], root: Path) -> Iterator[Path]:
    """Yield the files of the set, and configurations above them, that the commit has and the work tree has not."""
    for name, entry in entries.items():
        path = root / name
        if entry.mode == SUBMODULE or not (is_source(path.name) or path.name in _CONFIGURATIONS):
            continue
        base = next((base for base in roots if path.is_relative_to(base)), None)
        is_ours = path.name in _CONFIGURATIONS if base is None else not is_hidden(path.relative_to(base).parts)
        if is_ours and not (path.is_symlink() if entry.mode == LINK else path.exists()):
            yield path


def _configurations(roots: Sequence[Path], root: Path) -> set[Path]:
    """Return where a configuration of the set may be: beside its files, and in each directory above."""
    directories = {parent for base in roots for parent in (base, *base.parents) if parent.is_relative_to(root)}
    return {directory / name for directory in directories for name in _CONFIGURATIONS}


def _nested_repositories(paths: Sequence[Path], root: Path) -> set[Path]:
    above = {parent for path in paths for parent in (path, *path.parents) if parent != root}
    return {directory for directory in above if directory.is_relative_to(root) and (directory / ".git").exists()}


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else path.as_posix()
