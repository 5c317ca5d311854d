"""``schedsync history``: who changed what, when, from which commit and pull request, and why."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import click

from schedsync.calendar.clock_times import ClockTime, span_of
from schedsync.commands.django import set_up
from schedsync.commands.options import DatabaseOptions, database_options, format_option, gather, option, verb
from schedsync.commands.output import show
from schedsync.commands.parameters import Clock, WholeNumber
from schedsync.commands.terminal import columns, is_terminal
from schedsync.core.adoption import is_glob
from schedsync.core.timing import instant_text
from schedsync.errors import WrongUsage
from schedsync.render.programs.history import history_json
from schedsync.render.terminal.history import history_text

if TYPE_CHECKING:
    from schedsync.core.history import Wanted

#: More entries than this are no page for a person, and take long to read.
_MOST = 10_000
#: Each name takes some queries, and too many are too long a condition for SQLite.
_MOST_NAMES = 100
_UTC = ZoneInfo("UTC")


@dataclass(frozen=True, slots=True)
class HistoryRequest:
    """One call of ``history``."""

    since: ClockTime | timedelta | None
    until: ClockTime | timedelta | None
    sets: tuple[str, ...]
    verbs: tuple[str, ...]
    limit: int
    verbose: bool

    def wanted(self, patterns: tuple[str, ...], now: datetime) -> Wanted:
        """Return what to read; raises WrongUsage where `--until` is not after `--since`."""
        from schedsync.core.history import Wanted

        since, until = _instant(self.since, now), _instant(self.until, now)
        if since is not None and until is not None and until <= since:
            span = f"`--until` ({instant_text(until)}) is not after `--since` ({instant_text(since)})"
            raise WrongUsage(span, hint="a time without an offset is in UTC; one without a day is the last such time")
        given = tuple(dict.fromkeys(patterns))
        if len(given) > _MOST_NAMES:
            raise WrongUsage(
                f"{len(given):,} names are too many", hint=f"give at most {_MOST_NAMES}, or a glob in quotes"
            )
        return Wanted(
            tuple(name for name in given if not is_glob(name)), tuple(filter(is_glob, given)), self.sets, self.verbs,
            since, until, self.limit, self.verbose,
        )  # fmt: skip


def _instant(value: ClockTime | timedelta | None, now: datetime) -> datetime | None:
    if value is None:
        return None
    return now - value if isinstance(value, timedelta) else span_of(value, _UTC, now).start


@verb("Show who changed what, when, from which commit and pull request, and why.")
@click.argument("patterns", nargs=-1, metavar="[NAME|GLOB]...")
@gather(
    "request",
    HistoryRequest,
    option(
        "--since", type=Clock(or_duration=True), metavar="DURATION|TIME",
        help="Show what was done since then: `30d`, `2026-03-01 00:00` in UTC, or a time with an offset.",
    ),
    option(
        "--until", type=Clock(or_duration=True), metavar="DURATION|TIME",
        help="Show what was done before then, written as for --since.",
    ),
    option("--set", "sets", multiple=True, metavar="SET", help="Show only what was done to this set."),
    option(
        "--verb", "verbs", multiple=True, metavar="VERB",
        help="Show only this verb, such as `apply`, `pause`, `run` or `admin`; can be given several times.",
    ),
    option(
        "--limit", type=WholeNumber(1, _MOST), default=100, show_default=True, metavar="N",
        help="Show at most N entries, the newest.",
    ),
    option("-v", "--verbose", is_flag=True, help="Show each change field by field, as with a NAME."),
)  # fmt: skip
@database_options
@format_option("json")
def history(patterns: tuple[str, ...], request: HistoryRequest, database: DatabaseOptions, format_: str) -> int:
    """Show what was done to the schedules, the newest first: applies and their repairs, pauses and resumes, runs by
    hand, and what `ledger` did. With a NAME, each change of this schedule field by field, also under its former names,
    after its deletion, and as far as the log of Django's admin knows, behind Git's back.

    Who, pull request and pipeline are what CI's variables said, or SCHEDSYNC_ACTOR and SCHEDSYNC_PULL_REQUEST.

    Reads only, so a read-only role of the database is enough.
    """
    using = set_up(database)
    from schedsync.database.clock import now
    from schedsync.usecases.history import history as read

    found = read(using, request.wanted(patterns, now()))
    if format_ == "json":
        click.echo(history_json(found))
    else:
        width = columns(sys.stdout) if is_terminal(sys.stdout) else None
        show(lambda paint: history_text(found, paint, width))
    return 0
