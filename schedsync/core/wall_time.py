"""Instants as people type them: with an offset, or as the clocks of a zone show them."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone, tzinfo

from schedsync.core.timing import TimingError, in_calendar, instant

_WALL = re.compile(r"(?:(?P<day>\d{4}-\d\d-\d\d)(?:[ T](?=\d)|\Z))?(?P<time>\d\d:\d\d(?::\d\d)?)?\Z", re.ASCII)


def needs_zone(text: str) -> bool:
    """Say whether a text has no offset, so that it depends on a zone."""
    return bool(text) and _WALL.match(text) is not None


def instant_in(text: str, zone: tzinfo, now: datetime) -> datetime:
    """Read ``2026-11-27T02:00+01:00``, ``2026-11-27 02:00``, ``2026-11-27``, or ``02:00``: the last such time.

    A time that comes twice is the first of both. Raises TimingError.
    """
    match = _WALL.match(text) if text else None
    if match is None:
        return instant(text)
    today = now.astimezone(zone).date().isoformat()
    at = _at(text, match["day"] or today, match["time"] or "00:00", zone)
    if match["day"] is None and at > now:
        yesterday = (now.astimezone(zone) - timedelta(days=1)).date().isoformat()
        at = _at(text, yesterday, match["time"], zone)
    return at


def _at(text: str, day: str, time: str, zone: tzinfo) -> datetime:
    try:
        at = datetime.fromisoformat(f"{day}T{time}").replace(tzinfo=zone).astimezone(timezone.utc)
    except (ValueError, OverflowError):
        raise TimingError(f"`{text}` is not in the calendar") from None
    if not in_calendar(at):
        raise TimingError(f"`{text}` is not within the years 1970 and 9990")
    return at
