"""``schedsync resume``: let a paused or held schedule run again, or everything."""

from __future__ import annotations

import click

from schedsync.commands.django import set_up
from schedsync.commands.options import (
    DatabaseOptions,
    database_options,
    environment_option,
    lock_timeout_option,
    option,
    verb,
)
from schedsync.commands.output import say, show
from schedsync.errors import WrongUsage
from schedsync.render.terminal.full_pause import resumed_text
from schedsync.render.words import printable


@verb("Let a paused or held schedule run again, or everything.")
@click.argument("name", required=False)
@option("--all", "everything", is_flag=True, help="End the pause of everything; pauses of single schedules go on.")
@option(
    "--catch-up", is_flag=True, help="Send the runs that fell due meanwhile, as each schedule's `missed_runs` says."
)
@lock_timeout_option
@environment_option
@database_options
def resume(
    name: str | None,
    everything: bool,
    catch_up: bool,
    lock_timeout: float,
    environment: str | None,
    database: DatabaseOptions,
) -> int:
    """End the pause of the schedule NAME, or enable it again if a human has disabled it.

    It runs again at its next slot; no run is made for a slot in the past, except with --catch-up. With --all it ends
    the pause of everything in the same way, and says so if there is none.
    """
    if everything and name is not None:
        raise WrongUsage("`--all` and a name exclude each other", hint=f"resume `{name}`, or everything: give one")
    if name is None and not everything:
        raise WrongUsage("nothing to resume is named", hint="give the name of a schedule, or `--all`")
    using = set_up(database)
    if name is None:
        return _resume_everything(using, environment, catch_up=catch_up)
    from schedsync.database.transaction import WaitOptions
    from schedsync.usecases import pause as operate

    waiting = WaitOptions(lock=lock_timeout, say=say)
    runs = operate.resume(using, name, waiting, environment, catch_up=catch_up)
    state = "runs again" if runs else "is no longer paused; it does not run: Git has it disabled, or it is completed"
    show(lambda _paint: f"{printable(name)} {state}")
    return 0


def _resume_everything(using: str, environment: str | None, *, catch_up: bool) -> int:
    from schedsync.usecases.full_pause import resume_everything

    resumed = resume_everything(using, environment, catch_up=catch_up, say=say)
    if resumed is None:
        show(lambda _paint: "Nothing to resume: no pause of everything is on")
    else:
        show(lambda _paint: resumed_text(catch_up=catch_up, still_paused=resumed.still_paused))
    return 0
