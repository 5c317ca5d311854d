"""The rows that say when: shared by tasks, normal to stand there twice, and never edited in place."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
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
from schedsync.core.observed import Problem
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


def find_or_make(using: str, timings: Collection[Timing]) -> dict[Timing, int]:
    """Find or make the schedule rows; never by ``get_or_create``: duplicates are normal in these tables."""
    result: dict[Timing, int] = {}
    for kind, model in TIMING_MODELS.items():
        wanted = {timing: timing_columns(timing) for timing in timings if timing.kind == kind}
        if not wanted:
            continue
        found = _existing(using, model, wanted)
        missing = [model(**columns) for timing, columns in wanted.items() if timing not in found]
        if missing:
            rows_of(model, using).bulk_create(missing, batch_size=BATCH)
            found = _existing(using, model, wanted)
        result.update(found)
    return result


def _existing(using: str, model: type[Model], wanted: Mapping[Timing, Mapping[str, Any]]) -> dict[Timing, int]:
    names = list(next(iter(wanted.values())))
    rows = rows_of(model, using).values_list("pk", *names).order_by("-pk")
    if "timezone" in names:
        # A zone that this host does not know must not keep us from reading the others.
        rows = rows.filter(timezone__in={columns["timezone"] for columns in wanted.values()})
    by_values = {tuple(map(str, values)): pk for pk, *values in rows.iterator(chunk_size=5000)}
    keys = ((timing, tuple(str(value) for value in columns.values())) for timing, columns in wanted.items())
    return {timing: by_values[key] for timing, key in keys if key in by_values}


def timing_columns(timing: Timing) -> dict[str, Any]:
    """Return the columns of the schedule row that stands for a timing."""
    if isinstance(timing, Crontab):
        return asdict(timing)
    if isinstance(timing, Interval):
        every, period = timing.every
        return {"every": every, "period": period}
    if isinstance(timing, Solar):
        return asdict(timing)
    return {"clocked_time": timing.at}


def collect_all_orphans(using: str, candidates: Mapping[str, Collection[int]]) -> None:
    """Collect the orphans among schedule rows, given as ids by kind."""
    for kind, ids in candidates.items():
        collect_orphans(using, kind, ids)


def collect_orphans(using: str, kind: str, ids: Collection[int]) -> None:
    """Delete those of the schedule rows to which nothing at all refers, neither a task nor another app's table."""
    model = TIMING_MODELS[kind]
    for some in batches(sorted(ids)):
        unreferenced_rows(using, model).filter(pk__in=some)._raw_delete(using)


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


def interval_of(every: int | None, period: str | None) -> Timing | Problem:
    """Return the interval of a row's columns."""
    if period not in PERIODS:
        return Problem("SS320", f"unknown interval period `{period or ''}`, Beat stops at this row")
    result = Interval((every or 0) * PERIODS[period])
    if result.microseconds > LONGEST_INTERVAL:
        return Problem("SS320", f"{result} is longer than a century, Beat cannot add it to a date")
    return result


def solar_of(event: str | None, latitude: Decimal | None, longitude: Decimal | None) -> Timing | Problem:
    """Return the solar timing of a row's columns."""
    try:
        return solar(event or "", latitude, longitude)
    except TimingError as error:
        return Problem("SS320", f"{error.message}, Beat stops at this row")


def clocked_of(at: datetime | None) -> Timing | Problem:
    """Return the instant of a row's column."""
    if at is None:
        return Clocked(datetime.max.replace(tzinfo=timezone.utc))
    return Clocked(at.replace(tzinfo=timezone.utc) if at.tzinfo is None else at.astimezone(timezone.utc))


@lru_cache(maxsize=65536)
def crontab_of(minute: str, hour: str, day_of_month: str, month: str, day_of_week: str, zone: str) -> Crontab | Problem:
    """Return the crontab that Celery reads from a row's texts, or what stands in its way.

    Beat skips a row with a ``ValueError`` for ever; anything else, celery's ``ParseException`` too, stops it
    (``all_as_schedule`` in django_celery_beat/schedulers.py).
    """
    try:
        canonical_zone(zone)
    except TimingError as error:
        return Problem("SS323", f"{error.message}, Beat stops while it reads the crontabs")
    try:
        read = schedules.crontab(minute, hour, day_of_week, day_of_month, month)
        # Celery before 5.7 accepts 31 February, and fails when it looks for the next one.
        read.remaining_delta(_ANY_DAY)
    except ValueError as error:
        return Problem("SS321", f"Beat passes it over: {error}")
    except Exception as error:
        return Problem("SS320", f"Beat stops at this row: {error}")
    fields = {
        field.name: crontabs.canonical(frozenset(getattr(read, field.name)), field.name) for field in crontabs.FIELDS
    }
    return Crontab(**fields, timezone=canonical_zone(zone))


_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "interval": ("every", "period"),
    # As text: the model's own field raises on a zone that this host does not know.
    "crontab": ("minute", "hour", "day_of_month", "month_of_year", "day_of_week", "zone"),
    "solar": ("event", "latitude", "longitude"),
    "clocked": ("clocked_time",),
}


_READERS: Mapping[str, Callable[..., Timing | Problem]] = {
    "interval": interval_of,
    "crontab": crontab_of,
    "solar": solar_of,
    "clocked": clocked_of,
}


def read_timings(using: str, kind: str, ids: Collection[int]) -> dict[tuple[str, int], Timing | Problem]:
    """Read schedule rows of one kind, given by their ids; each is named by its kind and id."""
    rows: Any = rows_of(TIMING_MODELS[kind], using)
    if kind == "crontab":
        rows = rows.annotate(zone=Cast(F("timezone"), CharField()))
    read = _READERS[kind]
    return {
        (kind, row_id): read(*values)
        for some in batches(sorted(ids))
        for row_id, *values in rows.filter(pk__in=some).values_list("pk", *_COLUMNS[kind])
    }
