"""Brings the files of sets into canonical form; imports neither Django nor Celery, and writes nothing itself."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from schedsync.config import Config, absolute
from schedsync.core.finding import Finding, in_order
from schedsync.core.location import Location
from schedsync.errors import InvalidConfiguration
from schedsync.files.discover import SourceFile, printable_path, read_files
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
    wanted = None if only is None else _Wanted(only)
    findings: list[Finding] = []
    results: dict[Path | None, Formatted] = {}
    for read in configs:
        try:
            config = read()
        except InvalidConfiguration as error:
            findings.append(Finding("SS179", error.message, Location(error.path, 1, 1), error.hint))
            continue
        files, unread = read_files(config.paths, config.root, config.within, own=config.file)
        findings += unread if wanted is None else (each for each in unread if wanted.names(each))
        chosen = [file for file in files if file.real not in results and (wanted is None or file.real in wanted.files)]
        for file, result in zip(chosen, _formatted(chosen, config.environments, progress), strict=True):
            results[file.real] = result
    findings += [finding for result in results.values() for finding in result.findings]
    changed = tuple(result for result in results.values() if result.is_changed)
    return Formatting(changed, tuple(in_order(findings)), len(results))


def format_stdin(data: bytes) -> Formatting:
    """Format one file that no path names; it cannot refer to other files."""

    def beside(_name: str) -> bytes:
        raise FileNotFoundError(2, "no file beside the standard input")

    result = formatted(SourceFile(_STDIN, len(data), lambda: data, beside), ())
    return Formatting((result,) if result.is_changed else (), result.findings, 1)


class _Wanted:
    """The only paths to format: the files that they lead to, and their names as findings have them."""

    def __init__(self, paths: Collection[Path]) -> None:
        self.files = {Path(os.path.realpath(path)) for path in paths}
        self.shown = {printable_path(absolute(path).as_posix()) for path in paths}

    def names(self, finding: Finding) -> bool:
        """Say whether a finding about a file that could not be read is about one of the paths."""
        return finding.location is None or absolute(Path(finding.location.path)).as_posix() in self.shown


def _formatted(files: list[SourceFile], environments: Collection[str], progress: Progress) -> Iterator[Formatted]:
    for file in each(files, "formatting", "files", progress):
        result = formatted(replace(file, path=_real_name(file)), environments)
        # The texts of files that stay as they are need no memory.
        yield result if result.is_changed else Formatted(result.path, findings=result.findings)


def _real_name(file: SourceFile) -> str:
    """Return the name of the file that would be written, also where the set has it by a link to it."""
    shown = Path(file.path)
    if file.real is None or Path(os.path.realpath(shown.parent), shown.name) == file.real:
        return file.path
    real = file.real if shown.is_absolute() else Path(os.path.relpath(file.real))
    return printable_path(real.as_posix())
