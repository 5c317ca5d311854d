"""Compares the ledger with its rows by a sum for each timing, on PostgreSQL; joining large tables takes twice as long.

A sum is that of a hash of each name with the id of its row, and with whether it is enabled. Where the sums of a timing
are equal, so are its rows and its entries.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connections
from django.db.models import BigIntegerField, Count, DecimalField, Max, Sum
from django.db.models.expressions import RawSQL

from schedsync.database.schedule_rows import KINDS
from schedsync.models import ManagedSchedule

TimingRow = tuple[str, int]
#: What the canonical form of an enabled and of a disabled schedule contains. It has its keys in order.
ENABLED, DISABLED = '"enabled":true,"exchange":', '"enabled":false,"exchange":'
#: Where a smaller share of the rows is managed, most sums would differ.
_MANAGED = 0.9


@dataclass(frozen=True, slots=True)
class TimingSum:
    """The rows of one timing: their number, the sum of their hashes, and when the last of them was saved.

    Of entries of the ledger, ``at`` is when the first of them was applied, and ``sample`` is the id of one.
    """

    count: int
    digest: Decimal | None
    at: datetime
    sample: int | None = None


@dataclass(frozen=True, slots=True)
class Unequal:
    """Where entries may differ from their rows: in any entry of ``timings``, or in rows that were saved after a time.

    ``samples`` are ids of entries of timings that have rows, one for each timing.
    """

    timings: tuple[TimingRow, ...]
    saved_after: datetime | None
    samples: tuple[int, ...]


def columns_of_rows(using: str) -> dict[str, Any]:
    """Return the columns of a query of rows by their timings that :func:`of_rows` needs.

    There are none on other databases, and where the ledger is empty.
    """
    if connections[using].vendor != "postgresql" or not ManagedSchedule.objects.using(using).exists():
        return {}
    # An id whose bits are turned over is the id of no other row.
    digest = RawSQL("hashtextextended(name, CASE WHEN enabled THEN id ELSE ~id END)", (), BigIntegerField())
    return {"count": Count("pk"), "digest": Sum(digest, output_field=DecimalField()), "saved": Max("date_changed")}


def of_rows(groups: Iterable[Mapping[str, Any]]) -> dict[TimingRow, TimingSum] | None:
    """Return the sums of rows; None where there are none, or where a row has not exactly one timing."""
    sums: dict[TimingRow, TimingSum] = {}
    for group in groups:
        timing_rows = [(kind, group[f"{kind}_id"]) for kind in KINDS if group[f"{kind}_id"] is not None]
        if "digest" not in group or len(timing_rows) != 1:
            return None
        sums[timing_rows[0]] = TimingSum(group["count"], group["digest"], group["saved"])
    return sums or None


def are_useful(entries: int, rows: Mapping[TimingRow, TimingSum] | None) -> bool:
    """Say whether sums find what differs: where many rows are managed by nobody, a join is faster."""
    return rows is not None and entries >= _MANAGED * sum(each.count for each in rows.values())


def unequal(using: str, rows: Mapping[TimingRow, TimingSum]) -> Unequal:
    """Compare the sums of all entries of the ledger with those of the rows."""
    entries = _of_entries(using)
    differing, edited = [], []
    for timing_row, each in entries.items():
        there = rows.get(timing_row)
        if there is None or (each.count, each.digest) != (there.count, there.digest):
            differing.append(timing_row)
        elif there.at > each.at:
            edited.append(each.at)
    samples = tuple(each.sample for row, each in entries.items() if row in rows and each.sample is not None)
    return Unequal(tuple(differing), min(edited, default=None), samples)


def _of_entries(using: str) -> dict[TimingRow, TimingSum]:
    connection = connections[using]
    # Python cannot hold each time that PostgreSQL has.
    first = "LEAST(GREATEST(MIN(applied_at), '1000-01-01 00:00Z'), '9991-01-01 00:00Z')"
    seed = "CASE WHEN strpos(applied, %s) > 0 THEN row_id WHEN strpos(applied, %s) > 0 THEN ~row_id END"
    statement = (
        f"SELECT timing_kind, timing_id, COUNT(*), SUM(hashtextextended(name, {seed})), {first}, MIN(id) "
        f"FROM {connection.ops.quote_name(ManagedSchedule._meta.db_table)} GROUP BY timing_kind, timing_id"
    )
    with connection.cursor() as cursor:
        cursor.execute(statement, [ENABLED, DISABLED])
        return {(kind, row_id): TimingSum(*values) for kind, row_id, *values in cursor.fetchall()}
