"""One transaction behind the apply lock, tried again where the database asks for it, and confirmed afterwards."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timezone

from django.db import DatabaseError, InterfaceError, connections, transaction

from schedsync.core.change import Change, Create, Observed, Rename, Update
from schedsync.core.collecting import gc_paused
from schedsync.core.outcome import Outcome
from schedsync.core.plan import fingerprint, names_of, refreshed
from schedsync.core.schedule import Row, Spec, completed_at, with_fields
from schedsync.errors import Locked, SchedsyncError, Stale, Unavailable
from schedsync.ledger import Writing
from schedsync.lock import Fault, await_holder, explained, fault_of, take
from schedsync.models import SyncRun
from schedsync.notice import publish
from schedsync.observe import observe, observe_rows
from schedsync.rollcall import last_number, wait_until_loaded
from schedsync.writing import bump, lock_rows, write

#: Stock Beat polls for changes every 5 seconds; after 6 it has seen one, and has written back what it held.
SETTLE = 6.0
_TRIES = 4
_REPAIRS = 3
#: So many seconds the database has to finish a commit after the connection broke.
_BREAK = 15


@dataclass(frozen=True, slots=True)
class Waiting:
    """How an apply waits: for a poll of Beat, for the lock, for Beats to load it, and whom it tells about it."""

    settle: float = SETTLE
    lock: float = 0.0
    beats: float = 0.0
    say: Callable[[str], None] = lambda _message: None
    sleep: Callable[[float], None] = time.sleep


def now() -> datetime:
    """Read the clock: once for each transaction, and always Python's."""
    return datetime.now(timezone.utc)


@gc_paused()
def execute(writing: Writing, expected: str | None, waiting: Waiting) -> Outcome:
    """Write, commit and confirm.

    ``expected`` is the fingerprint of the state that was compared; raises Stale where the tables moved on since,
    Locked where another apply holds the lock for longer than may be waited, Unavailable where the database is gone.
    """
    made, changes, number = _committed(writing, expected, waiting)
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


def _committed(writing: Writing, expected: str | None, waiting: Waiting) -> tuple[bool, tuple[Change, ...], int]:
    deadline = time.monotonic() + waiting.lock
    tries = 0
    while True:
        tries += 1
        try:
            return _transaction(writing, expected)
        except Locked:
            if time.monotonic() >= deadline:
                raise
            waiting.sleep(0.2)
        except (DatabaseError, InterfaceError) as error:
            fault = fault_of(error, writing.using)
            if fault is Fault.GONE:
                return _after_a_break(writing, error)
            if tries >= _TRIES or fault not in (Fault.RETRY, Fault.LOCKED, Fault.DUPLICATE):
                raise explained(error, writing.using) from error
            waiting.sleep(0.05 * 4**tries)


def _transaction(writing: Writing, expected: str | None) -> tuple[bool, tuple[Change, ...], int]:
    using, at = writing.using, now()
    with transaction.atomic(using=using, durable=True):
        number = take(using, writing.who, at)
        lock_rows(using, {change.row.id for change in writing.changes if change.row})
        observed = observe(using, writing.set)
        if expected is not None and fingerprint(observed, names_of(writing.changes)) != expected:
            raise Stale("the tables have changed since it was made")
        changes = tuple(refreshed(change, observed) for change in writing.changes)
        if any(change.after and change.after.enabled and completed_at(change.after, at) for change in changes):
            raise Stale("the time of a schedule has passed since it was made")
        made = write(replace(writing, changes=changes, now=at), observed)
    return made, changes, number


def _after_a_break(writing: Writing, error: Exception) -> tuple[bool, tuple[Change, ...], int]:
    """The connection broke: the audit record, committed with the changes, tells whether they were."""
    connections[writing.using].close()
    try:
        # The server may be in the middle of the commit.
        await_holder(writing.using, _BREAK)
        done = SyncRun.objects.using(writing.using).filter(pk=writing.run).exists()
        observed = observe(writing.using, writing.set) if done else Observed()
        number = last_number(writing.using)
    except (DatabaseError, InterfaceError):
        hint = "plan again when the database is back: the next apply finds out, and does only what is left"
        lost = f"the connection to database `{writing.using}` was lost: all of it was written, or nothing"
        raise Unavailable(lost, hint=hint) from error
    if not done:
        lost = f"the connection to database `{writing.using}` was lost, nothing was written"
        raise Unavailable(lost, hint="apply again") from error
    return False, tuple(refreshed(replace(change, row=None), observed) for change in writing.changes), number


def _confirmed(writing: Writing, outcome: Outcome, made: bool, waiting: Waiting) -> Outcome:
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


def _repaired(writing: Writing, outcome: Outcome, waiting: Waiting) -> Outcome:
    repaired = set(outcome.repaired)
    for _ in range(_REPAIRS):
        observed = observe_rows(writing.using)
        broken = [fix for change in outcome.changes if (fix := _repair(change, observed, now()))]
        if not broken:
            return replace(outcome, repaired=tuple(sorted(repaired)), unconfirmed=())
        waiting.say(f"{len(broken)} written back by somebody else, applying again")
        repaired |= {fix.name for fix in broken}
        again = replace(writing, verb="repair", changes=tuple(broken), forgotten=(), places=None, run=uuid.uuid4())
        try:
            _committed(again, None, waiting)
        except SchedsyncError:
            break
    observed = observe_rows(writing.using)
    left = tuple(sorted(change.name for change in outcome.changes if _repair(change, observed, now())))
    return replace(outcome, repaired=tuple(sorted(repaired - set(left))), unconfirmed=left)


def _repair(change: Change, observed: Observed, at: datetime) -> Change | None:
    """Return what writes a change again where it does not hold; None where it does.

    Only what the change wrote is looked at: another field may have been edited by somebody meanwhile.
    """
    known = change.row.id if change.row else None
    if change.after is None:
        row = observed.by_id.get(known) if known is not None else None
        return replace(change, row=row) if row is not None else None
    row = observed.find(change.name, known)
    if row is None:
        return _again(Create, change, None, change.after)
    if row.spec == change.after and row.name == change.name:
        return None
    written = {one.field for one in change.fields if one.field != "name"} - _stopped_since(
        change.after, row, observed, at
    )
    after = change.after if row.spec is None else with_fields(row.spec, change.after, written)
    if row.name != change.name:
        return _again(Rename, change, row, after, old_name=row.name)
    return None if row.spec is not None and row.spec == after else _again(Update, change, row, after)


def _stopped_since(after: Spec, row: Row, observed: Observed, at: datetime) -> set[str]:
    """Return ``enabled`` where it is rightly off by now: Beat was done with it, or somebody paused it."""
    if row.spec is None or row.spec.enabled or not after.enabled:
        return set()
    return {"enabled"} if after.one_off or completed_at(after, at) or row.name in observed.pauses else set()


def _again(kind: type[Change], change: Change, row: Row | None, after: Spec, **extra: str) -> Change:
    return kind(
        name=change.name,
        fields=change.fields,
        row=row,
        after=after,
        ledger=change.ledger,
        location=change.location,
        people=change.people,
        edit_may_fire=change.edit_may_fire,
        **extra,  # type: ignore[arg-type]
    )
