"""``schedsync validate``: is what the files say right?"""

from __future__ import annotations

import sys
from datetime import datetime, timezone

import click

from schedsync.commands.common import environment_option, format_option, paint, path_argument, say, verb
from schedsync.config import read_config
from schedsync.core.finding import has_errors
from schedsync.render import github, json_, text
from schedsync.usecases.validate import validate as check


@click.command(short_help="Check the files; needs no database.")
@path_argument
@environment_option
@format_option("json", "github")
@click.option("--strict", is_flag=True, help="Let warnings fail too.")
@verb
def validate(path: str | None, environment: str | None, format_: str, strict: bool) -> int:
    """Check the schedules below PATH, a directory or one file, and name every problem at its place.

    Without PATH the configured paths are checked, by default `schedules`. Where schedules differ by environment
    and none is chosen, all of them are checked. Exits 0 where all is right, 1 where it is not.
    """
    config = read_config(path)
    result = check(config, config.chosen(environment), datetime.now(timezone.utc))
    if format_ == "json":
        click.echo(json_.findings(result.findings, result.files, result.schedules))
    elif result.findings:
        click.echo(
            github.findings(result.findings)
            if format_ == "github"
            else text.findings(result.findings, paint(sys.stdout))
        )
    errors = sum(finding.severity == "error" for finding in result.findings)
    say(
        f"{result.schedules:,} schedule{'s' * (result.schedules != 1)} in {result.files:,} "
        f"file{'s' * (result.files != 1)}, {errors or 'no'} error{'s' * (errors != 1)}"
    )
    return int(has_errors(result.findings, strict=strict))
