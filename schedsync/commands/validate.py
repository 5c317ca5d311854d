"""``schedsync validate``: check the files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timezone
from pathlib import Path

from schedsync.commands.documents import load_snapshot
from schedsync.commands.options import (
    FileOptions,
    file_options,
    format_option,
    option,
    out_option,
    report_option,
    snapshot_option,
    verb,
)
from schedsync.commands.output import say, show, write, write_reports
from schedsync.commands.terminal import progress_line
from schedsync.config import read_config
from schedsync.core.finding import has_errors
from schedsync.render import github, gitlab, json_, junit, sarif, text
from schedsync.usecases.validate import Validation
from schedsync.usecases.validate import validate as check

RENDERINGS: Mapping[str, Callable[[Validation], str]] = {
    "json": lambda result: json_.findings(result.findings, result.files, result.schedules),
    "github": lambda result: github.findings(result.findings),
    "sarif": lambda result: sarif.findings(result.findings),
    "gitlab": lambda result: gitlab.findings(result.findings),
    "junit": lambda result: junit.findings(result.findings, "validate"),
}


@verb("Check the files; needs no database.")
@file_options
@snapshot_option
@format_option(*RENDERINGS)
@out_option
@report_option(RENDERINGS)
@option("--strict", is_flag=True, help="Exit 1 also if there are warnings.")
def validate(
    files: FileOptions,
    against: Path | None,
    format_: str,
    out: Path | None,
    reports: tuple[tuple[str, Path], ...],
    strict: bool,
) -> int:
    """Check the schedules below PATH, a directory or one file, and name every problem with its place.

    Without PATH the configured paths are checked, by default `schedules`. If schedules differ by environment and none
    is chosen, all environments are checked. With --against the tasks and queues of the application are checked too, and
    what its Django settings allow. Exits 1 if there are errors.
    """
    config = read_config(files.path)
    snapshot = load_snapshot(against) if against else None
    with progress_line() as progress:
        result = check(config, config.chosen(files.environment), datetime.now(timezone.utc), progress, snapshot)
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
