"""The ticks that a timing has in a span of the past. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import takewhile

from schedsync.calendar.ticks import tick_after
from schedsync.core.timing import MICROSECOND, Clocked, Interval, Timing


@dataclass(frozen=True, slots=True)
class Grid:
    """A timing with what places its ticks: ``last`` is its last run, or its last edit if it ``ran`` never.

    There are no ticks before ``start``, nor from ``end`` on. ``one_off``: there is one tick at most.
    """

    timing: Timing
    last: datetime
    ran: bool
    start: datetime | None = None
    end: datetime | None = None
    one_off: bool = False

    def ticks(self, since: datetime, until: datetime) -> Iterator[datetime]:
        """Yield the ticks from ``since`` on and before ``until``, the oldest first."""
        for tick in takewhile(lambda tick: tick < self._end(until), self._from(since)):
            yield tick
            if self.one_off:
                return

    def _end(self, until: datetime) -> datetime:
        return until if self.end is None else min(until, self.end)

    def _from(self, since: datetime) -> Iterator[datetime]:
        if isinstance(self.timing, Clocked):
            tick: datetime | None = max(self.timing.at, self.start or self.timing.at)
            return iter([tick] if tick is not None and tick >= since else [])
        if isinstance(self.timing, Interval):
            return self._intervals(self.timing, since)
        return self._slots(since)

    def _slots(self, since: datetime) -> Iterator[datetime]:
        tick = tick_after(self.timing, max(since, self.start or since) - MICROSECOND)
        while tick is not None:
            yield tick
            tick = tick_after(self.timing, tick)

    def _intervals(self, timing: Interval, since: datetime) -> Iterator[datetime]:
        """Yield whole intervals around the last run; one that never ran counts from its start, or from its edit."""
        step = timedelta(microseconds=timing.microseconds)
        base, first = self.last, since
        if not self.ran:
            base = self.start or self.last + step
            first = max(since, base)
        elif self.start is not None:
            first = max(since, self.start)
        tick = base - (base - first) // step * step
        while True:
            yield tick
            tick += step
