"""An allowance: an entry of the configuration that lifts one safety rule until a time."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta, timezone
from typing import Any

from schedsync.core.timing import TimingError, instant, moment

_DATE = re.compile(r"\d{4}-\d\d-\d\d\Z", re.ASCII)


@dataclass(frozen=True, slots=True)
class Allowance:
    """One entry of ``[[safety.allow]]``; ``limit`` is the number of stops that it allows, None for the other rules."""

    rule: str
    until: datetime
    reason: str
    limit: int | None = None

    def __str__(self) -> str:
        limit = "" if self.limit is None else f" up to {self.limit:,}"
        return f"`{self.rule}`{limit} until {self.until_text}: {self.reason}"

    @property
    def until_text(self) -> str:
        """The end, as a sentence names it."""
        return f"{moment(self.until)} UTC"

    def ended(self, now: datetime) -> bool:
        """Say whether its time is over."""
        return self.until <= now


def allowance_from(values: Mapping[str, Any]) -> Allowance:
    """Read one entry of ``[[safety.allow]]``; raises TimingError for an ``until`` that is no time, else ValueError."""
    rule, limit, reason = values["rule"], values.get("limit"), str(values["reason"]).strip()
    if rule == "too_many_stops" and limit is None:
        raise ValueError("`too_many_stops` needs `limit`, the number of stops to allow")
    if rule != "too_many_stops" and limit is not None:
        raise ValueError(f"`limit` belongs to `too_many_stops`; `{rule}` has none")
    if not reason or not reason.isprintable():
        raise ValueError("`reason` takes one line of text")
    return Allowance(rule, until(values["until"]), reason, None if limit is None else int(limit))


def until(text: str) -> datetime:
    """Read the end of an allowance: an instant, or a date, which counts to its end in UTC. Raises TimingError."""
    if not _DATE.match(text):
        return instant(text)
    try:
        return datetime.combine(date.fromisoformat(text) + timedelta(days=1), datetime.min.time(), timezone.utc)
    except (ValueError, OverflowError):
        raise TimingError(f"`{text}` is not in the calendar") from None


def with_text_times(configuration: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a configuration with the `until` of each entry as text: JSON has no instants."""
    safety = configuration.get("safety")
    entries = safety.get("allow") if isinstance(safety, dict) else None
    if not isinstance(safety, dict) or not isinstance(entries, list):
        return configuration
    return {**configuration, "safety": {**safety, "allow": [_with_text_time(entry) for entry in entries]}}


def _with_text_time(entry: Any) -> Any:
    # A datetime is a date too; its text is an instant.
    if isinstance(entry, dict) and isinstance(end := entry.get("until"), date):
        return {**entry, "until": end.isoformat()}
    return entry
