"""Ends the silence of schedules that a Beat whose clock was ahead has run for ticks of the future.

A tick is claimed when it is due, so a claim that lies more than a lease after the database's time was made by such a
clock. A schedule of which several ticks of the future were sent counts from now again, and these ticks are sent once
more, at their time and under the same task ids. If only one was sent early, the schedule goes on with the next one, and
no tick is sent twice; neither is any tick of a schedule with at most one delivery.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from schedsync.beat.clock_check import ClockCheck
from schedsync.beat.loaded_schedule import LoadedSchedule
from schedsync.beat.roster import Roster
from schedsync.calendar.ticks import tick_after
from schedsync.core.journal import Event
from schedsync.core.names import counted, first_names
from schedsync.core.timing import Interval
from schedsync.database.clock import DatabaseNow, database_time
from schedsync.models import Claim

logger = logging.getLogger(__name__)

#: A line of the log names the first 20 schedules; the record's ``schedules`` holds all of them.
_NAMED = 20


@dataclass
class EarlyRuns:
    """Looks for such schedules when this Beat begins to lead; ``limit`` is the length of a lease."""

    using: str
    roster: Roster
    clock: ClockCheck
    limit: timedelta

    def undo(self) -> None:
        """Let these schedules count from now; a Beat whose own clock is wrong leaves them alone."""
        if not self.clock.agrees or self.clock.difference > self.limit.total_seconds() / 2:
            return
        names = []
        for schedule, last_run, tick in list(self._early()):
            self.roster.journal.note(schedule.row_id, Event.EARLY, last_run, tick, count=None)
            self.roster.repairs.count_from(schedule, last_run)
            self.roster.agenda.put(schedule)
            names.append(schedule.name)
        if names:
            logger.warning(
                "a Beat whose clock was ahead has run %s for ticks of the future, to be counted from now on: %s",
                counted(len(names), "schedule"), first_names(sorted(names), _NAMED), extra={"schedules": sorted(names)},
            )  # fmt: skip

    def _early(self) -> Iterator[tuple[LoadedSchedule, datetime, datetime]]:
        """Yield the schedules that are to count from now, each with the last run to count from, and its last tick."""
        claims = Claim.objects.using(self.using).filter(tick__gt=DatabaseNow() + self.limit)
        ahead = list(claims.values_list("row_id", "tick"))
        now = database_time(self.using) if ahead else None
        for row_id, tick in ahead:
            schedule = self.roster.schedules.get(row_id)
            if now is None or schedule is None or schedule.one_off or schedule.at_most_once:
                continue
            last_run = _count_from(schedule, tick, now)
            if last_run is not None:
                yield schedule, last_run, tick


def _count_from(schedule: LoadedSchedule, tick: datetime, now: datetime) -> datetime | None:
    """Return the last run to count from, or None if ``tick`` is the only tick of the future that was sent."""
    if isinstance(schedule.timing, Interval):
        step = timedelta(microseconds=schedule.timing.microseconds)
        # A whole number of intervals before the tick, so that the ticks stay the same.
        steps = -((now - tick) // step)
        return tick - steps * step if steps > 1 else None
    following = tick_after(schedule.timing, now)
    return now if following is not None and following < tick else None
