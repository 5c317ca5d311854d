"""Forecasts the next runs and the load of a set, as stock Beat would make them; needs no Django and no database."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, islice, takewhile

from schedsync.calendar.forecast import Forecast, Outlook
from schedsync.calendar.load import load_of
from schedsync.calendar.stock_beat import next_run, slots, sun_slot
from schedsync.calendar.window import week_of
from schedsync.calendar.words import how_often
from schedsync.core.change import Create, Update
from schedsync.core.observed import Row
from schedsync.core.schedule import Desired, Schedule, Spec
from schedsync.core.timing import MICROSECOND, Clocked, Interval, Solar, Timing
from schedsync.planning.consequences import last_run_for
from schedsync.planning.snapshot import Snapshot
from schedsync.usecases.selection import selected

#: A forecast lists at most this many runs of one schedule.
MOST_RUNS = 10_000


@dataclass(frozen=True, slots=True)
class Horizon:
    """The part of the future to forecast: from ``start``, until an instant, for a count of runs, or both.

    ``now`` is when an apply would write the rows; by default it is ``start``.
    """

    start: datetime
    until: datetime | None = None
    count: int | None = None
    now: datetime | None = None


def forecast(
    desired: Desired, horizon: Horizon, patterns: Sequence[str] = (), snapshot: Snapshot | None = None
) -> Forecast:
    """Return the runs of the schedules whose names match one of the patterns, if any, and their load for a week.

    With a snapshot, an interval counts from its last run; without one, from the start of the horizon. Raises
    WrongUsage if a pattern matches nothing.
    """
    rows = snapshot.observed.rows if snapshot else {}
    chosen = selected(desired.schedules, patterns).values()
    firsts = {schedule.name: _first_run(schedule, rows.get(schedule.name), horizon) for schedule in chosen}
    last_runs = {
        schedule.name: first - _step(timing)
        for schedule in chosen
        if isinstance(timing := schedule.spec.timing, Interval)
        and schedule.name in rows
        and (first := firsts[schedule.name]) is not None
    }
    load = load_of(chosen, week_of(horizon.start, last_runs), slots)
    outlooks = tuple(_outlook(each, rows.get(each.name), firsts[each.name], horizon) for each in chosen)
    return Forecast(horizon.start, outlooks, load, slots, horizon.until)


def _outlook(schedule: Schedule, row: Row | None, first: datetime | None, horizon: Horizon) -> Outlook:
    most = min(horizon.count or MOST_RUNS, MOST_RUNS)
    runs = list(islice(_runs(schedule, first, horizon), most + 1))
    return Outlook(
        name=schedule.name,
        timing=schedule.spec.timing,
        runs=tuple(runs[:most]),
        frequency=_how_often(schedule, horizon.start),
        counted_from=_counted_from(schedule, row, horizon),
        more=len(runs) > most,
    )


def _how_often(schedule: Schedule, now: datetime) -> str:
    spec = schedule.spec
    if not spec.enabled:
        reason = schedule.people.disabled_reason
        return f"disabled: {reason}" if reason else "disabled"
    if _never_happens(spec.timing, now):
        return "never"
    return how_often(spec)


def _never_happens(timing: Timing, now: datetime) -> bool:
    """Say whether a sun event is absent: stock Beat would then send a run at the end of Celery's search for it."""
    return isinstance(timing, Solar) and sun_slot(timing, now) is None


def _counted_from(schedule: Schedule, row: Row | None, horizon: Horizon) -> datetime | None:
    """Return the instant from which Beat counts an interval: the last run, else the last change of the row.

    It is None where the first run is at the start of the schedule.
    """
    if not isinstance(schedule.spec.timing, Interval) or _starts_later(schedule.spec, horizon):
        return None
    return (row.last_run_at or row.date_changed if row else None) or horizon.start


def _starts_later(spec: Spec, horizon: Horizon) -> bool:
    return spec.start_at is not None and spec.start_at >= horizon.start


def _first_run(schedule: Schedule, row: Row | None, horizon: Horizon) -> datetime | None:
    """Return the first run at or after the start of the horizon, once an apply has written the row."""
    spec, start = schedule.spec, horizon.start
    if _never_happens(spec.timing, start):
        return None
    if row is None:
        return _first_of_new(schedule, horizon)
    now = min(horizon.now or start, start)
    run = next_run(spec, _after_apply(schedule, row, now), now)
    if run is None or run.at >= start:
        return run.at if run else None
    if spec.one_off or isinstance(spec.timing, Clocked):
        return None
    return next(_slots_from(spec.timing, run.at, start))


def _first_of_new(schedule: Schedule, horizon: Horizon) -> datetime | None:
    spec, start = schedule.spec, horizon.start
    if isinstance(spec.timing, Clocked) and spec.timing.at < start:
        # It is completed: an apply writes no such row.
        return None
    # Written just before the start, so that a slot at the start is ahead; an interval is counted from the start.
    is_counted = isinstance(spec.timing, Interval) and not _starts_later(spec, horizon)
    written = start if is_counted else start - MICROSECOND
    change = Create(name=schedule.name, after=spec, edit_may_fire=schedule.edit_may_fire)
    row = Row(0, schedule.name, None, last_run_at=last_run_for(change, written), date_changed=written)
    run = next_run(spec, row, start)
    return run.at if run else None


def _after_apply(schedule: Schedule, row: Row, now: datetime) -> Row:
    """Return a row with the last run that an apply of the schedule writes."""
    change = Update(name=schedule.name, row=row, after=schedule.spec, edit_may_fire=schedule.edit_may_fire)
    moved = last_run_for(change, now)
    return row if moved is None else replace(row, last_run_at=moved, date_changed=now)


def _slots_from(timing: Timing, ran: datetime, start: datetime) -> Iterator[datetime]:
    """Yield the slots at or after an instant, of a timing that ran before."""
    if isinstance(timing, Interval):
        step = _step(timing)
        return slots(timing, ran + (start - ran - MICROSECOND) // step * step)
    return slots(timing, max(ran, start - MICROSECOND))


def _step(timing: Interval) -> timedelta:
    return timedelta(microseconds=timing.microseconds)


def _runs(schedule: Schedule, first: datetime | None, horizon: Horizon) -> Iterator[datetime]:
    spec = schedule.spec
    if first is None:
        return iter(())
    later = iter(()) if spec.one_off or isinstance(spec.timing, Clocked) else slots(spec.timing, first)
    ends = [end for end in (spec.expires_at, _just_after(horizon.until)) if end is not None]
    return takewhile(lambda run: all(run < end for end in ends), chain([first], later))


def _just_after(until: datetime | None) -> datetime | None:
    return None if until is None else until + MICROSECOND
