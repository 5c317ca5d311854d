"""The schedule objects of Celery and of django-celery-beat as timings."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone, tzinfo
from typing import Any

from schedsync.core.crontab import FIELDS, can_fire, canonical
from schedsync.core.timing import Clocked, Crontab, Interval, Timing, TimingError, in_calendar, interval, solar
from schedsync.importers.not_taken import CannotTakeError

#: Returns the name of an object's own time zone, or of the app's for None.
ZoneName = Callable[[tzinfo | None], str]
_MICROSECOND = timedelta(microseconds=1)
#: From this length on, `relative` moves the runs to whole minutes, hours or days (celery/utils/time.py).
_ROUNDED_FROM = timedelta(minutes=1)


def timing_of(value: Any, *, relative: bool, zone: ZoneName) -> Timing:
    """Return the timing of a number of seconds, a timedelta, or a schedule object.

    Raises CannotTakeError for an object of another class: its code decides when it runs.
    """
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return _interval(_timedelta(value), relative)
    if isinstance(value, timedelta):
        return _interval(value, relative)
    read = _READERS.get((type(value).__module__, type(value).__qualname__))
    if read is None:
        raise CannotTakeError(f"its schedule is of type {type(value).__name__}, whose code says when it runs")
    try:
        return read(value, zone)
    except (TimingError, ArithmeticError, ValueError) as error:
        if isinstance(error, CannotTakeError):
            raise
        raise CannotTakeError(str(error), getattr(error, "hint", None)) from None


def _timedelta(seconds: float) -> timedelta:
    try:
        return timedelta(seconds=seconds)
    except (ValueError, OverflowError):
        raise CannotTakeError(f"`{seconds}` is not a number of seconds") from None


def _interval(every: timedelta, relative: bool) -> Interval:
    if relative and every >= _ROUNDED_FROM:
        hint = "write the same as a crontab, such as `0 * * * *` for one hour"
        raise CannotTakeError("`relative` moves its runs to whole minutes, hours or days", hint)
    try:
        return interval(every // _MICROSECOND, 1)
    except TimingError as error:
        raise CannotTakeError(error.message, error.hint) from None


def _schedule(value: Any, _zone: ZoneName) -> Interval:
    _check_clock(value)
    if not isinstance(value.run_every, timedelta):
        raise CannotTakeError("its schedule has no interval")
    return _interval(value.run_every, bool(value.relative))


def _check_clock(value: Any) -> None:
    if value.nowfun is not None:
        raise CannotTakeError("its schedule has a clock of its own (`nowfun`)", "use the time zone of the app")


def _crontab(value: Any, zone: ZoneName) -> Crontab:
    _check_clock(value)
    # Only where somebody has set it: else Celery computes it from the app.
    return _crontab_in(value, zone(vars(value).get("tz")))


def _tz_crontab(value: Any, zone: ZoneName) -> Crontab:
    return _crontab_in(value, zone(value.tz))


def _crontab_in(value: Any, zone: str) -> Crontab:
    """Return a crontab by the numbers that Celery has expanded, however they were written."""
    numbers = {field.name: frozenset(getattr(value, field.name)) for field in FIELDS}
    if not all(numbers.values()) or not can_fire(numbers["day_of_month"], numbers["month_of_year"]):
        raise CannotTakeError("it can never fire", "delete it")
    return Crontab(**{name: canonical(each, name) for name, each in numbers.items()}, timezone=zone)


def _solar(value: Any, _zone: ZoneName) -> Timing:
    _check_clock(value)
    return solar(value.event, value.lat, value.lon)


def _clocked(value: Any, _zone: ZoneName) -> Clocked:
    _check_clock(value)
    # The class makes a time without an offset aware.
    at: datetime = value.clocked_time.astimezone(timezone.utc)
    if not in_calendar(at):
        raise CannotTakeError("its time is not within the years 1970 and 9990")
    return Clocked(at)


#: By module and name of the exact class: a subclass may override the methods that say when it runs.
_READERS: dict[tuple[str, str], Callable[[Any, ZoneName], Timing]] = {
    ("celery.schedules", "schedule"): _schedule,
    ("celery.schedules", "crontab"): _crontab,
    ("celery.schedules", "solar"): _solar,
    ("django_celery_beat.tzcrontab", "TzAwareCrontab"): _tz_crontab,
    ("django_celery_beat.clockedschedule", "clocked"): _clocked,
}
