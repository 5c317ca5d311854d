"""``schedsync status``: show which Beat leads, and what does not run."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import click

from schedsync.commands.django import set_up
from schedsync.commands.options import DatabaseOptions, database_options, format_option, gather, option, verb
from schedsync.commands.output import show
from schedsync.commands.parameters import WholeNumber
from schedsync.commands.terminal import is_terminal
from schedsync.core.status import Status, Verdict
from schedsync.errors import WrongUsage
from schedsync.render.programs.status import host_json, status_json
from schedsync.render.terminal.status import host_text, status_text

#: Seconds between two looks of ``--watch``.
_PERIOD = 2.0
#: Puts the cursor at the top, and clears the screen.
_CLEAR = "\x1b[H\x1b[2J"


@dataclass(frozen=True, slots=True)
class StatusRequest:
    """One call of ``status``."""

    expect_beats: int | None
    self_: bool
    watch: bool


@verb("Say whether Beat and the schedules are well, and what is not.")
@gather(
    "request",
    StatusRequest,
    option(
        "--expect-beats",
        type=WholeNumber(),
        metavar="N",
        help="Say NOT OK if fewer than N Beats of schedsync's own are live; 0: none is expected.",
    ),
    option("--self", "self_", is_flag=True, help="Only say whether a Beat is live on this host or in this pod."),
    option("--watch", is_flag=True, help="Look again every two seconds, in a terminal; Ctrl-C ends it with 0."),
)
@database_options
@format_option("json")
def status(request: StatusRequest, database: DatabaseOptions, format_: str) -> int:
    """Show in one page which Beat leads and which stand by, the last apply of each set, schedules that are stopped,
    edited since the last apply, or managed by nobody, and those that do not run.

    The first line says OK, NOT OK and why, or UNKNOWN: without a Beat of schedsync's own nobody can tell whether stock
    Beat runs. Exits 2 for NOT OK: no Beat is live although one was, or fewer than --expect-beats; nobody leads; a
    schedule is overdue, its last message could not be sent, or it cannot run; the broker is away; clocks differ.

    A schedule is overdue if it was due at least a minute ago, and has not run. Next to stock Beat, which saves its runs
    late, the limit is five minutes.
    """
    _check(request, format_)
    using = set_up(database)
    if request.watch:
        return _watch(lambda: _look(request, using, format_))
    return _look(request, using, format_)


def _check(request: StatusRequest, format_: str) -> None:
    if request.self_ and request.expect_beats is not None:
        raise WrongUsage("`--self` looks at this host alone, so `--expect-beats` cannot apply")
    if request.watch and (format_ != "text" or not is_terminal(sys.stdout)):
        raise WrongUsage("`--watch` needs a terminal", hint="leave it out, and call `schedsync status` again")


def _look(request: StatusRequest, using: str, format_: str) -> int:
    from schedsync.usecases import status as usecase

    result = usecase.status_of_host(using) if request.self_ else usecase.status(using, request.expect_beats)
    _write(result, format_, is_host=request.self_)
    return 2 if result.verdict is Verdict.NOT_OK else 0


def _write(result: Status, format_: str, *, is_host: bool) -> None:
    if format_ == "json":
        click.echo(host_json(result) if is_host else status_json(result))
    else:
        show(lambda paint: host_text(result, paint) if is_host else status_text(result, paint))


def _watch(look: Callable[[], object]) -> int:
    """Look again and again; the user ends it, so that is no failure."""
    try:
        while True:
            click.echo(_CLEAR, nl=False, color=True)
            look()
            time.sleep(_PERIOD)
    except KeyboardInterrupt:
        return 0
