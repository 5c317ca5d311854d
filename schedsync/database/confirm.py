"""Sees that a commit holds: read back, read again after a poll of Beat, and written again where it does not."""

from __future__ import annotations

import uuid
from dataclasses import replace

from django.db import DatabaseError, InterfaceError, transaction

from schedsync.core.change import Create
from schedsync.database.beats import wait_until_loaded
from schedsync.database.clock import now
from schedsync.database.ledger import WriteRequest
from schedsync.database.notify import publish
from schedsync.database.observe import observe_rows
from schedsync.database.transaction import Waiting, commit
from schedsync.database.write import bump
from schedsync.errors import Locked, SchedsyncError
from schedsync.planning.outcome import Outcome
from schedsync.planning.plan import names_of
from schedsync.planning.repair import repair


def execute(writing: WriteRequest, expected: str | None, waiting: Waiting) -> Outcome:
    """Write, commit and confirm.

    ``expected`` is the fingerprint of the state that was compared; raises Stale where the tables moved on since,
    Locked where another apply holds the lock for longer than may be waited, Unavailable where the database is gone.
    """
    made, changes, number = commit(writing, expected, waiting)
    outcome = Outcome(changes=changes, run=writing.run, checksum=writing.checksum)
    publish()
    try:
        if waiting.beats > 0:
            outcome = loaded(writing.using, number, outcome, waiting)
        return _confirmed(writing, outcome, made, waiting)
    except (DatabaseError, InterfaceError, Locked, KeyboardInterrupt):
        return replace(outcome, unconfirmed=tuple(sorted(names_of(changes))))


def loaded(using: str, number: int, outcome: Outcome, waiting: Waiting) -> Outcome:
    """Wait until all live Beats of ours have loaded a change, and note who has."""
    waiting.say(f"waiting up to {waiting.beats:g} s for Beat to load it")
    done, behind = wait_until_loaded(using, number, waiting.beats, waiting.sleep)
    return replace(outcome, loaded=done, behind=behind)


def _confirmed(writing: WriteRequest, outcome: Outcome, made: bool, waiting: Waiting) -> Outcome:
    """Read back, wait for a poll of Beat, and read back again; what does not hold is written again."""
    outcome = _repaired(writing, outcome, waiting)
    if outcome.loaded and not outcome.behind:
        # Our own Beat never writes a row back that it has read before.
        return outcome
    if waiting.settle <= 0 or not (made or any(not isinstance(change, Create) for change in outcome.changes)):
        return outcome
    waiting.say(
        f"committed as run {writing.run}; waiting {waiting.settle:g} s for a poll of Beat, to see that it holds"
    )
    waiting.sleep(waiting.settle)
    if made:
        # A Beat that had seen no change row takes the first one for where it starts from, and reloads at the second.
        with transaction.atomic(using=writing.using):
            bump(writing.using, now())
    return replace(_repaired(writing, outcome, waiting), settled=True)


def _repaired(writing: WriteRequest, outcome: Outcome, waiting: Waiting) -> Outcome:
    repaired = set(outcome.repaired)
    for _ in range(_REPAIRS):
        observed = observe_rows(writing.using)
        broken = [fix for change in outcome.changes if (fix := repair(change, observed, now()))]
        if not broken:
            return replace(outcome, repaired=tuple(sorted(repaired)), unconfirmed=())
        waiting.say(f"{len(broken)} written back by somebody else, applying again")
        repaired |= {fix.name for fix in broken}
        again = replace(writing, verb="repair", changes=tuple(broken), lost_rows=(), locations=None, run=uuid.uuid4())
        try:
            commit(again, None, waiting)
        except SchedsyncError:
            break
    observed = observe_rows(writing.using)
    left = tuple(sorted(change.name for change in outcome.changes if repair(change, observed, now())))
    return replace(outcome, repaired=tuple(sorted(repaired - set(left))), unconfirmed=left)


_REPAIRS = 3
