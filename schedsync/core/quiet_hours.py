"""Quiet hours as people write them: ``22:00-07:00 Europe/Berlin``."""

from __future__ import annotations

import re
from datetime import datetime
from zoneinfo import ZoneInfo

from schedsync.core.alarm import QuietHours
from schedsync.core.timing import TimingError, canonical_zone

_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-3]):([0-5]\d)(?: ([A-Za-z0-9_+/-]{1,64}))?\Z", re.ASCII)


class QuietHoursError(ValueError):
    """A text is no quiet hours; the message says why."""


def quiet_hours(text: str) -> QuietHours:
    """Read a text such as ``22:00-07:00 Europe/Berlin``; without a zone it is UTC. Raises QuietHoursError."""
    match = _HOURS.match(text)
    if match is None:
        raise QuietHoursError("write quiet hours as `22:00-07:00 Europe/Berlin`")
    begins, ends = (60 * int(match[hour]) + int(match[hour + 1]) for hour in (1, 3))
    if begins == ends:
        raise QuietHoursError("quiet hours begin and end at different times")
    try:
        return QuietHours(begins, ends, canonical_zone(match[5] or "UTC"))
    except TimingError as error:
        raise QuietHoursError(error.message) from error


def is_quiet(hours: QuietHours | None, now: datetime) -> bool:
    """Say whether an instant is in the quiet hours, by the wall clock of their zone."""
    if hours is None:
        return False
    local = now.astimezone(ZoneInfo(hours.zone))
    minute = 60 * local.hour + local.minute
    if hours.begins < hours.ends:
        return hours.begins <= minute < hours.ends
    return minute >= hours.begins or minute < hours.ends
