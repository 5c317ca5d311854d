"""``schedsync validate``: check the files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path

import click

from schedsync.commands.all_sets import set_options
from schedsync.commands.documents import load_snapshot
from schedsync.commands.options import (
    FileOptions,
    format_option,
    option,
    out_option,
    report_option,
    snapshot_option,
    verb,
)
from schedsync.commands.output import say, show, write, write_reports
from schedsync.commands.terminal import progress_line
from schedsync.config import Config
from schedsync.core.finding import has_errors
from schedsync.errors import WrongUsage
from schedsync.files.configurations import sets_below, sets_of
from schedsync.render import github, gitlab, json_, junit, sarif, text
from schedsync.usecases.validate import Validation, together
from schedsync.usecases.validate import validate as check

RENDERINGS: Mapping[str, Callable[[Validation], str]] = {
    "json": lambda result: json_.findings(result.findings, result.files, result.schedules),
    "github": lambda result: github.findings(result.findings),
    "sarif": lambda result: sarif.findings(result.findings),
    "gitlab": lambda result: gitlab.findings(result.findings),
    "junit": lambda result: junit.findings(result.findings, "validate"),
}


@verb("Check the files; needs no database.")
@set_options
@click.argument("more", nargs=-1, metavar="[FILE]...")
@snapshot_option
@format_option(*RENDERINGS)
@out_option
@report_option(RENDERINGS)
@option("--strict", is_flag=True, help="Exit 1 also if there are warnings.")
@option(
    "--changed", is_flag=True, help="PATH and each FILE are files that changed: check the sets that they belong to."
)
def validate(
    files: FileOptions,
    more: tuple[str, ...],
    against: Path | None,
    format_: str,
    out: Path | None,
    reports: tuple[tuple[str, Path], ...],
    strict: bool,
    changed: bool,
) -> int:
    """Check the schedules below PATH, a directory or one file, and name every problem with its place.

    Without PATH the configured paths are checked, by default `schedules`. If schedules differ by environment and none
    is chosen, all environments are checked. With --against the tasks and queues of the application are checked too, and
    what its Django settings allow. With --all each set below PATH is checked, and with --changed each set that one of
    the files belongs to. Exits 1 if there are errors.
    """
    _check_usage(files, more, against, changed=changed)
    snapshot, now = load_snapshot(against) if against else None, datetime.now(timezone.utc)
    with progress_line() as progress:
        results = [
            check(config, config.chosen(files.environment), now, progress, snapshot)
            for config in _configs(files, more, changed=changed)
        ]
    result = together(results)
    findings = result.findings
    if format_ in RENDERINGS:
        write(RENDERINGS[format_](result), out)
    else:
        show(lambda paint: text.findings(findings, paint), out)
    write_reports(RENDERINGS, result, reports)
    errors = sum(finding.severity == "error" for finding in findings)
    say(
        f"{result.schedules:,} schedule{'s' * (result.schedules != 1)} in {result.files:,} "
        f"file{'s' * (result.files != 1)}, {errors or 'no'} error{'s' * (errors != 1)}"
    )
    return int(has_errors(findings, strict=strict))


def _check_usage(files: FileOptions, more: tuple[str, ...], against: Path | None, *, changed: bool) -> None:
    """Raise WrongUsage for options that contradict each other."""
    if more and not changed:
        raise WrongUsage("more than one PATH", hint="give one directory or file, or `--all` for every set below it")
    if files.all_sets and changed:
        raise WrongUsage("`--all` and `--changed` exclude each other")
    if against and (files.all_sets or changed):
        raise WrongUsage("a snapshot is of one set", hint="give the directory of one set as PATH")


def _configs(files: FileOptions, more: tuple[str, ...], *, changed: bool) -> list[Config]:
    """Return the configurations of the sets to check."""
    if changed:
        return sets_of(file for file in (files.path, *more) if file is not None)
    if files.all_sets:
        return [files.of(directory).config() for directory in sets_below(Path(files.path or "."))]
    return [files.config()]
