"""When a schedule runs: ``Crontab``, ``Interval``, ``Solar`` or ``Clocked``, each in canonical form.

Two timings are equal where they run alike, however they were spelled.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from decimal import ROUND_HALF_EVEN, Decimal
from functools import lru_cache
from typing import Any, ClassVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from schedsync.core.crontab import FIELDS, CrontabError, can_fire, canonical, expand

#: The units of a duration, in microseconds.
UNITS = {"us": 1, "s": 10**6, "m": 60 * 10**6, "h": 3600 * 10**6, "d": 86400 * 10**6}
#: The periods of django_celery_beat/models.py, the longest first, in microseconds.
PERIODS = {
    "days": UNITS["d"],
    "hours": UNITS["h"],
    "minutes": UNITS["m"],
    "seconds": UNITS["s"],
    "microseconds": 1,
}
_SHORT = {"days": "d", "hours": "h", "minutes": "m", "seconds": "s", "microseconds": "us"}
_DURATION = re.compile(r"(\d{1,18})\s?(us|s|m|h|d)\Z", re.ASCII)
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(?P<fraction>\.\d+)?)?\s?(?P<offset>[Zz]|[+-]\d\d:?\d\d)?\Z",
    re.ASCII,
)
#: A century. Beat adds the interval to the last run, and the sum must not pass the year 9999.
LONGEST_INTERVAL = 36_525 * UNITS["d"]
_LARGEST_EVERY = 2**31 - 1
#: Instants outside these years overflow where zones and intervals are added.
_FIRST_YEAR, _LAST_YEAR = 1970, 9990
SOLAR_EVENTS = (
    "dawn_astronomical", "dawn_civil", "dawn_nautical", "dusk_astronomical", "dusk_civil",
    "dusk_nautical", "solar_noon", "sunrise", "sunset",
)  # fmt: skip
_MICRODEGREE = Decimal("0.000001")
#: From this distance on, an instant is written with its year.
_FAR = timedelta(days=300)
#: Not strftime's names, which depend on the locale of the process.
WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
#: The smallest step between two instants: what comes after ``at - MICROSECOND`` includes ``at``.
MICROSECOND = timedelta(microseconds=1)


class TimingError(ValueError):
    """A value that is not a timing: a message of one line, and the remedy or None."""

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Crontab:
    """Minutes of the calendar in a time zone; each of the five fields is canonical text."""

    minute: str
    hour: str
    day_of_month: str
    month_of_year: str
    day_of_week: str
    timezone: str
    kind: ClassVar[str] = "crontab"

    def __str__(self) -> str:
        return f"{self.expression} {self.timezone}"

    @property
    def expression(self) -> str:
        """The five fields in cron's order."""
        return f"{self.minute} {self.hour} {self.day_of_month} {self.month_of_year} {self.day_of_week}"


@dataclass(frozen=True, slots=True)
class Interval:
    """A fixed time after the last run, in microseconds."""

    microseconds: int
    kind: ClassVar[str] = "interval"

    def __str__(self) -> str:
        every, period = self.every
        return f"every {every}{_SHORT[period]}"

    @property
    def every(self) -> tuple[int, str]:
        """The interval as a number and the longest period of django-celery-beat that gives a whole number."""
        period = next(name for name, size in PERIODS.items() if self.microseconds % size == 0)
        return self.microseconds // PERIODS[period], period


@dataclass(frozen=True, slots=True)
class Solar:
    """An event of the sun at a place; degrees as text with 6 decimals, as the table holds them."""

    event: str
    latitude: str
    longitude: str
    kind: ClassVar[str] = "solar"

    def __str__(self) -> str:
        return f"{self.event} at {self.latitude}, {self.longitude}"


@dataclass(frozen=True, slots=True)
class Clocked:
    """One instant, in UTC."""

    at: datetime
    kind: ClassVar[str] = "clocked"

    def __str__(self) -> str:
        return f"at {instant_text(self.at)}"


Timing = Crontab | Interval | Solar | Clocked


def crontab(texts: Mapping[str, str], zone: str, seed: str = "") -> Crontab:
    """Build a crontab from the text of its fields by name; ``H`` is hashed from the seed."""
    numbers = {field.name: expand(texts.get(field.name, "*"), field, seed) for field in FIELDS}
    if not can_fire(numbers["day_of_month"], numbers["month_of_year"]):
        raise CrontabError("none of these months has such a day: it can never fire", never_fires=True)
    return Crontab(**{name: canonical(values, name) for name, values in numbers.items()}, timezone=canonical_zone(zone))


def interval(every: int, period_size: int) -> Interval:
    """Build an interval from a number of periods and the microseconds of one period."""
    result = Interval(every * period_size)
    if not 0 < result.microseconds <= LONGEST_INTERVAL:
        raise TimingError("an interval is more than 0 and at most a century")
    if result.every[0] > _LARGEST_EVERY:
        raise TimingError(
            f"the table holds at most {_LARGEST_EVERY:,} microseconds", "round the interval to whole seconds"
        )
    return result


def solar(event: str, latitude: object, longitude: object) -> Solar:
    """Build a solar timing; degrees are rounded to 6 decimals, as the table rounds them."""
    if event not in SOLAR_EVENTS:
        raise TimingError(f"unknown event `{event}`", f"one of {', '.join(SOLAR_EVENTS)}")
    return Solar(event, _degrees("latitude", latitude, 90), _degrees("longitude", longitude, 180))


def _degrees(name: str, value: object, most: int) -> str:
    degrees = Decimal(str(value))
    if not degrees.is_finite() or not -most <= degrees <= most:
        raise TimingError(f"{name} `{value}` is not within -{most} and {most}")
    rounded = degrees.quantize(_MICRODEGREE, rounding=ROUND_HALF_EVEN)
    # Adding 0 turns -0.000000 into 0.000000: the same place has one text.
    return f"{rounded + 0:f}"


def duration(text: str) -> int:
    """Read ``30s``, ``5m``, ``1h``, ``7d`` or ``250us``; returns microseconds, possibly 0. Raises TimingError."""
    match = _DURATION.match(text)
    if not match:
        raise TimingError(f"`{text}` is not a duration", "write one whole number and us, s, m, h or d, such as `5m`")
    return int(match[1]) * UNITS[match[2]]


def duration_text(seconds: int) -> str:
    """Write whole seconds as the shortest duration: 3600 is ``1h``."""
    return str(Interval(seconds * UNITS["s"]))[len("every ") :] if seconds else "0s"


def instant(text: str) -> datetime:
    """Read an ISO 8601 instant with its offset; returns it in UTC. Raises TimingError where it is none."""
    match = _INSTANT.match(text)
    if not match:
        raise TimingError(f"`{text}` is not an instant", "write it as `2026-12-24T18:00:00+01:00`")
    if not match["offset"]:
        raise TimingError(f"`{text}` has no offset", f"write `{text}Z` for UTC, or `{text}+01:00`")
    if match["fraction"] and len(match["fraction"]) > 7:
        raise TimingError(f"`{text}` is finer than a microsecond")
    return _utc(text, match)


def _utc(text: str, match: re.Match[str]) -> datetime:
    body = text[: match.start("offset")].strip().replace(" ", "T").replace("t", "T")
    if fraction := match["fraction"]:
        body = body.replace(fraction, fraction.ljust(7, "0"))
    offset = "+00:00" if match["offset"] in "Zz" else match["offset"]
    try:
        value = datetime.fromisoformat(body + (offset if ":" in offset else f"{offset[:3]}:{offset[3:]}"))
        result = value.astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise TimingError(f"`{text}` is not in the calendar") from None
    if not in_calendar(result):
        raise TimingError(f"`{text}` is not within the years {_FIRST_YEAR} and {_LAST_YEAR}")
    return result


def in_calendar(value: datetime) -> bool:
    """Say whether an instant is in the years 1970 to 9990, so that computing with it cannot fail."""
    return _FIRST_YEAR <= value.year <= _LAST_YEAR


def instant_text(value: datetime) -> str:
    """Write an instant as ISO 8601 in UTC, ending in Z; without fractions where they are 0."""
    # In UTC first: where a clock is set back, two instants an hour apart are equal, and would share one text.
    return _utc_text(value.astimezone(timezone.utc))


def offset_of(text: str) -> timezone | None:
    """Return the offset that an instant is written with; None where it is written in UTC, or is none."""
    offset = match["offset"] if (match := _INSTANT.match(text)) else None
    if not offset or offset in "Zz":
        return None
    return timezone(timedelta(hours=int(offset[:3]), minutes=int(offset[0] + offset[-2:])))


@lru_cache(maxsize=4096)
def _utc_text(value: datetime) -> str:
    return value.isoformat().replace("+00:00", "Z")


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


@lru_cache(maxsize=4096)
def canonical_zone(name: str) -> str:
    """Return the zone's name, with every alias of UTC as ``UTC``; raises TimingError where it is unknown."""
    if name in _UTC_ALIASES:
        return "UTC"
    if not _is_known(name):
        raise TimingError(f"unknown time zone `{name}`")
    return name


def _is_known(name: str) -> bool:
    # Files that some hosts have beside the zones of IANA's database.
    if name in ("localtime", "posixrules", "Factory") or name.startswith(("posix/", "right/")):
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return False
    return True


_UTC_ALIASES = frozenset(
    {"UTC", "Etc/UTC", "Etc/UCT", "Etc/Universal", "Etc/Zulu", "UCT", "Universal", "Zulu", "GMT", "Etc/GMT", "Etc/GMT0",
     "Etc/GMT+0", "Etc/GMT-0", "GMT0", "GMT+0", "GMT-0", "Greenwich", "Etc/Greenwich"}
)  # fmt: skip


@lru_cache(maxsize=1)
def known_zones() -> frozenset[str]:
    """Return the names of all zones that this host knows; reads the host's whole zone directory, once."""
    return frozenset(available_timezones() - {"localtime", "Factory"})


def zone_of(timing: Timing) -> ZoneInfo:
    """Return a crontab's zone; UTC for every other timing."""
    return ZoneInfo(timing.timezone if isinstance(timing, Crontab) else "UTC")


def timing_form(timing: Timing) -> dict[str, Any]:
    """Return the canonical form of a timing as JSON values, as the ledger and plans have it."""
    if isinstance(timing, Crontab):
        return {"crontab": timing.expression, "timezone": timing.timezone}
    if isinstance(timing, Interval):
        return {"every": str(timing)[len("every ") :]}
    if isinstance(timing, Solar):
        return {"solar": {"event": timing.event, "latitude": timing.latitude, "longitude": timing.longitude}}
    return {"at": instant_text(timing.at)}


def timing_from(form: Mapping[str, Any]) -> Timing:
    """Read a timing back from its canonical form; raises ValueError or KeyError where it has another shape."""
    if "crontab" in form:
        minute, hour, day_of_month, month, day_of_week = str(form["crontab"]).split()
        return Crontab(minute, hour, day_of_month, month, day_of_week, form["timezone"])
    if "every" in form:
        return Interval(duration(form["every"]))
    if "solar" in form:
        return Solar(form["solar"]["event"], form["solar"]["latitude"], form["solar"]["longitude"])
    return Clocked(instant(form["at"]))
