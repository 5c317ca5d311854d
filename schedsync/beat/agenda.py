"""When Beat has something to do next: a heap of instants, whose cost does not depend on schedules that are not due."""

from __future__ import annotations

import heapq
from collections.abc import Collection
from datetime import datetime

from schedsync.beat.loaded_schedule import LoadedSchedule

#: How many instants of schedules that moved may stay in the heap.
_SLACK = 1000


class Agenda:
    """The schedules by when they wake; a schedule that moved leaves its old instant in the heap, which is skipped."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int]] = []
        self._at: dict[int, datetime] = {}

    def __len__(self) -> int:
        return len(self._at)

    def rebuild(self, schedules: Collection[LoadedSchedule]) -> None:
        """Start again with these schedules."""
        self._at = {schedule.row_id: at for schedule in schedules if (at := schedule.wakes_at) is not None}
        self._heap = [(at, row_id) for row_id, at in self._at.items()]
        heapq.heapify(self._heap)

    def put(self, schedule: LoadedSchedule) -> None:
        """Note when a schedule wakes, in place of the instant noted before."""
        at = schedule.wakes_at
        if at is None:
            self.drop(schedule.row_id)
        elif self._at.get(schedule.row_id) != at:
            self._at[schedule.row_id] = at
            heapq.heappush(self._heap, (at, schedule.row_id))
            self._tidy()

    def drop(self, row_id: int) -> None:
        """Forget a schedule."""
        self._at.pop(row_id, None)

    def next_at(self) -> datetime | None:
        """Return when the first schedule wakes, or None."""
        self._skip()
        return self._heap[0][0] if self._heap else None

    def pop(self, now: datetime, most: int) -> list[int]:
        """Take out the ids of schedules that are awake by now, the earliest first; ``most`` limits their number."""
        awake: list[int] = []
        while len(awake) < most and (at := self.next_at()) is not None and at <= now:
            _, row_id = heapq.heappop(self._heap)
            del self._at[row_id]
            awake.append(row_id)
        return awake

    def _skip(self) -> None:
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)

    def _tidy(self) -> None:
        if len(self._heap) > 2 * len(self._at) + _SLACK:
            self._heap = [(at, row_id) for row_id, at in self._at.items()]
            heapq.heapify(self._heap)
