"""Runs that a person starts: one now, or ticks of the past."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from schedsync.core.schedule import canonical_json
from schedsync.core.selector import Candidate, Selector, selector_document, selector_text
from schedsync.core.timing import instant_text

#: More ticks than this are sent only where the user names a number.
MOST_TICKS = 1000
#: More than this are not looked at to find those that are missing.
MOST_LOOKED_AT = 100_000


@dataclass(frozen=True, slots=True)
class SentNow:
    """A message that was sent at once; ``set`` is empty for a row that nobody manages, ``note`` says what is odd."""

    name: str
    set: str
    task: str
    task_id: str
    at: datetime
    note: str = ""


@dataclass(frozen=True, slots=True)
class PastRequest:
    """Which ticks of the past to send: from ``since`` on and before ``until``; ``gap`` is the least time between two.

    ``missing`` leaves out those that are known to be sent. ``most`` is the largest number of ticks. ``again`` sends
    what an earlier call with the same arguments has sent already.
    """

    selector: Selector
    since: datetime
    until: datetime
    missing: bool = False
    most: int = MOST_TICKS
    rate: str = ""
    gap: timedelta = timedelta(0)
    again: bool = False

    @property
    def digest(self) -> str:
        """What tells the same request from another one; how fast it sends makes no difference."""
        values = [selector_document(self.selector), instant_text(self.since), instant_text(self.until), self.missing]
        return f"sha256:{hashlib.sha256(canonical_json(values).encode()).hexdigest()}"

    @property
    def words(self) -> str:
        """Its words on the command line."""
        words = ["--from", instant_text(self.since), "--to", instant_text(self.until)]
        words += ["--missing"] if self.missing else []
        words += ["--rate", self.rate] if self.rate else []
        words += ["--max", str(self.most)] if self.most != MOST_TICKS else []
        return f"{selector_text(self.selector)} {shlex.join(words)}"


@dataclass(frozen=True, order=True, slots=True)
class PastTick:
    """A tick of the past to send; they are sent in this order."""

    tick: datetime
    name: str
    task_id: str = field(compare=False)

    def document(self) -> dict[str, Any]:
        """Return it as JSON values."""
        return {"name": self.name, "tick": instant_text(self.tick), "task_id": self.task_id}


@dataclass(frozen=True, slots=True)
class PastRecord:
    """What the audit record says of a request: who began it and when, and the last tick that it has sent, if any."""

    selector: Selector
    since: datetime
    until: datetime
    missing: bool
    who: str
    at: datetime
    last: tuple[datetime, str] | None = None

    def covers(self, schedule: Candidate, tick: datetime) -> bool:
        """Say whether it has come to a tick of a schedule; with ``missing``, that tick may have been known as sent."""
        is_reached = self.last is not None and (tick, schedule.name) <= self.last
        return is_reached and self.since <= tick < self.until and self.selector.among([schedule.name]).fits(schedule)


@dataclass(frozen=True, slots=True)
class PastRun:
    """What became of a request: the ticks that this call was to send, how many it sent, and why it stopped, or empty.

    ``before`` is how many an earlier call has sent. ``known`` is how many were left out because they are known to be
    sent, ``unknown`` says of what nothing is known, ``notes`` say what a user should know besides. ``run`` is the id of
    the audit record, empty for a dry run. ``options`` are the further words of the command line.
    """

    request: PastRequest
    ticks: Sequence[PastTick]
    before: int = 0
    sent: int = 0
    known: int = 0
    unknown: Sequence[str] = ()
    run: str = ""
    stopped: str = ""
    notes: Sequence[str] = ()
    options: Sequence[str] = ()

    @property
    def words(self) -> str:
        """The words of the command line, to go on with it."""
        return f"{self.request.words} {shlex.join(self.options)}".rstrip()

    @property
    def left(self) -> Sequence[PastTick]:
        """The ticks that are not sent yet."""
        return self.ticks[self.sent :]
