"""The narrow scan: which rows are there, and a fingerprint of each, computed where the rows are.

No clock and no change row is asked: what differs was changed, whoever did it and in whatever order it was committed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Any

from django.db import connections
from django.db.models import Model
from django_celery_beat.models import PeriodicTask

from schedsync.columns import ManagedColumns
from schedsync.models import ManagedSchedule

#: What Beat itself writes, and what it never reads.
_NOT_READ = frozenset({"id", "last_run_at", "total_run_count", "description"})


def task_versions(using: str, *, with_ledger: bool) -> list[tuple[int, int, int]]:
    """Return id, version, and whether it never ran, of each enabled row.

    Where a version is the same nothing has changed, what Beat does not read included. PostgreSQL keeps one for each row
    anyway: the transaction that wrote it. Elsewhere it is the fingerprint.
    """
    if connections[using].vendor != "postgresql":
        return task_fingerprints(using, None, with_ledger=with_ledger)
    version = "t.xmin::text::bigint"
    if with_ledger:
        version = f"({version} << 32) + COALESCE(m.xmin::text::bigint, 0)"
    return _rows(using, _statement(using, version, with_ledger))


def task_fingerprints(using: str, ids: Collection[int] | None, *, with_ledger: bool) -> list[tuple[int, int, int]]:
    """Return id, fingerprint, and whether it never ran, of enabled rows and of what the ledger says of them.

    ``ids`` chooses rows; None stands for all.
    """
    columns = [f"t.{name}" for name in _columns(using, PeriodicTask) if name.strip('`"') not in _NOT_READ]
    if with_ledger:
        columns += [f"m.{connections[using].ops.quote_name(name)}" for name in ManagedColumns._fields]
    return _rows(using, _statement(using, _hash(using, columns), with_ledger, ids))


def _statement(using: str, value: str, with_ledger: bool, ids: Collection[int] | None = None) -> str:
    quote, source = connections[using].ops.quote_name, f"{_table(using, PeriodicTask)} t"
    if with_ledger:
        source += f" LEFT JOIN {_table(using, ManagedSchedule)} m ON m.{quote('row_id')} = t.{quote('id')}"
    never = f"CASE WHEN t.{quote('last_run_at')} IS NULL THEN 1 ELSE 0 END"
    where = f"t.{quote('enabled')} = {'TRUE' if connections[using].vendor == 'postgresql' else '1'}"
    if ids is not None:
        where += f" AND t.{quote('id')} IN ({', '.join(str(int(row_id)) for row_id in ids)})"
    return f"SELECT t.{quote('id')}, {value}, {never} FROM {source} WHERE {where}"


def fingerprints(using: str, model: type[Model]) -> list[tuple[int, int]]:
    """Return id and fingerprint of each row of a table."""
    id_ = connections[using].ops.quote_name("id")
    return _rows(using, f"SELECT {id_}, {_hash(using, _columns(using, model))} FROM {_table(using, model)}")


def _columns(using: str, model: type[Model]) -> list[str]:
    return [connections[using].ops.quote_name(str(field.column)) for field in model._meta.concrete_fields]


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


def _rows(using: str, statement: str) -> list[Any]:
    connection = connections[using]
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            # SQLite has no hash of its own; Python's holds for as long as this process, which is all it must.
            connection.connection.create_function("SCHEDSYNC_HASH", -1, _python_hash)
        cursor.execute(statement)
        return list(cursor.fetchall())


def _python_hash(*values: Any) -> int:
    return hash(values)
