"""When Beat has something to do next: a heap of instants, whose cost does not depend on what is not due."""

from __future__ import annotations

import heapq
from collections.abc import Collection
from datetime import datetime

from schedsync.beat.loaded_schedule import LoadedSchedule

_SLACK = 1000


class Agenda:
    """The entries by when they wake; an entry that moved leaves its old place behind, which is passed over."""

    def __init__(self) -> None:
        self._heap: list[tuple[datetime, int]] = []
        self._at: dict[int, datetime] = {}

    def __len__(self) -> int:
        return len(self._at)

    def rebuild(self, entries: Collection[LoadedSchedule]) -> None:
        """Start again with these entries."""
        self._at = {entry.row_id: at for entry in entries if (at := entry.wakes_at) is not None}
        self._heap = [(at, row_id) for row_id, at in self._at.items()]
        heapq.heapify(self._heap)

    def put(self, entry: LoadedSchedule) -> None:
        """Note when an entry wakes, in place of what was noted before."""
        at = entry.wakes_at
        if at is None:
            self.drop(entry.row_id)
        elif self._at.get(entry.row_id) != at:
            self._at[entry.row_id] = at
            heapq.heappush(self._heap, (at, entry.row_id))
            self._tidy()

    def drop(self, row_id: int) -> None:
        """Forget an entry."""
        self._at.pop(row_id, None)

    def next_at(self) -> datetime | None:
        """Return when the first entry wakes."""
        self._skip()
        return self._heap[0][0] if self._heap else None

    def pop(self, now: datetime, most: int) -> list[int]:
        """Take out the ids of entries that are awake by now, the earliest first."""
        found: list[int] = []
        while len(found) < most and (at := self.next_at()) is not None and at <= now:
            _, row_id = heapq.heappop(self._heap)
            del self._at[row_id]
            found.append(row_id)
        return found

    def _skip(self) -> None:
        while self._heap and self._at.get(self._heap[0][1]) != self._heap[0][0]:
            heapq.heappop(self._heap)

    def _tidy(self) -> None:
        if len(self._heap) > 2 * len(self._at) + _SLACK:
            self._heap = [(at, row_id) for row_id, at in self._at.items()]
            heapq.heapify(self._heap)
