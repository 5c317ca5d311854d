"""Next runs and the load picture of a set, as stock Beat would make them; no Django, no database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
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

#: So many runs of one schedule are told at most.
MOST_RUNS = 10_000
#: So many of the worst minutes are named.
WORST = 5


@dataclass(frozen=True, slots=True)
class Horizon:
    """From when on, and how far: until an instant, so many runs, or both."""

    start: datetime
    until: datetime | None = None
    count: int | None = None


def forecast(desired: Desired, horizon: Horizon, name: str | None = None, snapshot: Snapshot | None = None) -> Forecast:
    """Return the runs of the schedules whose names fit a pattern, and the load of them all for a week.

    With a snapshot an interval is counted from its last run, else from the start of the horizon.
    """
    rows = snapshot.observed.rows if snapshot else {}
    chosen = [one for one in desired.schedules.values() if name is None or fnmatchcase(one.name, name)]
    last_runs = {name: counted for name, row in rows.items() if (counted := _counted_from(row))}
    load = load_of(chosen, week_of(horizon.start, last_runs), slots)
    outlooks = tuple(_outlook(one, rows.get(one.name), horizon) for one in chosen)
    return Forecast(horizon.start, outlooks, load, load.peaks(WORST, slots), name is not None)


def _outlook(schedule: Schedule, row: Row | None, horizon: Horizon) -> Outlook:
    most = min(horizon.count or MOST_RUNS, MOST_RUNS)
    found = list(islice(_runs(schedule, row, horizon), most + 1))
    timing = schedule.spec.timing
    return Outlook(
        name=schedule.name,
        timing=timing,
        runs=tuple(found[:most]),
        frequency=_how_often(schedule, horizon.start),
        counted_from=(_counted_from(row) or horizon.start) if isinstance(timing, Interval) else None,
        more=len(found) > most,
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
    """Return what Beat counts an interval from: the last run, else the last change of the row."""
    return None if row is None else row.last_run_at or row.date_changed


def _runs(schedule: Schedule, row: Row | None, horizon: Horizon) -> Iterator[datetime]:
    spec = schedule.spec
    first = next_run(spec, row, horizon.start)
    if first is None or _never_happens(spec.timing, horizon.start):
        return iter(())
    later = iter(()) if spec.one_off or isinstance(spec.timing, Clocked) else slots(spec.timing, first.at)
    ends = [end for end in (spec.expires_at, _just_after(horizon.until)) if end is not None]
    inside: Callable[[datetime], bool] = lambda run: all(run < end for end in ends)  # noqa: E731
    return takewhile(inside, chain([first.at], later))


def _just_after(until: datetime | None) -> datetime | None:
    return None if until is None else until + timedelta(microseconds=1)
