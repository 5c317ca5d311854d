"""The time that a load is of, and what decides in which of its minutes a schedule starts. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from schedsync.core.schedule import Schedule
from schedsync.core.timing import Interval, Timing

MINUTES_A_DAY = 1440
MINUTES_A_WEEK = 7 * MINUTES_A_DAY
MINUTE = timedelta(minutes=1)


class Shape(NamedTuple):
    """What decides in which minutes a schedule starts; ``base`` is the instant that an interval counts from.

    ``is_placed`` is false for an interval of which that instant is only assumed.
    """

    timing: Timing
    start_at: datetime | None
    expires_at: datetime | None
    one_off: bool
    base: datetime | None
    is_placed: bool = True


@dataclass(frozen=True, slots=True)
class Window:
    """A number of minutes from ``start``, which is a whole minute; starts before ``since`` do not count.

    ``last_runs`` are the last runs of intervals by name, where they are known. The others count from ``since``: how
    often they start is right, but not in which minutes.
    """

    start: datetime
    since: datetime
    minutes: int
    last_runs: Mapping[str, datetime]

    @classmethod
    def of(
        cls,
        start: datetime,
        since: datetime | None = None,
        minutes: int = MINUTES_A_WEEK,
        last_runs: Mapping[str, datetime] | None = None,
    ) -> Window:
        """Build a window; without ``since`` all of it counts."""
        return cls(start, since or start, minutes, last_runs or {})

    @property
    def first(self) -> int:
        """The first minute that counts."""
        return -((self.start - self.since) // MINUTE)

    @property
    def end(self) -> datetime:
        """The instant after the last minute."""
        return self.start + self.minutes * MINUTE


def shape_of(schedule: Schedule, window: Window) -> Shape:
    """Return the fields that decide in which minutes a schedule starts."""
    spec = schedule.spec
    base, is_placed = _base(schedule, window), _is_placed(schedule, window)
    return Shape(spec.timing, spec.start_at, spec.expires_at, spec.one_off, base, is_placed)


def _is_placed(schedule: Schedule, window: Window) -> bool:
    """Say whether it is known in which minutes a schedule starts; one that starts in each minute needs no last run."""
    spec = schedule.spec
    if not isinstance(spec.timing, Interval) or timedelta(microseconds=spec.timing.microseconds) <= MINUTE:
        return True
    return schedule.name in window.last_runs or _is_ahead(spec.start_at, window)


def _is_ahead(start_at: datetime | None, window: Window) -> bool:
    return start_at is not None and start_at >= window.since


def _base(schedule: Schedule, window: Window) -> datetime | None:
    spec = schedule.spec
    if not isinstance(spec.timing, Interval):
        return None
    step = timedelta(microseconds=spec.timing.microseconds)
    if spec.start_at is not None and _is_ahead(spec.start_at, window):
        # Its first run is at its start.
        return spec.start_at - step
    last = window.last_runs.get(schedule.name, window.since)
    # An overdue interval runs at once, and counts from then.
    return max(last, window.since - step)


def week_of(since: datetime, last_runs: Mapping[str, datetime] | None = None) -> Window:
    """Return a week from an instant on, shown from the beginning of that day in UTC."""
    start = since.astimezone(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    passed = -((start - since) // timedelta(minutes=1))
    return Window.of(start, since, passed + MINUTES_A_WEEK, last_runs)
