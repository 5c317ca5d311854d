"""Compares the runs of the files with those of a source: is it safe to switch?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from schedsync.calendar.run_comparison import RunComparison, compare_runs
from schedsync.calendar.run_sets import LAST
from schedsync.calendar.window import Window
from schedsync.core.schedule import Schedule, Spec, differing
from schedsync.core.timing import Interval, moment
from schedsync.planning.snapshot import Snapshot, masked_spec
from schedsync.usecases.compare_sources import Source
from schedsync.usecases.selection import check_patterns, is_selected

#: The fields of a message; the others say when it is sent, or are for people.
_MESSAGE = frozenset(
    {"task", "args", "kwargs", "headers", "queue", "exchange", "routing_key", "priority", "expires_after"}
)
_MINUTE = timedelta(minutes=1)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class CompareRequest:
    """Which runs to compare: the window, patterns of names if any, and how many runs of a schedule to list.

    ``snapshot`` knows the last runs.
    """

    window: Window
    patterns: tuple[str, ...] = ()
    most: int = LAST
    snapshot: Snapshot | None = None


def window_of(start: datetime, length: timedelta, last_runs: Mapping[str, datetime] | None = None) -> Window:
    """Return the window from the next whole minute on."""
    floor = start.replace(second=0, microsecond=0)
    first = floor if floor == start else floor + _MINUTE
    return Window.of(first, minutes=-(-length // _MINUTE), last_runs=last_runs)


def compare(source: Source, request: CompareRequest) -> RunComparison:
    """Compare the runs of the files with those of a source, and the messages that both send."""
    last_runs = dict(source.last_runs)
    if request.snapshot is not None:
        rows = request.snapshot.observed.rows.values()
        last_runs |= {row.name: last for row in rows if (last := row.last_run_at or row.date_changed)}
    window = replace(request.window, last_runs=last_runs)
    unread = [item.name for item in source.not_compared]
    check_patterns([*source.files, *source.schedules, *unread], request.patterns)
    files, others = (_selected(each, request) for each in (source.files, source.schedules))
    result = compare_runs(files, others, window, request.most)
    not_compared = [item for item in source.not_compared if is_selected(item.name, request.patterns)]
    missing = {item.name for item in not_compared}
    return replace(
        result,
        source=source.title,
        # A schedule that could not be compared is named once.
        differences=[item for item in result.differences if item.name not in missing],
        messages=_messages(files, others, source) if source.has_messages else {},
        not_compared=not_compared,
        assumptions=[*_of_times(files, others, window), *source.assumptions],
    )


def _selected(schedules: Mapping[str, T], request: CompareRequest) -> dict[str, T]:
    return {name: schedule for name, schedule in schedules.items() if is_selected(name, request.patterns)}


def _messages(
    files: Mapping[str, Schedule], others: Mapping[str, Schedule], source: Source
) -> dict[str, tuple[str, ...]]:
    result = {}
    for name in files.keys() & others.keys():
        specs = [_comparable(each[name].spec, source) for each in (files, others)]
        fields = tuple(field for field in differing(*specs) if field in _MESSAGE)
        if fields and all(spec.enabled for spec in specs):
            result[name] = fields
    return dict(sorted(result.items()))


def _comparable(spec: Spec, source: Source) -> Spec:
    return masked_spec(spec) if source.is_masked else spec


def _of_times(files: Mapping[str, Schedule], others: Mapping[str, Schedule], window: Window) -> Iterator[str]:
    yield "Beat runs all the time, and sends each run in its second; no run is overdue at the start"
    intervals = {
        name
        for schedules in (files, others)
        for name, schedule in schedules.items()
        if isinstance(schedule.spec.timing, Interval)
    }
    known = intervals & window.last_runs.keys()
    if known:
        yield f"{len(known):,} of {len(intervals):,} intervals are counted from the last runs that the snapshot knows"
    if intervals - known:
        yield f"the last runs are not known: intervals are counted from {moment(window.since)} UTC"
