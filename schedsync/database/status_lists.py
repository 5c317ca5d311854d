"""The lists of ``schedsync status``, by SQL: how many rows there are of a kind, and the first names."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, Func, OuterRef, Q, QuerySet, TextField
from django_celery_beat.models import PeriodicTask

from schedsync.core.status import LISTED, Listed
from schedsync.database.bulk import Among, batches, rows_of
from schedsync.database.values import read_values
from schedsync.models import ManagedSchedule

#: Above this number of rows, reading all of them is faster.
MOST = 5000
#: Among enabled rows, those that never ran.
NEVER_RAN = Q(total_run_count=0, last_run_at=None)


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


def enabled_rows(using: str, odd: Collection[int]) -> QuerySet[Any]:
    """Return the rows that run."""
    rows: QuerySet[Any] = rows_of(PeriodicTask, using).filter(enabled=True).exclude(pk__in=odd).order_by()
    return rows


def enabled_among(using: str, ids: Collection[int]) -> QuerySet[Any]:
    """Return the enabled rows among these."""
    rows: QuerySet[Any] = rows_of(PeriodicTask, using).filter(Among(ids), enabled=True).order_by()
    return rows


def never_ran(rows: QuerySet[Any]) -> QuerySet[Any]:
    """Return the rows among these that never ran."""
    chosen: QuerySet[Any] = rows.filter(NEVER_RAN)
    return chosen


def listed(rows: QuerySet[Any], count: int | None = None) -> Listed[str]:
    """Return the first names and how many there are; ``count`` is their number where it is known."""
    if count == 0:
        return Listed()
    names = rows.order_by(ByCodePoint("name")).values_list("name", flat=True)
    first = tuple(names[: LISTED + 1])
    if count is None:
        count = rows.count() if len(first) > LISTED else len(first)
    return Listed(count, first[:LISTED])


def tasks_of(rows: QuerySet[Any]) -> dict[str, int]:
    """Return how many of the rows each task has."""
    return dict(by_task(rows, count=Count("pk")))


def by_task(rows: QuerySet[Any], **counts: Count) -> Iterator[tuple[Any, ...]]:
    """Yield each task of the rows with its counts."""
    groups = rows.annotate(exact=ByCodePoint("task")).values("exact").annotate(**counts).values_list("exact", *counts)
    for task, *found in groups:
        yield task.decode() if isinstance(task, bytes) else task, *found


def with_tasks(rows: QuerySet[Any], tasks: Collection[str]) -> QuerySet[Any]:
    """Return the rows with one of these tasks."""
    if len(tasks) > MOST:
        raise ReadInstead
    chosen: QuerySet[Any] = rows.annotate(exact=ByCodePoint("task")).filter(exact__in=tasks)
    return chosen


def long_disabled(
    using: str, odd: Collection[int], now: datetime, before: datetime, paused: Collection[str]
) -> QuerySet[Any]:
    """Return the rows that were disabled before a time, and are not completed.

    Those that were applied since do not count, nor those with a name in ``paused``.
    """
    if len(paused) > MOST:
        raise ReadInstead
    rows = rows_of(PeriodicTask, using).filter(enabled=False, date_changed__lt=before).exclude(pk__in=odd)
    rows = rows.exclude(expires__lte=now).exclude(clocked__clocked_time__lte=now)
    applied = rows_of(ManagedSchedule, using).filter(name=OuterRef("name"), applied_at__gt=before)
    applied = applied.annotate(exact=ByCodePoint("name")).filter(exact=ByCodePoint(OuterRef("name")))
    rows = rows.annotate(exact=ByCodePoint("name")).exclude(exact__in=paused)
    chosen: QuerySet[Any] = rows.filter(~Exists(applied)).order_by()
    return chosen


def applied_since(using: str, names: Collection[str], since: datetime) -> set[str]:
    """Return the names among these that were applied after a time."""
    entries = rows_of(ManagedSchedule, using).filter(applied_at__gt=since)
    return {
        str(name)
        for batch in batches(sorted(names))
        for (name,) in read_values(entries.filter(name__in=batch), ["name"])
    }


def disabled_among(using: str, ids: Collection[int]) -> set[int]:
    """Return the rows among these that are disabled."""
    rows = rows_of(PeriodicTask, using).filter(enabled=False)
    return {
        row_id for batch in batches(sorted(ids)) for row_id in rows.filter(pk__in=batch).values_list("pk", flat=True)
    }
