"""When Beat has something to do next: a heap of instants, whose cost does not depend on schedules that are not due."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Mapping
from datetime import datetime

from schedsync.beat.loaded_schedule import LoadedSchedule

#: How many instants of schedules that moved may stay in the heap.
_SLACK = 1000


class Agenda:
    """The schedules by when they wake; a schedule that moved or is gone leaves its old instant in the heap.

    ``schedules`` are those of the roster, by the id of their row. The instant at which each is noted here is its
    ``noted_at``: another instant of it in the heap is skipped.
    """

    def __init__(self, schedules: Mapping[int, LoadedSchedule]) -> None:
        self._schedules = schedules
        self._heap: list[tuple[datetime, int]] = []

    def rebuild(self) -> None:
        """Note all schedules anew."""
        for schedule in self._schedules.values():
            schedule.noted_at = schedule.wakes_at
        self._refill()

    def put(self, schedule: LoadedSchedule) -> None:
        """Note when a schedule wakes, in place of the instant noted before."""
        at = schedule.wakes_at
        if schedule.noted_at == at:
            return
        schedule.noted_at = at
        if at is not None:
            heapq.heappush(self._heap, (at, schedule.row_id))
            if len(self._heap) > 2 * len(self._schedules) + _SLACK:
                self._refill()

    def next_at(self) -> datetime | None:
        """Return when the first schedule wakes, or None."""
        while self._heap and not self._is_noted(*self._heap[0]):
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop(self, now: datetime, most: int) -> list[int]:
        """Take out the ids of schedules that are awake by now, the earliest first; ``most`` limits their number."""
        awake: list[int] = []
        while len(awake) < most and (at := self.next_at()) is not None and at <= now:
            _, row_id = heapq.heappop(self._heap)
            self._schedules[row_id].noted_at = None
            awake.append(row_id)
        return awake

    def late(self, before: datetime) -> Iterator[int]:
        """Yield the ids of schedules that should have woken before an instant; only these are looked at."""
        places = [0]
        while places:
            place = places.pop()
            if place < len(self._heap) and self._heap[place][0] < before:
                if self._is_noted(*self._heap[place]):
                    yield self._heap[place][1]
                places += (2 * place + 1, 2 * place + 2)

    def _is_noted(self, at: datetime, row_id: int) -> bool:
        schedule = self._schedules.get(row_id)
        return schedule is not None and schedule.noted_at == at

    def _refill(self) -> None:
        # The old instants make room before the new ones are made: there may be a million of each.
        self._heap.clear()
        noted = self._schedules.items()
        self._heap = [(at, row_id) for row_id, schedule in noted if (at := schedule.noted_at) is not None]
        heapq.heapify(self._heap)
