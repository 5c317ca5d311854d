"""Reading the journal: damaged segments are passed over and counted, and what is read is bounded."""

from __future__ import annotations

import random
import uuid
import zlib
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext

from schedsync.core.journal import Event, Journal
from schedsync.core.journal_data import micros, packed
from schedsync.database import journal as reading
from schedsync.database import reigns as of_reigns
from schedsync.database.journal import records, reigns
from schedsync.models import JournalSegment
from tests.conftest import NOW

DAY = timedelta(days=1)
HOUR = timedelta(hours=1)
MINUTE = timedelta(minutes=1)
AT = micros(NOW)
BEAT = uuid.UUID(int=5)
SENT = [[7], [AT], [2500]]


def write(using: str, data: bytes, **columns: Any) -> JournalSegment:
    values = {"beat": BEAT, "name": "host:1", "epoch": 3, "first": NOW, "last": NOW, "written_at": NOW + MINUTE}
    made: JournalSegment = JournalSegment.objects.using(using).create(**{**values, **columns}, data=data)
    return made


def segment(*notes: list[Any], sent: Any = SENT, dropped: Any = 0) -> bytes:
    return packed({"dropped": dropped, "notes": list(notes)}, sent)


def read(using: str, row_id: int = 7) -> Journal:
    return records(using, row_id, NOW - DAY, NOW + DAY)


def note(*, event: Any = "refused", **values: Any) -> list[Any]:
    columns = {
        "age": 1.5, "row_id": 7, "event": event, "first": AT, "last": AT, "count": 1, "reason": "no", "name": "",
        "late": None,
    }  # fmt: skip
    assert values.keys() <= columns.keys()
    return list({**columns, **values}.values())


def test_a_record_has_the_times_of_the_database(using: str) -> None:
    write(using, segment(note(), sent=[[], [], []]))
    (record,) = read(using).records

    assert (record.event, record.at, record.reason, record.late) == (
        Event.REFUSED, NOW + MINUTE - timedelta(seconds=1.5), "no", None,
    )  # fmt: skip
    assert (record.beat, record.epoch, record.name) == ("host:1", 3, "")


def test_only_the_row_and_the_span_that_were_asked_for(using: str) -> None:
    ticks = [AT + number * 60_000_000 for number in range(10)]
    write(using, segment(sent=[[7, 8] * 5, ticks, [0] * 10]), last=NOW + 9 * MINUTE)
    write(using, segment(note(first=AT - 10**12, last=AT + 10**12), sent=[[], [], []]),
          first=NOW - 20 * DAY, last=NOW + 20 * DAY)  # fmt: skip
    found = records(using, 7, NOW + 3 * MINUTE, NOW + 6 * MINUTE).records

    assert [(record.event, record.first) for record in found] == [
        (Event.REFUSED, NOW - timedelta(seconds=10**6)),
        (Event.SENT, NOW + 4 * MINUTE),
        (Event.SENT, NOW + 6 * MINUTE),
    ]


def test_a_note_may_be_about_many_rows(using: str) -> None:
    write(using, segment(note(row_id=[5, 7, 9], event="passed_over", count=3), sent=[[], [], []]))

    assert [(record.row_id, record.event, record.count) for record in read(using).records] == [
        (7, Event.PASSED_OVER, 3)
    ]
    assert read(using, row_id=6).records == []


def test_a_segment_that_was_written_twice_counts_once(using: str) -> None:
    for seconds in (0, 5):
        write(using, segment(note()), written_at=NOW + timedelta(seconds=seconds))

    assert len(read(using).records) == 2


GOOD = segment(note())
DAMAGED: list[bytes] = [
    b"", b"x", GOOD[:-3], zlib.compress(b"[]\n"), packed({}), packed({"dropped": 0}), packed({"notes": []}),
    packed({"dropped": "x", "notes": []}), packed({"dropped": 0, "notes": 7}), segment(dropped=-1), segment([1]),
    segment(7), segment(None), segment(note(event="eaten")), segment(note(event=None)), segment(note(event=[])),  # type: ignore[arg-type]
    segment(note(first="x")), segment(note(first=None)), segment(note(first=-(10**18))), segment(note(last=10**18)),
    segment(note(last=10**30)), segment(note(age="old")), segment(note(age=10**30)), segment(note(age=float("nan"))),
    segment(note(count="many")), segment(note(count=True)), segment(note(reason=7)), segment(note(name=None)),
    segment(note(event="sent", late="x")), segment(note(event="sent", late=10**30)), segment(note(row_id=[7])),
    segment(sent=[[7], [AT], [2**62]]),
]  # fmt: skip


@pytest.mark.parametrize("data", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_segment_is_counted_and_hides_no_other(using: str, data: bytes) -> None:
    write(using, segment(note()))
    write(using, data)
    journal = read(using)

    if data == segment(note(row_id=[7])):
        # It concerns no row.
        assert journal.damaged == 0
    else:
        assert journal.damaged == 1
    assert {record.event for record in journal.records} == {Event.REFUSED, Event.SENT}


def test_random_damage_ends_in_no_traceback(using: str) -> None:
    chance = random.Random(5)
    rows = []
    for _ in range(300):
        data = bytearray(GOOD)
        for _ in range(chance.randrange(1, 4)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        rows.append(JournalSegment(beat=BEAT, name="h", epoch=3, first=NOW, last=NOW, written_at=NOW, data=bytes(data)))
    JournalSegment.objects.using(using).bulk_create(rows)
    JournalSegment.objects.using(using).bulk_create(
        [JournalSegment(beat=BEAT, name="h", epoch=3, turn="begin", written_at=NOW, data=row.data) for row in rows]
    )

    assert read(using).damaged > 200
    assert reigns(using, NOW - DAY, NOW + DAY) == []


def test_values_that_only_sqlite_takes_spoil_no_other_row(using: str) -> None:
    if using != "default":
        pytest.skip("this database has types")
    write(using, segment(note()))
    for column, value in [("written_at", "'x'"), ("epoch", "'many'"), ("data", "'text'"), ("name", "x'ff00'")]:
        bad = write(using, segment(note(reason=column)), last=NOW + MINUTE)
        with connections[using].cursor() as cursor:
            cursor.execute(f"UPDATE {JournalSegment._meta.db_table} SET {column} = {value} WHERE id = {bad.pk}")
    journal = read(using)

    assert (journal.damaged, {record.event for record in journal.records}) == (4, {Event.REFUSED, Event.SENT})
    assert reigns(using, NOW - DAY, NOW + DAY) == []


def test_what_is_read_is_bounded_and_the_newest(using: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_SEGMENTS", 3)
    for number in range(5):
        at = NOW + number * MINUTE
        write(using, segment(sent=[[7], [micros(at)], [0]]), first=at, last=at, written_at=at)
    journal = read(using)

    assert [record.first for record in journal.records] == [NOW + number * MINUTE for number in (2, 3, 4)]
    assert journal.is_cut
    assert journal.kept_since == NOW


def test_what_is_near_a_tick_is_read_first(using: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_SEGMENTS", 3)
    for number in range(9):
        at = NOW + number * HOUR
        write(using, segment(sent=[[7], [micros(at)], [0]]), first=at, last=at, written_at=at)
    journal = records(using, 7, NOW - DAY, NOW + DAY, [NOW + HOUR, NOW + 3 * HOUR, NOW + 20 * HOUR])

    assert [(record.first - NOW) / HOUR for record in journal.records] == [1, 3, 8]
    assert journal.is_cut


def test_the_bytes_are_bounded_too(using: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOST_BYTES", len(GOOD) + 1)
    for seconds in range(3):
        write(using, segment(note()), last=NOW + timedelta(seconds=seconds))

    assert read(using).is_cut
    assert read(using).records


def test_the_queries_are_constant(using: str) -> None:
    def queries() -> tuple[int, int]:
        with CaptureQueriesContext(connections[using]) as of_records:
            read(using)
        with CaptureQueriesContext(connections[using]) as of_reigns:
            reigns(using, NOW - DAY, NOW + DAY)
        return len(of_records), len(of_reigns)

    for number in range(3):
        write(using, segment(note()), last=NOW + number * MINUTE)
        write(using, packed({"age": 0}), turn="begin", epoch=number, first=None, last=None)
    few = queries()
    for number in range(3, 30):
        write(using, segment(note()), last=NOW + number * MINUTE)
        write(using, packed({"age": 0}), turn="begin", epoch=number, first=None, last=None)

    assert queries() == few
    assert max(few) < 10


def turn(using: str, kind: str, epoch: int, minutes: float, beat: int = 5, **document: Any) -> None:
    write(using, packed({"age": 0, **document}), turn=kind, epoch=epoch, first=None, last=None,
          beat=uuid.UUID(int=beat), name=f"host:{beat}", written_at=NOW + minutes * MINUTE)  # fmt: skip


def test_reigns_and_the_time_in_which_nobody_led(using: str) -> None:
    turn(using, "begin", 1, 0)
    write(using, GOOD, epoch=1, written_at=NOW + 20 * MINUTE)
    # It was killed at 25 minutes, and nobody led until 60.
    turn(using, "begin", 2, 60, beat=6, before={"epoch": 1, "seen": "2026-11-23T10:25:00Z"})
    turn(using, "end", 2, 90, beat=6, reason="the database failed", age=60)
    turn(using, "begin", 3, 90, beat=6)
    # It was stopped, and noticed after 40 minutes that another Beat led.
    turn(using, "begin", 4, 120, beat=7)
    turn(using, "end", 3, 160, beat=6, reason="it was taken")
    turn(using, "end", 4, 200, beat=7, reason="it gave the lease back")
    found = reigns(using, NOW, NOW + DAY)

    assert [
        (reign.epoch, reign.beat, (reign.since - NOW) / MINUTE, ((reign.until or NOW) - NOW) / MINUTE,
         reign.until_known, reign.reason)
        for reign in found
    ] == [
        (1, "host:5", 0, 25, False, ""),
        (2, "host:6", 60, 89, True, "the database failed"),
        (3, "host:6", 90, 120, False, "it was taken"),
        (4, "host:7", 120, 200, True, "it gave the lease back"),
    ]  # fmt: skip
    assert [reign.epoch for reign in reigns(using, NOW + 130 * MINUTE, NOW + 140 * MINUTE)] == [4]
    assert reigns(using, NOW + 30 * MINUTE, NOW + 59 * MINUTE) == []
    assert [reign.epoch for reign in reigns(using, NOW + 70 * MINUTE, NOW + 75 * MINUTE)] == [2]


def test_of_many_turns_the_newest_are_read(using: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(of_reigns, "MOST_TURNS", 4)
    turn(using, "begin", 1, -60)
    for epoch in range(2, 6):
        turn(using, "begin", epoch, 10 * epoch)
        turn(using, "end", epoch, 10 * epoch + 9)

    assert [reign.epoch for reign in reigns(using, NOW, NOW + DAY)] == [4, 5]


def test_a_reign_that_began_long_ago_is_found(using: str) -> None:
    turn(using, "begin", 1, 0)
    for number in range(30):
        write(using, GOOD, epoch=1, written_at=NOW + number * DAY)

    assert [(reign.epoch, reign.until) for reign in reigns(using, NOW + 28 * DAY, NOW + 28.5 * DAY)] == [
        (1, NOW + 29 * DAY)
    ]


def test_an_empty_journal_says_since_when_it_is_kept(using: str) -> None:
    assert read(using) == Journal()
    assert reigns(using, datetime(2000, 1, 1, tzinfo=timezone.utc), NOW) == []
