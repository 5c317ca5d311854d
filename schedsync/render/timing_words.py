"""When a timing runs, in few words. Long lists are cut, but nothing that is said is wrong.

The words of a crontab say at which times it runs, then on which days. Celery runs a crontab with a day of the month
and a day of the week where both match, so the words say "only if".
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Literal, NamedTuple

from schedsync.calendar.slots import Fields, fields_of
from schedsync.calendar.words import MONTHS, WEEKDAYS, moment
from schedsync.core.timing import Clocked, Crontab, Solar, Timing

#: In characters, without the zone. Longer words are written again with shorter lists.
_LONGEST = 90
#: Up to this number of times a day, each is listed, also where they have a pattern.
_FEW = 4
_ORDINALS = tuple(
    f"{day}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10 if day // 10 != 1 else 0, 'th') }" for day in range(1, 32)
)


class _Limit(NamedTuple):
    """How many values a list may have; a longer list shows its ``first`` values, and says how many it has."""

    listed: int
    first: int


#: The first that keeps the words short is taken, else the last.
_LIMITS = (_Limit(12, 3), _Limit(6, 3), _Limit(2, 2))


class _Times(NamedTuple):
    """At which times of a day: a list of them, each one between two times (``span``), or all day long."""

    text: str
    kind: Literal["list", "span", "all day"]


@lru_cache(maxsize=65536)
def timing_words(timing: Timing, *, with_utc: bool = False) -> str:
    """Write when a timing runs, such as ``daily 20:00 Europe/Berlin``; a crontab in UTC names it if asked to."""
    if isinstance(timing, Crontab):
        zone = f" {timing.timezone}" if with_utc or timing.timezone != "UTC" else ""
        return f"{fields_words(fields_of(timing))}{zone}"
    if isinstance(timing, Clocked):
        return f"once at {moment(timing.at)} UTC"
    if isinstance(timing, Solar):
        kind, _, part = timing.event.partition("_")
        event = timing.event if not part else f"{part} {kind}" if kind != "solar" else f"{kind} {part}"
        return f"{event} at {_degrees(timing.latitude)}, {_degrees(timing.longitude)}"
    return str(timing)


def _degrees(text: str) -> str:
    return text.rstrip("0").rstrip(".")


def fields_words(fields: Fields) -> str:
    """Write when a crontab with these fields runs; its minutes of the day may be any."""
    words = ""
    for limit in _LIMITS:
        words = _words(fields, limit)
        if len(words) <= _LONGEST:
            break
    return words


def _words(fields: Fields, limit: _Limit) -> str:
    times = _times(fields, limit)
    weekdays = _weekdays(fields)
    months = "" if len(fields.months) == 12 else _named([month - 1 for month in fields.months], MONTHS, "months", limit)
    days = "" if len(fields.days) == 31 else _named([day - 1 for day in fields.days], _ORDINALS, "days", limit)
    if times.kind == "list" and not weekdays and _is_yearly(fields):
        return f"{days} {months} {times.text} yearly"
    dates = f"{days} of {months or 'the month'}" if days else ""
    end = f" in {months}" if months and not dates else ""
    if dates and weekdays:
        end = f", only if it is the {dates.removesuffix(' of the month')}"
    if times.kind == "list":
        return f"{weekdays or dates or 'daily'} {times.text}{end}"
    on = weekdays or (f"on the {dates}" if dates else "daily" if times.kind == "span" and not months else "")
    return f"{times.text}{on and f' {on}'}{end}"


def _is_yearly(fields: Fields) -> bool:
    return len(fields.days) == len(fields.months) == 1 and not (29 in fields.days and 2 in fields.months)


def _weekdays(fields: Fields) -> str:
    # Sunday is 0 in a crontab; people begin the week with Monday.
    days = [(day - 1) % 7 for day in fields.weekdays]
    return "" if len(days) == 7 else _named(days, WEEKDAYS, "weekdays", _LIMITS[0])


def _named(indexes: Sequence[int], names: Sequence[str], unit: str, limit: _Limit) -> str:
    chosen = [names[index] for index in sorted(indexes)]
    if _is_range(indexes):
        return f"{chosen[0]} to {chosen[-1]}"
    return _listed(chosen, unit, limit)


def _listed(values: Sequence[str], unit: str, limit: _Limit) -> str:
    if len(values) > limit.listed:
        return f"{', '.join(values[: limit.first])} … ({len(values):,} {unit})"
    return " and ".join(filter(None, (", ".join(values[:-1]), values[-1])))


def _is_range(numbers: Sequence[int]) -> bool:
    return len(numbers) > 2 and max(numbers) - min(numbers) + 1 == len(numbers)


def _step(numbers: Sequence[int], size: int) -> int:
    """Return the step of which the numbers are all multiples below ``size``, 0 where there is none."""
    step = size // len(numbers)
    return step if len(numbers) > 1 and list(numbers) == list(range(0, size, step)) else 0


def _times(fields: Fields, limit: _Limit) -> _Times:
    minutes, hours = sorted({minute % 60 for minute in fields.minutes}), sorted(fields.hours)
    clocks = [f"{minute // 60:02}:{minute % 60:02}" for minute in fields.minutes]
    if len(clocks) < len(minutes) * len(hours):
        return _Times(_listed(clocks, "times a day", limit), "list")
    if len(hours) == 24:
        return _Times(_in_each_hour(minutes, limit), "all day")
    if len(clocks) > _FEW and hours[-1] - hours[0] + 1 == len(hours):
        rate = _rate(minutes, hours, limit)
        if rate:
            return _Times(f"{rate} {clocks[0]} to {clocks[-1]}", "span")
    step = _step(hours, 24)
    if len(clocks) > _FEW and step and len(minutes) <= limit.listed:
        return _Times(f"every {step} hours at {_past(minutes, limit)}", "all day")
    return _Times(_listed(clocks, "times a day", limit), "list")


def _in_each_hour(minutes: Sequence[int], limit: _Limit) -> str:
    if step := _step(minutes, 60):
        return _each(step)
    if _is_range(minutes):
        return f"every minute from :{minutes[0]:02} to :{minutes[-1]:02} of each hour"
    return f"every hour at {_past(minutes, limit)}"


def _rate(minutes: Sequence[int], hours: Sequence[int], limit: _Limit) -> str:
    """Return how often it runs from its first time of a day to the last; empty where that needs a list of times."""
    if step := _step(minutes, 60):
        return f"{_each(step)} from"
    if len(hours) == 1:
        return "every minute from" if _is_range(minutes) else ""
    return "hourly" if len(minutes) == 1 else f"hourly at {_past(minutes, limit)} from"


def _each(step: int) -> str:
    return "every minute" if step == 1 else f"every {step} minutes"


def _past(minutes: Sequence[int], limit: _Limit) -> str:
    """Write minutes past the hour."""
    values = [f":{minute:02}" for minute in minutes]
    if len(values) > limit.listed:
        return f"{' '.join(values[: limit.first])} … ({len(values)} times an hour)"
    return " ".join(values)
