"""The database use cases: plan, apply and drift. Here the steps meet, and nothing else is decided.

Plan and apply are one engine: what is written is what was planned, compared again behind the lock.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

from schedsync.apply import Waiting, execute, loaded, now
from schedsync.core.change import Edit, Held
from schedsync.core.collecting import gc_paused
from schedsync.core.outcome import Outcome
from schedsync.core.plan import Plan, SavedPlan, drift_only, row_id_of
from schedsync.core.reviewed import unreviewed
from schedsync.errors import Refused, Stale
from schedsync.ledger import Writing
from schedsync.lock import database_errors, snapshot
from schedsync.observe import edits, observe
from schedsync.planning import Target, desired_of, planned
from schedsync.rollcall import last_number
from schedsync.surroundings import surroundings_of, who

_TRIES = 3


@gc_paused()
def plan(target: Target) -> Plan:
    """Compare the files with the database; reads only.

    Raises InvalidSet where the files have errors, WrongUsage where an environment must be chosen, Unavailable where
    the database is not there or not migrated.
    """
    _, desired, findings = desired_of(target)
    with database_errors(target.using), snapshot(target.using):
        observed = observe(target.using, target.config.set)
        surroundings = surroundings_of(target.using, target.config.set)
        result = planned(target, desired, findings, observed, surroundings, now())
        return replace(result, held=_with_editors(target.using, result)) if result.held else result


def _with_editors(using: str, plan: Plan) -> tuple[Held, ...]:
    return drift_only(plan, _edits(using, plan, [held.name for held in plan.held])).held


def _edits(using: str, plan: Plan, names: Sequence[str]) -> dict[int, Edit]:
    rows = {name: row_id for name in names if (row_id := row_id_of(plan, name)) is not None}
    return edits(using, rows)


def drift(target: Target) -> Plan:
    """Return the part of a plan that undoes what somebody else did to the tables, with who did it where it is known."""
    current = plan(target)
    names = [change.name for change in current.drifted] + [held.name for held in current.held]
    with database_errors(target.using):
        return drift_only(current, _edits(target.using, current, names))


def apply(
    target: Target,
    agree: Callable[[Plan], bool],
    waiting: Waiting,
    *,
    checksum: str | None = None,
    reviewed: SavedPlan | None = None,
    pinned: bool = False,
) -> Outcome | None:
    """Plan, ask, and write; returns None where nobody agreed.

    ``agree`` is shown the plan and says whether to go on. With ``checksum``, or ``pinned`` to what was agreed to, a
    plan that has changed meanwhile is Stale; else what is there by then is planned and applied. Raises Refused where
    a safety rule says no, or a change is in no ``reviewed`` plan.
    """
    expected = checksum
    for attempt in range(_TRIES):
        current = plan(target)
        if expected is not None and current.checksum != expected:
            raise Stale(f"its checksum is {current.checksum} now")
        if not agree(current):
            return None
        refused = (*current.refusals, *(unreviewed(current, reviewed) if reviewed else ()))
        if refused:
            raise Refused(refused)
        if not current.writes:
            return _nothing(target.using, current.checksum, waiting)
        if pinned:
            expected = current.checksum
        try:
            return _execute(target, current, waiting)
        except Stale:
            if attempt == _TRIES - 1:
                raise
    return None


def _nothing(using: str, checksum: str, waiting: Waiting) -> Outcome:
    """Return the outcome of an apply that has nothing to write; Beats may still be behind with the one before."""
    outcome = Outcome(checksum=checksum)
    if waiting.beats <= 0:
        return outcome
    with database_errors(using):
        return loaded(using, last_number(using), outcome, waiting)


def _execute(target: Target, current: Plan, waiting: Waiting) -> Outcome:
    writing = Writing(
        using=target.using,
        verb="apply",
        set=current.set,
        binding=current.binding,
        checksum=current.checksum,
        who=who(),
        now=current.now,
        changes=current.changes,
        forgotten=current.forgotten,
        agreed=current.agreed,
        places=current.places,
        run=uuid.uuid4(),
    )
    with database_errors(target.using):
        return execute(writing, current.fingerprint, waiting)


def apply_saved(using: str, saved: SavedPlan, waiting: Waiting) -> Outcome:
    """Write a plan that was saved earlier, without reading the files again.

    Raises Refused where the plan holds refusals, Stale where the tables have changed since it was made.
    """
    if saved.refusals:
        raise Refused(saved.refusals)
    if not saved.changes and not saved.forgotten:
        return _nothing(using, saved.checksum, waiting)
    writing = Writing(
        using=using,
        verb="apply",
        set=saved.set,
        binding=saved.binding,
        checksum=saved.checksum,
        who=who(),
        now=now(),
        changes=saved.changes,
        forgotten=saved.forgotten,
        documents=saved.documents,
        run=uuid.uuid4(),
    )
    with database_errors(using):
        return execute(writing, saved.fingerprint, waiting)
