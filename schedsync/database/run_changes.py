"""Reads the changes of audit records; limits hold for damaged and for very large records too."""

from __future__ import annotations

import json
import uuid
import zlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from django.db.models import QuerySet
from django.db.models.functions import Length

from schedsync.core.json_list import elements
from schedsync.database.bulk import batches, rows_of
from schedsync.database.values import NOT_CONVERTED
from schedsync.models import SyncRun

#: In bytes: the changes of one call, compressed in all, and unpacked each and in all.
_MOST_PACKED, MOST_EACH, _MOST_UNPACKED = 2**25, 2**26, 2**28


#: Picks documents of a record: it gets all of them, one after the other, or what is no list as it is.
Choose = Callable[[Any], Any]


def read_documents(
    using: str, runs: Sequence[uuid.UUID], choose: Choose | None = None
) -> Iterator[tuple[uuid.UUID, Any]]:
    """Yield the documents of records in their order, as JSON values; None where they cannot be read.

    ``choose`` picks some of a record. Ends before a record with which they would be too many. Two queries per batch of
    records.
    """
    left_packed, left = _MOST_PACKED, _MOST_UNPACKED
    for batch in batches(runs):
        rows = rows_of(SyncRun, using).filter(pk__in=batch)
        sizes = dict(rows.annotate(size=Length("changes")).values_list("pk", "size"))
        few = []
        for run in batch:
            left_packed -= sizes.get(run) or 0
            if left_packed < 0:
                break
            few.append(run)
        packed = _packed(rows.filter(pk__in=few)) if few else {}
        for run in few:
            data = unpack(packed.get(run))
            left -= len(data or b"")
            if left < 0:
                return
            yield run, _documents(data, choose)
        if left_packed < 0:
            return


def _packed(rows: QuerySet[Any]) -> dict[Any, Any]:
    """Return the changes of records; without any where SQLite holds one that is no text and no bytes."""
    try:
        return dict(rows.values_list("pk", "changes"))
    except NOT_CONVERTED:
        return {}


def unpack(packed: Any) -> bytes | None:
    """Return the changes of a record as JSON; None where they are damaged or too long."""
    # SQLite may hold a number here, of which Python would make as many bytes.
    if not isinstance(packed, (bytes, bytearray, memoryview)):
        return None
    if not packed:
        return b"[]"
    try:
        unpacking = zlib.decompressobj()
        data = unpacking.decompress(bytes(packed), MOST_EACH)
    except zlib.error:
        return None
    return data if unpacking.eof else None


def _documents(data: bytes | None, choose: Choose | None) -> Any:
    if data is None:
        return None
    try:
        if choose is None:
            return json.loads(data)
        return choose(elements(data) if data.startswith(b"[") else json.loads(data))
    except (ValueError, RecursionError):
        return None
