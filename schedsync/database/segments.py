"""Reads segments of the journal one by one: a value of one row that cannot be read spoils no other row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.db.models import QuerySet

from schedsync.database.values import Damaged, read_values


def segments(rows: QuerySet[Any], names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield the values of columns, and the data as bytes; an empty tuple for a damaged row. These are two queries.

    The data is read in parts: all of it together may be large.
    """
    columns = {values[0]: values for values in read_values(rows, ("pk", *names))}
    for pk, data in rows.values_list("pk", "data").iterator(chunk_size=200):
        values = columns.get(pk)
        if values is not None:
            is_sound = not isinstance(values, Damaged) and isinstance(data, (bytes, memoryview))
            yield (*values[1:], bytes(data)) if is_sound else ()
