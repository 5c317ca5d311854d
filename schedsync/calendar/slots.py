"""The slots of a timing, computed from its fields: the same as Celery's own objects return, many times faster.

Celery steps from slot to slot in the crontab's wall-clock time (celery/schedules.py ``crontab.remaining_delta``). A
wall time that daylight saving skips runs later, by as much as the clock jumps, and other slots before that are lost.
Of a wall time that daylight saving repeats, only the first one runs. This module takes the same steps, day by day.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from itertools import pairwise, takewhile
from zoneinfo import ZoneInfo

from schedsync.calendar.zones import changes_on, midnight
from schedsync.core.crontab import FIELDS_BY_NAME, expand
from schedsync.core.schedule import Spec
from schedsync.core.timing import Clocked, Crontab, Interval, Solar, Timing, zone_of

_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)
#: Days. 29 February on a given weekday can be forty years away; no crontab that can fire waits longer.
_FURTHEST = 50 * 366
#: Dates fall on the same weekdays again after 28 years.
_DAYS_A_CYCLE = 28 * 365 + 7


@dataclass(frozen=True, slots=True)
class Fields:
    """A crontab's five fields as numbers; ``minutes`` are the minutes of the day at which it runs, sorted."""

    minutes: tuple[int, ...]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def on(self, day: date) -> bool:
        """Say whether it runs on a day of the calendar; all three fields must match."""
        return day.day in self.days and day.month in self.months and day.isoweekday() % 7 in self.weekdays

    @property
    def every_day(self) -> bool:
        """Whether no day is left out."""
        return len(self.days) == 31 and len(self.months) == 12 and len(self.weekdays) == 7

    @property
    def every_week(self) -> bool:
        """Whether all weeks are alike."""
        return len(self.days) == 31 and len(self.months) == 12


@lru_cache(maxsize=65536)
def fields_of(timing: Crontab) -> Fields:
    """Return the numbers behind a crontab's text."""
    numbers = {name: expand(getattr(timing, name), field) for name, field in FIELDS_BY_NAME.items()}
    return Fields(
        minutes=_minutes_of_day(numbers["hour"], numbers["minute"]),
        hours=numbers["hour"],
        days=numbers["day_of_month"],
        months=numbers["month_of_year"],
        weekdays=numbers["day_of_week"],
    )


def _minutes_of_day(hours: frozenset[int], minutes: frozenset[int]) -> tuple[int, ...]:
    return tuple(60 * hour + minute for hour in sorted(hours) for minute in sorted(minutes))


def crontab_slots(timing: Crontab, after: datetime) -> Iterator[datetime]:
    """Yield the slots after an instant, in UTC; ends with the calendar, or where the next 50 years have none."""
    fields, zone = fields_of(timing), zone_of(timing)
    here = after.astimezone(zone)
    day, minute, empty = here.date(), 60 * here.hour + here.minute, 0
    while empty < _FURTHEST and day < date.max - _DAY:
        if not fields.on(day):
            day, minute, empty = day + _DAY, -1, empty + 1
            continue
        index = bisect_right(fields.minutes, minute)
        if index == len(fields.minutes):
            day, minute = day + _DAY, -1
            continue
        hours, minutes = divmod(fields.minutes[index], 60)
        slot = datetime(day.year, day.month, day.day, hours, minutes, tzinfo=zone).astimezone(timezone.utc)
        if slot > after:
            yield slot
        # Where the clock jumps, Celery looks for the next slot from the time that it jumped to.
        here = slot.astimezone(zone)
        day, minute, empty = here.date(), 60 * here.hour + here.minute, 0


def is_slot(timing: Crontab, at: datetime) -> bool:
    """Say whether a crontab has a slot at an instant, which is a whole minute."""
    fields, zone = fields_of(timing), zone_of(timing)
    here = at.astimezone(zone)
    day = here.date()
    if _is_near_change(zone, day):
        return any(crontab_minutes(timing, at, 1))
    minute = 60 * here.hour + here.minute
    index = bisect_left(fields.minutes, minute)
    return fields.minutes[index : index + 1] == (minute,) and fields.on(day)


def last_slot(timing: Crontab, before: datetime, days: int = 400) -> datetime | None:
    """Return a crontab's last slot at or before an instant, in UTC; None where the last ``days`` have none."""
    fields, zone = fields_of(timing), zone_of(timing)
    today = before.astimezone(zone).date()
    for day in (today - timedelta(days=back) for back in range(days)):
        if fields.on(day):
            last = _last_of_day(timing, fields, day, before)
            if last is not None:
                return last
    return None


def _last_of_day(timing: Crontab, fields: Fields, day: date, before: datetime) -> datetime | None:
    """Return the last slot of a day of the calendar at or before an instant, in UTC."""
    zone = zone_of(timing)
    if _is_near_change(zone, day):
        slots = takewhile(lambda slot: slot <= before, crontab_slots(timing, midnight(zone, day) - _MINUTE))
        of_day = [slot for slot in slots if slot.astimezone(zone).date() <= day]
        return of_day[-1] if of_day else None
    here = before.astimezone(zone)
    index = len(fields.minutes)
    if day == here.date():
        index = bisect_right(fields.minutes, 60 * here.hour + here.minute)
    if not index:
        return None
    hours, minutes = divmod(fields.minutes[index - 1], 60)
    return datetime(day.year, day.month, day.day, hours, minutes, tzinfo=zone).astimezone(timezone.utc)


def interval_slots(timing: Interval, after: datetime) -> Iterator[datetime]:
    """Yield the slots of an interval, counted from an instant."""
    slot = after.astimezone(timezone.utc)
    step = timedelta(microseconds=timing.microseconds)
    while slot < datetime.max.replace(tzinfo=timezone.utc) - step:
        slot += step
        yield slot


def crontab_minutes(timing: Crontab, start: datetime, count: int) -> Iterator[list[int]]:
    """Yield the minutes in which a crontab has a slot, one list for each day, as numbers from 0 to ``count`` - 1.

    Minute 0 begins at ``start``, which is a whole minute. Days without a change of the clock need no arithmetic.
    """
    fields, zone = fields_of(timing), zone_of(timing)
    end = start + count * _MINUTE
    day = start.astimezone(zone).date()
    while midnight(zone, day) < end:
        if _is_near_change(zone, day):
            yield from _by_slots(timing, day, start, count)
        elif fields.on(day):
            base = round((midnight(zone, day) - start) / _MINUTE)
            yield [base + minute for minute in fields.minutes if 0 <= base + minute < count]
        day += _DAY


def _is_near_change(zone: ZoneInfo, day: date) -> bool:
    """Say whether the clock changes on a day or beside it: a jump can skip slots of the next day too."""
    return changes_on(zone, day - _DAY) or changes_on(zone, day) or changes_on(zone, day + _DAY)


def _by_slots(timing: Crontab, day: date, start: datetime, count: int) -> Iterator[list[int]]:
    """Yield the slots of one day, stepping through them: the clock changes on this day, or on one beside it."""
    zone = zone_of(timing)
    first = midnight(zone, day)
    minutes: list[int] = []
    # Two days earlier, so that slots lost in a jump of the day before are lost here too.
    for slot in crontab_slots(timing, first - 2 * _DAY - _MINUTE):
        local = slot.astimezone(zone).date()
        if local > day:
            break
        index = (slot - start) // _MINUTE
        if local == day and 0 <= index < count:
            minutes.append(index)
    yield minutes


def runs(spec: Spec, after: datetime, slots: Iterator[datetime]) -> Iterator[datetime]:
    """Yield the slots at which a schedule runs: after an instant, within its start and end, once for a one-off."""
    if not spec.enabled:
        return
    for slot in slots:
        if spec.expires_at is not None and slot >= spec.expires_at:
            return
        if slot <= after or (spec.start_at is not None and slot < spec.start_at):
            continue
        yield slot
        if spec.one_off:
            return


def runs_a_day(timing: Timing) -> float:
    """Return how often a timing runs a day, on average over the years; 0 for a clocked timing."""
    if isinstance(timing, Crontab):
        fields = fields_of(timing)
        return len(fields.minutes) * _share_of_days(fields.days, fields.months, fields.weekdays)
    if isinstance(timing, Interval):
        return 86400 * 10**6 / timing.microseconds
    return 1.0 if isinstance(timing, Solar) else 0.0


@lru_cache(maxsize=4096)
def _share_of_days(days: frozenset[int], months: frozenset[int], weekdays: frozenset[int]) -> float:
    fields = Fields((), frozenset(), days, months, weekdays)
    if fields.every_week:
        return len(weekdays) / 7
    first = date(2001, 1, 1)
    return sum(fields.on(first + timedelta(days=day)) for day in range(_DAYS_A_CYCLE)) / _DAYS_A_CYCLE


def shortest_gap(timing: Timing) -> timedelta | None:
    """Return the shortest time between two runs on ordinary days; None for a clocked timing."""
    if isinstance(timing, Interval):
        return timedelta(microseconds=timing.microseconds)
    if isinstance(timing, Clocked):
        return None
    if isinstance(timing, Solar):
        return _DAY
    return _shortest(fields_of(timing).minutes, _days_apart(timing))


def _shortest(minutes: tuple[int, ...], days_apart: int) -> timedelta:
    within = [later - earlier for earlier, later in pairwise(minutes)]
    over_night = days_apart * 1440 + minutes[0] - minutes[-1]
    return timedelta(minutes=min([*within, over_night]))


def _days_apart(timing: Crontab) -> int:
    fields = fields_of(timing)
    return 1 if fields.every_day else _least_days_apart(fields.days, fields.months, fields.weekdays)


@lru_cache(maxsize=4096)
def _least_days_apart(days: frozenset[int], months: frozenset[int], weekdays: frozenset[int]) -> int:
    fields = Fields((), frozenset(), days, months, weekdays)
    first = date(2001, 1, 1)
    on = [day for day in range(_DAYS_A_CYCLE) if fields.on(first + timedelta(days=day))]
    return min((later - earlier for earlier, later in pairwise(on)), default=_DAYS_A_CYCLE)
