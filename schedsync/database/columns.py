"""Rows as plain tuples of columns: making tens of thousands of model instances would be too slow."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from schedsync.database.schedule_rows import KINDS


class TaskColumns(NamedTuple):
    """The columns of a ``PeriodicTask`` that say which message it sends, when, and when it last ran."""

    id: int
    name: str
    task: str
    args: str | None
    kwargs: str | None
    headers: str | None
    queue: str | None
    exchange: str | None
    routing_key: str | None
    priority: int | None
    expire_seconds: int | None
    expires: datetime | None
    start_time: datetime | None
    one_off: bool
    last_run_at: datetime | None
    total_run_count: int
    date_changed: datetime | None
    interval_id: int | None
    crontab_id: int | None
    solar_id: int | None
    clocked_id: int | None

    @property
    def timing_rows(self) -> tuple[tuple[str, int], ...]:
        """The schedule rows that it refers to, as kind and id: one, unless somebody bypassed the model's checks."""
        ids = (self.interval_id, self.crontab_id, self.solar_id, self.clocked_id)
        return tuple([(kind, row_id) for kind, row_id in zip(KINDS, ids, strict=True) if row_id is not None])


class ManagedColumns(NamedTuple):
    """The columns of the ledger that Beat needs; the defaults are for a row that Git does not manage."""

    set: str | None = None
    commit: str | None = None
    delivery: str | None = None
    missed_runs: str | None = None
    starting_deadline: int | None = None
