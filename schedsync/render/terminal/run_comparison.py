"""A comparison of runs as text and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from schedsync.calendar.run_comparison import Difference, Half, NotCompared, RunComparison
from schedsync.calendar.run_sets import LAST
from schedsync.core.names import first_names
from schedsync.core.timing import instant_text, moment, zone_of
from schedsync.render.programs.json_ import dump
from schedsync.render.terminal.columns import aligned, at_line_start
from schedsync.render.terminal.paint import Paint, plain
from schedsync.render.words import counted, printable

#: The text lists this many names of one kind.
_NAMED = 10
#: The text shows the runs of this many schedules, and names the others.
_SHOWN = 50
_ONLY_HERE = {"files": "only in the files", "source": "only in the source"}
_WHY = {"absent": "not in", "disabled": "disabled in", "completed": "completed in"}


def text(value: RunComparison, paint: Paint = plain) -> str:
    """Write the verdict, each schedule that differs with its first and last runs, and what was assumed."""
    lines = [paint(verdict(value), "bold"), f"  {_window(value)}"]
    for difference in value.differences[:_SHOWN]:
        lines += ["", *_difference(difference, value.start, paint)]
    if others := [printable(each.name) for each in value.differences[_SHOWN:]]:
        lines += ["", f"and in {counted(len(others), 'more schedule')}: {first_names(others, _NAMED)}"]
    for block in (_messages(value), _not_compared(value), _assumed(value)):
        if rows := list(block):
            lines += ["", *rows]
    return "\n".join(lines)


def verdict(value: RunComparison) -> str:
    """Return one sentence: for how long how many runs were compared, and how many differ."""
    length = _length(value.end - value.start)
    if value.differences:
        runs = f"{counted(value.in_files, 'run')} in the files, {value.in_source:,} in the source"
        which = f"in {len(value.differences):,} of {counted(value.schedules, 'schedule')}"
        return f"Compared {length}: {runs}; {value.differing:,} differ, {which}."
    sentence = f"Compared {length}: {counted(value.in_files, 'run')}, none differs"
    limits = []
    if value.messages:
        limits.append(f"{counted(len(value.messages), 'schedule')} would send another message")
    if value.not_compared:
        limits.append(f"{len(value.not_compared):,} could not be compared")
    return f"{sentence}; but {' and '.join(limits)}." if limits else f"{sentence}."


def _length(length: timedelta) -> str:
    days, rest = divmod(length, timedelta(days=1))
    if days and not rest:
        return counted(days, "day")
    hours, rest = divmod(length, timedelta(hours=1))
    return counted(length // timedelta(minutes=1), "minute") if rest else counted(hours, "hour")


def _window(value: RunComparison) -> str:
    span = f"from {moment(value.start)} UTC until before {moment(value.end)} UTC"
    return f"source: {printable(value.source)}; {span}"


def _difference(value: Difference, start: datetime, paint: Paint) -> Iterator[str]:
    states = {half.state for _, half in _sides(value)}
    counts = [
        f"{counted(half.only.count, 'run')} {_ONLY_HERE[side]}"
        for side, half in _sides(value)
        # A schedule that only one side has is named, though it may have no run in the window.
        if half.only.count or (half.state == "active" and len(states) > 1)
    ]
    yield f"{paint(at_line_start(printable(value.name)), 'bold')}  {', '.join(counts)}"
    yield f"    {_timings(value)}"
    listed = sorted((at, side) for side, half in _sides(value) for at in (*half.only.first, *half.only.last))
    rows = [f"    {line}" for line in aligned([(_at(at, value, side, start), _ONLY_HERE[side]) for at, side in listed])]
    count = sum(half.only.count for _, half in _sides(value))
    if count == len(rows):
        yield from rows
    else:
        # Of each side the first and the last runs are listed: so the first and the last of both sides are among them.
        yield from (*rows[:LAST], f"    … {count - 2 * LAST:,} more", *rows[-LAST:])


def _sides(value: Difference) -> tuple[tuple[str, Half], tuple[str, Half]]:
    return ("files", value.files), ("source", value.source)


def _timings(value: Difference) -> str:
    files, source = (half.timing and str(half.timing) for half in (value.files, value.source))
    notes = [f"{_WHY[half.state]} the {side}" for side, half in _sides(value) if half.state != "active"]
    shown = f"source {source} → files {files}" if files and source and files != source else str(files or source)
    return f"{shown}; {', '.join(notes)}" if notes else shown


def _at(at: datetime, value: Difference, side: str, start: datetime) -> str:
    timing = (value.files if side == "files" else value.source).timing
    zone = zone_of(timing) if timing is not None else ZoneInfo("UTC")
    return f"{moment(at, zone, start)} {zone.key}"


def _messages(value: RunComparison) -> Iterator[str]:
    if value.messages:
        yield "Other messages (at the same or other instants):"
        rows = [f"  {at_line_start(printable(name))}: {', '.join(fields)}" for name, fields in value.messages.items()]
        yield from rows[:_SHOWN]
        if len(rows) > _SHOWN:
            yield f"  and {len(rows) - _SHOWN:,} more"


def _not_compared(value: RunComparison) -> Iterator[str]:
    if value.not_compared:
        yield "Not compared, so their runs are not known:"
        yield from (f"  {_reason(each)}" for each in value.not_compared[:_SHOWN])
        if len(value.not_compared) > _SHOWN:
            yield f"  and {len(value.not_compared) - _SHOWN:,} more"


def _reason(value: NotCompared) -> str:
    place = f"{value.place}: " if value.place else ""
    hint = f" ({value.hint})" if value.hint else ""
    return at_line_start(printable(f"{place}{value.name}: {value.reason}{hint}"))


def _assumed(value: RunComparison) -> Iterator[str]:
    yield "Assumed:"
    yield from (f"  {printable(each)}" for each in value.assumptions)
    if value.later:
        yield f"  with another timing, but alike in this window: {printable(first_names(list(value.later), _NAMED))}"


def json_(value: RunComparison) -> str:
    """Write a comparison by schemas/comparison.v1.schema.json."""
    return dump(
        {
            "version": 1,
            "source": value.source,
            "from": instant_text(value.start),
            "until": instant_text(value.end),
            "differs": value.differs,
            "schedules": value.schedules,
            "runs": {"files": value.in_files, "source": value.in_source, "differing": value.differing},
            "differences": [
                {"name": each.name, "files": _half(each.files), "source": _half(each.source)}
                for each in value.differences
            ],
            "alike_in_window": list(value.later),
            "messages": [{"name": name, "fields": list(fields)} for name, fields in value.messages.items()],
            "not_compared": [
                {"name": each.name, "reason": each.reason, "hint": each.hint, "place": each.place}
                for each in value.not_compared
            ],
            "assumptions": list(value.assumptions),
        }
    )


def _half(value: Half) -> dict[str, Any]:
    return {
        "state": value.state,
        "timing": value.timing and str(value.timing),
        "count": value.only.count,
        "runs": [instant_text(at) for at in value.only.first],
        "last": [instant_text(at) for at in value.only.last],
        "more": len(value.only.first) < value.only.count,
    }
