"""Which tick is due: from a schedule's timing, its last run, and what it says about runs that were missed.

A tick is the instant that a run is for, on the grid of its timing: an interval's ticks lie whole intervals after its
last run, whenever that run was really sent. Nothing here steps from tick to tick to find the last one or to count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo

from schedsync.calendar.slots import crontab_slots, fields_of, last_slot
from schedsync.calendar.stock_beat import sun_slot
from schedsync.calendar.zones import changes_on
from schedsync.core.timing import Clocked, Crontab, Interval, Timing, zone_of

_DAY = timedelta(days=1)
_TICK = timedelta(microseconds=1)
#: A year with 29 February on a given weekday may be as far away.
_FURTHEST_BACK = 50 * 366
_LAST = datetime.max.replace(tzinfo=timezone.utc) - _DAY
#: With ``missed_runs: none``, what is later than this when a Beat begins to send was missed.
GRACE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Lateness:
    """What a schedule says about runs that are late: ``missed_runs`` and ``starting_deadline``."""

    missed: str = "latest"
    deadline: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Due:
    """What to do at an instant: the tick to send now, if any, how many others were passed over, and the next look."""

    tick: datetime | None
    passed: int
    following: datetime | None


def first_tick(timing: Timing, last: datetime, start: datetime | None, *, ran: bool) -> datetime | None:
    """Return the first tick of a schedule after its last run, or after what stands for one; None where none is left.

    Before the first run an interval's first tick is its start (django_celery_beat/schedulers.py ``ModelEntry`` puts
    the last run far back then); a crontab waits for its first slot from its start on.
    """
    if isinstance(timing, Clocked):
        return max(timing.at, start) if start else timing.at
    if start is None:
        return tick_after(timing, last)
    if not ran:
        return start if isinstance(timing, Interval) else tick_after(timing, start - _TICK)
    found = tick_after(timing, last)
    while found is not None and found < start:
        found = start if isinstance(timing, Interval) else tick_after(timing, start - _TICK)
    return found


def tick_after(timing: Timing, after: datetime) -> datetime | None:
    """Return the first tick after an instant; an interval's is counted from that instant."""
    if after >= _LAST:
        return None
    if isinstance(timing, Interval):
        return _interval_after(timing, after)
    return _slot_after(timing, after)


def _interval_after(timing: Interval, after: datetime) -> datetime | None:
    try:
        return after + timedelta(microseconds=timing.microseconds)
    except OverflowError:
        # Beyond the last year that there is.
        return None


@lru_cache(maxsize=16384)
def _slot_after(timing: Timing, after: datetime) -> datetime | None:
    if isinstance(timing, Crontab):
        return next(crontab_slots(timing, after), None)
    if isinstance(timing, Clocked):
        return timing.at if timing.at > after else None
    return sun_slot(timing, after)


def due(timing: Timing, tick: datetime, now: datetime, lateness: Lateness, since: datetime) -> Due:
    """Decide about a tick that is not after now; ``since`` is from when on this Beat has been sending."""
    if lateness.missed == "all":
        return _one_by_one(timing, tick, now, lateness)
    last = last_tick(timing, tick, now)
    passed = count(timing, tick, last) if last != tick else 0
    following = tick_after(timing, last)
    too_late = lateness.deadline is not None and now - last > lateness.deadline
    if lateness.missed == "none" and lateness.deadline is None:
        too_late = last < since - GRACE
    return Due(None, passed + 1, following) if too_late else Due(last, passed, following)


def _one_by_one(timing: Timing, tick: datetime, now: datetime, lateness: Lateness) -> Due:
    earliest = tick if lateness.deadline is None else now - lateness.deadline
    if tick >= earliest:
        return Due(tick, 0, tick_after(timing, tick))
    last = last_tick(timing, tick, earliest - _TICK)
    passed = count(timing, tick, last) + 1
    following = tick_after(timing, last)
    return Due(None, passed, following)


def last_tick(timing: Timing, tick: datetime, until: datetime) -> datetime:
    """Return the last tick at or before an instant, given one that is."""
    following = tick_after(timing, tick)
    if following is None or following > until:
        return tick
    if isinstance(timing, Interval):
        step = timedelta(microseconds=timing.microseconds)
        return tick + (until - tick) // step * step
    if isinstance(timing, Crontab):
        return _last_crontab_tick(timing, until.replace(second=0, microsecond=0)) or tick
    return _last_solar_tick(timing, until) or tick


@lru_cache(maxsize=4096)
def _last_crontab_tick(timing: Crontab, until: datetime) -> datetime | None:
    return last_slot(timing, until, _FURTHEST_BACK)


def _last_solar_tick(timing: Timing, until: datetime) -> datetime | None:
    found, slot = None, tick_after(timing, until - 3 * _DAY)
    while slot is not None and slot <= until:
        found, slot = slot, tick_after(timing, slot)
    return found


def count(timing: Timing, first: datetime, last: datetime) -> int:
    """Count the ticks from one, which counts, to another, which does not: by arithmetic, and for crontabs by days."""
    if isinstance(timing, Interval):
        return (last - first) // timedelta(microseconds=timing.microseconds)
    if isinstance(timing, Crontab):
        return _crontab_count(timing, first, last)
    return max((last - first) // _DAY, 1)


@lru_cache(maxsize=4096)
def _crontab_count(timing: Crontab, first: datetime, last: datetime) -> int:
    return sum(_counts_by_day(timing, first, last))


def _counts_by_day(timing: Crontab, first: datetime, last: datetime) -> Iterator[int]:
    fields, zone = fields_of(timing), zone_of(timing)
    day, end = first.astimezone(zone).date(), last.astimezone(zone).date()
    while day <= end:
        midnight, following = _midnight(day, zone), _midnight(day + _DAY, zone)
        whole = first <= midnight and following <= last
        if whole and not any(changes_on(zone, day + shift * _DAY) for shift in (-1, 0, 1)):
            yield len(fields.minutes) if fields.on(day) else 0
        else:
            begin, stop = max(first, midnight), min(last, following)
            yield _counted(timing, begin, stop)
        day += _DAY


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=zone).astimezone(timezone.utc)


def _counted(timing: Crontab, begin: datetime, stop: datetime) -> int:
    found = 0
    for slot in crontab_slots(timing, begin - _TICK):
        if slot >= stop:
            break
        found += 1
    return found
