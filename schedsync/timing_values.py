"""What schedule rows say, as timings: read as Celery reads them, and what it refuses as a problem of the row."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timezone
from decimal import Decimal
from functools import lru_cache
from typing import Any

from celery import schedules
from django.db.models import CharField, F, Model
from django.db.models.functions import Cast
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, SolarSchedule

from schedsync.core import crontab as crontabs
from schedsync.core.schedule import Problem
from schedsync.core.timing import (
    LONGEST_INTERVAL,
    PERIODS,
    Clocked,
    Crontab,
    Interval,
    Timing,
    TimingError,
    canonical_zone,
    solar,
)
from schedsync.statements import batches, rows_of

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
