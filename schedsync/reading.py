"""Files become findings and the desired state; imports no Django.

This is the one place where the steps of reading meet: find, read, check the shape, resolve, check the meaning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from schedsync.conf import DEFAULT_PATH, Config, load_config
from schedsync.core.collecting import gc_paused
from schedsync.core.finding import Finding, in_order
from schedsync.core.location import Location
from schedsync.core.schedule import Desired
from schedsync.errors import InvalidConfiguration
from schedsync.sources.cache import read_cached
from schedsync.sources.environments import combined
from schedsync.sources.files import SourceFile, read_files
from schedsync.sources.reading import FileReading, read_file
from schedsync.sources.repository import Repository
from schedsync.sources.revisions import config_at, read_tree, shown_from


@dataclass(frozen=True, slots=True)
class Reading:
    """A set as its files say it, and what was found where the files were looked for."""

    files: tuple[FileReading, ...]
    looking: tuple[Finding, ...] = ()

    @property
    def by_environment(self) -> bool:
        """Whether any schedule differs by environment."""
        return any(file.by_environment for file in self.files)

    @property
    def findings(self) -> list[Finding]:
        """All findings that are the same in every environment."""
        return [*self.looking, *(finding for file in self.files for finding in file.findings)]

    @property
    def ignores(self) -> Mapping[str, Mapping[int, frozenset[str]]]:
        """The lines that rules pass over, by path."""
        return {file.path: file.ignores for file in self.files if file.ignores}

    def environments(self, config: Config, chosen: str | None) -> Sequence[str | None]:
        """Return in which environments to look: the chosen one, or all where schedules differ by them."""
        if chosen is not None or not self.by_environment:
            return [chosen]
        return config.environments or [None]


def read_set(config: Config) -> Reading:
    """Read all files of a set; one bad file hides no other."""
    with gc_paused():
        files, findings = read_files(config.paths, config.root, config.within)
        return Reading(tuple(read_file(file, config.environments) for file in files), tuple(findings))


def resolve_set(reading: Reading, environment: str | None) -> tuple[Desired, list[Finding]]:
    """Return what a set wants in one environment, and all findings, each once and in the order of their places."""
    with gc_paused():
        desired, between = combine(reading, environment)
    of_files = [finding for file in reading.files for finding in file.part(environment).findings]
    return desired, in_order([*reading.findings, *of_files, *between])


def combine(reading: Reading, environment: str | None) -> tuple[Desired, list[Finding]]:
    """Return what a set wants in one environment, and what contradicts between its files."""
    parts = [file.part(environment) for file in reading.files]
    between: list[Finding] = []
    desired = combined(parts, between.append)
    if not between:
        return desired, between
    said = [*reading.findings, *(finding for part in parts for finding in part.findings)]
    spoken_of = {finding.location for finding in said if finding.severity == "error"}
    return desired, [finding for finding in between if finding.location not in spoken_of]


@dataclass(frozen=True, slots=True)
class Side:
    """A set at one side of a comparison: its configuration, what its files say, and where they lie."""

    config: Config
    reading: Reading
    path: str
    there: bool = True

    def broken(self, environment: str | None) -> frozenset[str]:
        """Return the paths of files that have errors: what they say is not known, or not all of it."""
        said = [*self.reading.looking, *(one for file in self.reading.files for one in file.findings)]
        said += [one for file in self.reading.files for one in file.part(environment).findings]
        return frozenset(one.location.path for one in said if one.severity == "error" and one.location)

    @property
    def place(self) -> Location | None:
        """Where what is about the set as a whole is shown: at its configuration, else at its first file."""
        first = next((file.path for file in self.reading.files), None)
        path = self.config.file.as_posix() if self.config.file else first
        return Location(path, 1, 1) if path else None


def read_work_tree(repository: Repository, path: str | None, environment: str | None, cache: Path | None) -> Side:
    """Read a set from the work tree, which it may not leave."""
    config = load_config(path, repository.root)
    file = config.file and Path(shown_from(repository.root)(repository.inside(config.file).as_posix()))
    config = replace(config, within=repository.root, file=file)
    here = [one for one in config.paths if one.exists() or one.is_symlink()]
    files, findings = read_files(here, config.root, config.within)
    inside = repository.inside(config.paths[0]).as_posix()
    return Side(config, _read(config, files, findings, environment, cache), inside, bool(here))


def read_revision(
    repository: Repository,
    commit: str,
    path: str | None,
    environment: str | None,
    cache: Path | None,
    other: Side | None = None,
) -> Side:
    """Read a set as it is in a commit, without reading again what the other side of a comparison has read.

    Where its configuration cannot be used there, it is read by that of the other side.
    """
    tree = repository.tree(commit)
    start = repository.inside(Path(path or DEFAULT_PATH))
    shown = shown_from(repository.root)
    try:
        config = config_at(tree, start, shown, given=path is not None)
    except InvalidConfiguration:
        if other is None:
            raise
        config = replace(other.config, paths=(Path(other.path),), root=None)
    files, findings, there = read_tree(tree, config, shown)
    inside = PurePosixPath(config.paths[0].as_posix()).as_posix()
    return Side(config, _read(config, files, findings, environment, cache, other), inside, there)


def _read(
    config: Config,
    files: Sequence[SourceFile],
    findings: Sequence[Finding],
    environment: str | None,
    cache: Path | None,
    other: Side | None = None,
) -> Reading:
    others = other.config.environments if other else ()
    asked = [None, *dict.fromkeys((*config.environments, *others))] if environment is None else [environment]
    already = other.reading.files if other else ()
    return Reading(tuple(read_cached(files, config.environments, asked, cache, already)), tuple(findings))
