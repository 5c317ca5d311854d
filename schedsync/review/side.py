"""One side of a comparison: a set as it is in the work tree, or in a commit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from schedsync.config import DEFAULT_PATH, Config, read_config
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.sources import Sources, no_sources
from schedsync.errors import InvalidConfiguration, InvalidSet
from schedsync.files.bounds import TextBudget
from schedsync.files.discover import SourceFile, read_files
from schedsync.files.one_file import ReadFile, read_file
from schedsync.files.progress import Progress, each, silent
from schedsync.files.schedule_set import ScheduleSet, set_of
from schedsync.git.repository import Repository, blob_id
from schedsync.git.tree import config_at, read_tree, shown_from


@dataclass(frozen=True, slots=True)
class Side:
    """A set at one side of a comparison: its configuration, what its files say, and where they lie."""

    config: Config
    reading: ScheduleSet
    path: str
    there: bool = True

    def broken(self, environment: str | None) -> frozenset[str]:
        """Return the paths of files that have errors: what they say is not known, or not all of it."""
        findings = [*self.reading.unread]
        for file in self.reading.files:
            findings += [*file.findings, *file.part(environment).findings]
        return frozenset(each.location.path for each in findings if each.severity == "error" and each.location)

    @property
    def place(self) -> Location | None:
        """Where what is about the set as a whole is shown: at its configuration, else at its first file."""
        first = next((file.path for file in self.reading.files), None)
        path = self.config.file.as_posix() if self.config.file else first
        return Location(path, 1, 1) if path else None


def read_work_tree(
    repository: Repository,
    path: str | None,
    sources: Sources = no_sources,
    progress: Progress = silent,
    directory: Path | None = None,
) -> Side:
    """Read a set from the work tree, which it may not leave; ``sources`` knows the values of a ``for_each``."""
    config = read_config(path, repository.root, directory)
    file = config.file and Path(shown_from(repository.root)(repository.inside(config.file).as_posix()))
    config = replace(config, within=repository.root, file=file)
    here = [base for base in config.paths if base.exists() or base.is_symlink()]
    files, findings = read_files(here, config.root, config.within, own=config.file)
    inside = repository.inside(config.paths[0]).as_posix()
    return Side(config, _read(config, files, findings, sources, progress=progress), inside, bool(here))


def read_revision(
    repository: Repository,
    commit: str,
    path: str | None,
    sources: Sources = no_sources,
    other: Side | None = None,
    progress: Progress = silent,
    directory: Path | None = None,
) -> Side:
    """Read a set as it is in a commit, without reading again what the other side of a comparison has read.

    Where its configuration cannot be used there, or ``directory`` has none, it is read by that of the other side.
    """
    tree = repository.tree(commit)
    start = repository.inside(directory or Path(path or DEFAULT_PATH))
    shown = shown_from(repository.root)
    try:
        config = config_at(tree, start, shown, given=path is not None, upward=directory is None)
    except InvalidConfiguration:
        if other is None:
            raise
        config = replace(other.config, paths=(Path(other.path),), root=None)
    if directory is not None and config.file is None and other is not None:
        inside_paths = tuple(Path(repository.inside(base)) for base in other.config.paths)
        config = replace(other.config, paths=inside_paths, root=None)
    # The side that is reviewed must be one set; the other cannot be changed any more.
    files, findings, there = read_tree(tree, config, shown, alone=other is None)
    inside = PurePosixPath(config.paths[0].as_posix()).as_posix()
    return Side(config, _read(config, files, findings, sources, other, progress), inside, there)


def _read(
    config: Config,
    files: Sequence[SourceFile],
    findings: Sequence[Finding],
    sources: Sources,
    other: Side | None = None,
    progress: Progress = silent,
) -> ScheduleSet:
    """Read files, but for those that are the same on the other side: they stay the same objects."""
    # The environments that a configuration declares decide what is found in a file.
    shared = other.reading.files if other and other.config.environments == config.environments else ()
    at_hand = {(file.path, file.blob): file for file in shared if not file.refers_to_files}
    budget = TextBudget()
    reading = each(files, "reading", "files", progress)

    def read(file: SourceFile) -> ReadFile:
        blob = file.blob or blob_id(file.content())
        known = at_hand.get((file.path, blob))
        return known or replace(read_file(file, config.environments, budget, sources), blob=blob)

    result = set_of(reading, findings, config.environments, read)
    if result.is_too_large:
        # Nothing of it is known, so there is nothing to compare.
        raise InvalidSet(result.findings)
    return result
