"""``schedsync resume``: let a paused or held schedule run again."""

from __future__ import annotations

import click

from schedsync.commands.common import database_options, setup_django, verb
from schedsync.render.words import printable


@click.command(short_help="Let a paused or held schedule run again.")
@click.argument("name")
@database_options
@verb
def resume(name: str, settings: str | None, database: str) -> int:
    """End the pause of the schedule NAME, or release it where a human disabled it.

    It goes on with its next slot: nothing fires for a slot that lies in the past.
    """
    setup_django(settings, database)
    from schedsync.usecases import pause as operate

    runs = operate.resume(database, name)
    what = "runs again" if runs else "is no longer paused; Git has it disabled, or it is completed"
    click.echo(f"{printable(name)} {what}")
    return 0
