"""``schedsync validate``: check the files."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import click

from schedsync.commands.documents import load_snapshot
from schedsync.commands.options import FileOptions, file_options, format_option, option, snapshot_option, verb
from schedsync.commands.output import say, show
from schedsync.commands.terminal import progress_line
from schedsync.config import read_config
from schedsync.core.finding import has_errors
from schedsync.render import github, json_, text
from schedsync.usecases.validate import validate as check


@verb("Check the files; needs no database.")
@file_options
@snapshot_option
@format_option("json", "github")
@option("--strict", is_flag=True, help="Exit 1 also if there are warnings.")
def validate(files: FileOptions, against: Path | None, format_: str, strict: bool) -> int:
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
    if format_ == "json":
        click.echo(json_.findings(findings, result.files, result.schedules))
    elif findings and format_ == "github":
        click.echo(github.findings(findings))
    else:
        show(lambda paint: text.findings(findings, paint))
    errors = sum(finding.severity == "error" for finding in findings)
    say(
        f"{result.schedules:,} schedule{'s' * (result.schedules != 1)} in {result.files:,} "
        f"file{'s' * (result.files != 1)}, {errors or 'no'} error{'s' * (errors != 1)}"
    )
    return int(has_errors(findings, strict=strict))
