"""The configuration and the files of a set in a Git commit; the work tree is not touched."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath

from schedsync.config import FILE, MAX_CONFIG_BYTES, PROJECT, SUFFIXES, Config, config_of, table_of
from schedsync.core.finding import Finding
from schedsync.errors import InvalidConfiguration, InvalidSet
from schedsync.files.configurations import check_one_set
from schedsync.files.discover import (
    OutsideError,
    SetTooLarge,
    SourceFile,
    check_size,
    file_finding,
    is_hidden,
    is_source,
    leaving_link,
    printable_path,
    skipped_submodule,
)
from schedsync.files.yaml import MAX_BYTES
from schedsync.git.entries import DIRECTORY, LINK, SUBMODULE, Entry
from schedsync.git.repository import Repository, Tree

#: A chain of more links is taken for a loop.
_MAX_LINKS = 40


def config_at(
    tree: Tree, start: PurePosixPath, shown: Callable[[str], str], *, given: bool, upward: bool = True
) -> Config:
    """Return the configuration of a commit for a path; it is searched upward, as in the work tree, or only there.

    With ``given`` the user chose the path, and it replaces the configured ones. ``shown`` turns a path from the root
    into the path that findings name. Raises InvalidConfiguration.
    """
    for directory in (start, *(start.parents if upward else ())):
        for name in (FILE, PROJECT):
            file = Path(f"{tree.short}:{directory / name}")
            text = _text(tree, directory / name, file)
            if text is not None and (table := table_of(Path(name) if name == FILE else file, text)) is not None:
                base = Path(directory)
                config = config_of(file, table, base, partial(_matches, tree, base))
                config = replace(config, file=Path(shown(str(directory / name))))
                return config if not given else _with_path(config, start)
    return Config(paths=(Path(start),), within=Path())


def _text(tree: Tree, path: PurePosixPath, file: Path) -> str | None:
    entry = tree.entry(path)
    if entry is None or entry.mode in (SUBMODULE, DIRECTORY):
        return None
    if entry.mode == LINK:
        raise InvalidConfiguration(str(file), "a symbolic link, which is not followed in a commit")
    if tree.repository.size(entry.id, str(file)) > MAX_CONFIG_BYTES:
        raise InvalidConfiguration(str(file), "too large for a configuration")
    return tree.repository.read(entry.id, str(file)).decode("utf-8", "replace")


def _with_path(config: Config, start: PurePosixPath) -> Config:
    root = next((path for path in config.paths if start.is_relative_to(path.as_posix())), None)
    return replace(config, paths=(Path(start),), root=root)


def _matches(tree: Tree, base: Path, pattern: str) -> list[Path]:
    """Return the directories and YAML files of a commit that match a pattern of the configuration."""
    parts = PurePosixPath(pattern).parts
    entries = tree.entries(PurePosixPath(base.as_posix()))
    start = "" if base == Path() else f"{base.as_posix()}/"
    below = {path.removeprefix(start) for path in entries}
    below |= directories(below)
    visible = [path for path in sorted(below) if path != "." and not PurePosixPath(path).name.startswith(".")]
    matching = [base / path for path in visible if _fits(tuple(path.split("/")), parts)]
    return [path for path in matching if path.suffix in SUFFIXES or path.as_posix() not in entries]


def _fits(path: Sequence[str], pattern: Sequence[str]) -> bool:
    """Say whether a path matches a pattern, in time proportional to the product of their lengths."""
    # How many parts of the path the parts of the pattern so far can match.
    reached = {0}
    for part in pattern:
        if part == "**":
            reached = set(range(min(reached), len(path) + 1)) if reached else reached
        else:
            reached = {at + 1 for at in reached if at < len(path) and fnmatchcase(path[at], part)}
    return len(path) in reached


def read_tree(
    tree: Tree, config: Config, shown: Callable[[str], str], *, alone: bool = False
) -> tuple[list[SourceFile], list[Finding], bool]:
    """Return the files of a set in a commit, findings about unreadable ones, and whether any of the paths exists.

    ``shown`` turns a path from the root into the path that findings name. With ``alone``, raises WrongUsage if a
    directory has the configuration of another set.
    """
    files: list[SourceFile] = []
    findings: list[Finding] = []
    exists = False
    seen: set[str] = set()
    listing = _listed(tree, [PurePosixPath(base.as_posix()) for base in config.paths])
    for base in config.paths:
        start = PurePosixPath(base.as_posix())
        paths = listing.below(start)
        for path in paths if alone else ():
            _check_one_set(tree, listing.entries[path], shown(path), config.file)
        exists = exists or bool(paths)
        entry = listing.entries.get(start.as_posix())
        if entry is not None and entry.mode == LINK and not is_source(start.name):
            findings.append(leaving_link(printable_path(shown(start.as_posix()))))
            continue
        root = PurePosixPath(Path(config.root).as_posix()) if config.root else start if entry is None else start.parent
        reader = TreeReader(tree, listing, root, shown)
        try:
            for path in paths:
                reader.read(path, start, files, findings, seen)
        except SetTooLarge as error:
            raise InvalidSet([*findings, error.finding]) from None
    return files, findings, exists


def _check_one_set(tree: Tree, entry: Entry, path: str, own: Path | None) -> None:
    name = path.rpartition("/")[2]
    if name in (FILE, PROJECT) and entry.mode not in (LINK, SUBMODULE) and not is_hidden(PurePosixPath(path).parts):
        check_one_set(path, own, lambda: configuration_bytes(tree.repository, entry.id, path))


def configuration_bytes(repository: Repository, blob: str, name: str) -> bytes:
    """Return the bytes of a blob that may be a configuration; nothing of one that is too large for it.

    Raises Unavailable if it is missing, because a set would be left out in silence.
    """
    try:
        return repository.read(blob, name)
    except OSError:
        return b""


def directories(paths: Iterable[str]) -> set[str]:
    """Return the directories of paths, each once, with ``.`` for the root."""
    result = {"."}
    for path in paths:
        parent = path.rpartition("/")[0]
        while parent and parent not in result:
            result.add(parent)
            parent = parent.rpartition("/")[0]
    return result


class Listing:
    """The entries of a tree by their paths, listed once, and its directories; ``size`` is that of the files read."""

    def __init__(self, entries: Mapping[str, Entry]) -> None:
        self.size = 0
        self.entries = entries
        self.paths = sorted(entries)
        self.directories = frozenset(directories(entries))

    def below(self, start: PurePosixPath) -> list[str]:
        """Return the paths at or below a path, in order."""
        if start == PurePosixPath():
            return self.paths
        path = start.as_posix()
        if path in self.entries:
            return [path]
        # "0" is the character after "/".
        return self.paths[bisect_left(self.paths, f"{path}/") : bisect_left(self.paths, f"{path}0")]


def _listed(tree: Tree, starts: Sequence[PurePosixPath]) -> Listing:
    """List the entries below the paths; of a single file its whole directory, because it may refer to other files."""
    if len(starts) > 1:
        return Listing(tree.entries(PurePosixPath()))
    entry = tree.entry(starts[0]) if starts[0] != PurePosixPath() else None
    alone = entry is not None and entry.mode != DIRECTORY
    return Listing(tree.entries(starts[0].parent if alone else starts[0]))


class TreeReader:
    """Reads the files below one directory of a commit; their links must not leave it."""

    def __init__(self, tree: Tree, listing: Listing, root: PurePosixPath, shown: Callable[[str], str]) -> None:
        self.tree, self.root, self.shown = tree, root, shown
        self.listing, self.entries, self.directories = listing, listing.entries, listing.directories

    def read(
        self, path: str, start: PurePosixPath, files: list[SourceFile], findings: list[Finding], seen: set[str]
    ) -> None:
        """Add the file at a path, or a finding about it; hidden files and those without schedules are skipped."""
        inside = PurePosixPath(path).relative_to(start).parts
        name = printable_path(self.shown(path))
        if any(part.startswith(".") for part in inside):
            return
        if self.entries[path].mode == SUBMODULE:
            findings.append(skipped_submodule(name))
            return
        link = PurePosixPath(path)
        # A link without a suffix may lead to a directory; as in the work tree, it must not lead outside.
        if not is_source(link.name) and (self.entries[path].mode != LINK or link.suffix):
            return
        try:
            real, entry = self.followed(path)
            if entry is None or not is_source(PurePosixPath(path).name) or real in seen:
                return
            seen.add(real)
            file = self._file(name, real, entry)
            self.listing.size = check_size(name, len(seen), self.listing.size + file.size)
            files.append(file)
        except OutsideError:
            findings.append(leaving_link(name))
        except OSError as error:
            findings.append(file_finding("SS101", name, f"cannot be read: {error.strerror}"))

    def _file(self, name: str, real: str, entry: Entry) -> SourceFile:
        repository = self.tree.repository
        size = repository.size(entry.id, name)
        # A file that is too large is refused by its size; its content is never needed.
        content = (lambda: b"") if size > MAX_BYTES else lambda: repository.read(entry.id, name)
        return SourceFile(name, size, content, self.beside(PurePosixPath(real).parent), entry.id)

    def beside(self, directory: PurePosixPath) -> Callable[[str], bytes]:
        """Return a function that reads a file by its path relative to a directory."""

        def read(name: str) -> bytes:
            path = self._normal(directory / name)
            if is_hidden(PurePosixPath(path).relative_to(self.root).parts):
                raise OutsideError
            if path not in self.entries:
                raise OSError(2, os.strerror(2))
            _, entry = self.followed(path)
            if entry is None:
                raise OSError(21, os.strerror(21))
            return self.tree.repository.read(entry.id, path)

        return read

    def followed(self, path: str) -> tuple[str, Entry | None]:
        """Return the path and the entry at the end of links; the entry is None for a directory.

        Raises OutsideError if a link leaves the directory, OSError if there is nothing, or the links are a loop.
        """
        for _ in range(_MAX_LINKS):
            entry = self.entries.get(path)
            if entry is None:
                if path in self.directories:
                    return path, None
                raise OSError(2, os.strerror(2))
            if entry.mode != LINK:
                return path, entry
            target = self.tree.repository.read(entry.id, path).decode("utf-8", "surrogateescape")
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
    """Return a function that turns a path from the root into the path that findings name.

    That is relative to the working directory if the directory is in the repository, else absolute.
    """
    here = Path.cwd().resolve()
    if not here.is_relative_to(root):
        return lambda path: (root / path).as_posix()
    return lambda path: Path(os.path.relpath(root / path, here)).as_posix()
