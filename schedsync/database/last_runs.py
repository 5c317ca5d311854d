"""Reads for which tick each schedule ran last, and how late, from the claims of schedsync's own Beats."""

from __future__ import annotations

from collections.abc import Collection

from schedsync.core.listing import LastRun
from schedsync.core.observed import Row
from schedsync.core.open_run import PASSED_BY
from schedsync.database.values import Damaged, read_values
from schedsync.models import Claim


def claimed_runs(using: str, row_ids: Collection[int] | None = None) -> dict[int, LastRun]:
    """Return the last tick that a Beat has claimed, and sent or skipped, by the id of the row, in one query.

    ``row_ids`` are the rows to read, None for all.
    """
    rows = Claim.objects.using(using).filter(confirmed=True).order_by()
    if row_ids is not None:
        rows = rows.filter(pk__in=row_ids)
    runs = {}
    for values in read_values(rows, ("row_id", "tick", "claimed_at", "batch")):
        if not isinstance(values, Damaged):
            row_id, tick, claimed_at, batch = values
            late = max((claimed_at - tick).total_seconds(), 0.0)
            runs[row_id] = LastRun(tick, skipped=True) if batch == PASSED_BY else LastRun(tick, late)
    return runs


def last_run_of(row: Row, claimed: LastRun | None) -> LastRun | None:
    """Return the last run of a row: the claim's, unless the row has a later one that no Beat of schedsync's has sent.

    A row that has never run has none: its time of the last run was written to skip a slot of the past.
    """
    by_row = LastRun(row.last_run_at) if row.last_run_at is not None and row.total_run_count else None
    if claimed is None or (by_row is not None and by_row.at > claimed.at):
        return by_row
    return claimed
