"""The pause of everything, as a value: who stops all Beats, why and until when, and which ticks it leaves out."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

from schedsync.core.timing import moment

_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class FullyPaused:
    """The last pause of everything; ``until`` is None after ``resume --all --catch-up``.

    It needs nobody to end it: once its time is over, ``until`` says up to which instant ticks are not sent.
    ``passed_until`` is that instant for the pauses before.
    """

    who: str
    reason: str
    since: datetime | None = None
    until: datetime | None = None
    passed_until: datetime | None = None

    def is_on(self, now: datetime) -> bool:
        """Say whether everything is paused."""
        return self.until is not None and now < self.until

    def left_out(self, now: datetime) -> datetime | None:
        """Return the instant up to which ticks are not sent, or None: of a pause that lasts, the end is not known."""
        return self.passed_until if self.until is None or self.is_on(now) else self.until

    def text(self, now: datetime) -> str:
        """Say it as users read it; a control character that somebody put into the reason is escaped."""
        if self.until is None:
            return "nothing is paused"
        clock = f"{moment(self.until, now=now)} UTC"
        if self.until - now < _DAY:
            until = self.until.astimezone(timezone.utc)
            clock = f"{until:%H:%M:%S} UTC" if until.second else f"{until:%H:%M} UTC"
        return "".join(map(_visible, f"everything is paused by {self.who} until {clock}: {self.reason}"))


def left_out_of(until: datetime | None, *, last_run: datetime | None, changed: datetime | None) -> datetime | None:
    """Return the instant up to which the ticks of one schedule are not sent, or None.

    ``until`` is that instant for all schedules. A schedule that never ran, and that was made or edited since, is new.
    """
    is_new = until is not None and last_run is None and changed is not None and changed > until
    return None if is_new else until


def _visible(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode()
