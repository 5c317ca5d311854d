"""The enabled rows of tasks, as Beat reads them: in full, only their fingerprints, or only their runs."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

from django.db import DataError, connections
from django.db.models import BooleanField, Case, ExpressionWrapper, F, Field, Q, When
from django.db.models.expressions import RawSQL
from django_celery_beat.models import PeriodicTask

from schedsync.beat.scan import task_fingerprint
from schedsync.database.bulk import batches
from schedsync.database.columns import LedgerColumns, ManagedColumns, TaskColumns
from schedsync.models import ManagedSchedule

#: Above 2,000 wanted rows, or a quarter of all, read the whole table instead of querying by id.
_MOST_BY_ID, _SHARE_BY_ID = 2_000, 4
#: Above 5,000 rows, read them in parts instead of holding all of them in memory at once.
_PART = 5_000
_UNMANAGED = ManagedColumns()
#: Only a schedule that never ran counts from its last edit: for the others the instant is not read, because turning
#: the database's texts into instants takes longer than everything else.
_SINCE = Case(When(last_run_at=None, then="date_changed"))
_BY_APPLY = ExpressionWrapper(Q(last_run_at=F("date_changed")), Field())
_HAS_RUN = ExpressionWrapper(~Q(last_run_at=None), BooleanField())
_LAST_RUN = TaskColumns._fields.index("last_run_at")
#: On PostgreSQL the last run is read as text: most rows have the same, and an instant is made of it once. Values
#: without a date, such as "infinity", are read as they are.
_ISO = "TO_CHAR(last_run_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00:00\"')"
_AS_TEXT = RawSQL(f"COALESCE({_ISO}, last_run_at::text)", (), Field())


class TaskRow(NamedTuple):
    """A row as it was read; ``columns`` is None if it cannot be read, and ``error`` says why.

    ``by_apply`` says whether an apply wrote its last run.
    """

    id: int
    columns: TaskColumns | None
    fingerprint: int
    managed: ManagedColumns
    by_apply: bool
    error: str = ""


class FingerprintedRow(NamedTuple):
    """A row of which only the fingerprint was read, the ledger's columns, and whether it has ever run."""

    id: int
    fingerprint: int
    managed: ManagedColumns
    has_run: bool


class TaskRows:
    """Reads the enabled rows of a database; the columns of each query are named, so that tables may have more."""

    def __init__(self, using: str, columns: LedgerColumns | None = None) -> None:
        self._using = using
        self._ledger_columns = columns or LedgerColumns(using)

    @property
    def _enabled(self) -> Any:
        return PeriodicTask.objects.using(self._using).filter(enabled=True).order_by()

    def fingerprints(self, ids: Collection[int], total: int) -> Iterator[FingerprintedRow]:
        """Read the fingerprints of rows, perhaps of others too; ``total`` is the number of all rows, roughly."""
        by_id = _worth_asking_for(ids, total)
        managed = self._ledger(by_id)
        chosen = self._enabled if by_id is None else self._enabled.filter(pk__in=by_id)
        rows = chosen.annotate(print=task_fingerprint(self._using), ran=_HAS_RUN)
        for row_id, fingerprint, has_run in rows.values_list("pk", "print", "ran"):
            yield FingerprintedRow(row_id, fingerprint, managed.get(row_id, _UNMANAGED), has_run)

    def runs(self, except_ids: Collection[int]) -> Iterator[tuple[int, datetime | None, int, datetime | None]]:
        """Read the runs of all other rows: id, last run, count, and the last edit of a row that never ran."""
        rows = self._enabled.exclude(pk__in=except_ids).values_list("pk", "last_run_at", "total_run_count", _SINCE)
        yield from rows.iterator(_PART)

    def read(self, wanted: Collection[int], total: int) -> Iterator[TaskRow]:
        """Read rows in full, perhaps others too; a row that cannot be read hides no other.

        ``total`` is the number of all rows, roughly.
        """
        by_id = _worth_asking_for(wanted, total)
        parts: Iterable[Sequence[int] | None] = [None] if by_id is None else batches(by_id)
        for part in parts:
            try:
                yield from self._part(part, in_parts=len(wanted) > _PART)
            except (DataError, ValueError) as error:
                for ids in batches(sorted(wanted)) if part is None else [part]:
                    yield from self._halves(ids, error)

    def _halves(self, ids: Sequence[int], error: Exception) -> Iterator[TaskRow]:
        """Read each half of the rows by itself, down to the single row that cannot be read."""
        if len(ids) == 1:
            yield TaskRow(ids[0], None, 0, _UNMANAGED, by_apply=False, error=f"it cannot be read: {error}")
            return
        middle = len(ids) // 2
        for half in (ids[:middle], ids[middle:]):
            try:
                yield from self._part(half, in_parts=len(half) > _PART)
            except (DataError, ValueError) as half_error:
                yield from self._halves(half, half_error)

    def _part(self, ids: Sequence[int] | None, *, in_parts: bool) -> Iterator[TaskRow]:
        managed = self._ledger(ids)
        rows = self._enabled.annotate(print=task_fingerprint(self._using))
        chosen = rows if ids is None else rows.filter(pk__in=ids)
        values_list = chosen.values_list("print", _BY_APPLY, *self._columns)
        for fingerprint, by_apply, *values in values_list.iterator(chunk_size=_PART) if in_parts else values_list:
            if isinstance(values[_LAST_RUN], str):
                values[_LAST_RUN] = _instant(values[_LAST_RUN])
            row_id = values[0]
            # ``_make`` takes half the time of the constructor, and there may be a hundred thousand rows.
            columns = TaskColumns._make(values)
            yield TaskRow._make((row_id, columns, fingerprint, managed.get(row_id, _UNMANAGED), bool(by_apply), ""))

    @property
    def _columns(self) -> list[Any]:
        expressions: dict[str, Any] = {"date_changed": _SINCE}
        if connections[self._using].vendor == "postgresql":
            expressions["last_run_at"] = _AS_TEXT
        return [expressions.get(name, name) for name in TaskColumns._fields]

    def _ledger(self, ids: Sequence[int] | None) -> dict[int, ManagedColumns]:
        rows = ManagedSchedule.objects.using(self._using).exclude(row_id=None)
        names = self._ledger_columns.names
        chosen = (rows if ids is None else rows.filter(row_id__in=ids)).values_list("row_id", *names)
        found = chosen.iterator(_PART) if ids is None else chosen
        return {row_id: _managed(names, *values) for row_id, *values in found}


def _worth_asking_for(ids: Collection[int], total: int) -> list[int] | None:
    """Return the ids in order, or None if reading the whole table costs less."""
    return None if len(ids) > min(_MOST_BY_ID, total // _SHARE_BY_ID) else sorted(ids)


@lru_cache(maxsize=4096)
def _managed(names: tuple[str, ...], *values: Any) -> ManagedColumns:
    """Return columns of the ledger; equal ones share one object, as most rows of a set have the same."""
    return ManagedColumns(**dict(zip(names, values, strict=True)))


@lru_cache(maxsize=4096)
def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)
