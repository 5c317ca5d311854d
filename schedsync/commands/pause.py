"""``schedsync pause``: stop schedules now, or everything, for a time, with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

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
    settle_option,
    verb,
)
from schedsync.commands.output import say, show
from schedsync.commands.parameters import Instant, Seconds
from schedsync.commands.selectors import Selected, selector_options
from schedsync.commands.terminal import progress_line
from schedsync.core.selector import Selector
from schedsync.core.timing import instant_text
from schedsync.errors import WrongUsage
from schedsync.render.terminal import full_pause, pauses


@dataclass(frozen=True, slots=True)
class PauseRequest:
    """One call of ``pause``; the times are in seconds. Without ``span`` and ``until`` it lasts until ``resume``."""

    reason: str
    environment: str | None
    span: float | None
    until: datetime | None
    settle: float
    lock_timeout: float

    def end(self, at: datetime) -> datetime | None:
        """Return when the pause ends; raises WrongUsage where it would have ended before ``at``, or has two ends."""
        if self.span is not None and self.until is not None:
            raise WrongUsage("`--for` and `--until` exclude each other", hint="leave one of them out")
        if self.span is not None:
            return at + timedelta(seconds=self.span)
        if self.until is not None and self.until <= at:
            raise WrongUsage(
                f"`--until {instant_text(self.until)}` has passed", hint="give a later time, or `--for 2h`"
            )
        return self.until


@verb("Stop schedules for a time, or everything; no deploy undoes it.")
@selector_options("Stop everything, for rows that nobody manages too.")
@gather(
    "request",
    PauseRequest,
    option("--reason", required=True, metavar="TEXT", help="Why; shown to everyone who looks at the schedule."),
    option(
        "--for",
        "span",
        type=Seconds(positive=True),
        metavar="DURATION",
        help="How long, such as 24h; without an end until `schedsync resume`. `--all` requires an end.",
    ),
    option("--until", type=Instant(), metavar="INSTANT", help="Until when, such as 2026-12-24T18:00:00+01:00."),
    settle_option,
    lock_timeout_option,
    environment_option,
)
@database_options
@format_option("json")
def pause(selected: Selected, request: PauseRequest, database: DatabaseOptions, format_: str) -> int:
    """Stop schedules now, all in one transaction. While the pause lasts, no apply enables them again.

    Names and globs such as 'sync-*' widen the selection; --set, --queue, --owner and --label narrow it. With a glob or
    one of these options the pause stands: schedules that an apply adds meanwhile are paused too, if they fit.

    Stock Beat cannot end a pause by itself: the first apply after its end enables the schedules again.

    With --all each Beat of schedsync's own stops within two seconds. Runs that fall due meanwhile are not sent later,
    unless `schedsync resume --all --catch-up` ends the pause. Stock Beat goes on.
    """
    selector = _checked(selected, request)
    using = set_up(database)
    from schedsync.database.clock import now

    at = now()
    until = request.end(at)
    if selector.everything and until is not None:
        return _pause_everything(using, request, until - at, format_)
    return _pause(using, selector, request, until, format_)


def _checked(selected: Selected, request: PauseRequest) -> Selector:
    """Return the selector; raises WrongUsage if nothing is selected, or everything without an end."""
    selector = selected.required("pause", "`--all --for 30m`")
    if selector.everything and request.span is None and request.until is None:
        raise WrongUsage("a pause of everything needs an end", hint="give `--for 30m`; it can be extended later")
    return selector


def _pause(using: str, selector: Selector, request: PauseRequest, until: datetime | None, format_: str) -> int:
    from schedsync.core.pausing import PauseOrder
    from schedsync.database.transaction import WaitOptions
    from schedsync.usecases import pause as usecase

    with progress_line() as progress:
        progress("waiting for the apply lock")
        waiting = WaitOptions(settle=request.settle, lock=request.lock_timeout, say=progress.or_else(say))
        order = PauseOrder(selector, request.reason, until, request.environment)
        paused = usecase.pause(using, order, waiting, progress)
    if format_ == "json":
        click.echo(pauses.paused_json(paused))
    else:
        show(lambda _paint: pauses.paused_text(paused))
    return 0


def _pause_everything(using: str, request: PauseRequest, span: timedelta, format_: str) -> int:
    from schedsync.usecases.full_pause import pause_everything

    stopped = pause_everything(using, request.reason, span, request.environment)
    if format_ == "json":
        click.echo(full_pause.stopped_json(stopped.pause, stopped.beats, stopped.trouble))
    else:
        show(lambda _paint: full_pause.stopped_text(stopped.pause, stopped.at, stopped.beats, stopped.trouble))
    return 0
