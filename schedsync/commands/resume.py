"""``schedsync resume``: let a paused or held schedule run again."""

from __future__ import annotations

import click

from schedsync.commands.django import set_up
from schedsync.commands.options import DatabaseOptions, database_options, environment_option, lock_timeout_option, verb
from schedsync.commands.output import show
from schedsync.render.words import printable


@verb("Let a paused or held schedule run again.")
@click.argument("name")
@lock_timeout_option
@environment_option
@database_options
def resume(name: str, lock_timeout: float, environment: str | None, database: DatabaseOptions) -> int:
    """End the pause of the schedule NAME, or enable it again if a human has disabled it.

    It runs again at its next slot; no run is made for a slot in the past.
    """
    using = set_up(database)
    from schedsync.database.transaction import WaitOptions
    from schedsync.usecases import pause as operate

    runs = operate.resume(using, name, WaitOptions(lock=lock_timeout), environment)
    state = "runs again" if runs else "is no longer paused; it does not run: Git has it disabled, or it is completed"
    show(lambda _paint: f"{printable(name)} {state}")
    return 0
