"""The first run of a schedule after an apply has changed it: whether it was sent, and how it ended."""

from __future__ import annotations

import uuid
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from schedsync.core.rollout import Rollout


class FirstRunVerdict(str, Enum):
    """What became of a first run; the values are the words of the JSON output."""

    #: Its tick is ahead, or fell due a moment ago.
    WAITING = "waiting"
    #: It was sent, and no end of it is known yet.
    RUNNING = "running"
    GOOD = "good"
    #: The task raised an error.
    FAILED = "failed"
    #: The message was refused by the broker or by Celery, or no worker knows the task.
    REJECTED = "rejected"
    #: It was sent, and no worker has started it in time.
    NEVER_RECEIVED = "never_received"
    #: Its tick has passed, and no Beat has sent it.
    OVERDUE = "overdue"
    #: It was sent, and nothing tells how it ended.
    UNKNOWN = "unknown"


#: The verdicts that somebody has to look at, the worst first.
BAD = (
    FirstRunVerdict.FAILED, FirstRunVerdict.REJECTED, FirstRunVerdict.NEVER_RECEIVED, FirstRunVerdict.OVERDUE,
)  # fmt: skip
#: The bad verdicts that a change can be the cause of. Of an overdue run it is Beat that does not send.
BY_THE_CHANGE = frozenset(BAD) - {FirstRunVerdict.OVERDUE}
#: The verdicts that become another one.
OPEN = frozenset({FirstRunVerdict.WAITING, FirstRunVerdict.RUNNING})
#: The verdicts that stay as they are, also after the schedule is gone again.
FINAL = frozenset({FirstRunVerdict.GOOD, *BY_THE_CHANGE})


@dataclass(frozen=True, slots=True)
class FirstRun:
    """The first run of one schedule since an apply.

    ``tick`` is the one that was sent, or the next one; None where there is none. ``words`` say what is known of it,
    without secrets. ``task_id`` is the id of its task, where it was sent.
    """

    name: str
    verdict: FirstRunVerdict
    words: str
    tick: datetime | None = None
    task_id: str | None = None

    def is_open(self, until: datetime | None = None) -> bool:
        """Say whether its verdict can still become another one, by ``until`` if that is given."""
        if self.verdict not in OPEN:
            return False
        if self.verdict is FirstRunVerdict.WAITING:
            return self.tick is not None and (until is None or self.tick <= until)
        return True


@dataclass(frozen=True, slots=True)
class FirstRuns:
    """The first runs of the schedules that one apply changed, as known at ``now``.

    ``run`` is the id of the apply's audit record, and ``at`` its time. ``rollout`` is what became of the apply, where
    the configuration says what a bad first run does.
    """

    run: uuid.UUID
    set: str
    environment: str | None
    commit: str | None
    at: datetime
    now: datetime
    runs: tuple[FirstRun, ...] = ()
    rollout: Rollout | None = None

    @property
    def bad(self) -> tuple[FirstRun, ...]:
        """Those that somebody has to look at, the worst first."""
        return tuple(run for verdict in BAD for run in self.runs if run.verdict is verdict)

    def counts(self) -> dict[str, int]:
        """Return how many runs have each verdict, without verdicts that none has."""
        found = Counter(run.verdict for run in self.runs)
        return {verdict.value: found[verdict] for verdict in FirstRunVerdict if found[verdict]}

    def is_open(self, until: datetime | None = None) -> bool:
        """Say whether any verdict can still become another one, by ``until`` if that is given."""
        return any(run.is_open(until) for run in self.runs)
