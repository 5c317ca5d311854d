"""The configuration and the files of a set as a Git revision holds them; the work tree is not touched."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath

from schedsync.config import FILE, LARGEST, PROJECT, SUFFIXES, Config, read_config, table_of
from schedsync.core.finding import Finding
from schedsync.errors import InvalidConfiguration
from schedsync.files.discover import (
    OutsideError,
    SourceFile,
    finding,
    is_hidden,
    is_source,
    leaving,
    shown_path,
    submodule,
)
from schedsync.files.yaml import MAX_BYTES
from schedsync.git.repository import DIRECTORY, LINK, SUBMODULE, Entry, Tree

_FURTHEST_LINK = 40


def config_at(tree: Tree, start: PurePosixPath, shown: Callable[[str], str], *, given: bool) -> Config:
    """Return the configuration of a revision for a path, as for the same path in the work tree.

    ``given`` says that the path was chosen by the user, and replaces the configured ones.
    """
    for directory in (start, *start.parents):
        for name in (FILE, PROJECT):
            file = Path(f"{tree.short}:{directory / name}")
            text = _text(tree, directory / name, file)
            if text is not None and (table := table_of(Path(name) if name == FILE else file, text)) is not None:
                base = Path(directory)
                config = read_config(file, table, base, partial(_matches, tree, file, base))
                config = replace(config, file=Path(shown(str(directory / name))))
                return config if not given else _with_path(config, start)
    return Config(paths=(Path(start),), within=Path())


def _text(tree: Tree, path: PurePosixPath, file: Path) -> str | None:
    entry = tree.entry(path)
    if entry is None or entry.mode in (SUBMODULE, DIRECTORY):
        return None
    if entry.mode == LINK:
        raise InvalidConfiguration(str(file), "a symbolic link; in a revision it is not followed")
    if tree.repository.size(entry.id) > LARGEST:
        raise InvalidConfiguration(str(file), "too large for a configuration")
    return tree.repository.read(entry.id).decode("utf-8", "replace")


def _with_path(config: Config, start: PurePosixPath) -> Config:
    root = next((path for path in config.paths if start.is_relative_to(path.as_posix())), None)
    return replace(config, paths=(Path(start),), root=root)


def _matches(tree: Tree, file: Path, base: Path, pattern: str) -> list[Path]:
    """Return what matches a pattern of the configuration in a revision: directories, and files of schedules."""
    parts = PurePosixPath(pattern).parts
    entries = tree.entries(PurePosixPath(base.as_posix()))
    found: set[str] = set()
    for path in entries:
        inside = PurePosixPath(path).relative_to(base.as_posix()).parts
        found.update("/".join(inside[:length]) for length in range(1, len(inside) + 1))
    wanted = [path for path in sorted(found) if not PurePosixPath(path).name.startswith(".")]
    shown = [base / path for path in wanted if _fits(tuple(path.split("/")), parts)]
    result = [path for path in shown if path.suffix in SUFFIXES or path.as_posix() not in entries]
    if not result:
        raise InvalidConfiguration(str(file), f"`paths`: no directory and no YAML file matches `{pattern}`")
    return result


def _fits(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Say whether a path matches a pattern; each pair of their rests is looked at once."""
    reached = {0}
    for part in pattern:
        if part == "**":
            reached = set(range(min(reached), len(path) + 1)) if reached else reached
        else:
            reached = {at + 1 for at in reached if at < len(path) and fnmatchcase(path[at], part)}
    return len(path) in reached


def read_tree(tree: Tree, config: Config, shown: Callable[[str], str]) -> tuple[list[SourceFile], list[Finding], bool]:
    """Return the files of a set in a revision, findings for those that cannot be read, and whether any path is there.

    ``shown`` makes of a path from the root what findings name.
    """
    files: list[SourceFile] = []
    findings: list[Finding] = []
    there = False
    seen: set[str] = set()
    listing = _listed(tree, [PurePosixPath(base.as_posix()) for base in config.paths])
    for base in config.paths:
        start = PurePosixPath(base.as_posix())
        paths = listing.below(start)
        there = there or bool(paths)
        whole = listing.entries.get(start.as_posix())
        if whole is not None and whole.mode == LINK and not is_source(start.name):
            findings.append(leaving(shown_path(shown(start.as_posix()))))
            continue
        root = PurePosixPath(Path(config.root).as_posix()) if config.root else start if whole is None else start.parent
        reader = _TreeReader(tree, listing, root, shown)
        for path in paths:
            reader.read(path, start, files, findings, seen)
    return files, findings, there


class _Listing:
    """What lies in a tree, listed once: entries by their paths, and the directories."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self.entries = entries
        self.paths = sorted(entries)
        self.directories = frozenset(parent.as_posix() for path in entries for parent in PurePosixPath(path).parents)

    def below(self, start: PurePosixPath) -> list[str]:
        """Return the paths at or below one, in order."""
        if start == PurePosixPath():
            return self.paths
        path = start.as_posix()
        if path in self.entries:
            return [path]
        # "0" is what follows "/".
        return self.paths[bisect_left(self.paths, f"{path}/") : bisect_left(self.paths, f"{path}0")]


def _listed(tree: Tree, starts: Sequence[PurePosixPath]) -> _Listing:
    """List what the paths need: of a file its directory too, where the files lie that it refers to."""
    if len(starts) > 1:
        return _Listing(tree.entries(PurePosixPath()))
    entry = tree.entry(starts[0]) if starts[0] != PurePosixPath() else None
    alone = entry is not None and entry.mode != DIRECTORY
    return _Listing(tree.entries(starts[0].parent if alone else starts[0]))


class _TreeReader:
    """Reads the files below one directory of a revision, which they may not leave."""

    def __init__(self, tree: Tree, listing: _Listing, root: PurePosixPath, shown: Callable[[str], str]) -> None:
        self.tree, self.root, self.shown = tree, root, shown
        self.entries, self.directories = listing.entries, listing.directories

    def read(
        self, path: str, start: PurePosixPath, files: list[SourceFile], findings: list[Finding], seen: set[str]
    ) -> None:
        """Add one entry's file, or what is wrong with it; hidden ones and such as hold no schedules are passed over."""
        inside = PurePosixPath(path).relative_to(start).parts
        name = shown_path(self.shown(path))
        if any(part.startswith(".") for part in inside):
            return
        if self.entries[path].mode == SUBMODULE:
            findings.append(submodule(name))
            return
        link = PurePosixPath(path)
        # A link without a suffix may be one to a directory: in the work tree too, it may not lead outside.
        if not is_source(link.name) and (self.entries[path].mode != LINK or link.suffix):
            return
        try:
            real, entry = self.followed(path)
            if entry is None or not is_source(PurePosixPath(path).name) or real in seen:
                return
            seen.add(real)
            files.append(self._file(name, real, entry))
        except OutsideError:
            findings.append(leaving(name))
        except OSError as error:
            findings.append(finding("SS101", name, f"cannot be read: {error.strerror}"))

    def _file(self, name: str, real: str, entry: Entry) -> SourceFile:
        repository = self.tree.repository
        size = repository.size(entry.id)
        # What is too large is refused by its size alone.
        content = (lambda: b"") if size > MAX_BYTES else lambda: repository.read(entry.id)
        return SourceFile(name, size, content, self._beside(PurePosixPath(real).parent), entry.id)

    def _beside(self, directory: PurePosixPath) -> Callable[[str], bytes]:
        def read(name: str) -> bytes:
            path = self._normal(directory / name)
            if is_hidden(PurePosixPath(path).relative_to(self.root).parts):
                raise OutsideError
            if path not in self.entries:
                raise OSError(2, os.strerror(2))
            _, entry = self.followed(path)
            if entry is None:
                raise OSError(21, os.strerror(21))
            return self.tree.repository.read(entry.id)

        return read

    def followed(self, path: str) -> tuple[str, Entry | None]:
        """Follow links within the directory; the entry is None where they end at a directory."""
        for _ in range(_FURTHEST_LINK):
            entry = self.entries.get(path)
            if entry is None:
                if path in self.directories:
                    return path, None
                raise OSError(2, os.strerror(2))
            if entry.mode != LINK:
                return path, entry
            target = self.tree.repository.read(entry.id).decode("utf-8", "surrogateescape")
            path = self._normal(PurePosixPath(path).parent / target)
        raise OSError(40, "a loop of symbolic links")

    def _normal(self, path: PurePosixPath) -> str:
        if path.is_absolute() or "\0" in str(path):
            raise OutsideError
        parts: list[str] = []
        for part in path.parts:
            if part == ".." and not parts:
                raise OutsideError
            parts = parts[:-1] if part == ".." else [*parts, part]
        result = PurePosixPath(*parts)
        if not result.is_relative_to(self.root):
            raise OutsideError
        return result.as_posix()


def shown_from(root: Path) -> Callable[[str], str]:
    """Return what makes of a path from the root one from the working directory, where that lies in the repository."""
    here = Path.cwd().resolve()
    if not here.is_relative_to(root):
        return lambda path: (root / path).as_posix()
    return lambda path: Path(os.path.relpath(root / path, here)).as_posix()
