"""What runs when in the next hours, by queue: a lane for each definition, with its runs as points and bands. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone, tzinfo
from itertools import chain
from typing import NamedTuple

from schedsync.calendar.load import ALL_QUEUES, DEFAULT_QUEUE, Load, Slots, load_of, starts_in, starts_of_many
from schedsync.calendar.window import MINUTE, Shape, Window, shape_of
from schedsync.calendar.words import common_zone
from schedsync.core.schedule import Schedule

#: How long a timeline is unless the user says so, and how long it may be.
LENGTH, LONGEST = timedelta(hours=24), timedelta(days=31)
#: The number of queues that are shown, the fullest first, and of the lanes of each; the others are counted together.
QUEUES, LANES = 12, 12
#: Runs are one band if the time between them is at most this part of the timeline.
_PARTS = 96


class Stretch(NamedTuple):
    """Runs that are close to each other: the minute of the first, that of the last, and how many there are."""

    first: datetime
    last: datetime
    starts: int


@dataclass(frozen=True, slots=True)
class Lane:
    """The runs of one definition, or of all those without a lane of their own.

    ``unplaced`` counts starts in minutes that nobody knows; ``starts`` has these too. ``seconds`` is how long a run
    takes, and ``running_since`` when a run that has not ended began; None where that is not known.
    """

    name: str
    schedules: int
    starts: int
    stretches: tuple[Stretch, ...] = ()
    unplaced: int = 0
    seconds: float | None = None
    running_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class QueueLanes:
    """The lanes of one queue in the order of their first runs; ``rest`` is everything that has no lane of its own.

    ``worst`` is the minute with the most starts, None where no start has a known minute.
    """

    queue: str
    lanes: tuple[Lane, ...]
    rest: Lane | None
    schedules: int
    starts: int
    worst: Stretch | None


@dataclass(frozen=True, slots=True)
class Timeline:
    """The runs from ``start`` until before ``end``, by queue.

    ``more_queues`` are not shown. ``idle`` counts the schedules that do not run in this time. ``asked_durations`` says
    whether a database was asked how long runs take: files alone do not tell. ``zone`` is that of the crontabs, UTC
    where they differ.
    """

    start: datetime
    end: datetime
    queues: tuple[QueueLanes, ...]
    more_queues: int = 0
    idle: int = 0
    asked_durations: bool = False
    zone: tzinfo = timezone.utc

    @property
    def lanes(self) -> Iterator[Lane]:
        """All lanes."""
        for queue in self.queues:
            yield from queue.lanes
            if queue.rest:
                yield queue.rest


@dataclass(frozen=True, slots=True)
class KnownRuns:
    """What a database knows of runs, by schedule: how many seconds one takes, and when an open one began."""

    seconds: Mapping[str, float] = field(default_factory=dict)
    running: Mapping[str, datetime] = field(default_factory=dict)


class _Shaped(NamedTuple):
    """A shape with the starts of one schedule: the number of the first minute that has one, and how many there are."""

    shape: Shape
    first: int
    number: int


@dataclass(frozen=True, slots=True)
class _Definition:
    """The schedules of one definition; ``shapes`` counts them by the index of their shape."""

    name: str
    members: list[str] = field(default_factory=list)
    shapes: Counter[int] = field(default_factory=Counter)


def window_until(start: datetime, end: datetime, last_runs: Mapping[str, datetime] | None = None) -> Window:
    """Return the minutes from an instant until an instant after it."""
    first = start.replace(second=0, microsecond=0)
    return Window.of(first, start, max(1, -((first - end) // MINUTE)), last_runs)


def timeline_of(
    schedules: Sequence[Schedule], window: Window, slots: Slots, known: KnownRuns | None = None
) -> Timeline:
    """Return the timeline of a window. The number of its lanes is bounded, however many schedules there are."""
    load = load_of(schedules, window, slots)
    shapes, definitions = _by_queue(schedules, load)
    drawn = _Drawn(load, slots, [_shaped(shape, window, slots) for shape in shapes], known or KnownRuns())
    busy = sorted((queue for queue in load.queues if load.in_all(queue)), key=lambda name: (-load.in_all(name), name))
    running = sum(map(drawn.running, chain.from_iterable(definitions.values())))
    return Timeline(
        start=window.since,
        end=window.end,
        queues=tuple(drawn.queue(queue, definitions[queue]) for queue in busy[:QUEUES]),
        more_queues=max(0, len(busy) - QUEUES),
        idle=len(schedules) - running,
        asked_durations=known is not None,
        zone=common_zone(each.spec.timing for each in schedules) or timezone.utc,
    )


def _by_queue(schedules: Iterable[Schedule], load: Load) -> tuple[list[Shape], dict[str, list[_Definition]]]:
    """Return all shapes, and the definitions of each queue of a load, which counts all as one if there are too many."""
    found: dict[str, dict[str, _Definition]] = {queue: {} for queue in load.queues}
    of_all = ALL_QUEUES if ALL_QUEUES in load.queues else None
    # A shape takes long to hash: each is looked up once.
    indexes: dict[Shape, int] = {}
    for schedule in schedules:
        if schedule.spec.enabled:
            of_queue = found[of_all or schedule.spec.queue or DEFAULT_QUEUE]
            definition = of_queue.setdefault(schedule.name_in_file, _Definition(schedule.name_in_file))
            definition.members.append(schedule.name)
            definition.shapes[indexes.setdefault(shape_of(schedule, load.window), len(indexes))] += 1
    return list(indexes), {queue: list(of_queue.values()) for queue, of_queue in found.items()}


def _shaped(shape: Shape, window: Window, slots: Slots) -> _Shaped:
    counts = starts_in(shape, window, slots)
    return _Shaped(shape, min(counts, default=window.minutes), sum(counts.values()))


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Makes lanes from a load; ``shapes`` are those of all definitions."""

    load: Load
    slots: Slots
    shapes: Sequence[_Shaped]
    known: KnownRuns

    def queue(self, queue: str, definitions: Sequence[_Definition]) -> QueueLanes:
        """Return the lanes of one queue. What runs least has a lane first: of it people ask when it runs."""
        running = [each for each in definitions if self.running(each)]
        running.sort(key=lambda each: (self._count(each), self._first(each), each.name))
        own, others = running[:LANES], running[LANES:]
        own.sort(key=lambda each: (self._first(each), each.name))
        counts = list(map(self._counts, own))
        together = self.load.queues[queue]
        worst = max(range(len(together)), key=together.__getitem__)
        at = self.load.minute(worst)
        left = [total - sum(taken) for total, *taken in zip(together, *counts, strict=True)]
        return QueueLanes(
            queue=queue,
            lanes=tuple(map(self._lane, own, counts)),
            rest=self._lane(_joined(others), left) if others else None,
            schedules=sum(map(self.running, running)),
            starts=self.load.in_all(queue),
            worst=Stretch(at, at, together[worst]) if together[worst] else None,
        )

    def running(self, definition: _Definition) -> int:
        """Return how many schedules of a definition run."""
        return sum(number for index, number in definition.shapes.items() if self.shapes[index].number)

    def _count(self, definition: _Definition) -> int:
        return sum(self.shapes[index].number * number for index, number in definition.shapes.items())

    def _first(self, definition: _Definition) -> int:
        return min(self.shapes[index].first for index in definition.shapes)

    def _counts(self, definition: _Definition) -> Sequence[int]:
        """Return the starts of each minute, as far as their minutes are known."""
        shapes = ((self.shapes[index], number) for index, number in definition.shapes.items())
        placed = [(each.shape, number) for each, number in shapes if each.shape.is_placed and each.number]
        return starts_of_many(placed, self.load.window, self.slots)

    def _lane(self, definition: _Definition, counts: Sequence[int]) -> Lane:
        seconds = [known for name in definition.members if (known := self.known.seconds.get(name)) is not None]
        running = [began for name in definition.members if (began := self.known.running.get(name)) is not None]
        starts = self._count(definition)
        return Lane(
            name=definition.name,
            schedules=self.running(definition),
            starts=starts,
            stretches=tuple(_merged(self.load, counts)),
            unplaced=starts - sum(counts),
            seconds=max(seconds, default=None),
            running_since=min(running, default=None),
        )


def _joined(definitions: Iterable[_Definition]) -> _Definition:
    together = _Definition("")
    for each in definitions:
        together.members.extend(each.members)
        together.shapes.update(each.shapes)
    return together


def _merged(load: Load, counts: Sequence[int]) -> Iterator[Stretch]:
    closest = max(1, len(counts) // _PARTS)
    first, last, starts = -1, -1, 0
    for index, count in enumerate(counts):
        if not count:
            continue
        if starts and index - last > closest:
            yield Stretch(load.minute(first), load.minute(last), starts)
            starts = 0
        first, last, starts = (first if starts else index), index, starts + count
    if starts:
        yield Stretch(load.minute(first), load.minute(last), starts)
