"""One file of a set, read: what it says in each environment, and what was found in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cache

from schedsync.core.finding import Finding
from schedsync.files.discover import SourceFile
from schedsync.files.document import Document, Part
from schedsync.files.environments import check_environments, part_of, uses_environments
from schedsync.files.first_error import once
from schedsync.files.for_each import refers_to_files
from schedsync.files.ignores import read_ignores
from schedsync.files.schema import check_shape
from schedsync.files.yaml import load


@dataclass(frozen=True, slots=True)
class ReadFile:
    """What one file says: findings whatever the environment, the lines that rules pass over, and a part for each.

    ``entries`` are the lines at which schedules begin, and their names as they are written. ``blob`` is the Git id of
    its bytes; empty where nobody compares it. ``refers`` says that it takes values from other files too.
    """

    path: str
    findings: tuple[Finding, ...]
    by_environment: bool
    ignores: Mapping[int, frozenset[str]]
    part: Callable[[str | None], Part]
    entries: tuple[tuple[int, str], ...] = ()
    blob: str = ""
    refers: bool = False


def read_file(file: SourceFile, environments: Collection[str]) -> ReadFile:
    """Read one file; whatever is wrong with it is among the findings."""
    findings: list[Finding] = []
    data = file.content()
    root, problems = load(data, file.path, file.size)
    findings += problems
    if root is None:
        return ReadFile(file.path, tuple(findings), False, {}, lambda _: Part())
    findings += once(problems, check_shape(root, file.path), {file.path: root})
    document = Document(file.path, root, file.beside)
    check_environments(document, environments, findings.append)
    ignores = read_ignores(data, file.path, findings.append)

    by_environment = uses_environments(document)

    def part(environment: str | None) -> Part:
        return _part(environment if by_environment else None)

    @cache
    def _part(environment: str | None) -> Part:
        found = part_of(document, environment)
        # One problem is said once, whatever else follows from it.
        said = tuple(once(findings, found.findings, {file.path: root}))
        return Part(found.schedules, found.removed, said)

    entries = tuple(sorted((place.line, name) for name, place, _ in document.entries()))
    return ReadFile(
        file.path, tuple(findings), by_environment, ignores, part, entries, refers=refers_to_files(document)
    )
