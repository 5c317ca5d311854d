"""Rows as plain tuples of columns: making tens of thousands of model instances would be too slow."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import datetime
from typing import Any, NamedTuple

from schedsync.core.schedule import LEDGER_FIELDS, OF_OUR_BEAT, Spec
from schedsync.database.schedule_rows import KINDS
from schedsync.database.tables import has_table
from schedsync.models import OpenRun


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
    """The columns of the ledger that Beat needs; the defaults are for a row that Git does not manage.

    The headers of a message depend on the first three.
    """

    set: str | None = None
    commit: str | None = None
    overlap: str | None = None
    max_runtime: int | None = None
    delivery: str | None = None
    missed_runs: str | None = None
    starting_deadline: int | None = None


#: What the ledger has for a schedule with no value of its own for our Beat.
DEFAULTS_OF_OUR_BEAT: Mapping[str, Any] = {**OF_OUR_BEAT, "overlap": None}
#: The same for all fields that only the ledger has.
LEDGER_DEFAULTS: Mapping[str, Any] = {**LEDGER_FIELDS, "overlap": None}
#: Columns that a later migration adds, with the table of open runs.
_LATER = frozenset({"overlap", "max_runtime"})
#: Seconds between looks for columns that are not there yet.
_LOOK = 60.0


def ledger_columns(spec: Spec) -> dict[str, Any]:
    """Return the columns of the ledger for the fields that the row has no columns for."""
    values = {name: getattr(spec, name) for name in LEDGER_FIELDS}
    return values | ({"overlap": None} if spec.overlap == OF_OUR_BEAT["overlap"] else {})


class LedgerColumns:
    """Which of ``ManagedColumns`` the ledger has: a Beat also runs on the tables of the version before."""

    def __init__(self, using: str) -> None:
        self._using = using
        self._are_there = False
        self._next_look = 0.0

    @property
    def names(self) -> tuple[str, ...]:
        """Their names; while some are missing, the database is asked once a minute. Raises what it raises."""
        if not self._are_there and time.monotonic() >= self._next_look:
            self._next_look = time.monotonic() + _LOOK
            self._are_there = has_table(self._using, OpenRun)
        every = ManagedColumns._fields
        return every if self._are_there else tuple(name for name in every if name not in _LATER)
