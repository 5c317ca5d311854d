"""The load: how many runs start in each minute, by queue, and which schedules start in the worst minutes. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import NamedTuple

from schedsync.calendar.slots import crontab_minutes, crontab_slots, interval_slots, runs
from schedsync.core.schedule import Schedule, Spec
from schedsync.core.timing import MICROSECOND, Clocked, Crontab, Interval, Timing

MINUTES_A_DAY = 1440
MINUTES_A_WEEK = 7 * MINUTES_A_DAY
_MINUTE = timedelta(minutes=1)
#: Stands for the queue of schedules without a queue.
DEFAULT_QUEUE = "(default)"

#: Yields a timing's slots after an instant; needed for solar timings, which only Celery can compute.
Slots = Callable[[Timing, datetime], Iterator[datetime]]


class Shape(NamedTuple):
    """What decides in which minutes a schedule starts; ``base`` is the instant that an interval counts from.

    ``is_placed`` is false for an interval of which that instant is only assumed.
    """

    timing: Timing
    start_at: datetime | None
    expires_at: datetime | None
    one_off: bool
    base: datetime | None
    is_placed: bool = True


class Unplaced(NamedTuple):
    """Schedules that start in minutes that nobody knows yet: their names, and their starts in a day and in all."""

    names: tuple[str, ...]
    a_day: int
    in_all: int


class Peak(NamedTuple):
    """One minute, the number of starts in it, and the names of the schedules that start, sorted."""

    at: datetime
    starts: int
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Window:
    """A number of minutes from ``start``, which is a whole minute; starts before ``since`` do not count.

    ``last_runs`` are the last runs of intervals by name, where they are known. The others count from ``since``: how
    often they start is right, but not in which minutes.
    """

    start: datetime
    since: datetime
    minutes: int
    last_runs: Mapping[str, datetime]

    @classmethod
    def of(
        cls,
        start: datetime,
        since: datetime | None = None,
        minutes: int = MINUTES_A_WEEK,
        last_runs: Mapping[str, datetime] | None = None,
    ) -> Window:
        """Build a window; without ``since`` all of it counts."""
        return cls(start, since or start, minutes, last_runs or {})

    @property
    def first(self) -> int:
        """The first minute that counts."""
        return -((self.start - self.since) // _MINUTE)

    @property
    def end(self) -> datetime:
        """The instant after the last minute."""
        return self.start + self.minutes * _MINUTE


@dataclass(frozen=True)
class Load:
    """Starts per minute of a window: of all schedules, and by queue. ``members`` are names by their shape.

    ``busy`` counts each schedule once a minute, however often it starts in that minute. What is ``unplaced``, by
    queue, is in none of the minutes.
    """

    window: Window
    total: Sequence[int]
    busy: Sequence[int]
    queues: Mapping[str, Sequence[int]]
    members: Mapping[Shape, Sequence[str]]
    unplaced: Mapping[str, Unplaced]

    @property
    def worst(self) -> int:
        """The most starts in any minute."""
        return max(self.total, default=0)

    def minute(self, index: int) -> datetime:
        """Return the instant at which a minute begins."""
        return self.window.start + index * _MINUTE

    def first_day(self) -> int:
        """Return the starts in the first 24 hours that count."""
        return _first_day(self.total, self.window) + sum(each.a_day for each in self.unplaced.values())

    def in_all(self, queue: str | None = None) -> int:
        """Return the starts in the window, of all queues or of one."""
        if queue is None:
            return sum(self.total) + sum(each.in_all for each in self.unplaced.values())
        return sum(self.queues[queue]) + (self.unplaced[queue].in_all if queue in self.unplaced else 0)

    def busiest(self, shape: Shape, slots: Slots) -> tuple[datetime, int] | None:
        """Return the worst of a shape's minutes and how many schedules start in it; None if no minute is known."""
        if not shape.is_placed:
            return None
        counts = _Counts(self.window.minutes)
        _count(shape, 1, self.window, counts, slots)
        own = (index for index, count in enumerate(counts.starts) if count)
        worst = max(own, key=lambda index: self.busy[index], default=None)
        return None if worst is None else (self.minute(worst), self.busy[worst])

    def peaks(self, count: int, slots: Slots) -> list[Peak]:
        """Return the ``count`` worst minutes, the worst first."""
        order = sorted(range(len(self.total)), key=lambda index: (-self.total[index], index))
        chosen = [index for index in order[:count] if self.total[index]]
        return [Peak(self.minute(index), self.total[index], self._names(index, slots)) for index in chosen]

    def _names(self, index: int, slots: Slots) -> tuple[str, ...]:
        at = self.minute(index)
        starting = (names for shape, names in self.members.items() if _starts(shape, self.window, at, slots))
        return tuple(sorted(name for names in starting for name in names))


class _Counts:
    """Starts per minute; ``again`` counts those beyond the first of the same schedule in the same minute."""

    def __init__(self, minutes: int) -> None:
        self.starts = [0] * minutes
        self.again: dict[int, int] = {}


def shape_of(schedule: Schedule, window: Window) -> Shape:
    """Return the fields that decide in which minutes a schedule starts."""
    spec = schedule.spec
    base, is_placed = _base(schedule, window), _is_placed(schedule, window)
    return Shape(spec.timing, spec.start_at, spec.expires_at, spec.one_off, base, is_placed)


def _is_placed(schedule: Schedule, window: Window) -> bool:
    """Say whether it is known in which minutes a schedule starts; one that starts in each minute needs no last run."""
    spec = schedule.spec
    if not isinstance(spec.timing, Interval) or timedelta(microseconds=spec.timing.microseconds) <= _MINUTE:
        return True
    return schedule.name in window.last_runs or _is_ahead(spec.start_at, window)


def _is_ahead(start_at: datetime | None, window: Window) -> bool:
    return start_at is not None and start_at >= window.since


def _base(schedule: Schedule, window: Window) -> datetime | None:
    spec = schedule.spec
    if not isinstance(spec.timing, Interval):
        return None
    step = timedelta(microseconds=spec.timing.microseconds)
    if spec.start_at is not None and _is_ahead(spec.start_at, window):
        # Its first run is at its start.
        return spec.start_at - step
    last = window.last_runs.get(schedule.name, window.since)
    # An overdue interval runs at once, and counts from then.
    return max(last, window.since - step)


def load_of(schedules: Iterable[Schedule], window: Window, slots: Slots) -> Load:
    """Count the starts in each minute of a window; schedules of the same shape are computed once."""
    groups: dict[tuple[str, Shape], list[str]] = {}
    for schedule in schedules:
        if schedule.spec.enabled:
            key = (schedule.spec.queue or DEFAULT_QUEUE, shape_of(schedule, window))
            groups.setdefault(key, []).append(schedule.name)
    members: dict[Shape, list[str]] = {}
    queues = {queue: _Counts(window.minutes) for queue in sorted({queue for queue, _ in groups})}
    for (queue, shape), names in groups.items():
        if shape.is_placed:
            _count(shape, len(names), window, queues[queue], slots)
            members.setdefault(shape, []).extend(names)
    starts = {queue: counts.starts for queue, counts in queues.items()}
    total = [sum(minute) for minute in zip(*starts.values(), strict=True)] if starts else [0] * window.minutes
    busy = list(total)
    for counts in queues.values():
        for index, again in counts.again.items():
            busy[index] -= again
    return Load(window, total, busy, starts, members, _unplaced(groups, window, slots))


def _unplaced(groups: Mapping[tuple[str, Shape], Sequence[str]], window: Window, slots: Slots) -> dict[str, Unplaced]:
    """Return what is in no minute, by queue."""
    result: dict[str, Unplaced] = {}
    for (queue, shape), names in groups.items():
        if not shape.is_placed:
            counts = _Counts(window.minutes)
            _count(shape, len(names), window, counts, slots)
            other = result.get(queue, Unplaced((), 0, 0))
            a_day, in_all = _first_day(counts.starts, window), sum(counts.starts)
            together = tuple(sorted((*other.names, *names)))
            result[queue] = Unplaced(together, other.a_day + a_day, other.in_all + in_all)
    return result


def _first_day(starts: Sequence[int], window: Window) -> int:
    return sum(starts[window.first : window.first + MINUTES_A_DAY])


def _count(shape: Shape, weight: int, window: Window, counts: _Counts, slots: Slots) -> None:
    """Count the starts of a shape; only one-offs and solar timings are few enough to step through their slots."""
    end = window.end if shape.expires_at is None else min(window.end, shape.expires_at)
    if isinstance(shape.timing, Crontab) and not shape.one_off:
        since = window.since if shape.start_at is None else max(window.since, shape.start_at)
        first, last = (-((window.start - at) // _MINUTE) for at in (since, end))
        for day in crontab_minutes(shape.timing, window.start + first * _MINUTE, last - first):
            for index in day:
                counts.starts[first + index] += weight
    elif isinstance(shape.timing, Interval) and shape.base is not None and not shape.one_off:
        _count_interval(shape.timing, shape.base, end, weight, window, counts)
    else:
        for run in _runs(shape, window, slots):
            counts.starts[(run - window.start) // _MINUTE] += weight


def _count_interval(
    timing: Interval, base: datetime, end: datetime, weight: int, window: Window, counts: _Counts
) -> None:
    minute, step = 60 * 10**6, timing.microseconds
    begun, since, stop = ((at - window.start) // MICROSECOND for at in (base, window.since, end))
    before = max(0, (since - 1 - begun) // step)
    if step >= minute:
        for at in range(begun + (before + 1) * step, stop, step):
            counts.starts[at // minute] += weight
        return
    for index in range(max(0, since // minute), -(-stop // minute)):
        until = (min((index + 1) * minute, stop) - 1 - begun) // step
        if until > before:
            counts.starts[index] += weight * (until - before)
            counts.again[index] = counts.again.get(index, 0) + weight * (until - before - 1)
            before = until


def _runs(shape: Shape, window: Window, slots: Slots) -> Iterator[datetime]:
    spec = Spec("", shape.timing, start_at=shape.start_at, expires_at=shape.expires_at, one_off=shape.one_off)
    for run in runs(spec, window.since - MICROSECOND, _slots(shape, window, slots)):
        if run >= window.end:
            return
        yield run


def _slots(shape: Shape, window: Window, slots: Slots) -> Iterator[datetime]:
    timing = shape.timing
    # A start may be decades ahead; its slots until then are too many to step through.
    since = window.since if shape.start_at is None else max(window.since, shape.start_at)
    if isinstance(timing, Crontab):
        return crontab_slots(timing, since - MICROSECOND)
    if isinstance(timing, Interval):
        return interval_slots(timing, shape.base or window.since)
    if isinstance(timing, Clocked):
        return iter([timing.at])
    return slots(timing, since - MICROSECOND)


def _starts(shape: Shape, window: Window, at: datetime, slots: Slots) -> bool:
    """Say whether a shape starts within the minute that begins at ``at``."""
    first, end = max(at, window.since), at + _MINUTE
    if isinstance(shape.timing, Interval) and shape.base is not None:
        step = timedelta(microseconds=shape.timing.microseconds)
        number = (end - MICROSECOND - shape.base) // step
        last = shape.base + (min(number, 1) if shape.one_off else number) * step
        return number >= 1 and last >= first and (shape.expires_at is None or last < shape.expires_at)
    if isinstance(shape.timing, Crontab) and not shape.one_off:
        near = next(crontab_slots(shape.timing, first - MICROSECOND), None)
        waits = shape.start_at is not None and at < shape.start_at
        return near == at and not waits and (shape.expires_at is None or at < shape.expires_at)
    return any(at <= run < end for run in _runs(shape, window, slots))


def week_of(since: datetime, last_runs: Mapping[str, datetime] | None = None) -> Window:
    """Return a week from an instant on, shown from the beginning of that day in UTC."""
    start = since.astimezone(timezone.utc).replace(hour=0, minute=0, second=0, microsecond=0)
    passed = -((start - since) // timedelta(minutes=1))
    return Window.of(start, since, passed + MINUTES_A_WEEK, last_runs)
