"""A rollout: an apply whose first runs are watched by every process that looks, until they are known."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any, Literal

from schedsync.core.timing import TimingError, duration

#: How long a rollout may be watched.
_SHORTEST, _LONGEST = timedelta(minutes=1), timedelta(days=7)

OnFailure = Literal["report", "rollback"]


class RolloutState(str, Enum):
    """How far a rollout is; the values are those of the table."""

    WATCHING = "watching"
    #: No first run was bad by the deadline.
    PASSED = "passed"
    #: A first run was bad, and the apply is left as it is.
    FAILED = "failed"
    #: A first run was bad, and the apply is about to be rolled back.
    UNDOING = "undoing"
    ROLLED_BACK = "rolled_back"
    #: The rollback was refused: the apply is left as it is.
    REFUSED = "refused"
    #: A newer apply or a rollback of the set came before the verdict.
    SUPERSEDED = "superseded"


#: The states of a rollout that somebody has to go on with.
UNFINISHED = (RolloutState.WATCHING, RolloutState.UNDOING)
#: The states that somebody has to know.
BAD_STATES = frozenset({RolloutState.FAILED, RolloutState.ROLLED_BACK, RolloutState.REFUSED})


@dataclass(frozen=True, slots=True)
class RolloutRules:
    """What ``[rollout]`` of the configuration says: how long first runs are watched, and what a bad one does."""

    watch: timedelta
    on_failure: OnFailure = "report"


@dataclass(frozen=True, slots=True)
class Rollout:
    """One rollout: ``run`` is the id of the apply's audit record. ``text`` says why it ended as it did."""

    run: uuid.UUID
    set: str
    environment: str | None
    commit: str | None
    deadline: datetime
    on_failure: OnFailure
    state: RolloutState
    text: str = ""


def rollout_rules(table: Any) -> RolloutRules:
    """Read ``[rollout]``, whose shape the schema has checked; raises TimingError for a time that is out of range."""
    try:
        watch = timedelta(microseconds=duration(table["watch"]))
    except OverflowError:
        watch = timedelta.max
    if not _SHORTEST <= watch <= _LONGEST:
        raise TimingError(f"`{table['watch']}` is not from 1m to 7d", "leave `[rollout]` out to watch no first runs")
    return RolloutRules(watch, table.get("on_failure", "report"))
