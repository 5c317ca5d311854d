"""The grace of a schedule that no file defines any more: it is disabled at once, and deleted later."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from schedsync.core.timing import TimingError, duration, duration_text, instant, instant_text

_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=366)


class Removing(NamedTuple):
    """The grace of a schedule that no file defines any more: since when it is disabled, and when it may be deleted.

    ``held`` where a human, or Beat after its last run, had disabled it before: it stays so if it is put back.
    """

    since: datetime
    until: datetime
    held: bool = False

    def is_over(self, now: datetime) -> bool:
        """Say whether the schedule may be deleted."""
        return self.until <= now


def grace_from(text: str) -> timedelta:
    """Read a grace of the configuration; raises TimingError where it is no duration, or out of range."""
    try:
        grace = timedelta(microseconds=duration(text))
    except OverflowError:
        grace = timedelta.max
    if not _SHORTEST <= grace <= _LONGEST or grace % timedelta(seconds=1):
        raise TimingError(f"`{text}` is not from 1m to 366d in whole seconds", "leave it out to delete at once")
    return grace


def grace_text(grace: timedelta) -> str:
    """Write a grace as the configuration has it."""
    return duration_text(round(grace.total_seconds()))


def removing_document(removing: Removing) -> dict[str, str]:
    """Return a grace as JSON values, without whether the schedule was held before."""
    return {"since": instant_text(removing.since), "until": instant_text(removing.until)}


def removing_from(values: Mapping[str, Any]) -> Removing:
    """Read a grace back; raises ValueError or KeyError where it has another shape."""
    return Removing(instant(values["since"]), instant(values["until"]), values.get("held", False))
