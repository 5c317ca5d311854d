"""Finds the schedules that a Beat whose clock was ahead has run for ticks of the future: they would be silent till then.

A tick is claimed when it is due, so a claim that lies more than a lease after the database's time was made by such a
clock. A schedule of which several ticks of the future were sent counts from now again, and these ticks are sent once
more, at their time and under the same task ids. If only one was sent early, the schedule goes on with the next one, and
no tick is sent twice; neither is any tick of a schedule with at most one delivery.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from schedsync.beat.loaded_schedule import LoadedSchedule
from schedsync.calendar.ticks import tick_after
from schedsync.core.timing import Interval
from schedsync.database.clock import DatabaseNow, database_time
from schedsync.models import Claim


def early_runs(
    using: str, schedules: Mapping[int, LoadedSchedule], limit: timedelta
) -> Iterator[tuple[LoadedSchedule, datetime]]:
    """Yield the schedules that are to count from now, each with the last run to count from."""
    claims = list(Claim.objects.using(using).filter(tick__gt=DatabaseNow() + limit).values_list("row_id", "tick"))
    if not claims:
        return
    now = database_time(using)
    for row_id, tick in claims:
        schedule = schedules.get(row_id)
        if schedule is None or schedule.one_off or schedule.at_most_once:
            continue
        last_run = _count_from(schedule, tick, now)
        if last_run is not None:
            yield schedule, last_run


def _count_from(schedule: LoadedSchedule, tick: datetime, now: datetime) -> datetime | None:
    """Return the last run to count from, or None if ``tick`` is the only tick of the future that was sent."""
    if isinstance(schedule.timing, Interval):
        step = timedelta(microseconds=schedule.timing.microseconds)
        # A whole number of intervals before the tick, so that the ticks stay the same.
        steps = -((now - tick) // step)
        return tick - steps * step if steps > 1 else None
    following = tick_after(schedule.timing, now)
    return now if following is not None and following < tick else None
