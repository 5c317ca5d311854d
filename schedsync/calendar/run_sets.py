"""The runs of one schedule in a window, and those that another does not make.

An interval's runs are a ``range`` of microseconds, which costs nothing however many they are. Every other timing runs
at most once a minute.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from itertools import chain, islice
from math import gcd

from schedsync.calendar.slots import crontab_minutes, runs
from schedsync.calendar.stock_beat import slots
from schedsync.calendar.window import Shape, Window
from schedsync.core.schedule import Spec
from schedsync.core.timing import MICROSECOND, Clocked, Crontab, Interval

_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_MINUTE = timedelta(minutes=1)
#: Of runs that are not all listed, this many of the last ones are kept.
LAST = 3

#: Runs as microseconds since 1970, in their order and each once.
Runs = range | tuple[int, ...]
#: The runs that both sides make.
Common = range | frozenset[int]


@dataclass(frozen=True, slots=True)
class Only:
    """The runs that only one side makes: their number, the first ones, and the last ones where not all are listed."""

    count: int = 0
    first: tuple[datetime, ...] = ()
    last: tuple[datetime, ...] = ()

    def cut(self, most: int) -> Only:
        """Return the same with at most ``most`` of the first ones listed."""
        if len(self.first) <= most:
            return self
        return Only(self.count, self.first[:most], self.last or self.first[most:][-LAST:])


NO_RUNS = Only()


def runs_of(shape: Shape, window: Window) -> Runs:
    """Return the runs of a shape within a window."""
    end = window.end if shape.expires_at is None else min(window.end, shape.expires_at)
    if shape.one_off or isinstance(shape.timing, Clocked):
        return _stepped(shape, window, end)
    if isinstance(shape.timing, Interval):
        return _interval_runs(shape.timing, shape.base or window.since, window.since, end)
    since = window.since if shape.start_at is None else max(window.since, shape.start_at)
    if isinstance(shape.timing, Crontab):
        return _crontab_runs(shape.timing, since, end)
    return _until(slots(shape.timing, since - MICROSECOND), end)


def _interval_runs(timing: Interval, base: datetime, since: datetime, end: datetime) -> range:
    step, first = timing.microseconds, _number(base) + timing.microseconds
    behind = max(0, -((first - _number(since)) // step))
    return range(first + behind * step, _number(end), step)


def _crontab_runs(timing: Crontab, since: datetime, end: datetime) -> tuple[int, ...]:
    start = since.replace(second=0, microsecond=0)
    first = _number(start)
    minutes = chain.from_iterable(crontab_minutes(timing, start, max(0, -((start - end) // _MINUTE))))
    instants = [first + minute * 60 * 10**6 for minute in minutes]
    return tuple(instants[bisect_left(instants, _number(since)) : bisect_left(instants, _number(end))])


def _stepped(shape: Shape, window: Window, end: datetime) -> tuple[int, ...]:
    """Return the single run of a one-off."""
    since = window.since if shape.start_at is None else max(window.since, shape.start_at)
    after = shape.base if isinstance(shape.timing, Interval) and shape.base else since - MICROSECOND
    if isinstance(shape.timing, Interval):
        return tuple(_interval_runs(shape.timing, after, window.since, end)[:1])
    spec = Spec("", shape.timing, start_at=shape.start_at, expires_at=shape.expires_at, one_off=True)
    return _until(runs(spec, window.since - MICROSECOND, slots(shape.timing, after)), end)


def _until(instants: Iterable[datetime], end: datetime) -> tuple[int, ...]:
    result = []
    for instant in instants:
        if instant >= end:
            break
        result.append(_number(instant))
    return tuple(result)


def _number(instant: datetime) -> int:
    return (instant - _EPOCH) // MICROSECOND


def _instant(number: int) -> datetime:
    return _EPOCH + timedelta(microseconds=number)


def only_in(one: Runs, other: Runs, most: int) -> Only:
    """Return the runs of one side that the other does not make, the first ``most`` of them listed."""
    parts = _apart(one, other)
    count = sum(len(part) - len(common) for part, common in parts)
    if not count:
        return NO_RUNS
    first = tuple(map(_instant, islice(chain.from_iterable(_rest(part, common) for part, common in parts), most)))
    backwards = chain.from_iterable(_rest(part[::-1], common) for part, common in reversed(parts))
    last = tuple(map(_instant, islice(backwards, min(LAST, count - len(first)))))[::-1]
    return Only(count, first, last)


def _rest(part: Runs, common: Common) -> Iterator[int]:
    return (number for number in part if number not in common)


def _apart(one: Runs, other: Runs) -> list[tuple[Runs, Common]]:
    """Return the runs of one side in parts, each with those of its runs that the other side makes too.

    No part consists of common runs for long, so that stepping through it soon finds another: what both sides make
    without a gap between two ranges is left out.
    """
    if not isinstance(one, range) or not isinstance(other, range):
        return [(one, _common(one, other))]
    common = common_range(one, other)
    if not common or (common.step != one.step and len(common) > 1):
        return [(one, common)]
    before = one[: one.index(common[0])]
    after = one[one.index(common[-1]) + 1 :]
    return [(before, range(0)), (after, range(0))]


def _common(one: Runs, other: Runs) -> frozenset[int]:
    """Return the runs that both sides make. A range is asked for each run of the other side: it can be very long."""
    small, large = (other, one) if isinstance(one, range) else (one, other)
    if isinstance(large, range):
        return frozenset(number for number in small if number in large)
    return frozenset(small).intersection(large)


def common_range(one: range, other: range) -> range:
    """Return the numbers that two ranges with positive steps share."""
    divisor = gcd(one.step, other.step)
    if not one or not other or (other[0] - one[0]) % divisor:
        return range(0)
    step = one.step // divisor * other.step
    modulus = other.step // divisor
    # The number of steps of the first range until it meets the second.
    steps = (other[0] - one[0]) // divisor * pow(one.step // divisor, -1, modulus) % modulus
    meeting = one[0] + steps * one.step
    start = max(one[0], other[0])
    meeting += max(0, -((meeting - start) // step)) * step
    return range(meeting, min(one[-1], other[-1]) + 1, step)
