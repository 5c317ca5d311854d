"""When the clocks of a time zone change."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class ClockChange:
    """One change of a zone's clock: the instant, and the offsets from UTC before and after."""

    at: datetime
    before: timedelta
    after: timedelta

    @property
    def skips(self) -> bool:
        """Whether wall-clock time is skipped; else it is repeated."""
        return self.after > self.before

    @property
    def wall(self) -> tuple[datetime, datetime]:
        """The wall-clock times that are skipped or repeated: the first, and the one after the last."""
        first, last = sorted((self.at + self.before, self.at + self.after))
        return first.replace(tzinfo=None), last.replace(tzinfo=None)


@lru_cache(maxsize=65536)
def changes_on(zone: ZoneInfo, day: date) -> bool:
    """Say whether the clock changes on a day of the zone's calendar."""
    return midnight(zone, day).utcoffset() != midnight(zone, day + _DAY).utcoffset()


def midnight(zone: ZoneInfo, day: date) -> datetime:
    """Return the beginning of a day of the zone's calendar, in that zone."""
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def utc_offset(zone: ZoneInfo, at: datetime) -> timedelta:
    """Return a zone's offset from UTC at an instant."""
    return at.astimezone(zone).utcoffset() or timedelta()


@lru_cache(maxsize=1024)
def clock_changes(zone: ZoneInfo, start: date, days: int = 366) -> tuple[ClockChange, ...]:
    """Return the changes of a zone's clock in the ``days`` from a day on."""
    return tuple(_changes(zone, start, days))


def _changes(zone: ZoneInfo, start: date, days: int) -> Iterator[ClockChange]:
    day = datetime(start.year, start.month, start.day, tzinfo=timezone.utc)
    for _ in range(days):
        before, after = utc_offset(zone, day), utc_offset(zone, day + _DAY)
        if before != after:
            yield ClockChange(_instant(zone, day, before), before, after)
        day += _DAY


def _instant(zone: ZoneInfo, day: datetime, before: timedelta) -> datetime:
    """Find the minute within a day of UTC at which the offset changes."""
    low, high = 0, 1440
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if utc_offset(zone, day + timedelta(minutes=middle)) == before else (low, middle)
    return day + timedelta(minutes=high)
