"""Brings the files of sets into canonical form; imports neither Django nor Celery, and writes nothing itself."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from schedsync.config import Config, absolute
from schedsync.core.finding import Finding, in_order
from schedsync.core.location import Location
from schedsync.errors import InvalidConfiguration
from schedsync.files.discover import SourceFile, read_files
from schedsync.files.formatting.canonical import Formatted, formatted
from schedsync.files.progress import Progress, each, silent

_STDIN = "<stdin>"


@dataclass(frozen=True, slots=True)
class Formatting:
    """The files that are not in canonical form, the findings about those that stay, and the number of all."""

    changed: tuple[Formatted, ...]
    findings: tuple[Finding, ...]
    files: int

    def not_canonical(self) -> list[Finding]:
        """Return all findings, with one for each file that is not in canonical form."""
        hint = "`schedsync fmt` writes it so; `--diff` shows what it would change"
        found = (Finding("SS182", "not in canonical form", file.place, hint) for file in self.changed)
        return in_order([*self.findings, *found])


def format_sets(
    configs: Iterable[Callable[[], Config]],
    only: Collection[Path] | None = None,
    progress: Progress = silent,
) -> Formatting:
    """Format the files of several sets, each file once; with ``only``, those of them that are among these paths.

    A configuration that cannot be used is a finding, and stops no other set. Raises WrongUsage where a path does not
    exist.
    """
    wanted = None if only is None else {absolute(path) for path in only}
    findings: list[Finding] = []
    results: dict[Path, Formatted] = {}
    for read in configs:
        try:
            config = read()
        except InvalidConfiguration as error:
            findings.append(Finding("SS179", error.message, Location(error.path, 1, 1), error.hint))
            continue
        files, unread = read_files(config.paths, config.root, config.within, own=config.file)
        findings += unread if wanted is None else (each for each in unread if _is_among(each, wanted))
        chosen = [file for file in files if wanted is None or absolute(Path(file.path)) in wanted]
        for result in _formatted(chosen, config.environments, progress):
            results.setdefault(Path(result.path).resolve(), result)
    findings += [finding for result in results.values() for finding in result.findings]
    changed = tuple(result for result in results.values() if result.is_changed)
    return Formatting(changed, tuple(in_order(findings)), len(results))


def format_stdin(data: bytes) -> Formatting:
    """Format one file that no path names; it cannot refer to other files."""

    def beside(_name: str) -> bytes:
        raise FileNotFoundError(2, "no file beside the standard input")

    result = formatted(SourceFile(_STDIN, len(data), lambda: data, beside), ())
    return Formatting((result,) if result.is_changed else (), result.findings, 1)


def _is_among(finding: Finding, wanted: Collection[Path]) -> bool:
    return finding.location is None or absolute(Path(finding.location.path)) in wanted


def _formatted(files: list[SourceFile], environments: Collection[str], progress: Progress) -> Iterator[Formatted]:
    for file in each(files, "formatting", "files", progress):
        result = formatted(file, environments)
        # The texts of files that stay as they are need no memory.
        yield result if result.is_changed else Formatted(file.path, findings=result.findings)
