"""Finds the rows that ``schedsync status`` names by SQL: reading all of a large table would take seconds.

A row that SQL cannot judge is *odd*: it is read in full, as all rows would be. There are few of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from django.db import connections
from django.db.models import F, Func, Min, Q, QuerySet, TextField
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce
from django_celery_beat.models import PeriodicTask

from schedsync.core.observed import Problem, Row
from schedsync.core.schedule import Spec
from schedsync.core.status import LISTED, Listed
from schedsync.core.timing import Timing
from schedsync.database.bulk import batches, rows_of
from schedsync.database.schedule_rows import KINDS, read_timings
from schedsync.database.task_rows import LONGEST_EXPIRY, are_sound_arguments

#: Above this number of rows, reading all of them is faster.
MOST = 5000
_IDS = tuple(f"{kind}_id" for kind in KINDS)
_DATES = ("last_run_at", "date_changed", "expires", "start_time")
#: The calendar in which every computation works: the years 1970 to 9990.
_FIRST, _END = datetime(1970, 1, 1, tzinfo=timezone.utc), datetime(9991, 1, 1, tzinfo=timezone.utc)
_LAST_RUN = Coalesce("last_run_at", "date_changed")

TimingRow = tuple[str, int]


class ReadInstead(Exception):
    """SQL cannot answer, or not faster: read all rows."""


class ByCodePoint(Func):
    """A text as Python compares it, by its characters and not by the collation of its column."""

    output_field = TextField()
    template = "%(expressions)s"

    def as_postgresql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """Compare code points."""
        return self.as_sql(compiler, connection, template='%(expressions)s COLLATE "C"', **extra)

    def as_mysql(self, compiler: Any, connection: Any, **extra: Any) -> Any:
        """Compare bytes, which have the order of the code points."""
        return self.as_sql(compiler, connection, template="CAST(%(expressions)s AS BINARY)", **extra)


@dataclass(frozen=True, slots=True)
class Timings:
    """The timings in use, and the oldest last run of the enabled schedules of each."""

    timings: Mapping[TimingRow, Timing]
    oldest: Mapping[TimingRow, datetime]
    bad: Mapping[str, Collection[int]]


def require_readable(using: str) -> None:
    """Raise ReadInstead where a value has another type than its column, or an instant is outside the calendar."""
    strange = Q()
    for name in _DATES:
        strange |= Q(**{f"{name}__lt": _FIRST}) | Q(**{f"{name}__gte": _END})
    rows = rows_of(PeriodicTask, using)
    if rows.filter(strange).exists() or (connections[using].vendor == "sqlite" and _has_strange_types(using)):
        raise ReadInstead


#: SQLite's names of the types that a column may hold.
_INTEGERS = "'integer'"
_TYPES = {"BooleanField": _INTEGERS, "DateTimeField": "'text'", "CharField": "'text'", "TextField": "'text'"}


def _has_strange_types(using: str) -> bool:
    """Say whether SQLite holds a value of another type than its column's, or a text that is no instant."""
    quote = connections[using].ops.quote_name
    tests = []
    for field in PeriodicTask._meta.concrete_fields:
        column, kind = quote(str(field.column)), field.get_internal_type()
        tests.append(
            f"typeof({column}) NOT IN ({_TYPES.get(kind, _INTEGERS)}{', ' + repr('null') if field.null else ''})"
        )
        if kind == "DateTimeField":
            tests.append(f"strftime('%%Y-%%m-%%d %%H:%%M', {column}) IS NOT substr({column}, 1, 16)")
        if kind == "BooleanField":
            tests.append(f"{column} NOT IN (0, 1)")
    rows = rows_of(PeriodicTask, using).annotate(strange=RawSQL(" OR ".join(tests), ()))
    return bool(rows.filter(strange=True).exists())


def read_timings_in_use(using: str) -> Timings:
    """Read the timings to which rows refer, and since when each waits."""
    groups = (
        rows_of(PeriodicTask, using).order_by().values(*_IDS).annotate(oldest=Min(_LAST_RUN, filter=_can_be_late()))
    )
    oldest: dict[TimingRow, datetime] = {}
    used: dict[str, set[int]] = {kind: set() for kind in KINDS}
    for group in groups:
        for kind, column in zip(KINDS, _IDS, strict=True):
            if (row_id := group[column]) is not None:
                used[kind].add(row_id)
                if group["oldest"] is not None:
                    known = oldest.get((kind, row_id), group["oldest"])
                    oldest[kind, row_id] = min(known, group["oldest"])
    read = {row: timing for kind, ids in used.items() for row, timing in read_timings(using, kind, ids).items()}
    timings = {row: timing for row, timing in read.items() if not isinstance(timing, Problem)}
    bad = {kind: {row_id for row_id in ids if (kind, row_id) not in timings} for kind, ids in used.items()}
    return Timings(timings, oldest, bad)


def _can_be_late() -> Q:
    return Q(enabled=True) & ~Q(one_off=True, total_run_count__gt=0)


def odd_ids(using: str, bad: Mapping[str, Collection[int]]) -> set[int]:
    """Return the ids of the rows to be read in full: those that perhaps cannot run."""
    odd = ~_has_one_timing() | Q(clocked_id__isnull=False, one_off=False)
    odd |= Q(expires__isnull=False, expire_seconds__isnull=False)
    odd |= Q(expire_seconds__lt=0) | Q(expire_seconds__gt=LONGEST_EXPIRY)
    for kind, ids in bad.items():
        if ids:
            odd |= Q(**{f"{kind}_id__in": ids})
    ids = set(rows_of(PeriodicTask, using).filter(odd).order_by().values_list("pk", flat=True)[: MOST + 1])
    return ids | _ids_with_bad_arguments(using)


def _has_one_timing() -> Q:
    one = Q()
    for kind in KINDS:
        one |= Q(**{f"{other}_id__isnull": other != kind for other in KINDS})
    return one


#: JSON that needs no parser: texts of printable ASCII without quotes or escapes, whole numbers and constants. All
#: databases read these expressions alike, and in linear time.
_VALUE = '("[ !#-Z^-~]*"|-?(0|[1-9][0-9]{0,17})|true|false|null)'
_PAIR = f'"[ !#-Z^-~]*": ?{_VALUE}'
_LIST, _OBJECT = rf"^\[({_VALUE}(, ?{_VALUE})*)?\]$", rf"^\{{({_PAIR}(, ?{_PAIR})*)?\}}$"


def _ids_with_bad_arguments(using: str) -> set[int]:
    simple = Q(args="[]") | Q(args__regex=_LIST)
    for name in ("kwargs", "headers"):
        simple &= Q(**{name: "{}"}) | Q(**{f"{name}__regex": _OBJECT})
    rows = rows_of(PeriodicTask, using).filter(~simple).order_by().values_list("pk", "args", "kwargs", "headers")
    return {row_id for row_id, *texts in rows if not are_sound_arguments(*texts)}


def rows_perhaps_late(
    using: str,
    timings: Timings,
    odd: Collection[int],
    now: datetime,
    bound: Callable[[Timing, datetime, datetime], datetime | None],
) -> list[Row]:
    """Return all rows that can be late, without their message; ``bound`` is the latest last run of a late one."""
    bounds: dict[TimingRow, datetime] = {}
    for row, oldest in timings.oldest.items():
        if row in timings.timings and (latest := bound(timings.timings[row], oldest, now)) is not None:
            bounds[row] = latest
    tasks = rows_of(PeriodicTask, using).filter(_can_be_late()).alias(ran=_LAST_RUN).order_by()
    tasks = tasks.filter(_at_most(bounds) | Q(last_run_at=None, start_time__lte=now))
    columns = (
        "pk",
        "name",
        "last_run_at",
        "date_changed",
        "start_time",
        "expires",
        "one_off",
        "total_run_count",
        *_IDS,
    )
    return [_row(timings, *values) for values in tasks.values_list(*columns) if values[0] not in odd]


def _row(
    timings: Timings,
    row_id: int,
    name: str,
    last_run: datetime | None,
    changed: datetime,
    start: datetime | None,
    expires: datetime | None,
    one_off: bool,
    count: int,
    *ids: int | None,
) -> Row:
    # Not odd: it has one timing.
    place = next(index for index, timing_id in enumerate(ids) if timing_id is not None)
    timing = timings.timings[KINDS[place], ids[place] or 0]
    spec = Spec("", timing, start_at=start, expires_at=expires, one_off=one_off)
    return Row(row_id, name, spec, last_run, count, changed)


#: Above this number of timings, one bound for all of them makes a shorter statement.
_FEW = 100


def _at_most(bounds: Mapping[TimingRow, datetime]) -> Q:
    if len(bounds) <= _FEW:
        condition = Q(pk__in=[])
        for (kind, row_id), latest in bounds.items():
            condition |= Q(**{f"{kind}_id": row_id}, ran__lte=latest)
        return condition
    ids = {kind: [row_id for other, row_id in bounds if other == kind] for kind in KINDS}
    condition = Q()
    for kind, kind_ids in ids.items():
        if kind_ids:
            condition |= Q(**{f"{kind}_id__in": kind_ids})
    return condition & Q(ran__lte=max(bounds.values()))


def enabled_rows(using: str, odd: Collection[int]) -> QuerySet[Any]:
    """Return the rows that run."""
    rows: QuerySet[Any] = rows_of(PeriodicTask, using).filter(enabled=True).exclude(pk__in=odd).order_by()
    return rows


def listed(rows: QuerySet[Any]) -> Listed[str]:
    """Count rows, and return the first names."""
    names = rows.order_by(ByCodePoint("name")).values_list("name", flat=True)
    first = tuple(names[: LISTED + 1])
    return Listed(rows.count() if len(first) > LISTED else len(first), first[:LISTED])


def tasks_of(rows: QuerySet[Any]) -> set[str]:
    """Return the names of the tasks of rows."""
    tasks = rows.annotate(exact=ByCodePoint("task")).values_list("exact", flat=True).distinct()
    return {task.decode() if isinstance(task, bytes) else task for task in tasks}


def with_tasks(rows: QuerySet[Any], tasks: Collection[str]) -> QuerySet[Any]:
    """Return the rows with one of these tasks."""
    if len(tasks) > MOST:
        raise ReadInstead
    chosen: QuerySet[Any] = rows.annotate(exact=ByCodePoint("task")).filter(exact__in=tasks)
    return chosen


def long_disabled(using: str, odd: Collection[int], now: datetime, before: datetime) -> list[tuple[str, datetime]]:
    """Return name and time of the last edit of the rows that were disabled before a time, and are not completed."""
    rows = rows_of(PeriodicTask, using).filter(enabled=False, date_changed__lt=before).exclude(pk__in=odd)
    rows = rows.exclude(expires__lte=now).exclude(clocked__clocked_time__lte=now)
    return list(rows.order_by().values_list("name", F("date_changed")))


def disabled_among(using: str, ids: Collection[int]) -> set[int]:
    """Return the rows among these that are disabled."""
    rows = rows_of(PeriodicTask, using).filter(enabled=False)
    return {
        row_id for batch in batches(sorted(ids)) for row_id in rows.filter(pk__in=batch).values_list("pk", flat=True)
    }
