"""A forecast as JSON."""

from __future__ import annotations

import json

from schedsync.calendar.forecast import Forecast, Outlook
from schedsync.core.timing import Crontab, instant_text
from schedsync.render.programs.json_ import escaped
from schedsync.render.programs.timeline import timeline_document


def json_(value: Forecast) -> str:
    """Write a forecast as JSON: ``load`` holds the starts in each minute of a week, in all and by queue.

    ``timeline`` is there only where the user asks for it.
    """
    load = value.load
    timeline = {} if value.timeline is None else {"timeline": timeline_document(value.timeline)}
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
                **timeline,
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
