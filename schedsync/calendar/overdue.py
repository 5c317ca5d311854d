"""Which tick a schedule owes, by its row: what ``schedsync status`` calls due or overdue."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from schedsync.calendar.ticks import GRACE, Lateness, first_after, first_tick, last_tick, tick_after
from schedsync.core.full_pause import FullyPaused, left_out_of
from schedsync.core.observed import Row
from schedsync.core.schedule import OF_OUR_BEAT, Spec, completed_at
from schedsync.core.status import Late
from schedsync.core.timing import MICROSECOND, Clocked, Crontab, Interval, Timing


@dataclass(frozen=True, slots=True)
class Moment:
    """The time to report on; ``leads_since`` is None where no Beat of schedsync's own leads.

    ``cron_deadline`` is Celery's ``beat_cron_starting_deadline``, in seconds. ``full_pause`` is the last pause of
    everything, None where there was none.
    """

    now: datetime
    leads_since: datetime | None = None
    cron_deadline: int | None = None
    full_pause: FullyPaused | None = None


def late(rows: Iterable[Row], moment: Moment) -> Iterator[Late]:
    """Yield the schedules whose tick is due, in the order of the rows."""
    for row in rows:
        if row.spec is not None and not completed_at(row.spec, moment.now):
            tick = _tick(row, row.spec, moment)
            if tick is not None:
                yield Late(row.name, tick)


def passed_over(row: Row, moment: Moment) -> datetime | None:
    """Return the last tick that only the fields of schedsync's own Beat leave out; None if they leave out none.

    Without these fields, which the ledger holds, Beat would send that tick at once.
    """
    spec = row.spec
    if spec is None or not spec.enabled or completed_at(spec, moment.now):
        return None
    tick = _tick(row, replace(spec, **OF_OUR_BEAT), moment)
    if tick is None or _tick(row, spec, moment) is not None:
        return None
    return last_tick(spec.timing, tick, moment.now)


def next_tick(row: Row, moment: Moment) -> datetime | None:
    """Return the tick that an enabled schedule sends next: one that is due, else the first one after now, or None."""
    spec = row.spec
    if spec is None or not spec.enabled or completed_at(spec, moment.now) or (spec.one_off and row.total_run_count):
        return None
    if (due := _tick(row, spec, moment)) is not None:
        return due
    last = row.last_run_at or row.date_changed or moment.now
    tick = first_tick(spec.timing, last, spec.start_at, ran=row.last_run_at is not None)
    if tick is None or tick > moment.now:
        return tick
    return tick_after(spec.timing, last_tick(spec.timing, tick, moment.now))


def latest_late_run(timing: Timing, oldest: datetime, now: datetime) -> datetime | None:
    """Return the latest last run with which a schedule of this timing can be late; None if not even ``oldest`` is.

    ``oldest`` is the oldest last run among the schedules of this timing.
    """
    if isinstance(timing, Clocked):
        # As soon as it is due, it counts as completed.
        return None
    following = tick_after(timing, oldest)
    if following is None or following > now:
        return None
    if isinstance(timing, Interval):
        return now - timedelta(microseconds=timing.microseconds)
    return last_tick(timing, following, now) if isinstance(timing, Crontab) else now


def _tick(row: Row, spec: Spec, moment: Moment) -> datetime | None:
    """Return the oldest missed tick that is still due, or None."""
    if spec.one_off and row.total_run_count:
        return None
    last = row.last_run_at or row.date_changed or moment.now
    tick = first_tick(spec.timing, last, spec.start_at, ran=row.last_run_at is not None)
    tick = _after_full_pause(row, spec, tick, moment)
    if tick is None or tick > moment.now:
        return None
    # Only a leader skips missed ticks.
    lateness = lateness_of(spec, moment.cron_deadline)
    earliest = None if moment.leads_since is None else _earliest(lateness, moment, moment.leads_since)
    if earliest is not None and tick < earliest:
        following = tick_after(spec.timing, last_tick(spec.timing, tick, earliest - MICROSECOND))
        return following if following is not None and following <= moment.now else None
    return tick


def _after_full_pause(row: Row, spec: Spec, tick: datetime | None, moment: Moment) -> datetime | None:
    """Return the first tick that a pause of everything does not leave out; None while the pause lasts."""
    pause = moment.full_pause
    if tick is None or pause is None:
        return tick
    if pause.is_on(moment.now):
        return None
    until = left_out_of(pause.left_out(moment.now), last_run=row.last_run_at, changed=row.date_changed)
    return tick if until is None else first_after(spec.timing, tick, until)[0]


def _earliest(lateness: Lateness, moment: Moment, leads_since: datetime) -> datetime | None:
    """Return the instant since which missed ticks are still sent; None where all of them are."""
    if lateness.deadline is not None:
        return moment.now - lateness.deadline
    return leads_since - GRACE if lateness.missed == "none" else None


def lateness_of(spec: Spec, cron_deadline: int | None) -> Lateness:
    """Return which late ticks a schedule still sends; ``cron_deadline`` is as in a Moment."""
    seconds = spec.starting_deadline
    if seconds is None and isinstance(spec.timing, Crontab):
        seconds = cron_deadline
    return Lateness(spec.missed_runs, None if seconds is None else timedelta(seconds=seconds))
