"""``schedsync doctor``: is all around the schedules well?"""

from __future__ import annotations

import sys

import click

from schedsync.commands.common import database_options, format_option, paint, say, setup_django, verb
from schedsync.core.finding import has_errors
from schedsync.planning.documents import finding_document
from schedsync.render import github, json_, text


@click.command(short_help="Look at settings, versions and rows that would stop Beat.")
@database_options
@click.option("--fix", is_flag=True, help="Mend what is safe: orphaned rows of ours, the missing change row.")
@format_option("json", "github")
@verb
def doctor(settings: str | None, database: str, fix: bool, format_: str) -> int:
    """Look at the settings, the installed versions, the migrations and rights, and at everyone's rows.

    Each finding comes with its remedy. Exits 1 where one is an error.
    """
    setup_django(settings, database)
    from schedsync.usecases import doctor as checks

    found = checks.examine(database, fix=fix)
    if format_ == "json":
        documents = [finding_document(finding) for finding in found.findings]
        click.echo(json_.dump({"version": 1, "findings": documents, "fixed": list(found.fixed)}))
    else:
        for done in found.fixed:
            click.echo(f"fixed: {done}")
        if found.findings:
            write = github.findings if format_ == "github" else lambda some: text.findings(some, paint(sys.stdout))
            click.echo(write(found.findings))
        count = len(found.findings)
        say(f"{count} finding{'s' * (count != 1)}" if count else "all is well")
    return int(has_errors(found.findings))
