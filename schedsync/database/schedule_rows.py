"""The rows that say when a task runs (``CrontabSchedule`` …): tasks share them, duplicates are normal.

They are never edited in place, because other tasks may refer to the same row.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime, timezone
from decimal import Decimal
from functools import lru_cache
from typing import Any

from celery import schedules
from django.db.models import CharField, Exists, F, Model, OuterRef, Q, QuerySet
from django.db.models.functions import Cast
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule

from schedsync.core import crontab as crontabs
from schedsync.core.names import shortened
from schedsync.core.observed import Problem
from schedsync.core.schedule import utc
from schedsync.core.timing import (
    LONGEST_INTERVAL,
    PERIODS,
    Clocked,
    Crontab,
    Interval,
    Solar,
    Timing,
    TimingError,
    canonical_zone,
    solar,
)
from schedsync.database.bulk import BATCH, batches, rows_of
from schedsync.database.values import Unreadable, read_values

TimingIds = Mapping[Timing, int]


def find_or_make(using: str, timings: Collection[Timing]) -> TimingIds:
    """Return the id of a schedule row for each timing, and make the rows that are missing.

    ``get_or_create`` would raise here: these tables hold duplicates.
    """
    result: dict[Timing, int] = {}
    for kind, model in TIMING_MODELS.items():
        wanted = {timing: timing_columns(timing) for timing in timings if timing.kind == kind}
        if not wanted:
            continue
        ids = _existing(using, model, wanted)
        missing = [model(**columns) for timing, columns in wanted.items() if timing not in ids]
        if missing:
            rows_of(model, using).bulk_create(missing, batch_size=BATCH)
            ids = _existing(using, model, wanted)
        result.update(ids)
    return result


def _existing(using: str, model: type[Model], wanted: Mapping[Timing, Mapping[str, Any]]) -> dict[Timing, int]:
    names = list(next(iter(wanted.values())))
    rows = rows_of(model, using).order_by("-pk")
    if "timezone" in names:
        # The model's field raises on a zone that this host does not know, so we read only the zones that we want.
        rows = rows.filter(timezone__in={columns["timezone"] for columns in wanted.values()})
        rows = with_zone(rows)
    columns = ["zone" if name == "timezone" else name for name in names]
    by_values = {tuple(map(str, values)): pk for pk, *values in read_values(rows, ["pk", *columns])}
    keys = ((timing, tuple(str(value) for value in columns.values())) for timing, columns in wanted.items())
    return {timing: by_values[key] for timing, key in keys if key in by_values}


def timing_columns(timing: Timing) -> dict[str, Any]:
    """Return the columns of the schedule row for a timing."""
    if isinstance(timing, Crontab):
        return asdict(timing)
    if isinstance(timing, Interval):
        every, period = timing.every
        return {"every": every, "period": period}
    if isinstance(timing, Solar):
        return asdict(timing)
    return {"clocked_time": timing.at}


def collect_all_orphans(using: str, candidates: Mapping[str, Collection[int]]) -> None:
    """Delete the orphans among schedule rows, given as ids by kind."""
    for kind, ids in candidates.items():
        collect_orphans(using, kind, ids)


def collect_orphans(using: str, kind: str, ids: Collection[int]) -> None:
    """Delete those schedule rows to which no row refers, neither a task nor a row of another app."""
    model = TIMING_MODELS[kind]
    for batch in batches(sorted(ids)):
        unreferenced_rows(using, model).filter(pk__in=batch)._raw_delete(using)


def unreferenced_rows(using: str, model: type[Model]) -> QuerySet[Any]:
    """Return the rows of a model to which no foreign key of any installed model refers."""
    referred = Q()
    for relation in model._meta.related_objects:
        column = relation.field.attname
        others = relation.field.model._base_manager.using(using).filter(**{column: OuterRef("pk")})
        referred |= Q(Exists(others))
    rows = rows_of(model, using)
    return rows.filter(~referred) if referred else rows


#: The models of the schedule rows by kind, in the order in which django-celery-beat prefers them.
TIMING_MODELS: Mapping[str, type[Model]] = {
    "interval": IntervalSchedule,
    "crontab": CrontabSchedule,
    "solar": SolarSchedule,
    "clocked": ClockedSchedule,
}


KINDS = tuple(TIMING_MODELS)
_ANY_DAY = datetime(2026, 1, 1, tzinfo=timezone.utc)


#: The columns, by kind, that say when. ``zone`` is text that ``with_zone`` adds.
_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "interval": ("every", "period"),
    "crontab": ("minute", "hour", "day_of_month", "month_of_year", "day_of_week", "zone"),
    "solar": ("event", "latitude", "longitude"),
    "clocked": ("clocked_time",),
}


#: The same columns as a query of ``PeriodicTask`` names them, all kinds in one tuple.
JOINED_COLUMNS = tuple(
    column if column == "zone" else f"{kind}__{column}" for kind, columns in _COLUMNS.items() for column in columns
)


#: Where the columns of a kind begin in JOINED_COLUMNS.
_FIRST = {kind: sum(len(_COLUMNS[earlier]) for earlier in KINDS[:place]) for place, kind in enumerate(KINDS)}


def with_zone(rows: QuerySet[Any], field: str = "timezone") -> QuerySet[Any]:
    """Return rows with the text of a crontab's zone as ``zone``: the field itself raises on a zone unknown here."""
    with_text: QuerySet[Any] = rows.annotate(zone=Cast(F(field), CharField()))
    return with_text


def read_timings(using: str, kind: str, ids: Collection[int]) -> dict[tuple[str, int], Timing | Problem]:
    """Read schedule rows of one kind by their ids; returns their timings, or what is wrong, by kind and id."""
    rows = rows_of(TIMING_MODELS[kind], using)
    if kind == "crontab":
        rows = with_zone(rows)
    return {
        (kind, row_id): _read(kind, values)
        for batch in batches(sorted(ids))
        for row_id, *values in read_values(rows.filter(pk__in=batch), ["pk", *_COLUMNS[kind]])
    }


def read_joined(kind: str, values: Sequence[Any]) -> Timing | Problem:
    """Read the timing of one kind from the values of JOINED_COLUMNS."""
    first = _FIRST[kind]
    return _read(kind, values[first : first + len(_COLUMNS[kind])])


def _read(kind: str, values: Sequence[Any]) -> Timing | Problem:
    if all(value is None for value in values):
        return Problem("SS320", f"its {kind} row is gone, stock Beat stops at this row")
    for column, value in zip(_COLUMNS[kind], values, strict=True):
        if value is None or isinstance(value, Unreadable):
            return unreadable_column(f"{kind}.{'timezone' if column == 'zone' else column}", value)
    return _READERS[kind](*values)


def unreadable_column(column: str, value: object) -> Problem:
    """Return the problem of a column whose value has another type, or is an instant outside the calendar."""
    return Problem("SS333", f"`{column}` is `{value}`: no value of this column, or outside the years 1970 to 9990")


def _interval(every: int, period: str) -> Timing | Problem:
    if period not in PERIODS:
        return Problem("SS320", f"unknown interval period `{shortened(period)}`, stock Beat stops at this row")
    if every <= 0:
        return Problem("SS320", f"an interval of {every}, Beat sends at every tick")
    if every * PERIODS[period] > LONGEST_INTERVAL:
        message = f"an interval of {every} {period} is longer than a century, Beat cannot add it to a date"
        return Problem("SS320", message)
    return Interval(every * PERIODS[period])


def _solar(event: str, latitude: Decimal, longitude: Decimal) -> Timing | Problem:
    try:
        return solar(event, latitude, longitude)
    except TimingError as error:
        return Problem("SS320", f"{shortened(error.message)}, stock Beat stops at this row")


def _clocked(at: datetime) -> Timing | Problem:
    return Clocked(utc(at))


@lru_cache(maxsize=65536)
def crontab_of(minute: str, hour: str, day_of_month: str, month: str, day_of_week: str, zone: str) -> Timing | Problem:
    """Return the crontab that Celery reads from a row's texts, or the problem that Beat has with the row.

    Beat skips a row for ever on a ``ValueError``; any other exception, such as Celery's ``ParseException``, stops Beat
    (``all_as_schedule`` in django_celery_beat/schedulers.py).
    """
    try:
        canonical_zone(zone)
    except TimingError as error:
        return Problem("SS323", f"{shortened(error.message)}, stock Beat stops while it reads the crontabs")
    try:
        read = schedules.crontab(minute, hour, day_of_week, day_of_month, month)
        # Celery before 5.7 accepts 31 February, and fails when it looks for the next one.
        read.remaining_delta(_ANY_DAY)
    except ValueError as error:
        return Problem("SS321", f"stock Beat skips this row: {shortened(str(error), 200)}")
    except Exception as error:
        return Problem("SS320", f"stock Beat stops at this row: {shortened(str(error), 200)}")
    fields = {
        field.name: crontabs.canonical(frozenset(getattr(read, field.name)), field.name) for field in crontabs.FIELDS
    }
    return Crontab(**fields, timezone=canonical_zone(zone))


_READERS: Mapping[str, Callable[..., Timing | Problem]] = {
    "interval": _interval,
    "crontab": crontab_of,
    "solar": _solar,
    "clocked": _clocked,
}
