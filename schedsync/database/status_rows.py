"""Finds by SQL the rows that may be late or odd, for ``schedsync status``: reading a large table would take seconds.

A row that SQL cannot judge is *odd*: it is read in full, as all rows would be. There are few of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone

from django.db import connections
from django.db.models import Count, Min, Q
from django.db.models.expressions import RawSQL
from django.db.models.functions import Coalesce
from django_celery_beat.models import PeriodicTask

from schedsync.core.observed import Problem, Row
from schedsync.core.schedule import Spec
from schedsync.core.timing import Timing
from schedsync.database import ledger_sums
from schedsync.database.bulk import rows_of
from schedsync.database.ledger_sums import TimingSum
from schedsync.database.lock import in_memory
from schedsync.database.schedule_rows import KINDS, read_timings
from schedsync.database.sound_arguments import ids_with_bad_arguments, unjudged_arguments
from schedsync.database.status_lists import MOST, NEVER_RAN, ReadInstead, by_task
from schedsync.database.task_rows import LONGEST_EXPIRY

_IDS = tuple(f"{kind}_id" for kind in KINDS)
_DATES = ("last_run_at", "date_changed", "expires", "start_time")
#: The calendar in which every computation works: the years 1970 to 9990.
_FIRST, _END = datetime(1970, 1, 1, tzinfo=timezone.utc), datetime(9991, 1, 1, tzinfo=timezone.utc)
_LAST_RUN = Coalesce("last_run_at", "date_changed")

TimingRow = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Counts:
    """How many rows are enabled and never ran, were disabled before a time, and are odd by their own columns.

    ``starting`` have never run, and could have since their start. ``unjudged`` have arguments that only Python can
    judge; None where they were not counted. ``tasks`` are the enabled rows by their task.
    """

    never_ran: int
    disabled: int
    odd: int
    starting: int
    unjudged: int | None
    tasks: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Timings:
    """The timings in use, and the oldest last run of the enabled schedules of each.

    ``sums`` are the sums of their rows, to be compared with the ledger's; None where they are not known.
    """

    timings: Mapping[TimingRow, Timing]
    oldest: Mapping[TimingRow, datetime]
    bad: Mapping[str, Collection[int]]
    sums: Mapping[TimingRow, TimingSum] | None = None


def require_readable(using: str) -> None:
    """Raise ReadInstead where a value has another type than its column."""
    if connections[using].vendor == "sqlite" and _has_strange_types(using):
        raise ReadInstead


def _strange() -> Q:
    strange = Q()
    for name in _DATES:
        strange |= Q(**{f"{name}__lt": _FIRST}) | Q(**{f"{name}__gte": _END})
    return strange


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


def count_rows(using: str, now: datetime, before: datetime) -> Counts:
    """Count the rows in one pass over the table; ``before`` is the time before which a row was disabled long ago.

    Raises ReadInstead where an instant is outside the calendar.
    """
    conditions = {
        "enabled": Q(enabled=True),
        "never_ran": Q(enabled=True) & NEVER_RAN,
        "disabled": Q(enabled=False, date_changed__lt=before),
        "odd": _odd(),
        "strange": _strange(),
        "starting": _starting(now),
    }
    if (unjudged := unjudged_arguments(using)) is not None:
        conditions["unjudged"] = unjudged
    counts = {f"count_{name}": Count("pk", filter=condition) for name, condition in conditions.items()}
    total: Counter[str] = Counter()
    tasks: dict[str, int] = {}
    for task, *found in by_task(rows_of(PeriodicTask, using).order_by(), **counts):
        total.update(dict(zip(conditions, found, strict=True)))
        tasks[task] = found[0]
    if total["strange"]:
        raise ReadInstead
    known = None if unjudged is None else total["unjudged"]
    return Counts(total["never_ran"], total["disabled"], total["odd"], total["starting"], known, tasks)


def _starting(now: datetime) -> Q:
    return Q(last_run_at=None, start_time__lte=now)


def read_timings_in_use(using: str) -> Timings:
    """Read the timings to which rows refer, and since when each waits."""
    rows = rows_of(PeriodicTask, using).order_by().values(*_IDS)
    grouped = rows.annotate(oldest=Min(_LAST_RUN, filter=_can_be_late()), **ledger_sums.columns_of_rows(using))
    with in_memory(using):
        groups = list(grouped)
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
    return Timings(timings, oldest, bad, ledger_sums.of_rows(groups))


def _can_be_late() -> Q:
    return Q(enabled=True) & ~Q(one_off=True, total_run_count__gt=0)


def odd_ids(using: str, counts: Counts, bad: Mapping[str, Collection[int]]) -> set[int]:
    """Return the ids of the rows to be read in full: those that perhaps cannot run."""
    ids = set() if counts.unjudged == 0 else ids_with_bad_arguments(using)
    odd = _odd()
    for kind, timing_ids in bad.items():
        if timing_ids:
            odd |= Q(**{f"{kind}_id__in": timing_ids})
    if counts.odd or any(bad.values()):
        ids |= set(rows_of(PeriodicTask, using).filter(odd).order_by().values_list("pk", flat=True)[: MOST + 1])
    return ids


def _odd() -> Q:
    odd = ~_has_one_timing() | Q(clocked_id__isnull=False, one_off=False)
    odd |= Q(expires__isnull=False, expire_seconds__isnull=False)
    return odd | Q(expire_seconds__lt=0) | Q(expire_seconds__gt=LONGEST_EXPIRY)


def _has_one_timing() -> Q:
    one = Q()
    for kind in KINDS:
        one |= Q(**{f"{other}_id__isnull": other != kind for other in KINDS})
    return one


def rows_perhaps_late(
    using: str,
    counts: Counts,
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
    if not bounds and not counts.starting:
        return []
    tasks = rows_of(PeriodicTask, using).filter(_can_be_late()).alias(ran=_LAST_RUN).order_by()
    tasks = tasks.filter(_at_most(bounds) | _starting(now))
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
