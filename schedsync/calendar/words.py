"""How often a timing runs, and an instant of it, in words."""

from __future__ import annotations

from datetime import datetime
from functools import lru_cache

from schedsync.calendar.slots import fields_of, runs_a_day
from schedsync.core.timing import Crontab, Timing, clock_text, zone_of

_WHOLE, _MANY = 0.05, 100


@lru_cache(maxsize=65536)
def frequency(timing: Timing) -> str:
    """Write how often a timing runs, by the day, the week or the year, whichever says it best."""
    a_day = runs_a_day(timing)
    for rate, unit in ((a_day, "a day"), (7 * a_day, "a week"), (365.25 * a_day, "a year")):
        if rate >= 1 and (unit != "a day" or _same_every_day(timing)):
            return f"{rate:,.0f} {unit}" if unit == "a day" and not rate % 1 else f"{_rounded(rate)} {unit}"
    return "less than once a year"


def _rounded(rate: float) -> str:
    return f"{rate:,.0f}" if abs(rate - round(rate)) < _WHOLE or rate >= _MANY else f"{rate:,.1f}"


def _same_every_day(timing: Timing) -> bool:
    return not isinstance(timing, Crontab) or fields_of(timing).every_day


@lru_cache(maxsize=65536)
def when(instant: datetime, timing: Timing) -> str:
    """Write an instant in UTC, and in the crontab's own zone where that is another."""
    text = f"{clock_text(instant)} UTC"
    if not isinstance(timing, Crontab) or timing.timezone == "UTC":
        return text
    return f"{text} ({clock_text(instant, zone_of(timing))} {timing.timezone})"
