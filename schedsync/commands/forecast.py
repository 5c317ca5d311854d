"""``schedsync forecast``: what runs next, and what comes together?"""

from __future__ import annotations

import re
import sys
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import click

from schedsync.commands.common import (
    environment_option,
    format_option,
    load_snapshot,
    out_option,
    paint,
    path_argument,
    snapshot_option,
    target_of,
    verb,
    write,
)
from schedsync.config import read_config
from schedsync.core.timing import TimingError, duration, instant
from schedsync.errors import WrongUsage
from schedsync.render import forecast as outlook

RENDERINGS = {"json": outlook.json_, "svg": outlook.svg, "html": outlook.html}
_SHOWN = 5
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)


class _Instant(click.ParamType):  # type: ignore[type-arg]  # generic since click 8.4
    """An instant with its offset, a date for its beginning in UTC, or a duration."""

    name = "instant"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime | timedelta:
        """Read an instant; fails the command line where it is none."""
        if isinstance(value, (datetime, timedelta)):
            return value
        try:
            if value[:1].isdigit() and value[-1:] in "smhd":
                return timedelta(microseconds=duration(value))
            return instant(f"{value}T00:00:00Z" if _DATE.match(value) else value)
        except (TimingError, OverflowError) as error:
            self.fail(f"{error}; such as `2027-03-28`, `2027-03-28T02:30:00+01:00` or `7d`", param, ctx)


@click.command(short_help="Show the next runs, and the load that they make.")
@path_argument
@environment_option
@click.option("--name", metavar="GLOB", help="Only schedules whose names fit, such as `sync-*`.")
@click.option("--from", "start", type=_Instant(), metavar="INSTANT", help="After when; by default now.")
@click.option(
    "--until",
    type=_Instant(),
    metavar="INSTANT",
    help="Until when, that included; or how long after --from, such as 7d.",
)
@click.option("--count", type=click.IntRange(1, 10_000), metavar="N", help="So many runs of each; by default 5.")
@snapshot_option
@format_option("json", "html", "svg")
@out_option
@verb
def forecast(
    name: str | None,
    start: datetime | timedelta | None,
    until: datetime | timedelta | None,
    count: int | None,
    against: Path | None,
    format_: str,
    out: Path | None,
    **options: Any,
) -> int:
    """Show the next runs of the schedules below PATH as Beat would make them, each in its own time zone and in UTC.

    Below stands the load picture of a week: how many start in each minute, and who starts in the worst ones. An
    interval is counted from its last run where a snapshot tells it, else from --from.
    """
    now = datetime.now(timezone.utc)
    try:
        begun = now if start is None else _instant(start, now)
        end = None if until is None else _instant(until, begun)
    except OverflowError:
        raise WrongUsage("the calendar does not reach so far") from None
    if end is not None and end < begun:
        raise WrongUsage("--until lies before --from")
    from schedsync.planning.snapshot import check_set
    from schedsync.usecases.forecast import Horizon
    from schedsync.usecases.forecast import forecast as foretell
    from schedsync.usecases.target import desired_of

    horizon = Horizon(begun, end, count if count or end else _SHOWN)
    target = target_of(read_config(options["path"]), options)
    _, desired, _ = desired_of(target)
    snapshot = load_snapshot(against) if against else None
    if snapshot is not None:
        check_set(snapshot, target.config.set)
    found = foretell(desired, horizon, name, snapshot)
    write(RENDERINGS[format_](found) if format_ in RENDERINGS else outlook.text(found, paint(sys.stdout)), out)
    return 0


def _instant(given: datetime | timedelta, base: datetime) -> datetime:
    return base + given if isinstance(given, timedelta) else given
