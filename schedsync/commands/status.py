"""``schedsync status``: who leads, and what does not run."""

from __future__ import annotations

import sys

import click

from schedsync.commands.common import database_options, format_option, paint, setup_django, verb
from schedsync.render.status import status_json, status_text


@click.command(short_help="Say which Beat leads, what it has loaded, and what is overdue.")
@database_options
@format_option("json")
@verb
def status(settings: str | None, database: str, format_: str) -> int:
    """Say who leads since when and who stands by, which change each Beat has loaded, and which schedules are due,
    overdue, never ran, disabled for long, or enabled without a task of that name.

    Exits 2 where something is overdue: its time came a minute ago or more, and it has not run. Beside stock Beat,
    which writes its runs back late, five minutes.
    """
    setup_django(settings, database)
    from schedsync.usecases.status import status as read

    found = read(database)
    click.echo(status_json(found) if format_ == "json" else status_text(found, paint(sys.stdout)))
    return 2 if found.overdue else 0
