"""One transaction behind the apply lock, tried again where the database asks for it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from django.db import DatabaseError, InterfaceError, connections, transaction

from schedsync.core.change import Change
from schedsync.core.observed import Observed
from schedsync.core.schedule import completed_at
from schedsync.database.beats import last_number
from schedsync.database.clock import now
from schedsync.database.faults import Fault, explained, fault_of
from schedsync.database.ledger import WriteRequest
from schedsync.database.lock import await_holder, take
from schedsync.database.observe import observe
from schedsync.database.write import lock_rows, write
from schedsync.errors import Locked, Stale, Unavailable
from schedsync.models import SyncRun
from schedsync.planning.plan import fingerprint, names_of, refreshed

#: Stock Beat polls for changes every 5 seconds; after 6 it has seen one, and has written back what it held.
SETTLE = 6.0
_TRIES = 4
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


def commit(writing: WriteRequest, expected: str | None, waiting: Waiting) -> tuple[bool, tuple[Change, ...], int]:
    """Write in one transaction; tries again after a deadlock or a serialization failure.

    Returns whether the change row had to be made, the changes as they were written, and the number of the change.
    Raises Stale where the tables do not fit ``expected``, Locked where another apply holds the lock, Unavailable where
    the database is gone.
    """
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


def _transaction(writing: WriteRequest, expected: str | None) -> tuple[bool, tuple[Change, ...], int]:
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


def _after_a_break(writing: WriteRequest, error: Exception) -> tuple[bool, tuple[Change, ...], int]:
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
