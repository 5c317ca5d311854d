"""``schedsync resume``: let paused or held schedules run again, or everything."""

from __future__ import annotations

from dataclasses import dataclass

import click

from schedsync.commands.django import set_up
from schedsync.commands.options import (
    DatabaseOptions,
    database_options,
    environment_option,
    format_option,
    gather,
    lock_timeout_option,
    option,
    verb,
)
from schedsync.commands.output import say, show
from schedsync.commands.selectors import Selected, selector_options
from schedsync.commands.terminal import progress_line
from schedsync.core.selector import Selector
from schedsync.errors import WrongUsage
from schedsync.render.terminal import pauses
from schedsync.render.terminal.full_pause import resumed_text


@dataclass(frozen=True, slots=True)
class ResumeRequest:
    """One call of ``resume``."""

    catch_up: bool
    lock_timeout: float
    environment: str | None


@verb("Let paused or held schedules run again, or everything.")
@selector_options("End the pause of everything; pauses of single schedules go on.")
@gather(
    "request",
    ResumeRequest,
    option(
        "--catch-up", is_flag=True, help="Send the runs that fell due meanwhile, as each schedule's `missed_runs` says."
    ),
    lock_timeout_option,
    environment_option,
)
@database_options
@format_option("json")
def resume(selected: Selected, request: ResumeRequest, database: DatabaseOptions, format_: str) -> int:
    """End the pauses of schedules, all in one transaction. A schedule that a human has disabled is enabled again only
    if it is named exactly.

    They run again at their next slots; no run is made for a slot in the past, except with --catch-up. A pause that
    stands for schedules that come later ends when the same selector is resumed, or when no schedule is left under it.

    With --all it ends the pause of everything in the same way, and says so if there is none.
    """
    selector = selected.required("resume", "`--all`")
    if selector.everything and format_ != "text":
        raise WrongUsage("`--format json` cannot apply to `--all`", hint="leave it out; the exit code says it")
    using = set_up(database)
    if selector.everything:
        return _resume_everything(using, request.environment, catch_up=request.catch_up)
    return _resume(using, selector, request, format_)


def _resume(using: str, selector: Selector, request: ResumeRequest, format_: str) -> int:
    from schedsync.core.pausing import ResumeOrder
    from schedsync.database.clock import now
    from schedsync.database.transaction import WaitOptions
    from schedsync.usecases import resume as usecase

    with progress_line() as progress:
        progress("waiting for the apply lock")
        waiting = WaitOptions(lock=request.lock_timeout, say=say)
        order = ResumeOrder(selector, request.catch_up, request.environment)
        resumed = usecase.resume(using, order, waiting, progress)
    if format_ == "json":
        click.echo(pauses.resumed_json(resumed))
    else:
        show(lambda _paint: pauses.resumed_text(resumed, now()))
    return 0


def _resume_everything(using: str, environment: str | None, *, catch_up: bool) -> int:
    from schedsync.usecases.full_pause import resume_everything

    resumed = resume_everything(using, environment, catch_up=catch_up, say=say)
    if resumed is None:
        show(lambda _paint: "Nothing to resume: no pause of everything is on")
    else:
        show(lambda _paint: resumed_text(catch_up=catch_up, still_paused=resumed.still_paused))
    return 0
