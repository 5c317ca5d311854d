"""The files of a set that a sparse checkout leaves out of the work tree: they are read from the index."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath

from schedsync.config import Config
from schedsync.core.finding import Finding
from schedsync.errors import InvalidSet, Unavailable
from schedsync.files.discover import Absent, Note, SourceFile
from schedsync.git.entries import SUBMODULE, Entry, bounded_entries
from schedsync.git.repository import Repository, Tree, open_repository, root_of
from schedsync.git.tree import Listing, TreeReader, shown_from


def absent_files(config: Config, note: Note | None = None) -> Absent:
    """Return the files that a sparse checkout leaves out, by the path of the configuration that they are below.

    ``note`` gets each of them, as if it was read from the work tree. Raises Unavailable where a partial clone does not
    have them, InvalidSet where one cannot be read.
    """
    root = root_of(config.paths[0])
    if root is None or not _is_sparse(root):
        return {}
    with open_repository(config.paths[0]) as repository:
        starts = {base: repository.inside(base) for base in config.paths}
        entries, absent = _index(repository, list(starts.values()))
        found = {base: _read(repository, config, base, start, entries, absent) for base, start in starts.items()}
    for path, file in ((path, file) for files in found.values() for path, file in files.items()):
        if note is not None:
            note(root.resolve() / path, file.content())
    return {base: list(files.values()) for base, files in found.items() if files}


def _is_sparse(root: Path) -> bool:
    """Say whether the checkout was ever made sparse; it costs no process."""
    git = root / ".git"
    try:
        if git.is_file():
            git = root / git.read_text(encoding="utf-8").removeprefix("gitdir:").strip()
        return (git / "info/sparse-checkout").is_file()
    except (OSError, ValueError):
        return False


def _index(repository: Repository, paths: Sequence[PurePosixPath]) -> tuple[Mapping[str, Entry], frozenset[str]]:
    """Return what the index has at and below the paths, and which of it is left out of the work tree."""
    listed = list(_lines(repository, paths))
    entries = bounded_entries(((path, entry) for path, entry, _ in listed), "the index")
    skipped = [path for path, entry, is_skipped in listed if is_skipped and entry.mode != SUBMODULE]
    absent = [path for path in skipped if not (repository.root / path).exists()]
    return entries, frozenset(absent)


def _lines(repository: Repository, paths: Sequence[PurePosixPath]) -> Iterator[tuple[str, Entry, bool]]:
    words = [] if PurePosixPath() in paths else ["--", *(path.as_posix() for path in paths)]
    output = repository.index(*words)
    if output is None:
        raise Unavailable("the index cannot be read, so the files of a sparse checkout are not known")
    for line in output.split("\0"):
        details, tab, path = line.partition("\t")
        if tab:
            tag, mode, object_id, _ = details.split(" ")
            yield path, Entry(mode, object_id), tag == "S"


def _read(
    repository: Repository,
    config: Config,
    base: Path,
    start: PurePosixPath,
    entries: Mapping[str, Entry],
    absent: frozenset[str],
) -> dict[str, SourceFile]:
    files: dict[str, SourceFile] = {}
    findings: list[Finding] = []
    listing = Listing(entries)
    root = repository.inside(config.root) if config.root else start.parent if start.as_posix() in entries else start
    shown = shown_from(repository.root)
    reader = TreeReader(Tree(repository, "the index"), listing, root, shown)
    for path in (path for path in listing.below(start) if path in absent):
        fresh: list[SourceFile] = []
        reader.read(path, start, fresh, findings, set())
        for file in fresh:
            files[path] = _kept(file, base, path, listing, root)
    if findings:
        raise InvalidSet(findings)
    return files


def _kept(file: SourceFile, base: Path, path: str, listing: Listing, root: PurePosixPath) -> SourceFile:
    """Return a file whose bytes are at hand, and whose neighbours are read when they are needed."""
    data = file.content()
    return replace(file, content=lambda: data, beside=_beside(base, PurePosixPath(path).parent, listing, root))


def _beside(base: Path, directory: PurePosixPath, listing: Listing, root: PurePosixPath) -> Callable[[str], bytes]:
    def read(name: str) -> bytes:
        with open_repository(base) as repository:
            reader = TreeReader(Tree(repository, "the index"), listing, root, shown_from(repository.root))
            return reader.beside(directory)(name)

    return read
