"""The bytes of one segment of the journal: a document in JSON, and columns of whole numbers, compressed together."""

from __future__ import annotations

import json
import sys
import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, timezone
from itertools import accumulate, chain
from operator import sub
from typing import Any

#: The number of columns: the rows' ids, the ticks in microseconds since 1970, and their lateness in milliseconds.
COLUMNS = 3
#: The bytes of a segment when it is decompressed: a damaged one must not fill the memory.
MOST = 64 * 1024 * 1024
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


class DamagedSegment(ValueError):
    """The bytes are no segment."""


def micros(at: datetime) -> int:
    """Return the microseconds since 1970."""
    since = at - _EPOCH
    return (since.days * 86400 + since.seconds) * 1_000_000 + since.microseconds


def instant(microseconds: int) -> datetime:
    """Return the instant that many microseconds after 1970; raises OverflowError outside the calendar."""
    return _EPOCH + timedelta(microseconds=microseconds)


def rows_of(note: Sequence[Any]) -> Sequence[int]:
    """Return the ids of the rows that a note is about: it has one, or a list."""
    rows = note[1]
    return rows if isinstance(rows, list) else [rows]


def packed_text(text: str) -> bytes:
    """Return the bytes of a segment without columns; ``text`` is its document, as JSON in one line."""
    return zlib.compress(f"{text}\n".encode(), 1)


def packed(document: Mapping[str, Any], columns: Sequence[Iterable[int]] = ((),) * COLUMNS) -> bytes:
    """Return the bytes of a segment; the columns have the same length."""
    head = json.dumps(document, separators=(",", ":")).encode()
    return zlib.compress(b"".join((head, b"\n", *(_differences(column) for column in columns))), 1)


def _differences(column: Iterable[int]) -> bytes:
    """Return each number as its difference from the one before: the ids of a chunk are close to each other."""
    values = array("q", column)
    return _little_endian(array("q", map(sub, values, chain((0,), values)))).tobytes()


def unpacked(data: bytes) -> tuple[dict[str, Any], list[array[int]]]:
    """Return the document and the columns; raises DamagedSegment."""
    try:
        decompressor = zlib.decompressobj()
        raw = decompressor.decompress(data, MOST)
        if not decompressor.eof:
            raise DamagedSegment("it is cut, or too large")
        head, _, rest = raw.partition(b"\n")
        document = json.loads(head)
        size = len(rest) // COLUMNS
        if not isinstance(document, dict) or size * COLUMNS != len(rest):
            raise DamagedSegment("it has another form")
        return document, [_column(rest[number * size : (number + 1) * size]) for number in range(COLUMNS)]
    except (zlib.error, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise DamagedSegment(str(error)) from error


def beginning_of(data: bytes, size: int) -> str:
    """Return the first characters of a document that is packed, without reading the rest; raises DamagedSegment."""
    try:
        return zlib.decompressobj().decompress(data, size).decode(errors="ignore")
    except zlib.error as error:
        raise DamagedSegment(str(error)) from error


def _column(data: bytes) -> array[int]:
    differences: array[int] = array("q")
    differences.frombytes(data)
    return array("q", accumulate(_little_endian(differences)))


def _little_endian(values: array[int]) -> array[int]:
    if sys.byteorder == "big":
        values.byteswap()
    return values
