"""The load of a week as one JSON document, so that nobody computes it again only to show it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from schedsync.calendar.crowds import Crowd
from schedsync.calendar.load import Load, Steady, Unplaced
from schedsync.calendar.window import MINUTES_A_DAY, MINUTES_A_WEEK, Window
from schedsync.core.timing import instant, instant_text


class KeptLoad(NamedTuple):
    """The load of a week, and the minutes that stand out."""

    load: Load
    crowds: Sequence[Crowd]


def load_document(kept: KeptLoad) -> dict[str, Any]:
    """Return a load as JSON values: the starts of each minute besides the steady ones, and what people read of it."""
    load, window = kept.load, kept.load.window
    return {
        "start": instant_text(window.start),
        "since": instant_text(window.since),
        "starts": list(load.besides_steady),
        "steady": [load.steady.a_minute, list(load.steady.names)],
        "unplaced": [[queue, list(each.names), each.a_day, each.in_all] for queue, each in load.unplaced.items()],
        "crowds": [
            [[instant_text(minute) for minute in crowd.minutes], crowd.starts, list(crowd.names), crowd.every_week]
            for crowd in kept.crowds
        ],
    }


def load_from(values: Mapping[str, Any]) -> KeptLoad:
    """Read a load back; it has no members and no queues, and leaves the steady starts out of its minutes.

    Raises ValueError, KeyError, TypeError or TimingError where the document has another form.
    """
    starts = list(map(_count, values["starts"]))
    if not 0 < len(starts) <= MINUTES_A_WEEK + MINUTES_A_DAY:
        raise ValueError("it is not of a week")
    window = Window.of(instant(values["start"]), instant(values["since"]), len(starts))
    a_minute, steady = values["steady"]
    unplaced = {
        str(queue): Unplaced(_names(names), _count(a_day), _count(in_all))
        for queue, names, a_day, in_all in values["unplaced"]
    }
    crowds = [
        Crowd(tuple(map(instant, minutes)), _count(number), _names(names), bool(every_week))
        for minutes, number, names, every_week in values["crowds"]
    ]
    known = Steady(_count(a_minute), _names(steady))
    return KeptLoad(Load(window, starts, starts, {}, {}, unplaced, known_steady=known), crowds)


def _count(value: Any) -> int:
    if type(value) is not int or value < 0:
        raise ValueError("it has a value that is no count")
    return value


def _names(values: Sequence[Any]) -> tuple[str, ...]:
    return tuple(map(str, values))
