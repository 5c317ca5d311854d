"""Reads the journal that Beats write: a constant number of queries, and a bounded number of segments.

Nothing of a segment is believed: one that cannot be read is passed over and counted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Q, QuerySet
from django_celery_beat.models import PeriodicTask

from schedsync.core.journal import ALL_ROWS, Event, Journal, JournalRecord
from schedsync.core.journal_data import DamagedSegment, instant, micros, rows_of, unpacked
from schedsync.core.timing import in_calendar
from schedsync.database.reigns import reigns
from schedsync.database.segments import segments
from schedsync.database.tables import has_table
from schedsync.database.values import NOT_CONVERTED, read_values
from schedsync.models import JournalSegment

#: The segments, and their bytes, that are read at most: those around the ticks, then the newest ones.
MOST_SEGMENTS = 20_000
MOST_BYTES = 64 * 1024 * 1024
#: The records that are returned at most.
MOST_RECORDS = 100_000
#: What is so near to a tick is read first: where the ticks of an interval are is known only about.
_NEAR = timedelta(minutes=10)
_NAMES = ("name", "epoch", "written_at")
__all__ = ["records", "reigns"]


def records(using: str, row_id: int, since: datetime, until: datetime, ticks: Collection[datetime] = ()) -> Journal:
    """Return the records of one row, and those that concern all, whose ticks overlap a span of time.

    Where there are more than can be read, those around ``ticks`` are read first.
    """
    if not has_table(using, JournalSegment):
        return Journal()
    rows = JournalSegment.objects.using(using)
    reading = _Reading(row_id, micros(since), micros(until))
    overlapping = rows.filter(last__gte=since, first__lte=until).order_by("-last", "-pk")
    near = _near(ticks)
    # Two orders by one index, and not one by an expression, for which each database sorts all of them.
    for part in (overlapping.filter(near), overlapping.exclude(near)):
        for values in segments(part[: MOST_SEGMENTS + 1], _NAMES):
            if not reading.takes(values):
                break
    names = read_values(PeriodicTask.objects.using(using).filter(pk=row_id), ("name",))
    return Journal(
        reading.in_order(next((name for (name,) in names if isinstance(name, str)), None)),
        kept_since=_oldest(rows),
        damaged=reading.damaged,
        dropped=reading.dropped,
        is_cut=reading.is_cut,
    )


def _near(ticks: Collection[datetime]) -> Q:
    """Return the condition for segments whose ticks are around some ticks; for none without any."""
    near = Q(pk__in=())
    for tick in ticks:
        near |= Q(last__gte=tick - _NEAR, first__lte=tick + _NEAR)
    return near


def _oldest(rows: QuerySet[Any]) -> datetime | None:
    oldest = [at for (at,) in read_values(rows.order_by("pk")[:1], ("written_at",))]
    return oldest[0] if oldest and isinstance(oldest[0], datetime) else None


@dataclass
class _Reading:
    """Collects the records of one row; ``since`` and ``until`` are in microseconds since 1970."""

    row_id: int
    since: int
    until: int
    damaged: int = 0
    dropped: int = 0
    is_cut: bool = False
    _name: str = ""
    _segments: int = 0
    _bytes: int = 0
    #: By what they say: a segment whose commit was not answered may be there twice.
    _records: dict[tuple[Any, ...], JournalRecord] = field(default_factory=dict)

    def takes(self, values: tuple[Any, ...]) -> bool:
        """Read one segment, or note that it is damaged; returns False if that was enough."""
        self._segments += 1
        self._bytes += len(values[-1]) if values else 0
        if self._segments > MOST_SEGMENTS or self._bytes > MOST_BYTES or len(self._records) > MOST_RECORDS:
            self.is_cut = True
            return False
        try:
            found, dropped = self._read(*values)
        except (DamagedSegment, *NOT_CONVERTED, KeyError, IndexError):
            self.damaged += 1
        else:
            self.dropped += dropped
            for record in found:
                key = record.event, record.first, record.last, record.late, record.reason, record.beat, record.epoch
                self._records.setdefault(key, record)
        return True

    def _read(self, name: str, epoch: int, written_at: datetime, data: bytes) -> tuple[list[JournalRecord], int]:
        if not in_calendar(written_at):
            raise DamagedSegment("it was written outside the calendar")
        document, columns = unpacked(data)
        dropped, notes = document["dropped"], document["notes"]
        if type(dropped) is not int or dropped < 0 or type(notes) is not list:
            raise DamagedSegment("it has another form")
        found = [
            _record(note, self.row_id if self.row_id in rows_of(note) else ALL_ROWS, name, epoch, written_at)
            for note in notes
            if self._concerns(note)
        ]
        if found and (names := [record.name for record in found if record.name]):
            self._name = self._name or names[-1]
        return [*found, *self._sent(columns, name, epoch)], dropped

    def _concerns(self, note: Any) -> bool:
        _, _, _, first, last, *_ = note
        if first > self.until or last < self.since:
            return False
        rows = rows_of(note)
        return self.row_id in rows or ALL_ROWS in rows

    def _sent(self, columns: Any, beat: str, epoch: int) -> Iterator[JournalRecord]:
        rows, ticks, lates = columns
        at = -1
        for _ in range(rows.count(self.row_id)):
            at = rows.index(self.row_id, at + 1)
            if self.since <= ticks[at] <= self.until:
                yield _sent_record(self.row_id, ticks[at], lates[at], beat, epoch)

    def in_order(self, name: str | None) -> list[JournalRecord]:
        """Return the records in the order of their ticks, under the name that the row has or had."""
        named = [
            replace(record, name="" if record.row_id == ALL_ROWS else name or self._name)
            for record in self._records.values()
        ]
        return sorted(named, key=lambda record: (record.first, record.last, record.at, record.event.value))


def _sent_record(row_id: int, tick: int, late: int, beat: str, epoch: int) -> JournalRecord:
    at = _in_calendar(tick)
    sent_at = at + timedelta(milliseconds=late)
    return JournalRecord(row_id, "", Event.SENT, at, at, 1, sent_at, beat, epoch, late / 1000)


def _record(note: Any, row_id: int, beat: str, epoch: int, written_at: datetime) -> JournalRecord:
    """Return the record of a row in a note of a segment; raises one of many errors where it has another form."""
    age, _, event, first, last, count, reason, name, late = note
    if not all(isinstance(text, str) for text in (reason, name)) or type(count) not in (int, type(None)):
        raise DamagedSegment("it has another form")
    if event == Event.SENT.value:
        return replace(_sent_record(row_id, first, late, beat, epoch), again=True)
    at = written_at - timedelta(seconds=age)
    return JournalRecord(
        row_id, name, Event(event), _in_calendar(first), _in_calendar(last), count, at, beat, epoch, None, reason
    )


def _in_calendar(microseconds: int) -> datetime:
    at = instant(microseconds)
    if not in_calendar(at):
        raise DamagedSegment("it has a tick outside the calendar")
    return at
