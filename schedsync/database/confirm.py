"""Confirms that a commit holds: reads it back, reads again after a poll of Beat, and repairs what was undone."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import replace

from django.db import DatabaseError, InterfaceError, transaction

from schedsync.core.change import Change, Create
from schedsync.core.rollback import NO_MARKS
from schedsync.database.beats import wait_until_loaded
from schedsync.database.clock import now
from schedsync.database.notify import bump, publish
from schedsync.database.observe import observe_rows
from schedsync.database.transaction import Commit, WaitOptions, commit
from schedsync.database.write_request import WriteRequest
from schedsync.errors import Locked, SchedsyncError
from schedsync.planning.outcome import Outcome
from schedsync.planning.plan import names_of
from schedsync.planning.repair import repair

_REPAIRS = 3


def write_and_confirm(request: WriteRequest, wait: WaitOptions) -> Outcome:
    """Write a request in one transaction, and confirm afterwards that the tables hold it.

    Raises what ``commit`` raises, and then nothing was written. A failure after the commit is no exception: the
    outcome names the changes that could not be confirmed.
    """
    committed = commit(request, wait)
    outcome = Outcome(
        changes=committed.changes, run=request.run, checksum=request.checksum, who=request.who, at=request.now
    )
    publish()
    try:
        if wait.beats > 0:
            outcome = wait_for_beats(request.using, committed.number, outcome, wait)
        return _confirmed(request, outcome, committed, wait)
    except (DatabaseError, InterfaceError, Locked, KeyboardInterrupt):
        return replace(outcome, unconfirmed=tuple(sorted(names_of(committed.changes))))


def wait_for_beats(using: str, number: int, outcome: Outcome, wait: WaitOptions) -> Outcome:
    """Wait until every live Beat of schedsync's own has loaded a change; returns the outcome with who has loaded it."""
    wait.say(f"waiting up to {wait.beats:g} s for Beat to load it")
    loaded, behind = wait_until_loaded(using, number, wait.beats, wait.sleep)
    return replace(outcome, loaded=loaded, behind=behind)


def _confirmed(request: WriteRequest, outcome: Outcome, committed: Commit, wait: WaitOptions) -> Outcome:
    outcome = _repaired(request, outcome, wait)
    if not _may_be_undone(outcome, committed) or wait.settle <= 0:
        return outcome
    wait.say(f"committed as run {request.run}; waiting {wait.settle:g} s for a poll of Beat, to see that it holds")
    wait.sleep(wait.settle)
    if committed.made_change_row:
        # A Beat that finds its first change row only remembers its time; it reloads when that time moves.
        with transaction.atomic(using=request.using):
            bump(request.using, now())
    return replace(_repaired(request, outcome, wait), settled=wait.settle)


def _may_be_undone(outcome: Outcome, committed: Commit) -> bool:
    """Say whether a running Beat may still hold old copies of these rows and write them back.

    A Beat of schedsync's own that has loaded the change never does.
    """
    if outcome.loaded and not outcome.behind:
        return False
    return committed.made_change_row or any(not isinstance(change, Create) for change in outcome.changes)


def _repaired(request: WriteRequest, outcome: Outcome, wait: WaitOptions) -> Outcome:
    """Read the changes back, and write those that were undone again, at most three times."""
    repaired = set(outcome.repaired)
    for _ in range(_REPAIRS):
        fixes = _fixes(request.using, outcome.changes)
        if not fixes:
            return replace(outcome, repaired=tuple(sorted(repaired)), unconfirmed=())
        repaired |= {fix.name for fix in fixes}
        if not _wrote_again(request, fixes, wait):
            break
    left = {fix.name for fix in _fixes(request.using, outcome.changes)}
    return replace(outcome, repaired=tuple(sorted(repaired - left)), unconfirmed=tuple(sorted(left)))


def _fixes(using: str, changes: Sequence[Change]) -> list[Change]:
    """Return the changes that write again what the tables do not hold any more."""
    observed, at = observe_rows(using), now()
    return [fix for change in changes if (fix := repair(change, observed, at))]


def _wrote_again(request: WriteRequest, fixes: Sequence[Change], wait: WaitOptions) -> bool:
    wait.say(f"{len(fixes)} written back by another process, applying again")
    again = replace(
        request,
        verb="repair",
        changes=tuple(fixes),
        expected=None,
        lost_rows=(),
        to_record=(),
        locations=None,
        joined=(),
        marks=NO_MARKS,
        notes=(),
        files=None,
        rollout=None,
        run=uuid.uuid4(),
    )
    try:
        commit(again, wait)
    except SchedsyncError:
        return False
    return True
