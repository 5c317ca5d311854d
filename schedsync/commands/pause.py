"""``schedsync pause``: stop one schedule now, or everything, for a time, with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

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
from schedsync.commands.parameters import Seconds
from schedsync.commands.terminal import progress_line
from schedsync.errors import WrongUsage
from schedsync.render.programs import json_
from schedsync.render.terminal import full_pause, outcome


@dataclass(frozen=True, slots=True)
class PauseRequest:
    """One call of ``pause``; the times are in seconds, ``span`` is None for a pause until ``resume``."""

    name: str | None
    everything: bool
    reason: str
    environment: str | None
    span: float | None
    settle: float
    lock_timeout: float


@verb("Stop one schedule for a time, or everything; no deploy undoes it.")
@gather(
    "request",
    PauseRequest,
    click.argument("name", required=False),
    option("--all", "everything", is_flag=True, help="Stop everything, for rows that nobody manages too."),
    option("--reason", required=True, metavar="TEXT", help="Why; shown to everyone who looks at the schedule."),
    option(
        "--for",
        "span",
        type=Seconds(positive=True),
        metavar="DURATION",
        help="How long, such as 24h; without it until `schedsync resume`. Required with `--all`.",
    ),
    settle_option,
    lock_timeout_option,
    environment_option,
)
@database_options
@format_option("json")
def pause(request: PauseRequest, database: DatabaseOptions, format_: str) -> int:
    """Stop the schedule NAME now. While the pause lasts, no apply enables it again.

    Stock Beat cannot end a pause by itself: the first apply after its end enables the schedule again.

    With --all each Beat of schedsync's own stops within two seconds. Runs that fall due meanwhile are not sent later,
    unless `schedsync resume --all --catch-up` ends the pause. Stock Beat goes on.
    """
    name = _checked(request)
    using = set_up(database)
    span = None if request.span is None else timedelta(seconds=request.span)
    if name is None and span is not None:
        return _pause_everything(using, request, span, format_)
    from schedsync.database.transaction import WaitOptions
    from schedsync.usecases import pause as operate

    with progress_line() as progress:
        progress("waiting for the apply lock")
        say_wait = progress.or_else(say)
        waiting = WaitOptions(settle=request.settle, lock=request.lock_timeout, say=say_wait)
        paused = operate.pause(using, name or "", request.reason, span, waiting, request.environment)
    if format_ == "json":
        click.echo(json_.pause(paused))
    else:
        show(lambda _paint: outcome.paused(paused.name, paused.until, paused.since))
    return 0


def _checked(request: PauseRequest) -> str | None:
    """Return the name of the schedule, or None for everything; raises WrongUsage if the two are mixed."""
    if request.everything and request.name is not None:
        raise WrongUsage(
            "`--all` and a name exclude each other", hint=f"pause `{request.name}`, or everything: give one"
        )
    if request.name is None and not request.everything:
        raise WrongUsage("nothing to pause is named", hint="give the name of a schedule, or `--all --for 30m`")
    if request.everything and request.span is None:
        raise WrongUsage("a pause of everything needs an end", hint="give `--for 30m`; it can be extended later")
    return request.name


def _pause_everything(using: str, request: PauseRequest, span: timedelta, format_: str) -> int:
    from schedsync.usecases.full_pause import pause_everything

    stopped = pause_everything(using, request.reason, span, request.environment)
    if format_ == "json":
        click.echo(full_pause.stopped_json(stopped.pause, stopped.beats, stopped.trouble))
    else:
        show(lambda _paint: full_pause.stopped_text(stopped.pause, stopped.at, stopped.beats, stopped.trouble))
    return 0
