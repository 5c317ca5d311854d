"""One side of a comparison: a set as it is in the work tree, or in a commit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from schedsync.config import DEFAULT_PATH, Config, read_config
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.sources import Sources, no_sources
from schedsync.errors import InvalidConfiguration, InvalidSet
from schedsync.files.bounds import TextBudget
from schedsync.files.discover import SourceFile, printable_path, read_files, skipped_submodule
from schedsync.files.one_file import ReadFile, read_file
from schedsync.files.progress import Progress, each, silent
from schedsync.files.schedule_set import ScheduleSet, set_of
from schedsync.git.repository import Repository, blob_id
from schedsync.git.sparse import absent_files
from schedsync.git.submodules import checked_out_submodules, is_within, submodules_of
from schedsync.git.tree import config_at, read_tree, shown_from


@dataclass(frozen=True, slots=True)
class Side:
    """A set at one side of a comparison: its configuration, what its files say, and where they lie.

    ``config_known`` is false where its own configuration cannot be used, and that of the other side takes its place.
    ``submodules`` are those among its paths, with their commits; their files are not read.
    """

    config: Config
    reading: ScheduleSet
    path: str
    there: bool = True
    config_known: bool = True
    submodules: Mapping[str, str] = field(default_factory=dict)

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
    paths = [repository.inside(base) for base in config.paths]
    submodules = checked_out_submodules(repository, paths)
    absent = absent_files(config)
    here = [base for base in config.paths if base.exists() or base.is_symlink() or base in absent]
    files, findings = read_files(here, config.root, config.within, own=config.file, enters=False, absent=absent)
    shown = shown_from(repository.root)
    findings = _with_submodules(findings, [shown(path) for path in submodules])
    reading = _read(config, files, findings, sources, repository.algorithm, progress=progress)
    there = bool(here) and not all(is_within(path, submodules) for path in paths)
    return Side(config, reading, paths[0].as_posix(), there, submodules=submodules)


def _with_submodules(findings: Sequence[Finding], paths: Sequence[str]) -> list[Finding]:
    """Return the findings, with one for each submodule that has none: it is not checked out, or a path is in it."""
    known = {each.location.path for each in findings if each.location}
    return [*findings, *(skipped_submodule(path) for path in paths if printable_path(path) not in known)]


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
    known = True
    try:
        config = config_at(tree, start, shown, given=path is not None, upward=directory is None)
    except InvalidConfiguration:
        if other is None:
            raise
        config, known = replace(other.config, paths=(Path(other.path),), root=None), False
    if directory is not None and config.file is None and other is not None:
        inside_paths = tuple(Path(repository.inside(base)) for base in other.config.paths)
        config = replace(other.config, paths=inside_paths, root=None)
    # The side that is reviewed must be one set; the other cannot be changed any more.
    files, findings, there = read_tree(tree, config, shown, alone=other is None)
    paths = [PurePosixPath(path.as_posix()) for path in config.paths]
    submodules = submodules_of(repository, commit, paths)
    findings = _with_submodules(findings, [shown(path) for path in submodules])
    reading = _read(config, files, findings, sources, repository.algorithm, other, progress)
    there = there and not all(is_within(path, submodules) for path in paths)
    return Side(config, reading, paths[0].as_posix(), there, known, submodules)


def read_commit(repository: Repository, commit: str, path: PurePosixPath | None, sources: Sources) -> Side:
    """Read a set as it is in a commit of a repository without a work tree; paths in findings are seen from its root.

    Without ``path`` the configuration is searched from the default path on. Raises InvalidConfiguration, WrongUsage if
    the directory has the configuration of another set, InvalidSet for a set that is too large.
    """
    tree = repository.tree(commit)
    config = config_at(tree, path or PurePosixPath(DEFAULT_PATH), str, given=path is not None)
    files, findings, there = read_tree(tree, config, str, alone=True)
    paths = [PurePosixPath(each.as_posix()) for each in config.paths]
    submodules = submodules_of(repository, commit, paths)
    findings = _with_submodules(findings, [*submodules])
    reading = _read(config, files, findings, sources, repository.algorithm)
    return Side(config, reading, paths[0].as_posix(), there, submodules=submodules)


def _read(
    config: Config,
    files: Sequence[SourceFile],
    findings: Sequence[Finding],
    sources: Sources,
    algorithm: str,
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
        blob = file.blob or blob_id(file.content(), algorithm)
        known = at_hand.get((file.path, blob))
        return known or replace(read_file(file, config.environments, budget, sources), blob=blob)

    result = set_of(reading, findings, config.environments, read)
    if result.is_too_large:
        # Nothing of it is known, so there is nothing to compare.
        raise InvalidSet(result.findings)
    return result
