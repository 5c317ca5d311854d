"""Which tick is due, by a schedule's timing, its last run, and its fields ``missed_runs`` and ``starting_deadline``.

An interval's ticks are whole intervals after the tick of its last run, however late that run was sent. No function
here steps from tick to tick to find the last one or to count them: a missed year of seconds costs as much as a day.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from itertools import takewhile
from typing import NamedTuple

from schedsync.calendar.slots import crontab_slots, fields_of, last_slot
from schedsync.calendar.stock_beat import sun_slot
from schedsync.calendar.zones import changes_on, midnight
from schedsync.core.timing import MICROSECOND, Clocked, Crontab, Interval, Timing, zone_of

_DAY = timedelta(days=1)
#: Days. 29 February on a given weekday can be forty years ago.
_FURTHEST_BACK = 50 * 366
#: Days in which to look for the last event of the sun, one span after the other: it can be absent for months.
_SOLAR_DAYS = (3, 12, 48, 192, 366)
_LAST = datetime.max.replace(tzinfo=timezone.utc) - _DAY
#: With ``missed_runs: none``, a tick is missed if it is older than this when a Beat begins to send.
GRACE = timedelta(seconds=60)


@dataclass(frozen=True, slots=True)
class Lateness:
    """What to do with late runs: the values of ``missed_runs`` and ``starting_deadline``."""

    missed: str = "latest"
    deadline: timedelta | None = None


class Due(NamedTuple):
    """What to do now: the tick to send or None, how many ticks to skip, and the tick after these where none is sent."""

    tick: datetime | None
    passed: int
    following: datetime | None


def first_tick(timing: Timing, last: datetime, start: datetime | None, *, ran: bool) -> datetime | None:
    """Return the first tick of a schedule after ``last``, or None where there is none.

    ``last`` is its last run; where it never ran (``ran`` is false), the time of its last edit. Before the first run an
    interval's first tick is its start, as django_celery_beat/schedulers.py ``ModelEntry`` has it; a crontab's is its
    first slot from the start on.
    """
    if isinstance(timing, Clocked):
        return max(timing.at, start) if start else timing.at
    if start is None:
        return tick_after(timing, last)
    if not ran:
        return start if isinstance(timing, Interval) else tick_after(timing, start - MICROSECOND)
    tick = tick_after(timing, last)
    while tick is not None and tick < start:
        tick = start if isinstance(timing, Interval) else tick_after(timing, start - MICROSECOND)
    return tick


def tick_after(timing: Timing, after: datetime) -> datetime | None:
    """Return the first tick after an instant, or None; an interval is counted from that instant."""
    if after >= _LAST:
        return None
    if isinstance(timing, Interval):
        return _interval_after(timing, after)
    return _slot_after(timing, after)


def _interval_after(timing: Interval, after: datetime) -> datetime | None:
    try:
        return after + timedelta(microseconds=timing.microseconds)
    except OverflowError:
        # Later than the year 9999.
        return None


@lru_cache(maxsize=16384)
def _slot_after(timing: Timing, after: datetime) -> datetime | None:
    if isinstance(timing, Crontab):
        return next(crontab_slots(timing, after), None)
    if isinstance(timing, Clocked):
        return timing.at if timing.at > after else None
    return sun_slot(timing, after)


def due(timing: Timing, tick: datetime, now: datetime, lateness: Lateness, since: datetime) -> Due:
    """Decide about a tick that is not after ``now``; ``since`` is when this Beat began to send."""
    if lateness.missed == "all":
        return _one_by_one(timing, tick, now, lateness)
    last = last_tick(timing, tick, now)
    passed = count(timing, tick, last) if last != tick else 0
    too_late = lateness.deadline is not None and now - last > lateness.deadline
    if lateness.missed == "none" and lateness.deadline is None:
        too_late = last < since - GRACE
    return Due(None, passed + 1, tick_after(timing, last)) if too_late else Due(last, passed, None)


def runs_at_once(timing: Timing, tick: datetime, now: datetime, lateness: Lateness) -> int:
    """Count the messages that a Beat which begins to send now sends at once for a tick that is not after ``now``."""
    decision = due(timing, tick, now, lateness, since=now)
    if lateness.missed != "all":
        return 0 if decision.tick is None else 1
    first = decision.tick or decision.following
    return 0 if first is None or first > now else first_after(timing, first, now)[1]


def _one_by_one(timing: Timing, tick: datetime, now: datetime, lateness: Lateness) -> Due:
    earliest = tick if lateness.deadline is None else now - lateness.deadline
    if tick >= earliest:
        return Due(tick, 0, None)
    last = last_tick(timing, tick, earliest - MICROSECOND)
    return Due(None, count(timing, tick, last) + 1, tick_after(timing, last))


def last_tick(timing: Timing, tick: datetime, until: datetime) -> datetime:
    """Return the last tick at or before ``until``; ``tick`` is any tick before it."""
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


@lru_cache(maxsize=4096)
def _last_solar_tick(timing: Timing, until: datetime) -> datetime | None:
    for days in _SOLAR_DAYS:
        last, slot = None, tick_after(timing, until - days * _DAY)
        while slot is not None and slot <= until:
            last, slot = slot, tick_after(timing, slot)
        if last is not None:
            return last
    return None


def first_after(timing: Timing, tick: datetime, until: datetime) -> tuple[datetime | None, int]:
    """Return the first tick after ``until``, from a tick on, and how many ticks up to ``until`` are left out."""
    if tick > until:
        return tick, 0
    last = last_tick(timing, tick, until)
    return tick_after(timing, last), 1 + (count(timing, tick, last) if last != tick else 0)


def count(timing: Timing, first: datetime, last: datetime) -> int:
    """Count the ticks from ``first`` on and before ``last``: by arithmetic, for crontabs day by day."""
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
        start, stop = (midnight(zone, each).astimezone(timezone.utc) for each in (day, day + _DAY))
        whole = first <= start and stop <= last
        if whole and not any(changes_on(zone, day + shift * _DAY) for shift in (-1, 0, 1)):
            yield len(fields.minutes) if fields.on(day) else 0
        elif first >= start:
            # `first` is a tick even if the clock skips it, so that searching from just before it would not find it.
            yield int(first < last) + _slots_between(timing, first, min(last, stop))
        else:
            yield _slots_between(timing, start - MICROSECOND, min(last, stop))
        day += _DAY


def _slots_between(timing: Crontab, after: datetime, stop: datetime) -> int:
    return sum(1 for _ in takewhile(lambda slot: slot < stop, crontab_slots(timing, after)))
