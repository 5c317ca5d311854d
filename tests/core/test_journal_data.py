"""The bytes of a segment of the journal: what is packed is read back, and nothing else passes for a segment."""

from __future__ import annotations

import json
import random
import zlib
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from schedsync.core import journal_data
from schedsync.core.journal_data import DamagedSegment, instant, micros, packed, unpacked

NOW = datetime(2026, 11, 23, 10, 0, 0, 123456, tzinfo=timezone.utc)


def test_what_is_packed_is_read_back() -> None:
    chance = random.Random(7)
    columns = [[chance.randrange(-(2**40), 2**61) for _ in range(500)] for _ in range(3)]
    document = {"dropped": 3, "notes": [[0.5, 7, "passed_over", 1, 2, None, "a\nb \U0001f600 \x1b[31m", "", None]]}
    read, arrays = unpacked(packed(document, columns))

    assert read == document
    assert [list(column) for column in arrays] == columns


def test_a_segment_without_columns_is_read_back() -> None:
    document, columns = unpacked(packed({"age": 1}))

    assert document == {"age": 1}
    assert [list(column) for column in columns] == [[], [], []]


def test_ticks_that_are_sent_together_take_little_space() -> None:
    count = 10_000
    data = packed({}, [range(5000, 5000 + count), [micros(NOW)] * count, [42] * count])

    assert len(data) < count


@pytest.mark.parametrize(
    "at", [NOW, datetime(1, 1, 1, tzinfo=timezone.utc), datetime(9999, 12, 31, 23, 59, 59, 999999, timezone.utc)]
)
def test_an_instant_keeps_its_microseconds(at: datetime) -> None:
    assert instant(micros(at)) == at


def test_an_instant_of_another_zone_is_the_same_instant() -> None:
    assert micros(NOW.astimezone(timezone(timedelta(hours=5, minutes=45)))) == micros(NOW)


GOOD = packed({"dropped": 0, "notes": []}, [[1, 2], [3, 4], [5, 6]])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"x",
        GOOD[:-5],
        GOOD[:10] + b"\xff\xff" + GOOD[12:],
        zlib.compress(b""),
        zlib.compress(b"[]\n"),
        zlib.compress(b"7\n"),
        zlib.compress(b"{\n"),
        zlib.compress(b"\xff{}\n"),
        zlib.compress(b"{}\n1234567"),
        zlib.compress(b"{}\n" + 4 * b"12345678"),
        zlib.compress(b"[" * 100_000),
        zlib.compress(json.dumps({}).encode() + b"\n" + 6 * b"\xff\xff\xff\xff\xff\xff\xff\x7f"),
    ],
    ids=range(13),
)  # fmt: skip
def test_damaged_bytes_are_no_segment(data: bytes) -> None:
    with pytest.raises(DamagedSegment):
        unpacked(data)


def test_a_segment_that_would_fill_the_memory_is_not_decompressed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal_data, "MOST", 1000)
    bomb: Any = zlib.compress(b'{"a": "' + b"x" * 10_000_000 + b'"}\n')

    with pytest.raises(DamagedSegment, match="too large"):
        unpacked(bomb)
