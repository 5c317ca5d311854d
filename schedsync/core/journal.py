"""The journal of Beat, as values: which ticks were sent how late, which were not sent and why, and who led when.

The last tick of each schedule is known from its claim, in the same transaction. The journal is written with each
renewal of the lease, so a Beat that is killed loses the records since its last renewal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

#: The row's id in a record that concerns all schedules.
ALL_ROWS = 0


class Event(str, Enum):
    """What became of ticks, as the leading Beat knows it."""

    #: The broker has the message.
    SENT = "sent"
    #: The connection broke while the message was sent; it is sent at most once, and not again.
    UNSURE = "unsure"
    #: Not sent, and will not be; ``reason`` is a value of :class:`Passed`.
    PASSED_OVER = "passed_over"
    #: Fell due while everything was paused, and is not sent. The pause of one schedule disables its row.
    PAUSED = "paused"
    #: The schedule's end (``expires_at``) came before the tick was sent.
    EXPIRED = "expired"
    #: The row was edited between the claim and the send. Beat reads it again, then sends or passes over.
    EDITED = "edited"
    #: The broker refused the message; Beat tries again.
    REFUSED = "refused"
    #: The message can never be sent.
    GIVEN_UP = "given_up"
    #: The row could not run from ``first`` to ``last``; they are equal when Beat finds it, and when it begins to lead.
    BROKEN = "broken"
    #: A Beat whose clock was ahead sent ticks of the future up to ``last``; they are sent again at their time.
    EARLY = "early"
    #: Beat no longer has the schedule since ``first``: its row was disabled or deleted.
    GONE = "gone"
    #: The broker could not be reached from ``first`` to ``last``; ``row_id`` is ``ALL_ROWS``.
    UNREACHABLE = "unreachable"


#: Records of the broker and of Beats, not of a tick.
OF_NO_TICK = frozenset({Event.UNREACHABLE, Event.EARLY})


class Passed(str, Enum):
    """Why ticks were passed over."""

    #: ``missed_runs: latest``: a newer tick was due too, and only that one is sent.
    NEWER = "newer"
    #: Later than ``starting_deadline`` (or Celery's ``beat_cron_starting_deadline``) allows.
    DEADLINE = "deadline"
    #: ``missed_runs: none``: it fell due before this Beat began to lead.
    MISSED = "missed"
    #: The row was disabled when they fell due, and counts from the moment at which it was enabled again.
    ENABLED_AGAIN = "enabled_again"
    #: It was claimed, but Beat no longer has the schedule: its row was disabled, deleted, or cannot run.
    GONE = "gone"
    #: It was claimed, but the time of its clocked schedule was moved.
    MOVED = "moved"
    #: It was claimed, perhaps sent by an earlier Beat, and is not sent again: it is too late, or is sent at most once.
    MAYBE_SENT = "maybe_sent"


@dataclass(frozen=True, slots=True)
class JournalRecord:
    """What became of the ticks of one row from ``first`` to ``last``, both included.

    ``name`` is the schedule's name, as it is now or was when its row went; empty where unknown. ``count`` is the number
    of ticks, None where unknown. ``at`` is when Beat noted it, by the database's clock, except for what was sent: there
    it is the tick and ``late``, which is in seconds. ``again`` says that an earlier Beat had claimed the tick, and may
    have sent it too. ``beat`` is the name of the Beat, ``reason`` its words, a :class:`Passed`, or empty.
    """

    row_id: int
    name: str
    event: Event
    first: datetime
    last: datetime
    count: int | None
    at: datetime
    beat: str
    epoch: int
    late: float | None = None
    reason: str = ""
    again: bool = False

    @property
    def named_ticks(self) -> tuple[datetime, ...]:
        """Those among ``first`` and ``last`` that are ticks: others are when Beat saw the row."""
        if self.event in (Event.BROKEN, Event.GONE):
            return ()
        # Its range ends when the row was enabled.
        return (self.first,) if self.reason == Passed.ENABLED_AGAIN.value else (self.first, self.last)


@dataclass(frozen=True, slots=True)
class Reign:
    """The time in which one Beat led, by the database's clock; without an election several lead together.

    ``until`` is None while it leads. A Beat that was killed could not write its end: then ``until_known`` is False, and
    ``until`` is its last sign of life; it led until then at least, and at most for one lease more. ``reason`` says why
    it ended.
    """

    epoch: int
    beat: str
    since: datetime
    until: datetime | None = None
    until_known: bool = True
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Journal:
    """The records of one row in a span of time, in the order of their ticks.

    ``kept_since`` is when the oldest segment that is kept was written, None without any: the journal says nothing of
    the time before. ``damaged`` counts the segments that could not be read, ``dropped`` the ticks of all schedules that
    had to make room in memory, because a Beat could not write for long. ``is_cut`` says that not all
    records were read.
    """

    records: list[JournalRecord] = field(default_factory=list)
    kept_since: datetime | None = None
    damaged: int = 0
    dropped: int = 0
    is_cut: bool = False
