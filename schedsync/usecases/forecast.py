"""Forecasts the next runs and the load of a set, as stock Beat would make them; needs no Django and no database."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from fnmatch import fnmatchcase
from itertools import chain, islice, takewhile

from schedsync.calendar.forecast import Forecast, Outlook
from schedsync.calendar.load import load_of, week_of
from schedsync.calendar.stock_beat import next_run, slots, sun_slot
from schedsync.calendar.words import frequency
from schedsync.core.observed import Row
from schedsync.core.schedule import Desired, Schedule
from schedsync.core.timing import Clocked, Interval, Solar, Timing
from schedsync.planning.snapshot import Snapshot

#: A forecast lists at most this many runs of one schedule.
MOST_RUNS = 10_000
#: A forecast names this many of the busiest minutes.
WORST = 5


@dataclass(frozen=True, slots=True)
class Horizon:
    """The part of the future to forecast: from ``start``, until an instant, for a count of runs, or both."""

    start: datetime
    until: datetime | None = None
    count: int | None = None


def forecast(desired: Desired, horizon: Horizon, name: str | None = None, snapshot: Snapshot | None = None) -> Forecast:
    """Return the runs of the schedules whose names match a pattern, and their load for a week.

    With a snapshot, an interval counts from its last run; without one, from the start of the horizon.
    """
    rows = snapshot.observed.rows if snapshot else {}
    chosen = [schedule for schedule in desired.schedules.values() if name is None or fnmatchcase(schedule.name, name)]
    last_runs = {row.name: start for row in rows.values() if (start := _counted_from(row))}
    load = load_of(chosen, week_of(horizon.start, last_runs), slots)
    outlooks = tuple(_outlook(schedule, rows.get(schedule.name), horizon) for schedule in chosen)
    return Forecast(horizon.start, outlooks, load, load.peaks(WORST, slots), name is not None)


def _outlook(schedule: Schedule, row: Row | None, horizon: Horizon) -> Outlook:
    most = min(horizon.count or MOST_RUNS, MOST_RUNS)
    runs = list(islice(_runs(schedule, row, horizon), most + 1))
    timing = schedule.spec.timing
    return Outlook(
        name=schedule.name,
        timing=timing,
        runs=tuple(runs[:most]),
        frequency=_how_often(schedule, horizon.start),
        counted_from=(_counted_from(row) or horizon.start) if isinstance(timing, Interval) else None,
        more=len(runs) > most,
    )


def _how_often(schedule: Schedule, now: datetime) -> str:
    spec = schedule.spec
    if not spec.enabled:
        reason = schedule.people.disabled_reason
        return f"disabled: {reason}" if reason else "disabled"
    if _never_happens(spec.timing, now):
        return "never"
    return "once" if spec.one_off or isinstance(spec.timing, Clocked) else frequency(spec.timing)


def _never_happens(timing: Timing, now: datetime) -> bool:
    """Say whether a sun event is absent: stock Beat would then send a run at the end of Celery's search for it."""
    return isinstance(timing, Solar) and sun_slot(timing, now) is None


def _counted_from(row: Row | None) -> datetime | None:
    """Return the instant from which Beat counts an interval: the last run, else the last change of the row."""
    return None if row is None else row.last_run_at or row.date_changed


def _runs(schedule: Schedule, row: Row | None, horizon: Horizon) -> Iterator[datetime]:
    spec = schedule.spec
    first = next_run(spec, row, horizon.start)
    if first is None or _never_happens(spec.timing, horizon.start):
        return iter(())
    later = iter(()) if spec.one_off or isinstance(spec.timing, Clocked) else slots(spec.timing, first.at)
    ends = [end for end in (spec.expires_at, _just_after(horizon.until)) if end is not None]
    return takewhile(lambda run: all(run < end for end in ends), chain([first.at], later))


def _just_after(until: datetime | None) -> datetime | None:
    return None if until is None else until + timedelta(microseconds=1)
