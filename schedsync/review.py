"""Files become findings and the desired state; imports no Django.

This is the one place where the steps of reading meet: find, read, check the shape, resolve, check the meaning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from schedsync.conf import Config
from schedsync.core.collecting import gc_paused
from schedsync.core.finding import Finding, in_order
from schedsync.core.schedule import Desired
from schedsync.sources.environments import Document, check_environments, resolve, uses_environments
from schedsync.sources.files import SourceFile, read_files
from schedsync.sources.once import once
from schedsync.sources.schema import check_shape
from schedsync.sources.yaml import load


@dataclass(frozen=True, slots=True)
class Reading:
    """A set as its files say it: the documents, how many files there are, and what was found while reading."""

    documents: tuple[Document, ...]
    files: int
    findings: tuple[Finding, ...]

    @property
    def by_environment(self) -> bool:
        """Whether any schedule differs by environment."""
        return uses_environments(self.documents)


@dataclass(frozen=True, slots=True)
class Validation:
    """What validating a set found, and how much of it there was."""

    findings: tuple[Finding, ...]
    files: int
    schedules: int


def read_set(config: Config) -> Reading:
    """Read all files of a set; one bad file hides no other."""
    with gc_paused():
        files, findings = read_files(config.paths, config.root)
        documents = [document for file in files if (document := _document(file, findings))]
        check_environments(documents, config.environments, findings.append)
    return Reading(tuple(documents), len(files), tuple(findings))


def _document(file: SourceFile, findings: list[Finding]) -> Document | None:
    root, problems = load(file.data, file.path, file.size)
    findings += problems
    if root is None:
        return None
    findings += once(problems, check_shape(root, file.path), {file.path: root})
    return Document(file.path, root, file.real, file.root)


def resolve_set(reading: Reading, environment: str | None) -> tuple[Desired, list[Finding]]:
    """Return what a set wants in one environment, and all findings, each once and in the order of their places."""
    findings: list[Finding] = []
    with gc_paused():
        desired = resolve(reading.documents, environment, findings.append)
    roots = {document.path: document.root for document in reading.documents}
    said = [*reading.findings, *once(reading.findings, findings, roots)]
    return desired, in_order(said)


def validate(config: Config, environment: str | None) -> Validation:
    """Check a set in one environment, or where none is chosen in all that its schedules differ by."""
    reading = read_set(config)
    chosen: Sequence[str | None] = [environment]
    if environment is None and reading.by_environment:
        chosen = config.environments or [None]
    findings: list[Finding] = list(reading.findings)
    names: set[str] = set()
    for one in chosen:
        desired, found = resolve_set(reading, one)
        names |= set(desired.schedules)
        findings += found
    return Validation(tuple(in_order(findings)), reading.files, len(names))
