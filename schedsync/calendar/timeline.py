"""What runs when in the next hours, by queue: a lane for each definition, with its runs as points and bands. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone, tzinfo
from typing import NamedTuple

from schedsync.calendar.load import ALL_QUEUES, DEFAULT_QUEUE, Load, Slots, load_of, starts_in
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


class _Starts(NamedTuple):
    """The starts of one schedule: the first minute that has one, as its number, and how many there are."""

    first: int
    number: int


@dataclass(frozen=True, slots=True)
class _Definition:
    name: str
    members: list[Schedule] = field(default_factory=list)
    shapes: Counter[Shape] = field(default_factory=Counter)


def window_until(start: datetime, end: datetime, last_runs: Mapping[str, datetime] | None = None) -> Window:
    """Return the minutes from an instant until an instant after it."""
    first = start.replace(second=0, microsecond=0)
    return Window.of(first, start, max(1, -((first - end) // MINUTE)), last_runs)


def timeline_of(
    schedules: Sequence[Schedule], window: Window, slots: Slots, known: KnownRuns | None = None
) -> Timeline:
    """Return the timeline of a window. The number of its lanes is bounded, however many schedules there are."""
    load = load_of(schedules, window, slots)
    definitions = _by_queue(schedules, load)
    starts = {
        shape: _starts(shape, window, slots)
        for of_queue in definitions.values()
        for definition in of_queue
        for shape in definition.shapes
    }
    busy = sorted((queue for queue in load.queues if load.in_all(queue)), key=lambda name: (-load.in_all(name), name))
    drawn = _Drawn(load, slots, starts, known or KnownRuns())
    running = sum(
        number
        for of_queue in definitions.values()
        for definition in of_queue
        for shape, number in definition.shapes.items()
        if starts[shape].number
    )
    return Timeline(
        start=window.since,
        end=window.end,
        queues=tuple(drawn.queue(queue, definitions[queue]) for queue in busy[:QUEUES]),
        more_queues=max(0, len(busy) - QUEUES),
        idle=len(schedules) - running,
        asked_durations=known is not None,
        zone=common_zone(each.spec.timing for each in schedules) or timezone.utc,
    )


def _by_queue(schedules: Iterable[Schedule], load: Load) -> dict[str, list[_Definition]]:
    """Return the definitions of each queue of a load, which counts all as one where there are too many."""
    found: dict[str, dict[str, _Definition]] = {queue: {} for queue in load.queues}
    of_all = ALL_QUEUES if ALL_QUEUES in load.queues else None
    for schedule in schedules:
        if schedule.spec.enabled:
            of_queue = found[of_all or schedule.spec.queue or DEFAULT_QUEUE]
            definition = of_queue.setdefault(schedule.name_in_file, _Definition(schedule.name_in_file))
            definition.members.append(schedule)
            definition.shapes[shape_of(schedule, load.window)] += 1
    return {queue: list(of_queue.values()) for queue, of_queue in found.items()}


def _starts(shape: Shape, window: Window, slots: Slots) -> _Starts:
    counts = starts_in(shape, window, slots)
    return _Starts(next((index for index, count in enumerate(counts) if count), len(counts)), sum(counts))


@dataclass(frozen=True, slots=True)
class _Drawn:
    """Makes lanes from a load; ``starts`` are those of each shape."""

    load: Load
    slots: Slots
    starts: Mapping[Shape, _Starts]
    known: KnownRuns

    def queue(self, queue: str, definitions: Sequence[_Definition]) -> QueueLanes:
        """Return the lanes of one queue. What runs least has a lane first: of it people ask when it runs."""
        running = [each for each in definitions if self._count(each)]
        running.sort(key=lambda each: (self._count(each), self._first(each), each.name))
        own, others = running[:LANES], running[LANES:]
        counts = self.load.queues[queue]
        worst = max(range(len(counts)), key=counts.__getitem__)
        at = self.load.minute(worst)
        return QueueLanes(
            queue=queue,
            lanes=tuple(map(self._lane, sorted(own, key=lambda each: (self._first(each), each.name)))),
            rest=self._rest(others) if others else None,
            schedules=sum(len(each.members) for each in running),
            starts=self.load.in_all(queue),
            worst=Stretch(at, at, counts[worst]) if counts[worst] else None,
        )

    def _count(self, definition: _Definition) -> int:
        return sum(self.starts[shape].number * number for shape, number in definition.shapes.items())

    def _first(self, definition: _Definition) -> int:
        return min(self.starts[shape].first for shape in definition.shapes)

    def _rest(self, definitions: Sequence[_Definition]) -> Lane:
        together = _Definition("")
        for each in definitions:
            together.members.extend(each.members)
            together.shapes.update(each.shapes)
        return self._lane(together)

    def _lane(self, definition: _Definition) -> Lane:
        names = [schedule.name for schedule in definition.members]
        unplaced = sum(self.starts[each].number * n for each, n in definition.shapes.items() if not each.is_placed)
        return Lane(
            name=definition.name,
            schedules=len(names),
            starts=self._count(definition),
            stretches=tuple(self._stretches(definition.shapes)),
            unplaced=unplaced,
            seconds=max((self.known.seconds[name] for name in names if name in self.known.seconds), default=None),
            running_since=min((self.known.running[name] for name in names if name in self.known.running), default=None),
        )

    def _stretches(self, shapes: Mapping[Shape, int]) -> Iterator[Stretch]:
        """Yield the runs of some shapes as points and bands."""
        window = self.load.window
        counts = [0] * window.minutes
        for shape, number in shapes.items():
            if shape.is_placed and self.starts[shape].number:
                for index, count in enumerate(starts_in(shape, window, self.slots)):
                    counts[index] += count * number
        return _merged(self.load, counts)


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
