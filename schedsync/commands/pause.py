"""``schedsync pause``: stop one schedule now, for a time, with a reason."""

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
from schedsync.render import json_, text


@dataclass(frozen=True, slots=True)
class PauseRequest:
    """One call of ``pause``; the times are in seconds, ``span`` is None for a pause until ``resume``."""

    name: str
    reason: str
    environment: str | None
    span: float | None
    settle: float
    lock_timeout: float


@verb("Stop one schedule for a time; no deploy enables it again.")
@gather(
    "request",
    PauseRequest,
    click.argument("name"),
    option("--reason", required=True, metavar="TEXT", help="Why; shown to everyone who looks at the schedule."),
    option(
        "--for",
        "span",
        type=Seconds(positive=True),
        metavar="DURATION",
        help="How long, such as 24h; without it until `schedsync resume`.",
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
    """
    using = set_up(database)
    from schedsync.database.transaction import WaitOptions
    from schedsync.usecases import pause as operate

    span = None if request.span is None else timedelta(seconds=request.span)
    with progress_line() as progress:
        progress("waiting for the apply lock")
        say_wait = progress.or_else(say)
        waiting = WaitOptions(settle=request.settle, lock=request.lock_timeout, say=say_wait)
        paused = operate.pause(using, request.name, request.reason, span, waiting, request.environment)
    if format_ == "json":
        click.echo(json_.pause(paused))
    else:
        show(lambda _paint: text.paused(paused.name, paused.until))
    return 0
