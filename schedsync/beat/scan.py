"""The narrow scan: which rows are there, and a fingerprint of each, computed where the rows are.

No clock and no change row is asked: what differs was changed, whoever did it and in whatever order it was committed.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.models import Field, Model
from django.db.models.expressions import RawSQL
from django_celery_beat.models import PeriodicTask

from schedsync.database.columns import ManagedColumns
from schedsync.database.schedule_rows import TIMING_MODELS
from schedsync.models import ManagedSchedule

#: A schedule row: its kind, and its id.
TimingRow = tuple[str, int]
#: So many ids that follow one another have one sum.
RANGE = 64
#: Of so many ranges the rows are asked for by their ids, of more all are read.
_FEW = 50
#: What Beat itself writes, and what it never reads.
_NOT_READ = frozenset({"last_run_at", "total_run_count", "description"})


@dataclass(frozen=True, slots=True)
class Look:
    """What a look at the enabled rows found: the ids of those that are new, that changed somehow, and that are gone.

    ``sums`` and ``versions`` are what it was found by, of all ranges and of those that differ.
    """

    new: set[int]
    changed: set[int]
    gone: set[int]
    sums: dict[int, Any]
    versions: dict[int, dict[int, int]]


class Scan:
    """Finds the rows that changed since the last look: by a sum for each range of ids, then by version.

    Where a version is the same nothing has changed, in the row or in what the ledger says of it. PostgreSQL keeps one
    for each row anyway: the transaction that wrote it. Elsewhere it is a hash of what Beat reads, and of whether the
    row ever ran.
    """

    def __init__(self, using: str, *, with_ledger: bool) -> None:
        self._using = using
        self._version = _version(using, with_ledger)
        quote, task = connections[using].ops.quote_name, _table(using, PeriodicTask)
        joined = f" LEFT JOIN {_table(using, ManagedSchedule)} m ON m.{quote('row_id')} = t.{quote('id')}"
        enabled = f"t.{quote('enabled')} = {'TRUE' if connections[using].vendor == 'postgresql' else '1'}"
        self._rows = f"FROM {task} t{joined if with_ledger else ''} WHERE {enabled}"
        self._sums: dict[int, Any] = {}
        self._versions: dict[int, dict[int, int]] = {}

    def look(self) -> Look:
        """Find what changed since the last look that was accepted."""
        sums = self._read_sums()
        ranges = {start for start, _ in sums.items() ^ self._sums.items()}
        versions = self._read_versions(ranges)
        known = {row_id: version for start in ranges for row_id, version in self._versions.get(start, {}).items()}
        found = {row_id: version for some in versions.values() for row_id, version in some.items()}
        differ = {row_id for row_id, _ in found.items() - known.items()}
        return Look(differ - known.keys(), differ & known.keys(), known.keys() - found.keys(), sums, versions)

    def accept(self, look: Look, unread: Iterable[int]) -> None:
        """Take a look as what is known from now on, but for rows that could not be read any more."""
        self._sums = look.sums
        known = self._versions | look.versions
        self._versions = {start: known[start] for start in known.keys() & look.sums.keys()}
        for row_id in unread:
            # Disabled since the look, and perhaps enabled again before the next one.
            self._sums.pop(_range(row_id), None)
            self._versions.get(_range(row_id), {}).pop(row_id, None)

    def _read_sums(self) -> dict[int, Any]:
        # SQLite ends the statement where a sum has more than 64 bits.
        share = f" / {RANGE}" if connections[self._using].vendor == "sqlite" else ""
        total = f"SUM({self._version}{share})"
        with _cursor(self._using) as cursor:
            cursor.execute(f"SELECT t.id - t.id % {RANGE}, {total} {self._rows} GROUP BY 1")
            return dict(cursor.fetchall())

    def _read_versions(self, ranges: Collection[int]) -> dict[int, dict[int, int]]:
        found: dict[int, dict[int, int]] = {start: {} for start in ranges}
        if not ranges:
            return found
        wanted = ""
        if len(ranges) <= _FEW:
            wanted = f" AND ({' OR '.join(f't.id BETWEEN {start} AND {start + RANGE - 1}' for start in ranges)})"
        with _cursor(self._using) as cursor:
            cursor.execute(f"SELECT t.id, {self._version} {self._rows}{wanted}")
            for row_id, version in cursor.fetchall():
                if (start := _range(row_id)) in found:
                    found[start][row_id] = version
        return found


def _range(row_id: int) -> int:
    return row_id - row_id % RANGE


def _version(using: str, with_ledger: bool) -> str:
    quote = connections[using].ops.quote_name
    if connections[using].vendor == "postgresql":
        writers = "t.xmin::text || ' ' || COALESCE(m.xmin::text, '')" if with_ledger else "t.xmin::text"
        # Each row has its own seed: equal numbers, as one statement gives them to many rows, would cancel out in a sum.
        return f"HASHTEXTEXTENDED({writers}, t.id)"
    columns = [f"t.{name}" for name in _columns(using, PeriodicTask)] + [f"t.{quote('last_run_at')} IS NULL"]
    if with_ledger:
        columns += [f"m.{quote(name)}" for name in ManagedColumns._fields]
    return _hash(using, columns)


def task_fingerprint(using: str) -> RawSQL:
    """Return an expression for a number that stands for what Beat reads of a task's row, but for its runs."""
    with _cursor(using):
        # A field without a kind: each of the numbers would go through a conversion that changes nothing.
        return RawSQL(_hash(using, _columns(using, PeriodicTask)), (), output_field=Field())


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
