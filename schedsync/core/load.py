"""The load picture: how many schedules start in each minute, by queue, and who starts in the worst ones. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NamedTuple

from schedsync.core.schedule import Schedule, Spec
from schedsync.core.slots import crontab_minutes, crontab_slots, interval_slots, runs
from schedsync.core.timing import Clocked, Crontab, Interval, Timing

MINUTES_A_DAY = 1440
MINUTES_A_WEEK = 7 * MINUTES_A_DAY
_MINUTE = timedelta(minutes=1)
#: The queue of what names none.
DEFAULT_QUEUE = "(default)"

#: Yields a timing's slots after an instant; for what only Celery can compute, such as the sun's.
Slots = Callable[[Timing, datetime], Iterator[datetime]]


class Shape(NamedTuple):
    """All on which the minutes of a schedule's starts depend."""

    timing: Timing
    start_at: datetime | None
    expires_at: datetime | None
    one_off: bool


class Peak(NamedTuple):
    """One minute, how many start in it, and their names in order."""

    at: datetime
    starts: int
    names: tuple[str, ...]


@dataclass(frozen=True)
class Load:
    """Starts per minute from ``start`` on: in all, by queue, and by what starts alike."""

    start: datetime
    total: Sequence[int]
    queues: Mapping[str, Sequence[int]]
    members: Mapping[Shape, Sequence[str]]

    @property
    def worst(self) -> int:
        """The most starts in any minute."""
        return max(self.total, default=0)

    def minute(self, index: int) -> datetime:
        """Return the instant at which a minute begins."""
        return self.start + index * _MINUTE

    def day(self) -> Sequence[int]:
        """The starts per minute of the first day."""
        return self.total[:MINUTES_A_DAY]

    def busiest(self, spec: Spec, after: datetime, slots: Slots) -> tuple[datetime, int] | None:
        """Return the worst of the minutes ahead in which a schedule starts, and how many start then; None for none."""
        counts = [0] * len(self.total)
        _count(shape_of(spec), 1, self.start, counts, slots)
        first = max(0, (after - self.start) // _MINUTE + 1)
        ahead = (index for index in range(first, len(counts)) if counts[index])
        worst = max(ahead, key=lambda index: self.total[index], default=None)
        return None if worst is None else (self.minute(worst), self.total[worst])

    def peaks(self, count: int, slots: Slots) -> list[Peak]:
        """Return the worst minutes, the worst first, and who starts in them."""
        order = sorted(range(len(self.total)), key=lambda index: (-self.total[index], index))
        chosen = [index for index in order[:count] if self.total[index]]
        return [Peak(self.minute(index), self.total[index], self._names(index, slots)) for index in chosen]

    def _names(self, index: int, slots: Slots) -> tuple[str, ...]:
        at = self.minute(index)
        starting = (names for shape, names in self.members.items() if _starts(shape, self.start, at, slots))
        return tuple(sorted(name for names in starting for name in names))


def shape_of(spec: Spec) -> Shape:
    """Return what the minutes of a schedule's starts depend on."""
    return Shape(spec.timing, spec.start_at, spec.expires_at, spec.one_off)


def load_of(schedules: Iterable[Schedule], start: datetime, slots: Slots, minutes: int = MINUTES_A_WEEK) -> Load:
    """Count the starts in each minute from ``start``, a whole minute, on; intervals are counted from ``start``.

    What starts at the same minutes is computed once, whoever it is.
    """
    weights: dict[tuple[str, Shape], int] = {}
    members: dict[Shape, list[str]] = {}
    for schedule in schedules:
        spec = schedule.spec
        if spec.enabled:
            shape = shape_of(spec)
            key = (spec.queue or DEFAULT_QUEUE, shape)
            weights[key] = weights.get(key, 0) + 1
            members.setdefault(shape, []).append(schedule.name)
    queues: dict[str, list[int]] = {queue: [0] * minutes for queue in sorted({queue for queue, _ in weights})}
    for (queue, shape), weight in weights.items():
        _count(shape, weight, start, queues[queue], slots)
    total = [sum(counts) for counts in zip(*queues.values(), strict=True)] if queues else [0] * minutes
    return Load(start, total, queues, members)


def _count(shape: Shape, weight: int, start: datetime, counts: list[int], slots: Slots) -> None:
    plain = not shape.one_off and shape.start_at is None and shape.expires_at is None
    if plain and isinstance(shape.timing, Crontab):
        for day in crontab_minutes(shape.timing, start, len(counts)):
            for index in day:
                counts[index] += weight
    elif plain and isinstance(shape.timing, Interval):
        _count_interval(shape.timing, weight, counts)
    else:
        for run in _runs(shape, start, start + len(counts) * _MINUTE, slots):
            counts[(run - start) // _MINUTE] += weight


def _count_interval(timing: Interval, weight: int, counts: list[int]) -> None:
    step, minute = timing.microseconds, 60 * 10**6
    if step >= minute:
        for at in range(step, len(counts) * minute, step):
            counts[at // minute] += weight
        return
    before = 0
    for index in range(len(counts)):
        until = ((index + 1) * minute - 1) // step
        counts[index] += weight * (until - before)
        before = until


def _runs(shape: Shape, start: datetime, end: datetime, slots: Slots) -> Iterator[datetime]:
    spec = Spec("", **shape._asdict())
    for run in runs(spec, start - _MINUTE, _slots(spec, start, slots)):
        if run >= end:
            return
        yield run


def _slots(spec: Spec, start: datetime, slots: Slots) -> Iterator[datetime]:
    timing = spec.timing
    if isinstance(timing, Crontab):
        return crontab_slots(timing, start - _MINUTE)
    if isinstance(timing, Interval):
        begun = spec.start_at if spec.start_at is not None and spec.start_at > start else None
        if begun is None:
            return interval_slots(timing, start)
        # Its first run is at its start.
        return interval_slots(timing, begun - timedelta(microseconds=timing.microseconds))
    if isinstance(timing, Clocked):
        return iter([timing.at] if timing.at >= start else [])
    return slots(timing, start)


def _starts(shape: Shape, start: datetime, at: datetime, slots: Slots) -> bool:
    """Say whether a shape starts within the minute that begins at ``at``."""
    if isinstance(shape.timing, Interval):
        step = timedelta(microseconds=shape.timing.microseconds)
        begun = start if shape.start_at is None or shape.start_at <= start else shape.start_at - step
        last = begun + (at + _MINUTE - timedelta(microseconds=1) - begun) // step * step
        return last >= at and last > start and (shape.expires_at is None or last < shape.expires_at)
    if isinstance(shape.timing, Crontab) and not shape.one_off:
        near = next(crontab_slots(shape.timing, at - _MINUTE), None)
        held = shape.start_at is not None and at < shape.start_at
        return near == at and not held and (shape.expires_at is None or at < shape.expires_at)
    return any(run >= at for run in _runs(shape, start, at + _MINUTE, slots))
