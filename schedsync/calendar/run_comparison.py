"""Which runs two sides make in a window of time, and which of them only one side makes.

Schedules whose timing, start and end are equal run alike: their runs are only counted. Of the others each run is
compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from schedsync.calendar.run_sets import LAST, Only, only_in, runs_of
from schedsync.calendar.window import Shape, Window, shape_of
from schedsync.core.schedule import Schedule, completed_at
from schedsync.core.timing import MICROSECOND, Timing

#: A comparison lists at most this many instants, and counts the others.
MOST_INSTANTS = 500_000


@dataclass(frozen=True, slots=True)
class Half:
    """One side of a difference: its timing if it has the schedule, its state, and the runs that only this side makes.

    The state is ``active``, ``disabled``, ``completed`` or ``absent``.
    """

    timing: Timing | None
    state: str
    only: Only


@dataclass(frozen=True, slots=True)
class Difference:
    """A schedule whose runs differ, or that only one side has."""

    name: str
    files: Half
    source: Half


@dataclass(frozen=True, slots=True)
class NotCompared:
    """A definition of the source that our files cannot say, and why: its runs are not known."""

    name: str
    reason: str
    hint: str | None = None
    place: str | None = None


@dataclass(frozen=True, slots=True)
class RunComparison:
    """The runs of the files and of a source, compared from ``start`` until before ``end``.

    ``messages`` are the schedules that send another message, with the fields that differ. ``later`` are names whose
    timing differs, but no run in the window. ``assumptions`` are sentences.
    """

    source: str
    start: datetime
    end: datetime
    in_files: int
    in_source: int
    schedules: int
    differences: Sequence[Difference] = ()
    later: Sequence[str] = ()
    messages: Mapping[str, Sequence[str]] = field(default_factory=dict)
    not_compared: Sequence[NotCompared] = ()
    assumptions: Sequence[str] = ()

    @property
    def differing(self) -> int:
        """The number of runs that only one side makes."""
        return sum(each.files.only.count + each.source.only.count for each in self.differences)

    @property
    def differs(self) -> bool:
        """Whether anything differs, or could not be compared."""
        return bool(self.differences or self.messages or self.not_compared)


def compare_runs(
    files: Mapping[str, Schedule], source: Mapping[str, Schedule], window: Window, most: int = LAST
) -> RunComparison:
    """Compare the runs of schedules with the same name; list at most ``most`` of each side's own runs of a schedule.

    The title of the source, the messages and what was not compared are for the caller to add.
    """
    comparing = _Comparing(window, most)
    for name in sorted(files.keys() | source.keys()):
        comparing.add(name, files.get(name), source.get(name))
    return RunComparison(
        source="",
        start=window.since,
        end=window.end,
        in_files=comparing.in_files,
        in_source=comparing.in_source,
        schedules=len(files.keys() | source.keys()),
        differences=comparing.differences,
        later=comparing.later,
    )


class _Comparing:
    """A comparison in progress. Tenants share their timings, so that each pair of shapes is simulated once."""

    def __init__(self, window: Window, most: int) -> None:
        self.window, self.most, self.left = window, most, MOST_INSTANTS
        self.in_files = self.in_source = 0
        self.differences: list[Difference] = []
        self.later: list[str] = []
        self._counts: dict[Shape, int] = {}
        self._pairs: dict[tuple[Shape | None, Shape | None], tuple[int, int, Only, Only]] = {}

    def add(self, name: str, in_files: Schedule | None, in_source: Schedule | None) -> None:
        """Compare the schedules of one name."""
        shapes = self._shape(in_files), self._shape(in_source)
        if shapes[0] == shapes[1]:
            self._book(*[0 if shapes[0] is None else self._count(shapes[0])] * 2)
            return
        if shapes not in self._pairs:
            self._pairs[shapes] = self._compare(*shapes)
        *counts, files_only, source_only = self._pairs[shapes]
        self._book(*counts)
        if files_only.count or source_only.count or None in shapes:
            self.differences.append(
                Difference(name, self._half(in_files, files_only), self._half(in_source, source_only))
            )
        else:
            self.later.append(name)

    def _half(self, schedule: Schedule | None, only: Only) -> Half:
        listed = only.cut(self.left)
        self.left -= len(listed.first)
        return Half(schedule.spec.timing if schedule else None, self._state(schedule), listed)

    def _state(self, schedule: Schedule | None) -> str:
        if schedule is None:
            return "absent"
        if not schedule.spec.enabled:
            return "disabled"
        return "completed" if completed_at(schedule.spec, self.window.since - MICROSECOND) else "active"

    def _book(self, in_files: int, in_source: int) -> None:
        self.in_files += in_files
        self.in_source += in_source

    def _shape(self, schedule: Schedule | None) -> Shape | None:
        """Return what decides about a schedule's runs; None if it makes none any more."""
        return shape_of(schedule, self.window) if schedule and self._state(schedule) == "active" else None

    def _count(self, shape: Shape) -> int:
        if shape not in self._counts:
            self._counts[shape] = len(runs_of(shape, self.window))
        return self._counts[shape]

    def _compare(self, files: Shape | None, source: Shape | None) -> tuple[int, int, Only, Only]:
        most = min(self.most, self.left)
        first, second = (runs_of(shape, self.window) if shape else range(0) for shape in (files, source))
        return len(first), len(second), only_in(first, second, most), only_in(second, first, most)
