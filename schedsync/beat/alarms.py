"""The alarms that Beat sends: it notes from time to time what it knows, for a thread that does the rest."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from schedsync.alarms.settings import notify_setting
from schedsync.beat.alarm_clerk import BeatSight, Clerk
from schedsync.core.alarm import Alarm, Kind
from schedsync.database.environment import named_environment

if TYPE_CHECKING:
    from schedsync.beat.clock_check import ClockCheck
    from schedsync.beat.dispatch import Dispatch
    from schedsync.beat.scheduler import Scheduler

#: A tick is overdue when it is later than this, as in ``status``.
_OVERDUE = timedelta(seconds=60)


class Alarms:
    """Looks for alarms without a statement to the database; without SCHEDSYNC_NOTIFY it does nothing.

    Raises ImproperlyConfigured if the setting cannot be used, or if Apprise is not installed.
    """

    def __init__(self, beat: Scheduler, dispatch: Dispatch, clock: ClockCheck) -> None:
        self._beat, self._dispatch, self._clock = beat, dispatch, clock
        self._host = socket.gethostname()[:200]
        self._late: dict[int, datetime] = {}
        self._next = 0.0
        setting = notify_setting()
        self._clerk = None if setting is None else Clerk(beat.using, setting, named_environment())

    def step(self, *, is_away: bool) -> None:
        """Hand over what there is to know, once in a lease; ``is_away`` says that the database is away."""
        if self._clerk is None or is_away or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + self._beat.times.lease
        self._clerk.take(self.sight())

    def close(self) -> None:
        """Let the thread finish the letter that it is sending, for a moment."""
        if self._clerk is not None:
            self._clerk.close()

    def sight(self) -> BeatSight:
        """Return what this Beat knows now."""
        beat = self._beat
        leads = beat.leadership.leads
        alarms = [*self._wrong_clock()]
        if leads:
            alarms += [*self._overdue(), *self._failing(), *self._leader()]
        return BeatSight(self._host, leads, tuple(alarms), beat.reloader.pause_ends, beat.times.lease)

    def _wrong_clock(self) -> Iterator[Alarm]:
        if not self._clock.agrees:
            yield Alarm(Kind.CLOCK, self._host, self._clock.text, self._host)

    def _leader(self) -> Iterator[Alarm]:
        epoch = self._beat.leadership.epoch or 0
        if epoch > 1:
            yield Alarm(Kind.LEADER_CHANGED, f"{self._host}:{os.getpid()}", detail=str(epoch))

    def _failing(self) -> Iterator[Alarm]:
        roster = self._beat.roster
        for row in list(roster.broken.values()):
            yield Alarm(Kind.FAILING, row.name, f"it cannot run: {row.reason}")
        for row_id, reason, given_up in self._beat.sender.failures.failing():
            if (schedule := roster.schedules.get(row_id)) is not None:
                done = "its message cannot be sent" if given_up else "the broker refuses its message"
                yield Alarm(Kind.FAILING, schedule.name, f"{done}: {reason}")

    def _overdue(self) -> Iterator[Alarm]:
        """Yield the schedules whose tick is late now, and was late at the look before: a new leader catches up."""
        before, self._late = self._late, dict(self._late_ticks())
        trouble = self._beat.sender.trouble
        why = f"; the broker is away: {trouble}" if trouble else ""
        for row_id, tick in self._late.items():
            if before.get(row_id) == tick:
                name = self._beat.roster.schedules[row_id].name
                yield Alarm(Kind.OVERDUE, name, f"due since {tick:%Y-%m-%d %H:%M:%S} UTC{why}")

    def _late_ticks(self) -> Iterator[tuple[int, datetime]]:
        """Yield the rows whose tick is late, from the agenda and the outbox; none while everything is paused."""
        if self._dispatch.full_pause.was_on:
            return
        limit, schedules = datetime.now(timezone.utc) - _OVERDUE, self._beat.roster.schedules
        for row_id in self._beat.roster.agenda.late(limit):
            if (tick := schedules[row_id].tick) is not None and tick < limit:
                yield row_id, tick
        for row_id, tick in self._dispatch.outbox.never_sent():
            if tick < limit and row_id in schedules:
                yield row_id, tick
