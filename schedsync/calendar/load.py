"""The load: how many runs start in each minute, by queue, and which schedules start in the worst minutes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any, NamedTuple

from schedsync.calendar.slots import crontab_minutes, crontab_slots, fields_of, interval_slots, is_slot, runs
from schedsync.calendar.window import MINUTE, MINUTES_A_DAY, Shape, Window, shape_of
from schedsync.calendar.zones import changes_on
from schedsync.core.schedule import Schedule, Spec
from schedsync.core.timing import MICROSECOND, Clocked, Crontab, Interval, Timing, zone_of

#: Stands for the queue of schedules without a queue.
DEFAULT_QUEUE = "(default)"
#: Stands for all queues together, where there are more than `MOST_QUEUES`: each costs a number for each minute.
ALL_QUEUES = "(all queues)"
MOST_QUEUES = 500

#: Yields a timing's slots after an instant; needed for solar timings, which only Celery can compute.
Slots = Callable[[Timing, datetime], Iterator[datetime]]


class Unplaced(NamedTuple):
    """Schedules that start in minutes that nobody knows yet: their names, and their starts in a day and in all."""

    names: tuple[str, ...]
    a_day: int
    in_all: int


class Steady(NamedTuple):
    """The starts that each whole minute has at least, and the names of the schedules that make them, sorted."""

    a_minute: int
    names: tuple[str, ...]


class Peak(NamedTuple):
    """One minute, the number of starts in it, and the names of the schedules that start, sorted."""

    at: datetime
    starts: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class Load:
    """Starts per minute of a window: of all schedules, and by queue. ``members`` are names by their shape.

    ``busy`` counts each schedule once a minute, however often it starts in that minute. What is ``unplaced``, by
    queue, is in none of the minutes. ``steady_members``, by queue, are the members that start in every minute.
    ``known_steady`` takes their place in a load that was kept without its members, and without their starts.
    """

    window: Window
    total: Sequence[int]
    busy: Sequence[int]
    queues: Mapping[str, Sequence[int]]
    members: Mapping[Shape, Sequence[str]]
    unplaced: Mapping[str, Unplaced]
    steady_members: Mapping[str, Mapping[Shape, Sequence[str]]] = field(default_factory=dict)
    known_steady: Steady | None = None

    @cached_property
    def steady(self) -> Steady:
        """What starts in every minute; a peak is what starts besides."""
        return self.known_steady or self.steady_of(*self.queues)

    def steady_of(self, *queues: str) -> Steady:
        """Return what starts in every minute, in some queues."""
        names: list[str] = []
        a_minute = 0
        for shape, of_queue in self._steady_shapes(queues):
            a_minute += _each_minute(shape, self.window) * len(of_queue)
            names += of_queue
        return Steady(a_minute, tuple(sorted(names)))

    @cached_property
    def besides_steady(self) -> Sequence[int]:
        """Starts per minute without any start of the steady schedules."""
        return self._without_steady(self.total, *self.queues)

    def besides_steady_of(self, queue: str) -> Sequence[int]:
        """Return the starts per minute in one queue without any start of the steady schedules."""
        return self._without_steady(self.queues[queue], queue)

    def _without_steady(self, starts: Sequence[int], *queues: str) -> Sequence[int]:
        shapes = [(shape, len(names)) for shape, names in self._steady_shapes(queues)]
        counts = starts_of_many(shapes, self.window, lambda *_: iter(()))
        return [total - count for total, count in zip(starts, counts, strict=True)] if shapes else starts

    def _steady_shapes(self, queues: Iterable[str]) -> Iterator[tuple[Shape, Sequence[str]]]:
        return ((shape, names) for queue in queues for shape, names in self.steady_members.get(queue, {}).items())

    def starts_of(self, shapes: Iterable[Shape], slots: Slots) -> Sequence[int]:
        """Return the starts per minute of the schedules with some shapes."""
        return starts_of_many(((shape, len(self.members[shape])) for shape in shapes), self.window, slots)

    @property
    def worst(self) -> int:
        """The most starts in any minute."""
        return max(self.total, default=0)

    def minute(self, index: int) -> datetime:
        """Return the instant at which a minute begins."""
        return self.window.start + index * MINUTE

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
        own = sorted(starts_in(shape, self.window, slots))
        worst = max(own, key=lambda index: self.busy[index], default=None)
        return None if worst is None else (self.minute(worst), self.busy[worst])

    def peaks(self, count: int, slots: Slots) -> list[Peak]:
        """Return the ``count`` worst minutes, the worst first."""
        order = sorted(range(len(self.total)), key=lambda index: (-self.total[index], index))
        chosen = [index for index in order[:count] if self.total[index]]
        return [Peak(self.minute(index), self.total[index], self._names(index, slots)) for index in chosen]

    def _names(self, index: int, slots: Slots) -> tuple[str, ...]:
        return tuple(sorted(name for shape in self.starting(index, slots) for name in self.members[shape]))

    def starting(self, index: int, slots: Slots) -> list[Shape]:
        """Return the shapes of the schedules that start within a minute."""
        at = self.minute(index)
        return [shape for shape in self.members if _starts(shape, self.window, at, slots)]


class _Counts:
    """Starts per minute; ``again`` counts those beyond the first of the same schedule in the same minute."""

    def __init__(self, minutes: int | None) -> None:
        self.starts: Any = Counter() if minutes is None else [0] * minutes
        self.again: dict[int, int] = {}


def load_of(schedules: Iterable[Schedule], window: Window, slots: Slots) -> Load:
    """Count the starts in each minute of a window; schedules of the same shape are computed once."""
    groups: dict[tuple[str, Shape], list[str]] = {}
    enabled = [schedule for schedule in schedules if schedule.spec.enabled]
    of_all = ALL_QUEUES if len({schedule.spec.queue for schedule in enabled}) > MOST_QUEUES else None
    for schedule in enabled:
        key = (of_all or schedule.spec.queue or DEFAULT_QUEUE, shape_of(schedule, window))
        groups.setdefault(key, []).append(schedule.name)
    members: dict[Shape, list[str]] = {}
    steady: dict[str, dict[Shape, list[str]]] = {}
    queues = {queue: _Counts(window.minutes) for queue in sorted({queue for queue, _ in groups})}
    for (queue, shape), names in groups.items():
        if shape.is_placed:
            _count(shape, len(names), window, queues[queue], slots)
            members.setdefault(shape, []).extend(names)
            if _each_minute(shape, window):
                steady.setdefault(queue, {})[shape] = names
    starts = {queue: counts.starts for queue, counts in queues.items()}
    total = [sum(minute) for minute in zip(*starts.values(), strict=True)] if starts else [0] * window.minutes
    busy = list(total)
    for counts in queues.values():
        for index, again in counts.again.items():
            busy[index] -= again
    return Load(window, total, busy, starts, members, _unplaced(groups, window, slots), steady)


def starts_in(shape: Shape, window: Window, slots: Slots) -> Mapping[int, int]:
    """Return the starts of one schedule by minute, where there are any; of a shape without a place they are a guess."""
    counts = _Counts(None)
    _count(shape, 1, window, counts, slots)
    return dict(counts.starts)


def starts_of_many(shapes: Iterable[tuple[Shape, int]], window: Window, slots: Slots) -> Sequence[int]:
    """Return the starts in each minute of a window; of each shape there are a number of schedules."""
    counts = _Counts(window.minutes)
    for shape, number in shapes:
        _count(shape, number, window, counts, slots)
    return list(counts.starts)


def _each_minute(shape: Shape, window: Window) -> int:
    """Return how often a shape starts in each minute of a window: 0 where one of them has no start."""
    begins_later = shape.start_at is not None and shape.start_at > window.since
    ends_earlier = shape.expires_at is not None and shape.expires_at < window.end
    if shape.one_off or begins_later or ends_earlier:
        return 0
    if isinstance(shape.timing, Interval):
        return MINUTE // timedelta(microseconds=shape.timing.microseconds)
    return int(isinstance(shape.timing, Crontab) and _is_each_minute(shape.timing, window))


def _is_each_minute(timing: Crontab, window: Window) -> bool:
    """Say whether a crontab has a slot in each minute; it has none while daylight saving repeats an hour."""
    fields, zone = fields_of(timing), zone_of(timing)
    if len(fields.minutes) < MINUTES_A_DAY or not fields.every_day:
        return False
    first = window.since.astimezone(zone).date()
    days = (window.end.astimezone(zone).date() - first).days
    return not any(changes_on(zone, first + timedelta(days=day)) for day in range(days + 1))


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
        first, last = (-((window.start - at) // MINUTE) for at in (since, end))
        for day in crontab_minutes(shape.timing, window.start + first * MINUTE, last - first):
            for index in day:
                counts.starts[first + index] += weight
    elif isinstance(shape.timing, Interval) and shape.base is not None and not shape.one_off:
        _count_interval(shape.timing, shape.base, end, weight, window, counts)
    else:
        for run in _runs(shape, window, slots):
            counts.starts[(run - window.start) // MINUTE] += weight


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
    first, end = max(at, window.since), at + MINUTE
    if isinstance(shape.timing, Interval) and shape.base is not None:
        step = timedelta(microseconds=shape.timing.microseconds)
        number = (end - MICROSECOND - shape.base) // step
        last = shape.base + (min(number, 1) if shape.one_off else number) * step
        return number >= 1 and last >= first and (shape.expires_at is None or last < shape.expires_at)
    if isinstance(shape.timing, Crontab) and not shape.one_off:
        waits = first > at or (shape.start_at is not None and at < shape.start_at)
        return not waits and (shape.expires_at is None or at < shape.expires_at) and is_slot(shape.timing, at)
    return any(at <= run < end for run in _runs(shape, window, slots))
