"""One file of a set, read: what it says in each environment, and the findings in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cache

from schedsync.core.finding import Finding
from schedsync.files.discover import SourceFile
from schedsync.files.document import Document, Part
from schedsync.files.environments import check_environments, part_of, uses_environments
from schedsync.files.first_error import findings_elsewhere
from schedsync.files.for_each import refers_to_files
from schedsync.files.ignores import read_ignores
from schedsync.files.shape import shape_findings
from schedsync.files.yaml import read


@dataclass(frozen=True, slots=True)
class ReadFile:
    """The content of one file.

    ``findings`` are those of all environments, ``ignores`` the codes of rules that are ignored, by line number.
    ``part`` returns what the file gives in one environment. ``schedule_lines`` are the first lines of the schedules,
    in order, with the names as they are written. ``blob`` is the Git id of the bytes, empty if nothing needs it.
    ``refers_to_files`` says whether the file takes values from other files.
    """

    path: str
    findings: tuple[Finding, ...]
    by_environment: bool
    ignores: Mapping[int, frozenset[str]]
    part: Callable[[str | None], Part]
    schedule_lines: tuple[tuple[int, str], ...] = ()
    blob: str = ""
    refers_to_files: bool = False


def read_file(file: SourceFile, environments: Collection[str]) -> ReadFile:
    """Read one file; everything that is wrong with it is among the findings."""
    findings: list[Finding] = []
    data = file.content()
    root, problems = read(data, file.path, file.size)
    findings += problems
    if root is None:
        return ReadFile(file.path, tuple(findings), False, {}, lambda _: Part())
    findings += findings_elsewhere(shape_findings(root, file.path), problems, {file.path: root})
    document = Document(file.path, root, file.beside)
    check_environments(document, environments, findings.append)
    ignores = read_ignores(data, file.path, findings.append)
    by_environment = uses_environments(document)

    def part(environment: str | None) -> Part:
        return _part(environment if by_environment else None)

    # A part is asked for its schedules, for its findings and for those between files; it is read once.
    @cache
    def _part(environment: str | None) -> Part:
        written = part_of(document, environment)
        fresh = findings_elsewhere(written.findings, findings, {file.path: root})
        return replace(written, findings=tuple(fresh))

    return ReadFile(
        file.path, tuple(findings), by_environment, ignores, part,
        schedule_lines=tuple(sorted((place.line, name) for name, place, _ in document.schedules())),
        refers_to_files=refers_to_files(document),
    )  # fmt: skip
