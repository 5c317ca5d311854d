"""The database use cases: plan, apply and drift. Here the steps meet, and nothing else is decided.

Plan and apply are one engine: what is written is what was planned, compared again behind the lock.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import replace

from schedsync.core.change import Edit, Held
from schedsync.database.actor import who
from schedsync.database.beats import last_number
from schedsync.database.clock import now
from schedsync.database.confirm import execute, loaded
from schedsync.database.faults import database_errors
from schedsync.database.ledger import WriteRequest
from schedsync.database.lock import read_only_transaction
from schedsync.database.observe import edits, observe
from schedsync.database.surroundings import last_binding, surroundings_of
from schedsync.database.transaction import Waiting
from schedsync.errors import Refused, Stale
from schedsync.planning.approval import not_approved
from schedsync.planning.build import build_plan
from schedsync.planning.documents import SavedPlan
from schedsync.planning.outcome import Outcome
from schedsync.planning.plan import Plan, drift_only, row_id_of
from schedsync.usecases.target import Target, binding_of, desired_of, plan_request

_TRIES = 3


def plan(target: Target) -> Plan:
    """Compare the files with the database; reads only.

    Raises InvalidSet where the files have errors, WrongUsage where an environment must be chosen, Unavailable where
    the database is not there or not migrated.
    """
    using, set_name = target.using, target.config.set
    _, desired, findings = desired_of(target)
    binding = binding_of(target)
    with database_errors(using):
        last = last_binding(using, set_name)
        while True:
            # Git may take long, and is asked while no transaction is open.
            request = plan_request(target, binding, last)
            with read_only_transaction(using):
                surroundings = surroundings_of(using, set_name)
                if surroundings.last == last:
                    result = build_plan(request, desired, findings, observe(using, set_name), surroundings, now())
                    return replace(result, held=_with_editors(using, result)) if result.held else result
            last = surroundings.last


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
        refused = (*current.refusals, *(not_approved(current, reviewed) if reviewed else ()))
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
    writing = WriteRequest(
        using=target.using,
        verb="apply",
        set=current.set,
        binding=current.binding,
        checksum=current.checksum,
        who=who(),
        now=current.now,
        changes=current.changes,
        lost_rows=current.lost_rows,
        to_record=current.to_record,
        locations=current.locations,
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
    if not saved.changes and not saved.lost_rows:
        return _nothing(using, saved.checksum, waiting)
    writing = WriteRequest(
        using=using,
        verb="apply",
        set=saved.set,
        binding=saved.binding,
        checksum=saved.checksum,
        who=who(),
        now=now(),
        changes=saved.changes,
        lost_rows=saved.lost_rows,
        documents=saved.documents,
        run=uuid.uuid4(),
    )
    with database_errors(using):
        return execute(writing, saved.fingerprint, waiting)
