"""``schedsync validate``: check the files."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import click

from schedsync.commands.all_sets import Output, Together, for_each_set, set_options
from schedsync.commands.documents import load_snapshot
from schedsync.commands.options import (
    FileOptions,
    all_findings_option,
    format_option,
    option,
    out_option,
    report_option,
    snapshot_option,
    verb,
)
from schedsync.commands.output import say, show, write, write_reports
from schedsync.commands.terminal import columns, is_terminal, progress_line
from schedsync.config import Config
from schedsync.core.finding import Finding, has_errors
from schedsync.core.published import Place
from schedsync.errors import InvalidConfiguration, SchedsyncError, WrongUsage
from schedsync.files.configurations import sets_below, sets_of
from schedsync.files.excerpts import Excerpts
from schedsync.planning.snapshot import Snapshot
from schedsync.render.programs import github, gitlab, json_, junit, sarif
from schedsync.render.terminal.findings import findings as findings_text
from schedsync.render.terminal.findings import severities_text
from schedsync.render.terminal.paint import Paint
from schedsync.render.words import counted
from schedsync.usecases.validate import Validation, together
from schedsync.usecases.validate import validate as check


def _findings(result: Validation) -> Sequence[Finding]:
    return result.findings


RENDERINGS: Mapping[str, Callable[[Validation], str]] = {
    "json": lambda result: json_.findings(result.findings, result.files, result.schedules),
    "github": lambda result: github.findings(result.findings),
    "sarif": lambda result: sarif.findings(result.findings),
    "gitlab": lambda result: gitlab.findings(result.findings),
    "junit": lambda result: junit.findings(result.findings, "validate"),
}
_TOGETHER: Mapping[str, Together[Validation]] = {
    "github": Together(_findings, github.findings),
    "sarif": Together(_findings, sarif.findings),
    "gitlab": Together(_findings, gitlab.findings),
    "junit": Together(_findings, lambda findings: junit.findings(findings, "validate")),
}


@verb("Check the files; needs no database.")
@set_options
@click.argument("more", nargs=-1, metavar="[FILE]...")
@snapshot_option
@format_option(*RENDERINGS)
@out_option
@report_option(RENDERINGS)
@all_findings_option
@option("--strict", is_flag=True, help="Exit 1 also if there are warnings.")
@option(
    "--changed", is_flag=True, help="PATH and each FILE are files that changed: check the sets that they belong to."
)
def validate(
    files: FileOptions,
    more: tuple[str, ...],
    against: Place | None,
    format_: str,
    out: Path | None,
    reports: tuple[tuple[str, Path], ...],
    strict: bool,
    changed: bool,
    verbose: bool,
) -> int:
    """Check the schedules below PATH, a directory or one file, and name every problem with its place.

    Without PATH the configured paths are checked, by default `schedules`. If schedules differ by environment and none
    is chosen, all environments are checked. With --against the tasks and queues of the application are checked too, and
    what its Django settings allow. With --all each set below PATH is checked, and with --changed each set that one of
    the files belongs to. Exits 1 if there are errors.
    """
    _check_usage(files, more, against, changed=changed)
    if changed or files.all_sets:
        sets = _sets(files, more, changed=changed)
        return _validate_sets(sets, files.environment, (format_, out, reports), strict, verbose=verbose)
    snapshot = load_snapshot(against) if against else None
    result = _checked(files.config(), files.environment, snapshot)
    if format_ in RENDERINGS:
        write(RENDERINGS[format_](result), out)
    else:
        show(partial(_text(out, verbose=verbose), result), out)
    write_reports(RENDERINGS, result, reports)
    say(_counts(result))
    return _code(result, strict=strict)


def _checked(config: Config, environment: str | None, snapshot: Snapshot | None = None) -> Validation:
    with progress_line() as progress:
        return check(config, config.chosen(environment), datetime.now(timezone.utc), progress, snapshot)


def _validate_sets(
    sets: Iterable[tuple[Path, Callable[[], Config]]],
    environment: str | None,
    to: tuple[str, Path | None, Sequence[tuple[str, Path]]],
    strict: bool,
    *,
    verbose: bool,
) -> int:
    """Check each set; ``to`` is the format, the file for it, and the reports."""
    results: list[Validation] = []
    failed: list[SchedsyncError] = []

    def check_set(config: Callable[[], Config]) -> Validation:
        try:
            results.append(_checked(config(), environment))
        except SchedsyncError as error:
            failed.append(error)
            raise
        return results[-1]

    output = Output(
        RENDERINGS["json"],
        _text(to[1], verbose=verbose),
        partial(_code, strict=strict),
        together=_TOGETHER,
        is_headed=False,
    )
    code = for_each_set(((directory, partial(check_set, config)) for directory, config in sets), output, *to)
    not_checked = f"; {len(failed):,} set{'s' * (len(failed) != 1)} could not be checked" if failed else ""
    say(_counts(together(results)) + not_checked)
    return code


def _text(out: Path | None, *, verbose: bool) -> Callable[[Validation, Paint], str]:
    """Return the function that writes a result for people; in a terminal it shows the lines of the files too."""
    width = columns(sys.stdout) if out is None and is_terminal(sys.stdout) else None

    def write_text(result: Validation, paint: Paint) -> str:
        if width is None:
            return findings_text(result.findings, paint, verbose=verbose)
        lines = Excerpts(result.findings)
        return findings_text(result.findings, paint, verbose=verbose, excerpt=lines, width=width)

    return write_text


def _code(result: Validation, *, strict: bool) -> int:
    return int(has_errors(result.findings, strict=strict))


def _counts(result: Validation) -> str:
    """Return the last line: how many findings of each severity, in how many schedules and files."""
    of = f"{counted(result.schedules, 'schedule')} in {counted(result.files, 'file')}"
    return f"{severities_text(result.findings)} · {of}"


def _check_usage(files: FileOptions, more: tuple[str, ...], against: Place | None, *, changed: bool) -> None:
    """Raise WrongUsage for options that contradict each other."""
    if more and not changed:
        raise WrongUsage("more than one PATH", hint="give one directory or file, or `--all` for every set below it")
    if files.all_sets and changed:
        raise WrongUsage("`--all` and `--changed` exclude each other")
    if against and (files.all_sets or changed):
        raise WrongUsage("a snapshot is of one set", hint="give the directory of one set as PATH")


def _sets(files: FileOptions, more: tuple[str, ...], *, changed: bool) -> Iterator[tuple[Path, Callable[[], Config]]]:
    """Yield the directory of each set to check, and a function that returns its configuration or raises its error."""
    if not changed:
        yield from ((each, files.of(each).config) for each in sets_below(Path(files.path or ".")))
        return
    for directory, config in sets_of(file for file in (files.path, *more) if file is not None).items():
        yield directory, partial(_usable, config)


def _usable(config: Config | InvalidConfiguration) -> Config:
    if isinstance(config, InvalidConfiguration):
        raise config
    return config
