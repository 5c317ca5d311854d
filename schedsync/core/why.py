"""Why a schedule ran, or did not run: the answer for one tick, with its evidence, and the facts that it is drawn from.

Evidence is told apart by its kind: what a record says, what somebody decided, what follows from the timing, and what
nobody knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum
from functools import cached_property

from schedsync.core.change import FieldChange
from schedsync.core.hand_run import PastRecord
from schedsync.core.journal import OF_NO_TICK, Journal, JournalRecord, Reign
from schedsync.core.observed import Managed, Row
from schedsync.core.open_run import OpenRun
from schedsync.core.rollback import RolledBack
from schedsync.core.schedule import Spec


class Kind(str, Enum):
    """How a piece of evidence is known."""

    #: A record of it was written when it happened.
    SEEN = "seen"
    #: Somebody decided it, or the files do.
    DECIDED = "decided"
    #: It follows from the timing or from other records; no record says it.
    INFERRED = "inferred"
    #: Nobody has a record of it.
    UNKNOWN = "unknown"


class Verdict(str, Enum):
    """What became of a tick, or will become of it."""

    SENT = "sent"
    #: Claimed and perhaps sent: nobody has confirmed it.
    UNSURE = "unsure"
    #: Sent, but no worker ran it: it expired in its queue, or the worker does not know the task.
    NOT_RUN = "not_run"
    REFUSED = "refused"
    GIVEN_UP = "given_up"
    PASSED_OVER = "passed_over"
    PAUSED = "paused"
    HELD = "held"
    DISABLED = "disabled"
    NOT_STARTED = "not_started"
    EXPIRED = "expired"
    COMPLETED = "completed"
    BROKEN = "broken"
    NOBODY_LED = "nobody_led"
    EDITED = "edited"
    #: Daylight saving skips its wall-clock time, or repeats it and only the first runs.
    SKIPPED = "skipped"
    REPEATED = "repeated"
    NO_TICK = "no_tick"
    NOT_CREATED = "not_created"
    DELETED = "deleted"
    OVERDUE = "overdue"
    COMING = "coming"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that is known or inferred; ``source`` is where it is from, ``at`` when it happened."""

    kind: Kind
    words: str
    source: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the result backend says of a task; ``error`` is the type of the exception that ended it.

    ``state`` is None where nobody knows, and ``trouble`` then says why; ``is_pending`` where the backend answered that
    it has nothing of it. ``text`` is the first line of the exception's message, masked.
    """

    state: str | None
    at: datetime | None = None
    error: str = ""
    trouble: str = ""
    text: str = ""
    is_pending: bool = False


@dataclass(frozen=True, slots=True)
class Answer:
    """What became of a tick, in one sentence.

    ``because`` is the reason alone, for a list of ticks; ``group`` is what it has in common with that of ticks that
    became the same, where that is less. ``task_id`` is the id of its task where a message was sent, or
    may have been; ``way_out`` are the words behind `schedsync` of the commands that help.
    """

    tick: datetime | None
    verdict: Verdict
    sentence: str
    because: str = ""
    evidence: tuple[Evidence, ...] = ()
    task_id: str | None = None
    outcome: Outcome | None = None
    way_out: tuple[str, ...] = ()
    group: str = ""


@dataclass(frozen=True, slots=True)
class Ticks:
    """Ticks that follow one another, and became the same for the same reason; ``count`` is their number."""

    first: datetime
    last: datetime
    count: int
    verdict: Verdict
    because: str
    task_id: str | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """The ticks since an instant, the oldest first; ``left_out`` are older ones that were not looked at."""

    since: datetime
    ticks: tuple[Ticks, ...]
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Explanation:
    """The answer of ``schedsync why``; ``before`` and ``following`` are the ticks around, as far as they are known.

    ``asked`` is the name that the user gave, which may be a former one. ``spec`` are its last fields.
    """

    name: str
    asked: str
    at: datetime
    spec: Spec | None
    managed: Managed | None
    answer: Answer
    before: Answer | None = None
    following: Answer | None = None
    notes: tuple[Evidence, ...] = ()
    listed: Listed | None = None


@dataclass(frozen=True, slots=True)
class Claimed:
    """The claim of the last tick that Beat took to send; ``passed_by``: left out, as the last run had not ended."""

    tick: datetime
    at: datetime
    epoch: int
    confirmed: bool
    passed_by: bool = False


@dataclass(frozen=True, slots=True)
class NotSent:
    """The last failure to send a message of the schedule."""

    tick: datetime
    at: datetime
    reason: str
    given_up: bool


@dataclass(frozen=True, slots=True)
class Recorded:
    """One change of the schedule in the audit record, which ``run`` names; ``row_id`` is None where it is not known."""

    kind: str
    name: str
    at: datetime
    who: str
    verb: str = "apply"
    run: str = ""
    commit: str | None = None
    old_name: str | None = None
    fields: tuple[FieldChange, ...] = ()
    disabled_reason: str | None = None
    row_id: int | None = None
    pull_request: str | None = None

    def change_of(self, name: str) -> FieldChange | None:
        """Return its change of one field, or None."""
        return next((change for change in self.fields if change.field == name), None)


@dataclass(frozen=True, slots=True)
class Stop:
    """An operator's stop of the schedule or of everything, from ``since`` on; ``until`` None means until resumed.

    ``lasts``: nobody has ended it yet; ``lingers``: its time is over, and only an apply or a Beat enables the row.
    """

    who: str
    reason: str
    since: datetime
    until: datetime | None
    everything: bool = False
    lasts: bool = False
    lingers: bool = False

    def covers(self, tick: datetime) -> bool:
        """Say whether a tick fell due during the stop."""
        return self.since <= tick and (self.until is None or self.lingers or tick < self.until)


@dataclass(frozen=True, slots=True)
class TableEdit:
    """An entry of the admin's log about the row: ``action`` is added, changed or deleted."""

    user: str
    at: datetime
    action: str
    fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class BeatsNow:
    """The Beats of schedsync's own that live; ``ever`` says whether there was ever one.

    ``names`` are names of Beats by the epoch in which they led.
    """

    live: int = 0
    leader: str | None = None
    leads_since: datetime | None = None
    ever: bool = False
    names: Mapping[int, str] = field(default_factory=dict)
    broken: Mapping[str, str] = field(default_factory=dict)
    broker_trouble: str = ""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """All that is known of one schedule.

    ``recorded`` are its changes in the audit record, the newest first, of which nothing was read before
    ``recorded_since`` (None: all of it was). ``applied_at`` is the time since which an edit is somebody else's.
    ``edits`` are those of the admin's log, and ``past_runs`` the runs of the past of all schedules, the newest first.
    Without a row, ``row_id`` is the id that it had. ``cron_deadline`` (Celery's) and ``lease`` are in seconds.
    ``open_run`` is the run that has not ended, of a schedule with ``overlap: skip``.
    """

    name: str
    now: datetime
    row: Row | None = None
    row_id: int | None = None
    managed: Managed | None = None
    applied_at: datetime | None = None
    claim: Claimed | None = None
    not_sent: NotSent | None = None
    journal: Journal = field(default_factory=Journal)
    reigns: tuple[Reign, ...] = ()
    stops: tuple[Stop, ...] = ()
    recorded: tuple[Recorded, ...] = ()
    recorded_since: datetime | None = None
    edits: tuple[TableEdit, ...] = ()
    past_runs: tuple[PastRecord, ...] = ()
    beats: BeatsNow = field(default_factory=BeatsNow)
    cron_deadline: int | None = None
    lease: float = 15.0
    rolled_back: RolledBack | None = None
    open_run: OpenRun | None = None

    @cached_property
    def noted(self) -> tuple[datetime, ...]:
        """The ticks that the journal and the claim name, in order; of a range its two ends."""
        ticks = {tick for record in self._of_ticks for tick in record.named_ticks}
        return tuple(sorted(ticks | ({self.claim.tick} if self.claim else set())))

    @cached_property
    def _of_ticks(self) -> tuple[JournalRecord, ...]:
        return tuple(record for record in self.journal.records if record.event not in OF_NO_TICK)

    @cached_property
    def _by_tick(self) -> Mapping[datetime, list[JournalRecord]]:
        single: dict[datetime, list[JournalRecord]] = {}
        for record in self._of_ticks:
            if record.first == record.last:
                single.setdefault(record.first, []).append(record)
        return single

    @cached_property
    def _ranges(self) -> tuple[JournalRecord, ...]:
        return tuple(record for record in self._of_ticks if record.first != record.last)

    def records_of(self, tick: datetime) -> list[JournalRecord]:
        """Return what the journal says of a tick, the latest last."""
        ranges = [record for record in self._ranges if record.first <= tick <= record.last]
        return sorted([*ranges, *self._by_tick.get(tick, ())], key=lambda record: record.at)
