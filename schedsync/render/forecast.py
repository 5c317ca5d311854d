"""A forecast as JSON, and an instant of it in words."""

from __future__ import annotations

import json
from datetime import datetime, timezone, tzinfo

from schedsync.calendar.forecast import Forecast, Outlook
from schedsync.calendar.load import Load
from schedsync.core.names import first_names
from schedsync.core.timing import Crontab, Interval, clock_text, instant_text, zone_of
from schedsync.render.json_ import escaped
from schedsync.render.words import counted, printable

_NAMED = 5


def run_text(one: Outlook, run: datetime) -> str:
    """Write an instant in UTC, and in the schedule's own zone where that is another."""
    said = _clock(run if isinstance(one.timing, Interval) else run.replace(microsecond=0))
    if not isinstance(one.timing, Crontab) or one.timing.timezone == "UTC":
        return f"{said} UTC"
    return f"{said} UTC  {_clock(run, zone_of(one.timing))} {one.timing.timezone}"


def _clock(at: datetime, zone: tzinfo = timezone.utc) -> str:
    return f"{at.astimezone(zone):%Y-%m-%d %H:%M:%S.%f}".rstrip("0") if at.microsecond else clock_text(at, zone)


def unplaced_text(load: Load) -> str:
    """Write which starts are in none of the minutes, and why; empty if all of them are."""
    names = sorted(name for each in load.unplaced.values() for name in each.names)
    if not names:
        return ""
    a_day = sum(each.a_day for each in load.unplaced.values())
    said = printable(first_names(names, _NAMED))
    return f"{counted(a_day, 'start')} a day in minutes that only the last runs tell (`--against`): {said}"


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
