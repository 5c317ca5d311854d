"""A forecast as text and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timezone, tzinfo

from schedsync.calendar.forecast import Forecast, Outlook
from schedsync.calendar.load import Load
from schedsync.core.names import first_names
from schedsync.core.timing import Crontab, Interval, clock_text, instant_text, zone_of
from schedsync.render import heatmap
from schedsync.render.json_ import escaped
from schedsync.render.paint import Paint, plain
from schedsync.render.words import counted, printable, timing_words

_NAMED = 5


def text(value: Forecast, paint: Paint = plain) -> str:
    """Write the next runs, each in UTC and in its own zone, and the load picture."""
    lines: list[str] = []
    for one in value.outlooks:
        lines += [*_outlook(one, paint), ""]
    if not value.outlooks:
        return "the set holds no schedule"
    return "\n".join([*lines, *_load(value, paint)])


def _outlook(one: Outlook, paint: Paint) -> Iterator[str]:
    yield f"- {paint(printable(one.name), 'bold')}  {timing_words(one.timing)}, {one.frequency}"
    if one.counted_from is not None and one.runs:
        yield f"  counted from {run_text(one, one.counted_from)}"
    yield from (f"  {run_text(one, run)}" for run in one.runs)
    if not one.runs:
        yield "  no run"


def run_text(one: Outlook, run: datetime) -> str:
    """Write an instant in UTC, and in the schedule's own zone where that is another."""
    said = _clock(run if isinstance(one.timing, Interval) else run.replace(microsecond=0))
    if not isinstance(one.timing, Crontab) or one.timing.timezone == "UTC":
        return f"{said} UTC"
    return f"{said} UTC  {_clock(run, zone_of(one.timing))} {one.timing.timezone}"


def _clock(at: datetime, zone: tzinfo = timezone.utc) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S.%f}".rstrip("0") if at.microsecond else clock_text(at, zone)


def _load(value: Forecast, paint: Paint) -> Iterator[str]:
    load = value.load
    yield paint(
        f"Load, {heatmap.span(load)}: {counted(load.in_all(), 'start')}, {load.first_day():,} within a day", "bold"
    )
    yield ""
    yield from heatmap.text(heatmap.week(load))
    yield ""
    yield from heatmap.text(heatmap.worst_day(load))
    yield ""
    for queue, counts in load.queues.items():
        starts, most = counted(load.in_all(queue), "start"), max(counts, default=0)
        yield f"  queue {printable(queue)}: {starts}" + (f", at most {most:,} in a minute" if most else "")
    if left_out := unplaced_text(load):
        yield f"  {left_out}"
    for peak in value.worst:
        names = printable(first_names(peak.names, _NAMED))
        yield f"  {peak.at:%a %Y-%m-%d %H:%M} UTC: {counted(peak.starts, 'start')} of {names}"


def unplaced_text(load: Load) -> str:
    """Write which starts are in none of the minutes, and why; empty if all of them are."""
    names = sorted(name for each in load.unplaced.values() for name in each.names)
    if not names:
        return ""
    a_day = sum(each.a_day for each in load.unplaced.values())
    said = printable(first_names(names, _NAMED))
    return f"{counted(a_day, 'start')} a day of {said} in no minute here: only the last run says in which (`--against`)"


def json_(value: Forecast) -> str:
    """Write a forecast as JSON: ``load`` holds the starts in each minute of a week, in all and by queue."""
    load = value.load
    return escaped(
        json.dumps(
            {
                "version": 1,
                "from": instant_text(value.start),
                "schedules": [_outlook_document(one) for one in value.outlooks],
                "load": {
                    "start": instant_text(load.window.start),
                    "since": instant_text(load.window.since),
                    "minutes": len(load.total),
                    "starts_a_day": load.first_day(),
                    "starts_in_all": load.in_all(),
                    "total": list(load.total),
                    "queues": {queue: list(counts) for queue, counts in load.queues.items()},
                    "unplaced": {
                        queue: {"starts_a_day": each.a_day, "starts_in_all": each.in_all, "names": list(each.names)}
                        for queue, each in load.unplaced.items()
                    },
                    "worst": [
                        {"at": instant_text(one.at), "starts": one.starts, "names": list(one.names)}
                        for one in value.worst
                    ],
                },
            },
            ensure_ascii=False,
        )
    )


def _outlook_document(one: Outlook) -> dict[str, object]:
    return {
        "name": one.name,
        "timezone": one.timing.timezone if isinstance(one.timing, Crontab) else "UTC",
        "timing": str(one.timing),
        "frequency": one.frequency,
        "counted_from": one.counted_from and instant_text(one.counted_from),
        "runs": [instant_text(run) for run in one.runs],
        "more": one.more,
    }
