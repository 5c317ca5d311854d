"""Files become findings and the desired state; imports no Django.

This is the one place where the steps of reading meet: find, read, check the shape, resolve, check the meaning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schedsync.config import Config
from schedsync.core.finding import Finding, in_order
from schedsync.core.schedule import Desired
from schedsync.files.discover import read_files
from schedsync.files.environments import combined
from schedsync.files.one_file import ReadFile, read_file


@dataclass(frozen=True, slots=True)
class ScheduleSet:
    """A set as its files say it, and what was found where the files were looked for."""

    files: tuple[ReadFile, ...]
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


def read_set(config: Config) -> ScheduleSet:
    """Read all files of a set; one bad file hides no other."""
    files, findings = read_files(config.paths, config.root, config.within)
    return ScheduleSet(tuple(read_file(file, config.environments) for file in files), tuple(findings))


def resolve_set(reading: ScheduleSet, environment: str | None) -> tuple[Desired, list[Finding]]:
    """Return what a set wants in one environment, and all findings, each once and in the order of their places."""
    desired, between = combine(reading, environment)
    of_files = [finding for file in reading.files for finding in file.part(environment).findings]
    return desired, in_order([*reading.findings, *of_files, *between])


def combine(reading: ScheduleSet, environment: str | None) -> tuple[Desired, list[Finding]]:
    """Return what a set wants in one environment, and what contradicts between its files."""
    parts = [file.part(environment) for file in reading.files]
    between: list[Finding] = []
    desired = combined(parts, between.append)
    if not between:
        return desired, between
    said = [*reading.findings, *(finding for part in parts for finding in part.findings)]
    spoken_of = {finding.location for finding in said if finding.severity == "error"}
    return desired, [finding for finding in between if finding.location not in spoken_of]
