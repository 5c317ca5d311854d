"""``schedsync why``: explain why a schedule ran, or did not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import click

from schedsync.calendar.clock_times import ClockTime
from schedsync.commands.django import set_up
from schedsync.commands.options import DatabaseOptions, database_options, format_option, gather, option, verb
from schedsync.commands.output import show
from schedsync.commands.parameters import Clock
from schedsync.render.programs.why import why_json
from schedsync.render.terminal.why import why_text


@dataclass(frozen=True, slots=True)
class WhyRequest:
    """One call of ``why``."""

    at: ClockTime | None
    since: ClockTime | timedelta | None
    no_results: bool


@verb("Explain why a schedule ran, or did not run, and when it runs next.")
@click.argument("name")
@gather(
    "request",
    WhyRequest,
    option(
        "--at", type=Clock(), metavar="TIME",
        help="Explain the tick at this time: `02:00`, `2026-11-28 02:00`, or with an offset. Default: the last tick.",
    ),
    option(
        "--since", type=Clock(or_duration=True), metavar="DURATION|TIME",
        help="List what became of each tick since then too: `24h`, `7d` or a time.",
    ),
    option("--no-results", is_flag=True, help="Do not ask Celery's result backend for the outcome of the task."),
)  # fmt: skip
@database_options
@format_option("json")
def why(name: str, request: WhyRequest, database: DatabaseOptions, format_: str) -> int:
    """Explain the last tick of NAME and the next one. With --at, explain the tick at that time. First one sentence,
    then the evidence.

    `seen` is in a record: a claim, Beat's journal, the audit record, the admin's log. `decided` is what the files or
    somebody decided. `inferred` follows from the timing, without a record. `unknown` is what no record says; it is
    never guessed. A time without an offset is one of the schedule's own time zone.

    NAME may be the former name of a schedule, or that of a deleted one. It may be a schedule that nobody manages. Reads
    only, so a read-only role of the database is enough.
    """
    using = set_up(database)
    from schedsync.usecases.task_results import outcomes
    from schedsync.usecases.why import why as explain

    explanation = explain(using, name, request.at, request.since, None if request.no_results else outcomes)
    if format_ == "json":
        click.echo(why_json(explanation))
    else:
        show(lambda paint: why_text(explanation, paint))
    return 0
