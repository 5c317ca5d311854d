"""The narrow scan: which rows are there, and a fingerprint of each, computed where the rows are.

No clock and no change row is asked: what differs was changed, whoever did it and in whatever order it was committed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connections
from django.db.models import BigIntegerField, Model
from django.db.models.expressions import RawSQL
from django_celery_beat.models import PeriodicTask

from schedsync.columns import ManagedColumns
from schedsync.models import ManagedSchedule
from schedsync.timing_values import TIMING_MODELS

#: A schedule row: its kind, and its id.
TimingRow = tuple[str, int]
#: What Beat itself writes, and what it never reads.
_NOT_READ = frozenset({"last_run_at", "total_run_count", "description"})


def task_versions(using: str, *, with_ledger: bool) -> list[tuple[int, int, int]]:
    """Return id, version, and whether it never ran, of each enabled row.

    Where a version is the same nothing has changed, in the row or in what the ledger says of it. PostgreSQL keeps one
    for each row anyway: the transaction that wrote it. Elsewhere it is a hash of what Beat reads.
    """
    quote, source = connections[using].ops.quote_name, f"{_table(using, PeriodicTask)} t"
    if with_ledger:
        source += f" LEFT JOIN {_table(using, ManagedSchedule)} m ON m.{quote('row_id')} = t.{quote('id')}"
    never = f"CASE WHEN t.{quote('last_run_at')} IS NULL THEN 1 ELSE 0 END"
    enabled = f"t.{quote('enabled')} = {'TRUE' if connections[using].vendor == 'postgresql' else '1'}"
    version = _version(using, with_ledger)
    with _cursor(using) as cursor:
        cursor.execute(f"SELECT t.{quote('id')}, {version}, {never} FROM {source} WHERE {enabled}")
        return list(cursor.fetchall())


def _version(using: str, with_ledger: bool) -> str:
    if connections[using].vendor == "postgresql":
        version = "t.xmin::text::bigint"
        return f"({version} << 32) + COALESCE(m.xmin::text::bigint, 0)" if with_ledger else version
    columns = [f"t.{name}" for name in _columns(using, PeriodicTask)]
    if with_ledger:
        columns += [f"m.{connections[using].ops.quote_name(name)}" for name in ManagedColumns._fields]
    return _hash(using, columns)


def task_fingerprint(using: str) -> RawSQL:
    """Return an expression for a number that stands for what Beat reads of a task's row, but for its runs."""
    with _cursor(using):
        return RawSQL(_hash(using, _columns(using, PeriodicTask)), (), output_field=BigIntegerField())


def timing_fingerprints(using: str) -> dict[TimingRow, int]:
    """Return a number that stands for what is in it for each schedule row."""
    parts = [
        f"SELECT '{kind}', {connections[using].ops.quote_name('id')}, {_hash(using, _columns(using, model))} "
        f"FROM {_table(using, model)}"
        for kind, model in TIMING_MODELS.items()
    ]
    with _cursor(using) as cursor:
        cursor.execute(" UNION ALL ".join(parts))
        return {(kind, row_id): print_ for kind, row_id, print_ in cursor.fetchall()}


def _columns(using: str, model: type[Model]) -> list[str]:
    quote = connections[using].ops.quote_name
    return [quote(str(field.column)) for field in model._meta.concrete_fields if field.column not in _NOT_READ]


def _table(using: str, model: type[Model]) -> str:
    return connections[using].ops.quote_name(model._meta.db_table)


def _hash(using: str, columns: Iterable[str]) -> str:
    """Return SQL for a number of 60 bits or more that stands for the columns' values."""
    vendor = connections[using].vendor
    if vendor == "postgresql":
        return f"HASHTEXTEXTENDED(ROW({', '.join(columns)})::text, 0)"
    if vendor == "mysql":
        texts = ", ".join(f"COALESCE(CAST({column} AS CHAR), CHAR(0))" for column in columns)
        return f"CAST(CONV(LEFT(MD5(CONCAT_WS(CHAR(31), {texts})), 15), 16, 10) AS UNSIGNED)"
    return f"SCHEDSYNC_HASH({', '.join(columns)})"


@contextmanager
def _cursor(using: str) -> Iterator[Any]:
    connection = connections[using]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            # SQLite has no hash of its own; Python's holds for as long as this process, which is all it must.
            connection.connection.create_function("SCHEDSYNC_HASH", -1, _python_hash)
        yield cursor


def _python_hash(*values: Any) -> int:
    return hash(values)
