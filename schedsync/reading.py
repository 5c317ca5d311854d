"""Files become findings and the desired state; imports no Django.

This is the one place where the steps of reading meet: find, read, check the shape, resolve, check the meaning.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from schedsync.conf import Config
from schedsync.core.collecting import gc_paused
from schedsync.core.finding import Finding, in_order
from schedsync.core.schedule import Desired
from schedsync.sources.environments import combined
from schedsync.sources.files import read_files
from schedsync.sources.reading import FileReading, read_file


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
    said = reading.findings
    with gc_paused():
        parts = [file.part(environment) for file in reading.files]
        said += [finding for part in parts for finding in part.findings]
        between: list[Finding] = []
        desired = combined(parts, between.append)
    spoken_of = {finding.location for finding in said if finding.severity == "error"}
    said += [finding for finding in between if finding.location not in spoken_of]
    return desired, in_order(said)
