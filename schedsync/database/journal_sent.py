"""Which ticks of schedules the journal knows as sent, read in one pass for all of them."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schedsync.core.journal import Event, Passed
from schedsync.core.journal_data import DamagedSegment, micros, rows_of, unpacked
from schedsync.database.journal import MOST_BYTES, MOST_SEGMENTS
from schedsync.database.segments import segments
from schedsync.database.tables import has_table
from schedsync.database.values import read_values
from schedsync.models import JournalSegment

#: A tick of a row: the row's id, and the microseconds since 1970.
RowTick = tuple[int, int]


@dataclass
class SentTicks:
    """What the journal knows: ``kept_since`` is when its oldest segment was written, None if there is none.

    Of ``unsure`` ticks the connection broke while they were sent, and they are to be sent at most once. ``gaps`` is
    true where segments are damaged, were not kept, or were too many to read.
    """

    sent: set[RowTick] = field(default_factory=set)
    unsure: set[RowTick] = field(default_factory=set)
    kept_since: datetime | None = None
    gaps: bool = False


def sent_ticks(using: str, row_ids: Collection[int], since: datetime, until: datetime) -> SentTicks:
    """Return what the journal knows of rows in a span of time; nothing before its table is made."""
    known = SentTicks()
    if not has_table(using, JournalSegment):
        return known
    rows = JournalSegment.objects.using(using)
    oldest = read_values(rows.order_by("pk")[:1], ("written_at",))
    known.kept_since = oldest[0][0] if oldest and isinstance(oldest[0][0], datetime) else None
    overlapping = rows.filter(last__gte=since, first__lte=until).order_by("-last", "-pk")
    wanted, size = set(row_ids), 0
    for number, values in enumerate(segments(overlapping[: MOST_SEGMENTS + 1], ("epoch",))):
        size += len(values[-1]) if values else 0
        if number >= MOST_SEGMENTS or size > MOST_BYTES:
            known.gaps = True
            break
        try:
            _read(values[-1], wanted, known)
        except (DamagedSegment, ValueError, TypeError, LookupError):
            known.gaps = True
    return known


def _read(data: bytes, wanted: set[int], known: SentTicks) -> None:
    document, (rows, ticks, _) = unpacked(data)
    known.gaps |= bool(document["dropped"])
    known.sent |= {(row_id, tick) for row_id, tick in zip(rows, ticks, strict=True) if row_id in wanted}
    for event, row_tick in _noted(document["notes"], wanted):
        (known.sent if event is Event.SENT else known.unsure).add(row_tick)


def _noted(notes: Any, wanted: set[int]) -> Iterator[tuple[Event, RowTick]]:
    """Yield the ticks that were sent again after an earlier Beat, and those of which that is not sure."""
    for note in notes:
        _, _, name, first, last, _, reason, *_ = note
        event = Event(name)
        maybe = event is Event.UNSURE or (event is Event.PASSED_OVER and reason == Passed.MAYBE_SENT.value)
        if first == last and (event is Event.SENT or maybe):
            for row_id in wanted.intersection(rows_of(note)):
                yield event if event is Event.SENT else Event.UNSURE, (row_id, first)


def row_tick(row_id: int, tick: datetime) -> RowTick:
    """Return a tick of a row as the journal has it."""
    return row_id, micros(tick)
