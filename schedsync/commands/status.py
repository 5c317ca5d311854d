"""``schedsync status``: show which Beat leads, and what does not run."""

from __future__ import annotations

import click

from schedsync.commands.django import set_up
from schedsync.commands.options import DatabaseOptions, database_options, format_option, verb
from schedsync.commands.output import show
from schedsync.render.status import status_json, status_text


@verb("Show which Beat leads, what it has loaded, and what is overdue.")
@database_options
@format_option("json")
def status(database: DatabaseOptions, format_: str) -> int:
    """Show which Beat leads and since when, which Beats stand by, the changes that each Beat has loaded, and the
    schedules that are due, overdue, never ran, are disabled for long, or have no registered task, and those whose last
    message could not be sent.

    Exits 2 if a schedule is overdue, or its last message could not be sent. It is overdue if it was due at least a
    minute ago, and has not run. Next to stock Beat, which saves its runs late, the limit is five minutes.
    """
    using = set_up(database)
    from schedsync.usecases.status import status as read

    result = read(using)
    if format_ == "json":
        click.echo(status_json(result))
    else:
        show(lambda paint: status_text(result, paint))
    return 2 if result.overdue or result.failed else 0
