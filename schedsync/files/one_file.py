"""One file of a set, read: what it says in each environment, and the findings in it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from schedsync.core.finding import Finding
from schedsync.core.sources import Sources, no_sources
from schedsync.files.bounds import MAX_FINDINGS, Findings, Halt, Size, TextBudget
from schedsync.files.discover import SourceFile
from schedsync.files.document import Document, Part
from schedsync.files.environments import check_environments, part_of, uses_environments
from schedsync.files.first_error import findings_elsewhere
from schedsync.files.for_each_values import check_keys, expansion, refers_to_files, refers_to_sources
from schedsync.files.ignores import read_ignores
from schedsync.files.shape import shape_findings
from schedsync.files.yaml import read


@dataclass(frozen=True, slots=True)
class ReadFile:
    """The content of one file.

    ``findings`` are those of all environments, ``ignores`` the codes of rules that are ignored, by line number.
    ``part`` returns what the file gives in one environment. ``schedule_lines`` are the first lines of the schedules,
    in order, with the names as they are written. ``blob`` is the Git id of the bytes, empty if nothing needs it.
    ``refers_to_files`` says whether the file takes values from other files. ``size`` is what the file adds to the set.
    """

    path: str
    findings: tuple[Finding, ...]
    by_environment: bool
    ignores: Mapping[int, frozenset[str]]
    part: Callable[[str | None], Part]
    schedule_lines: tuple[tuple[int, str], ...] = ()
    blob: str = ""
    refers_to_files: bool = False
    size: Size = field(default_factory=Size)


def read_file(
    file: SourceFile,
    environments: Collection[str],
    budget: TextBudget | None = None,
    sources: Sources = no_sources,
) -> ReadFile:
    """Read one file; everything that is wrong with it is among the findings.

    ``budget`` is the text that the schedules of the set may still have. ``sources`` returns the values of a source of
    the application.
    """
    data = file.content()
    root, problems = read(data, file.path, file.size)
    if root is None:
        return ReadFile(file.path, tuple(problems), False, {}, lambda _: Part(), size=Size(findings=len(problems)))
    document = Document(file.path, root, file.beside, budget or TextBudget(), sources)
    findings, ignores = _checked(document, data, problems, environments)
    by_environment = uses_environments(document)
    # The values of a source may be known in one environment only.
    part = _Parts(document, findings, differs=by_environment or refers_to_sources(document))
    return ReadFile(
        file.path, tuple(findings), by_environment, ignores, part,
        schedule_lines=tuple(sorted((place.line, name) for name, place, _ in document.schedules)),
        refers_to_files=refers_to_files(document),
        size=size_of(document, len(findings), environments),
    )  # fmt: skip


class _Parts:
    """What one file says in each environment; a part is read once.

    A document takes more memory than its schedules, so it is forgotten where all environments have the same part.
    """

    def __init__(self, document: Document, findings: Sequence[Finding], *, differs: bool) -> None:
        self._document: Document | None = document
        self._findings, self._differs = findings, differs
        self._known: dict[str | None, Part] = {}

    def __call__(self, environment: str | None) -> Part:
        """Return the part in one environment."""
        key = environment if self._differs else None
        if self._document is not None and key not in self._known:
            self._known[key] = self._read(self._document, key)
            if not self._differs:
                self._document = None
        return self._known[key]

    def _read(self, document: Document, environment: str | None) -> Part:
        written = part_of(document, environment)
        fresh = findings_elsewhere(written.findings, self._findings, {document.path: document.root})
        return replace(written, findings=tuple(fresh))


def _checked(
    document: Document, data: bytes, problems: list[Finding], environments: Collection[str]
) -> tuple[list[Finding], Mapping[int, frozenset[str]]]:
    """Return what is wrong with a file in every environment, and the codes that its comments ignore."""
    findings, ignores = Findings(document.path), {}
    try:
        for finding in problems:
            findings.add(finding)
        shape = findings_elsewhere(
            list(islice(shape_findings(document.root, document.path), MAX_FINDINGS)), problems,
            {document.path: document.root},
        )  # fmt: skip
        for finding in shape:
            findings.add(finding)
        check_environments(document, environments, findings.add)
        check_keys(document, findings.add)
        ignores = read_ignores(data, document.path, findings.add)
    except Halt:
        pass
    return findings.found, ignores


def size_of(document: Document, findings: int, environments: Collection[str]) -> Size:
    """Return what a document adds to its set, without making its schedules."""
    largest, place, count = 1, None, 0
    for _, where, fields in document.schedules:
        made = expansion(document, fields, environments)
        count += made
        if made > largest:
            largest, place = made, where
    return Size(count, document.root.weight, findings, place)
