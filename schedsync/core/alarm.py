"""An alarm: something that somebody has to know, sent once to the services that SCHEDSYNC_NOTIFY names."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum


class Kind(str, Enum):
    """What an alarm is about; the values are the words of ``kinds`` in SCHEDSYNC_NOTIFY."""

    NO_LEADER = "no_leader"
    OVERDUE = "overdue"
    FAILING = "failing"
    CLOCK = "clock"
    DRIFT = "drift"
    APPLY_FAILED = "apply_failed"
    PAUSE_ENDING = "pause_ending"
    LEADER_CHANGED = "leader_changed"
    FIRST_RUN = "first_run"


#: Sent in quiet hours too: tasks do not run.
URGENT = frozenset({Kind.NO_LEADER, Kind.OVERDUE, Kind.FAILING})
#: Sent once, without a reminder and without an end: nothing lasts that could end.
NOTICES = frozenset({Kind.PAUSE_ENDING, Kind.LEADER_CHANGED, Kind.FIRST_RUN})
#: The kinds that are sent by default; the leader also changes with each deployment.
DEFAULT_KINDS = frozenset(Kind) - {Kind.LEADER_CHANGED}


class Phase(str, Enum):
    """Whether an alarm begins, is sent again because it still lasts, or is over."""

    BEGUN = "begun"
    REPEATED = "repeated"
    OVER = "over"
    TEST = "test"


@dataclass(frozen=True, slots=True)
class Alarm:
    """An alarm that is on now.

    ``subject`` is what it is about: a schedule, a set or a Beat. ``text`` says more in a few words. ``scope`` is where
    it can be seen that it is over: the set of a drift job or of an apply, the host of a clock, empty for the leader.
    ``detail`` makes another alarm of the same subject: the end of the pause, the reason of the failure.
    """

    kind: Kind
    subject: str
    text: str = ""
    scope: str = ""
    detail: str = ""

    @property
    def key(self) -> str:
        """The same text for the same alarm in every process; no collation takes two of them for one."""
        parts = "\0".join((self.kind.value, self.scope, self.subject, self.detail))
        return hashlib.sha256(parts.encode("utf-8", "surrogatepass")).hexdigest()


@dataclass(frozen=True, slots=True)
class Noted:
    """An alarm that was on when somebody looked last.

    ``claimed_at`` is when a process took it to send it, None before; ``sent_at`` when a service accepted it, None until
    then. The times are by the database's clock.
    """

    key: str
    kind: Kind
    subject: str
    claimed_at: datetime | None = None
    sent_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class QuietHours:
    """A time of each day in which only urgent alarms are sent: minutes after midnight in a time zone."""

    begins: int
    ends: int
    zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class AlarmRules:
    """Which alarms are sent, when not, and after which time an alarm that lasts is sent again."""

    kinds: frozenset[Kind] = DEFAULT_KINDS
    quiet_hours: QuietHours | None = None
    remind_after: timedelta = timedelta(hours=24)


@dataclass(frozen=True, slots=True)
class Letter:
    """What is sent to each service; ``keys`` are those of its alarms."""

    title: str
    body: str
    phase: Phase
    kind: Kind | None = None
    keys: tuple[str, ...] = field(default=())
