"""The narrow scan: which rows are there, and a fingerprint of each, computed where the rows are.

It needs no clock and no change row: a row that differs was changed, by any program and in any order of commits.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, NamedTuple, cast

from django.db import connections
from django.db.models import F, Field, Model
from django.db.models.expressions import Expression, RawSQL
from django_celery_beat.models import PeriodicTask

from schedsync.core.timing import MICROSECOND
from schedsync.database.columns import LedgerColumns
from schedsync.database.schedule_rows import TIMING_MODELS
from schedsync.models import ManagedSchedule

#: A row of a timing: its kind, and its id.
TimingRow = tuple[str, int]
#: Fingerprints are summed over ranges of 64 ids.
RANGE = 64
#: Ask for at most 50 ranges at once. If more ranges than that differ, and more than an eighth of all, read all rows.
_FEW, _SHARE = 50, 8
#: How many rows to take from the database at once.
_PART = 5_000
#: Columns that Beat itself writes, and columns that it never reads.
_NOT_READ = frozenset({"last_run_at", "total_run_count", "description"})
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)


@dataclass(frozen=True, slots=True)
class Look:
    """A look at the enabled rows: the ids of those that are new, that changed somehow, and that are gone.

    ``sums`` are those of all ranges, by the first id; ``versions`` are those of the rows in ranges that differ.
    """

    sums: dict[int, Any]
    versions: dict[int, RangeVersions]
    new: set[int] = field(default_factory=set)
    changed: set[int] = field(default_factory=set)
    gone: set[int] = field(default_factory=set)


class RangeVersions(NamedTuple):
    """The ids of the rows in a range, and the version of each: two arrays need a tenth of the memory of a dict."""

    ids: array[int]
    versions: array[int]

    @classmethod
    def empty(cls) -> RangeVersions:
        """Return those of a range without rows."""
        return cls(array("q"), array("q"))

    def add(self, row_id: int, version: int) -> None:
        """Add a row."""
        self.ids.append(row_id)
        self.versions.append(version)

    def remove(self, row_id: int) -> None:
        """Forget a row, if it is there."""
        if row_id in self.ids:
            at = self.ids.index(row_id)
            del self.ids[at], self.versions[at]

    def by_id(self) -> dict[int, int]:
        """Return the versions by the ids of the rows."""
        return dict(zip(self.ids, self.versions, strict=True))


_EMPTY = RangeVersions.empty()


class Scan:
    """Finds the rows that changed since the last look: by a sum for each range of ids, then by version.

    While the version is the same, nothing has changed in the row or in its row of the ledger. PostgreSQL keeps one for
    each row anyway: the transaction that wrote it. On other databases it is a hash of the columns that Beat reads, and
    of whether the row ever ran.
    """

    def __init__(self, using: str, columns: LedgerColumns | None = None) -> None:
        self._using = using
        self._columns = columns or LedgerColumns(using)
        self._names: tuple[str, ...] | None = None
        self._version = ""
        self._rows = _rows(using)
        self._of_ranges: tuple[str, ...] = ()
        self._sums: dict[int, Any] = {}
        self._versions: dict[int, RangeVersions] = {}

    def look(self) -> Look:
        """Find what changed since the last look that was accepted."""
        if (names := self._columns.names) != self._names:
            self._names, self._version = names, _version(self._using, names)
            self._of_ranges = _statements_for_sums(self._using, self._version)
        sums = self._read_sums()
        ranges = {start for start, _ in sums.items() ^ self._sums.items()}
        look = Look(sums, self._read_versions(ranges))
        for start, read in look.versions.items():
            known, current = self._versions.get(start, _EMPTY).by_id(), read.by_id()
            look.new.update(current.keys() - known.keys())
            look.changed.update(row_id for row_id, version in current.items() if known.get(row_id, version) != version)
            look.gone.update(known.keys() - current.keys())
        return look

    def accept(self, look: Look, unread: Iterable[int]) -> None:
        """Compare with this look from now on, except for rows that could not be read any more."""
        self._sums = look.sums
        known = self._versions | look.versions
        self._versions = {start: known[start] for start in known.keys() & look.sums.keys()}
        for row_id in unread:
            # The row was disabled after the look, and may be enabled again before the next one.
            self._sums.pop(_range(row_id), None)
            self._versions.get(_range(row_id), _EMPTY).remove(row_id)

    def _read_sums(self) -> dict[int, Any]:
        tasks, *ledger = self._of_ranges
        with _cursor(self._using) as cursor:
            cursor.execute(tasks)
            sums = dict(cursor.fetchall())
            for statement in ledger:
                cursor.execute(statement)
                sums.update((start, (sums[start], total)) for start, total in cursor.fetchall() if start in sums)
        return sums

    def _read_versions(self, ranges: Collection[int]) -> dict[int, RangeVersions]:
        starts = sorted(ranges)
        versions = {start: RangeVersions.empty() for start in starts}
        if len(starts) > max(_FEW, len(self._sums) // _SHARE):
            self._add_versions(versions, "")
            return versions
        for first in range(0, len(starts), _FEW):
            part = starts[first : first + _FEW]
            wanted = " OR ".join(f"t.id BETWEEN {start} AND {start + RANGE - 1}" for start in part)
            self._add_versions(versions, f" AND ({wanted})")
        return versions

    def _add_versions(self, versions: Mapping[int, RangeVersions], wanted: str) -> None:
        with _cursor(self._using, in_parts=not wanted) as cursor:
            cursor.execute(f"SELECT t.id, {self._version} {self._rows}{wanted}")
            while rows := cursor.fetchmany(_PART):
                for row_id, version in rows:
                    if (start := _range(row_id)) in versions:
                        versions[start].add(row_id, version)


def _range(row_id: int) -> int:
    return row_id - row_id % RANGE


def _rows(using: str, *, with_ledger: bool = True) -> str:
    quote, task = connections[using].ops.quote_name, _table(using, PeriodicTask)
    ledger = f" LEFT JOIN {_table(using, ManagedSchedule)} m ON m.{quote('row_id')} = t.{quote('id')}"
    enabled = f"t.{quote('enabled')} = {'TRUE' if connections[using].vendor == 'postgresql' else '1'}"
    return f"FROM {task} t{ledger if with_ledger else ''} WHERE {enabled}"


def _statements_for_sums(using: str, version: str) -> tuple[str, ...]:
    """Return statements that sum over ranges: the enabled rows with the ledger's, or each by themselves.

    PostgreSQL takes longer to join two large tables than to read both. Entries of rows that are disabled count then
    too: their ranges are read once more than necessary.
    """
    if connections[using].vendor == "postgresql":
        ledger = f"FROM {_table(using, ManagedSchedule)} m WHERE m.row_id IS NOT NULL"
        return (
            _sums("t.id", _written_by("t.xmin::text", "t.id"), _rows(using, with_ledger=False)),
            _sums("m.row_id", _written_by("m.xmin::text", "m.row_id"), ledger),
        )
    # SQLite fails if a sum has more than 64 bits.
    share = f" / {RANGE}" if connections[using].vendor == "sqlite" else ""
    return (_sums("t.id", f"{version}{share}", _rows(using)),)


def _sums(column: str, version: str, rows: str) -> str:
    # The remainder of a negative id is negative in SQL, and positive in Python.
    start = f"{column} - ({column} % {RANGE} + {RANGE}) % {RANGE}"
    return f"SELECT {start}, SUM({version}) {rows} GROUP BY 1"


def _written_by(writers: str, row_id: str) -> str:
    # Each row has its own seed: one statement gives equal numbers to many rows, which would cancel out in a sum.
    return f"HASHTEXTEXTENDED({writers}, {row_id})"


def _version(using: str, names: Iterable[str]) -> str:
    """Return SQL for the version of a row; ``names`` are the ledger's columns that Beat reads."""
    quote = connections[using].ops.quote_name
    if connections[using].vendor == "postgresql":
        return _written_by("t.xmin::text || ' ' || COALESCE(m.xmin::text, '')", "t.id")
    columns = [f"t.{name}" for name in _columns(using, PeriodicTask)] + [f"t.{quote('last_run_at')} IS NULL"]
    columns += [f"m.{quote(name)}" for name in names]
    return _hash(using, columns)


def task_fingerprint(using: str) -> RawSQL:
    """Return an expression for a number that stands for all that Beat reads of a task's row, except its runs."""
    with _cursor(using):
        # The field has no kind, because a kind would convert each number to itself.
        return RawSQL(_hash(using, _columns(using, PeriodicTask)), (), output_field=Field())


def last_run_mark(using: str) -> Expression | F:
    """Return an expression for a task's last run, as ``mark_of`` gives it.

    On PostgreSQL it is a number of microseconds: Django reads an instant in fifteen times the time of a number.
    """
    if connections[using].vendor != "postgresql":
        return F("last_run_at")
    column = f"{_table(using, PeriodicTask)}.{connections[using].ops.quote_name('last_run_at')}"
    return RawSQL(f"(EXTRACT(EPOCH FROM {column}) * 1000000)::bigint", (), output_field=Field())


def mark_of(using: str) -> Callable[[datetime | None], datetime | int | None]:
    """Return a function that gives what ``last_run_mark`` reads for an instant."""
    return _microseconds if connections[using].vendor == "postgresql" else lambda instant: instant


def _microseconds(instant: datetime | None) -> int | None:
    return None if instant is None else (instant - _EPOCH) // MICROSECOND


def timing_fingerprints(using: str) -> dict[TimingRow, int]:
    """Return a number for each row of a timing that stands for the row's values."""
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
        row, connection = f"ROW({', '.join(columns)})", cast(Any, connections[using])
        # PostgreSQL 14 and later hash a row as it is, in half of the time that its text takes.
        can_hash_rows = connection.pg_version >= 140_000
        return f"HASH_RECORD_EXTENDED({row}, 0)" if can_hash_rows else f"HASHTEXTEXTENDED({row}::text, 0)"
    if vendor == "mysql":
        texts = ", ".join(f"COALESCE(CAST({column} AS CHAR), CHAR(0))" for column in columns)
        return f"CAST(CONV(LEFT(MD5(CONCAT_WS(CHAR(31), {texts})), 15), 16, 10) AS UNSIGNED)"
    return f"SCHEDSYNC_HASH({', '.join(columns)})"


@contextmanager
def _cursor(using: str, *, in_parts: bool = False) -> Iterator[Any]:
    """Open a cursor; ``in_parts`` asks that the database sends the rows in parts, if it can."""
    connection = connections[using]
    in_parts &= not connection.settings_dict.get("DISABLE_SERVER_SIDE_CURSORS")
    with connection.chunked_cursor() if in_parts else connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            # SQLite has no hash function. Python's is the same for as long as this process lives, which is enough.
            connection.connection.create_function("SCHEDSYNC_HASH", -1, _python_hash)
        yield cursor


def _python_hash(*values: Any) -> int:
    return hash(values)
