"""The table of rollouts: an apply adds one in its own transaction, and one process makes each change of its state."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone

from django.db.models import Q

from schedsync.core.origin import recorded_commit
from schedsync.core.rollout import UNFINISHED, OnFailure, RolloutState
from schedsync.core.rollout import Rollout as Value
from schedsync.database.bulk import rows_of
from schedsync.database.clock import now
from schedsync.database.rights import may_insert
from schedsync.database.tables import has_table
from schedsync.database.values import read_values, readable, storable
from schedsync.database.write_request import WriteRequest
from schedsync.models import Rollout
from schedsync.planning.first_runs import is_watched

_COLUMNS = ("run", "set", "environment", "commit", "deadline", "on_failure", "state", "text")
#: The defaults for columns that cannot be read, in the same order.
_UNREAD = (
    uuid.UUID(int=0), "", None, None, datetime(1970, 1, 1, tzinfo=timezone.utc), "report", "superseded", "",
)  # fmt: skip
#: The verbs whose changes make an older rollout pointless.
_SUPERSEDE = ("apply", "rollback")
_STATES = frozenset(state.value for state in RolloutState)
_LONGEST_TEXT = 2000
#: Only the newest rollout of a set is read; the older ones are for people who ask the table.
_KEPT = timedelta(days=30)


def follow_rollouts(request: WriteRequest) -> None:
    """Add the rollout of an apply in its transaction, and end the older ones of its set.

    A role with the rights of an older version goes on applying; then no first runs are watched.
    """
    if request.verb not in _SUPERSEDE or not request.changes:
        return
    using = request.using
    if not has_table(using, Rollout) or not may_insert(using, Rollout):
        return
    # A rollback may be that of the rollout itself, which then writes its own end.
    ended = UNFINISHED if request.verb == "apply" else (RolloutState.WATCHING,)
    older = rows_of(Rollout, using).filter(set=request.set, state__in=[state.value for state in ended])
    older.update(state=RolloutState.SUPERSEDED.value, ended_at=request.now)
    rules = request.rollout
    if rules is not None and any(map(is_watched, request.changes)):
        values = {
            "set": request.set, "environment": request.binding.environment, "commit": recorded_commit(request.binding),
            "began": request.now, "deadline": request.now + rules.watch, "on_failure": rules.on_failure,
        }  # fmt: skip
        rows_of(Rollout, using).filter(set=request.set, began__lt=request.now - _KEPT).delete()
        rows_of(Rollout, using).create(run=request.run, **values)


def last_rollout(using: str, set_name: str) -> Value | None:
    """Return the newest rollout of a set; None without one, and before the table is made."""
    return _newest(using, Q(set=set_name))


def find_rollout(using: str, set_name: str | None, commit: str, run: uuid.UUID | None) -> Value | None:
    """Return the rollout of an apply by its audit record, else the newest of a commit; of this set, None for any."""
    of_set = Q() if set_name is None else Q(set=set_name)
    return _newest(using, of_set & (Q(commit=commit) if run is None else Q(pk=run)))


def _newest(using: str, condition: Q) -> Value | None:
    if not has_table(using, Rollout):
        return None
    rows = rows_of(Rollout, using).filter(condition).order_by("-began", "-run")[:1]
    return next((_rollout(*map(readable, values, _UNREAD)) for values in read_values(rows, _COLUMNS)), None)


def _rollout(
    run: uuid.UUID,
    set_name: str,
    environment: str | None,
    commit: str | None,
    deadline: datetime,
    on_failure: str,
    state: str,
    text: str,
) -> Value:
    known = RolloutState(state) if state in _STATES else RolloutState.SUPERSEDED
    wanted: OnFailure = "rollback" if on_failure == "rollback" else "report"
    return Value(run, set_name, environment, commit, deadline, wanted, known, text)


def is_in(using: str, run: uuid.UUID, state: RolloutState) -> bool:
    """Say whether a rollout has this state now."""
    return bool(rows_of(Rollout, using).filter(pk=run, state=state.value).exists())


def change_state(using: str, rollout: Value, to: RolloutState, text: str = "") -> bool:
    """Give a rollout another state, unless another process did; returns whether this call has done it."""
    values = {"state": to.value, "text": storable(text, _LONGEST_TEXT), "ended_at": None if to in UNFINISHED else now()}
    return bool(rows_of(Rollout, using).filter(pk=rollout.run, state=rollout.state.value).update(**values))
