"""Times as people type them: an instant with its offset, or what a clock on the wall of a time zone shows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, timezone
from typing import NamedTuple
from zoneinfo import ZoneInfo

from schedsync.core.timing import TimingError, in_calendar, instant

_DAY, _MINUTE, _SECOND = timedelta(days=1), timedelta(minutes=1), timedelta(seconds=1)
_WALL = re.compile(
    r"(?:(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})[ T])?(?P<time>[0-9]{1,2}:[0-9]{2}(?P<seconds>:[0-9]{2})?)\Z"
)
_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)
_HINT = "write `02:00`, `2026-11-28 02:00`, or with an offset `2026-11-28T02:00:00+01:00`"


@dataclass(frozen=True, slots=True)
class ClockTime:
    """A time that somebody typed: an instant, or a wall-clock time of a zone that is not known yet.

    Without a ``day`` it is the last such time. ``precision`` is a minute where no seconds are given.
    """

    text: str
    at: datetime | None = None
    day: date | None = None
    time: time = time()
    precision: timedelta = _MINUTE


class Span(NamedTuple):
    """The instants that a typed time means, without ``end``; ``wall`` is the wall-clock time, None of an instant.

    A zone's clock skips some wall-clock times and repeats others. One that it skips begins when Celery runs it: as much
    later as the clock jumps. Of one that it repeats, it is the first.
    """

    start: datetime
    end: datetime
    wall: datetime | None = None
    is_skipped: bool = False


def clock_time(text: str) -> ClockTime:
    """Read a time; raises TimingError where it is none."""
    if match := _WALL.match(text):
        return _wall_time(text, match)
    if _DATE.match(text):
        return ClockTime(text, day=_date(text))
    try:
        at = instant(text)
    except TimingError as error:
        raise TimingError(error.message, _HINT) from None
    return ClockTime(text, at, precision=_MINUTE if text.count(":") == _colons_of_offset(text) + 1 else _SECOND)


def _colons_of_offset(text: str) -> int:
    return int(text[-3:-2] == ":" and text[-6:-5] in "+-")


def _wall_time(text: str, match: re.Match[str]) -> ClockTime:
    try:
        clock = time.fromisoformat(match["time"].rjust(8 if match["seconds"] else 5, "0"))
    except ValueError:
        raise TimingError(f"`{text}` is no time of a day", _HINT) from None
    day = _date(match["day"]) if match["day"] else None
    return ClockTime(text, day=day, time=clock, precision=_SECOND if match["seconds"] else _MINUTE)


def _date(text: str) -> date:
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise TimingError(f"`{text}` is not in the calendar", _HINT) from None
    if not in_calendar(datetime(day.year, day.month, day.day)):
        raise TimingError(f"`{text}` is outside the years that a schedule can have", _HINT)
    return day


def span_of(value: ClockTime, zone: ZoneInfo, now: datetime) -> Span:
    """Return the instants that a typed time means in a zone; without a day, the last such time at or before ``now``."""
    if value.at is not None:
        return Span(value.at, value.at + value.precision)
    day = value.day or now.astimezone(zone).date()
    span = _span(datetime.combine(day, value.time), zone, value.precision)
    if value.day is None and span.start > now:
        return _span(datetime.combine(day - _DAY, value.time), zone, value.precision)
    return span


def _span(wall: datetime, zone: ZoneInfo, precision: timedelta) -> Span:
    first = wall.replace(tzinfo=zone).astimezone(timezone.utc)
    is_skipped = first.astimezone(zone).replace(tzinfo=None) != wall
    return Span(first, first + precision, wall, is_skipped)
