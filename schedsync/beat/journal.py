"""The journal in memory: what became of ticks since it was written last, and when this Beat began and ended to lead.

Nothing is written for a single tick. :mod:`schedsync.beat.journal_writer` writes it about once for each renewal of the
lease.
"""

from __future__ import annotations

import time
from array import array
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, NamedTuple, Protocol

from schedsync.core.journal import ALL_ROWS, Event
from schedsync.core.journal_data import instant, micros, packed

#: How many sent ticks, and other notes, are kept while the journal cannot be written.
MOST_SENT = 200_000
MOST_NOTES = 50_000
#: The characters of a reason that are kept.
_MOST = 500


class HasTick(Protocol):
    """A message that was sent, or a claimed tick."""

    @property
    def row_id(self) -> int:
        """The id of the schedule's row."""
        ...

    @property
    def tick(self) -> datetime:
        """The tick."""
        ...


class _Sent(NamedTuple):
    """Ticks that were sent together; ``at`` is when, in microseconds since 1970."""

    epoch: int
    at: int
    rows: array[int]
    ticks: list[datetime]


class _Note(NamedTuple):
    """What became of ticks of one row; ``noted`` is by the monotonic clock, ``late`` in milliseconds."""

    epoch: int
    noted: float
    row_id: int
    event: Event
    first: datetime
    last: datetime
    ticks: int | None
    reason: str
    name: str = ""
    late: int | None = None


class Turn(NamedTuple):
    """The beginning or the end of a time in which this Beat leads; ``noted`` is by the monotonic clock."""

    epoch: int
    noted: float
    begins: bool
    reason: str = ""


class Segment(NamedTuple):
    """Bytes to write, with the epoch under which their ticks were noted, and the first and the last tick."""

    epoch: int
    first: datetime
    last: datetime
    data: bytes


@dataclass
class Journal:
    """Notes what happens while this Beat leads; ``epoch`` is None while it does not, and then nothing is noted.

    ``dropped`` counts the ticks and notes that had to make room.
    """

    epoch: int | None = None
    turns: list[Turn] = field(default_factory=list)
    dropped: int = 0
    _sent: deque[_Sent] = field(default_factory=deque)
    _sent_count: int = 0
    _notes: deque[_Note] = field(default_factory=deque)
    #: Ticks that another Beat has claimed before, and that are to be sent again.
    _again: set[tuple[int, datetime]] = field(default_factory=set)
    #: The tick of each row whose refusal is noted: further attempts are refused for the same reason.
    _refused: dict[int, datetime] = field(default_factory=dict)
    #: Since when the broker cannot be reached, and why.
    _away: tuple[datetime, str] | None = None

    def begin(self, epoch: int) -> None:
        """Note that this Beat leads now."""
        self.end("it began to lead anew")
        self.epoch = epoch
        self.turns.append(Turn(epoch, time.monotonic(), begins=True))

    def end(self, reason: str) -> None:
        """Note that it leads no longer, if it did."""
        if self.epoch is None:
            return
        self.broker("")
        self.turns.append(Turn(self.epoch, time.monotonic(), begins=False, reason=reason[:_MOST]))
        self.epoch = None
        self._again.clear()
        self._refused.clear()

    def sent(self, messages: Sequence[HasTick], now: datetime) -> None:
        """Note a chunk of messages that the broker has: this takes no time for each of them but to copy two values."""
        if self.epoch is None:
            return
        if self._again:
            messages = self._without_again(messages, now)
        if not messages:
            return
        rows, ticks = array("q", [message.row_id for message in messages]), [message.tick for message in messages]
        self._sent.append(_Sent(self.epoch, micros(now), rows, ticks))
        self._sent_count += len(rows)
        while self._sent_count > MOST_SENT:
            self._drop(len(self._sent.popleft().rows))

    def _drop(self, count: int) -> None:
        self._sent_count -= count
        self.dropped += count

    def _without_again(self, messages: Sequence[HasTick], now: datetime) -> list[HasTick]:
        """Return the messages that are sent for the first time, and note the others each by itself."""
        first: list[HasTick] = []
        for message in messages:
            key = message.row_id, message.tick
            if key in self._again:
                self._again.discard(key)
                late = (micros(now) - micros(message.tick)) // 1000
                self._add(message.row_id, Event.SENT, message.tick, message.tick, 1, "", late=late)
            else:
                first.append(message)
        return first

    def again(self, keys: Iterable[tuple[int, datetime]]) -> None:
        """Note ticks that this Beat is about to send, and that an earlier one may have sent."""
        if self.epoch is not None:
            self._again.update(keys)

    def note(
        self,
        row_id: int,
        event: Event,
        first: datetime,
        last: datetime | None = None,
        *,
        count: int | None = 1,
        reason: str = "",
        name: str = "",
    ) -> None:
        """Note what became of the ticks from ``first`` to ``last``; of one tick without ``last``."""
        if self.epoch is None or (event is Event.REFUSED and self._refused.get(row_id) == first):
            return
        if event is Event.REFUSED:
            self._refused[row_id] = first
        self._add(row_id, event, first, last or first, count, reason, name)

    def _add(self, row_id: int, event: Event, first: datetime, last: datetime, count: int | None, reason: str,
             name: str = "", late: int | None = None) -> None:  # fmt: skip
        epoch, noted = self.epoch or 0, time.monotonic()
        self._notes.append(_Note(epoch, noted, row_id, event, first, last, count, reason[:_MOST], name, late))
        if len(self._notes) > MOST_NOTES:
            self._notes.popleft()
            self.dropped += 1

    def broker(self, trouble: str) -> None:
        """Note whether the broker can be reached; ``trouble`` says why it cannot, or is empty."""
        if trouble:
            self._away = self._away or (_now(), trouble)
        elif self._away is not None:
            (since, reason), self._away = self._away, None
            self.note(ALL_ROWS, Event.UNREACHABLE, since, max(_now(), since), count=None, reason=reason)

    def segments(self) -> list[Segment]:
        """Return what is to be written, by epochs; nothing is forgotten before :meth:`clear`."""
        if self._away is not None:
            # One record for each segment: a Beat that is killed meanwhile has written most of it.
            since, reason = self._away
            self.broker("")
            self._away = max(_now(), since), reason
        epochs = sorted({sent.epoch for sent in self._sent} | {note.epoch for note in self._notes})
        return [self._segment(epoch, self.dropped if epoch == epochs[-1] else 0) for epoch in epochs]

    def _segment(self, epoch: int, dropped: int) -> Segment:
        notes = _grouped(note for note in self._notes if note.epoch == epoch)
        columns = _columns(sent for sent in self._sent if sent.epoch == epoch)
        times = {micros(at) for note, _ in notes for at in (note.first, note.last)}
        times |= {min(columns[1]), max(columns[1])} if columns[1] else set()
        now = time.monotonic()
        document = {"dropped": dropped, "notes": [_values(note, rows, now) for note, rows in notes]}
        return Segment(epoch, instant(min(times)), instant(max(times)), packed(document, columns))

    def clear(self) -> None:
        """Forget what was written."""
        self._sent.clear()
        self._notes.clear()
        self.turns.clear()
        self._sent_count = self.dropped = 0


def _columns(chunks: Iterator[_Sent]) -> tuple[array[int], array[int], array[int]]:
    """Return the rows' ids, the ticks, and how late they were sent."""
    columns: tuple[array[int], ...] = (array("q"), array("q"), array("q"))
    for chunk in chunks:
        count = len(chunk.rows)
        if chunk.ticks.count(chunk.ticks[0]) == count:
            # Sorted ids have small differences, which take little space.
            rows: Collection[int] = sorted(chunk.rows)
            ticks = [micros(chunk.ticks[0])] * count
        else:
            rows, ticks = chunk.rows, [micros(tick) for tick in chunk.ticks]
        columns[0].extend(rows)
        columns[1].extend(ticks)
        columns[2].extend([(chunk.at - tick) // 1000 for tick in ticks])
    return columns[0], columns[1], columns[2]


def _grouped(notes: Iterable[_Note]) -> list[tuple[_Note, list[int]]]:
    """Return one note for all rows of which the same became in one second, as after an outage, and the rows' ids."""
    groups: dict[tuple[Any, ...], tuple[_Note, list[int]]] = {}
    for note in notes:
        key = int(note.noted), note.row_id if note.event is Event.SENT else None, *note[3:]
        groups.setdefault(key, (note, []))[1].append(note.row_id)
    return list(groups.values())


def _values(note: _Note, rows: Sequence[int], now: float) -> list[Any]:
    first, last, age = micros(note.first), micros(note.last), round(now - note.noted, 3)
    which = rows[0] if len(rows) == 1 else rows
    return [age, which, note.event.value, first, last, note.ticks, note.reason, note.name, note.late]


def _now() -> datetime:
    return datetime.now(timezone.utc)
