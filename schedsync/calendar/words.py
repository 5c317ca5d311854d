"""How often a timing runs, and an instant of it, in words."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo
from functools import lru_cache

from schedsync.calendar.slots import fields_of, runs_a_day
from schedsync.core.timing import Crontab, Timing, clock_text, zone_of

_WHOLE, _MANY = 0.05, 100
#: From this distance on, an instant is written with its year.
_FAR = timedelta(days=300)
#: Not strftime's names, which depend on the locale of the process.
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def moment(instant: datetime, zone: tzinfo = timezone.utc, now: datetime | None = None) -> str:
    """Write an instant as the clocks of a zone show it, such as ``Fri 27 Nov 02:30``.

    The year is written where the instant is 300 days or more from ``now``, or without ``now``. Seconds are written
    where they are not 0, fractions of a second never.
    """
    local = instant.astimezone(zone)
    year = f" {local.year}" if now is None or abs(instant - now) >= _FAR else ""
    seconds = f":{local.second:02}" if local.second else ""
    date = f"{WEEKDAYS[local.weekday()]} {local.day} {MONTHS[local.month - 1]}{year}"
    return f"{date} {local.hour:02}:{local.minute:02}{seconds}"


def frequency(timing: Timing) -> str:
    """Write how often a timing runs: a day, a week or a year, the first of them with one run or more."""
    number, unit = _rate(timing)
    return f"{number} {unit}" if number else unit


def times(timing: Timing, instead_of: Timing | None = None) -> str:
    """Write how often a timing runs, as in "288 times a day instead of 96"; empty where both run as often.

    ``instead_of`` is the timing that it ran by before.
    """
    number, unit = _rate(timing)
    text = _counted(number, unit)
    if instead_of is None:
        return text
    old_number, old_unit = _rate(instead_of)
    if (old_number, old_unit) == (number, unit):
        return ""
    same_unit = old_unit == unit and "1" not in (number, old_number)
    return f"{text} instead of {old_number if same_unit else _counted(old_number, old_unit)}"


def _counted(number: str, unit: str) -> str:
    return f"once {unit}" if number == "1" else f"{number} times {unit}" if number else unit


@lru_cache(maxsize=65536)
def _rate(timing: Timing) -> tuple[str, str]:
    """Return a number and its unit, or no number and words for it."""
    a_day = runs_a_day(timing)
    for rate, unit in ((a_day, "a day"), (7 * a_day, "a week"), (365.25 * a_day, "a year")):
        if rate >= 1 and (unit != "a day" or _same_every_day(timing)):
            return (f"{rate:,.0f}" if unit == "a day" and not rate % 1 else _rounded(rate)), unit
    return "", "less than once a year"


def _rounded(rate: float) -> str:
    return f"{rate:,.0f}" if abs(rate - round(rate)) < _WHOLE or rate >= _MANY else f"{rate:,.1f}"


def _same_every_day(timing: Timing) -> bool:
    return not isinstance(timing, Crontab) or fields_of(timing).every_day


@lru_cache(maxsize=65536)
def when(instant: datetime, timing: Timing) -> str:
    """Write an instant in UTC; for a crontab with another zone, in that zone too."""
    text = f"{clock_text(instant)} UTC"
    if not isinstance(timing, Crontab) or timing.timezone == "UTC":
        return text
    return f"{text} ({clock_text(instant, zone_of(timing))} {timing.timezone})"
