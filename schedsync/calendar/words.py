"""How often a timing runs, and an instant of it, in words."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timezone, tzinfo
from functools import lru_cache

from schedsync.calendar.slots import fields_of, runs_a_day
from schedsync.core.schedule import Spec
from schedsync.core.timing import MONTHS as MONTHS
from schedsync.core.timing import WEEKDAYS as WEEKDAYS
from schedsync.core.timing import Crontab, Timing, zone_of
from schedsync.core.timing import moment as moment

_WHOLE, _MANY = 0.05, 100


def frequency(timing: Timing) -> str:
    """Write how often a timing runs: a day, a week or a year, the first of them with one run or more."""
    number, unit = _rate(timing)
    return f"{number} {unit}" if number else unit


def how_often(spec: Spec) -> str:
    """Write how often a schedule runs while it is enabled."""
    return "once" if spec.one_off or spec.timing.kind == "clocked" else frequency(spec.timing)


def rates(before: Timing | None, after: Timing) -> str:
    """Write how often a timing runs, and how often it ran before: ``96 → 288 a day``."""
    will = frequency(after)
    was = frequency(before) if before is not None else will
    if was == will:
        return will
    (old, _, old_unit), (_, _, unit) = was.partition(" "), will.partition(" ")
    return f"{old if unit == old_unit else was} → {will}"


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
def when(instant: datetime, timing: Timing, now: datetime | None = None) -> str:
    """Write an instant as a schedule's own clocks show it, with the zone; in another zone than UTC in UTC too.

    The year is left out where the instant is near ``now``.
    """
    text = f"{moment(instant, zone_of(timing), now)} {zone_name(timing)}"
    return text if zone_name(timing) == "UTC" else f"{text} ({in_utc(instant, timing, now)} UTC)"


def zone_name(timing: Timing) -> str:
    """Return the name of the zone in which people read the instants of a timing."""
    return timing.timezone if isinstance(timing, Crontab) else "UTC"


def common_zone(timings: Iterable[Timing]) -> tzinfo | None:
    """Return the zone of all crontabs, None where they differ; other timings have no zone of their own."""
    zones = {timing.timezone: timing for timing in timings if isinstance(timing, Crontab)}
    if len(zones) > 1:
        return None
    return next((zone_of(timing) for timing in zones.values()), timezone.utc)


def in_utc(instant: datetime, timing: Timing, now: datetime | None = None) -> str:
    """Write an instant in UTC, to stand beside the clocks of a zone: with its date only where that is another."""
    text = moment(instant, timezone.utc, now)
    is_same_day = instant.astimezone(zone_of(timing)).date() == instant.astimezone(timezone.utc).date()
    return text.rpartition(" ")[2] if is_same_day else text
