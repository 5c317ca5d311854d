"""The minutes in which far more schedules start than on average, grouped by the schedules that start in them. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from schedsync.calendar.load import Load, Slots
from schedsync.calendar.slots import fields_of
from schedsync.calendar.window import Shape
from schedsync.core.timing import Crontab, Interval

#: A minute stands out from this number of starts on, and above this multiple of the average; steady load left out.
_LEAST, _ABOVE_AVERAGE = 3, 3
#: In microseconds.
_WEEK = 7 * 86_400 * 10**6
#: A forecast shows this many crowds.
MOST = 5


class Crowd(NamedTuple):
    """Minutes in which the same schedules start: the starts in each, and the names, sorted; without steady load.

    ``every_week`` says whether they start in the same minutes of every week.
    """

    minutes: tuple[datetime, ...]
    starts: int
    names: tuple[str, ...]
    every_week: bool = True


def crowds(load: Load, slots: Slots, most: int = MOST) -> list[Crowd]:
    """Return the worst crowds of a load, the worst first; empty where no minute stands out."""
    counts = load.besides_steady
    left = sorted(_standing_out(load), key=lambda index: (-counts[index], index))
    steady = frozenset(load.steady.names)
    result: list[Crowd] = []
    while left and len(result) < most:
        worst = left[0]
        shapes = [each for each in load.starting(worst, slots) if steady.isdisjoint(load.members[each])]
        alike = _alike(load, worst, left, shapes, slots)
        names = sorted(name for shape in shapes for name in load.members[shape])
        every_week = all(map(_is_weekly, shapes))
        result.append(Crowd(tuple(map(load.minute, sorted(alike))), counts[worst], tuple(names), every_week))
        left = [index for index in left if index not in alike]
    return result


def _is_weekly(shape: Shape) -> bool:
    """Say whether all weeks of a shape are alike, but for changes of the clocks."""
    timing = shape.timing
    if shape.one_off or shape.expires_at is not None:
        return False
    if isinstance(timing, Crontab):
        return fields_of(timing).every_week
    return isinstance(timing, Interval) and not _WEEK % timing.microseconds


def _standing_out(load: Load) -> list[int]:
    counts, counting = load.besides_steady, len(load.total) - load.window.first
    limit = max(_LEAST, _ABOVE_AVERAGE * sum(counts) / max(1, counting))
    return [index for index, count in enumerate(counts) if count >= limit]


def _alike(load: Load, worst: int, left: list[int], shapes: list[Shape], slots: Slots) -> set[int]:
    """Return the minutes in which these shapes start as in the worst minute, and nothing else does."""
    own, most = load.starts_of(shapes, slots), load.besides_steady[worst]
    return {worst, *(index for index in left if own[index] == load.besides_steady[index] == most)}
