"""One transaction behind the apply lock, tried again where the database asks for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from django.db import DatabaseError, InterfaceError, connections, transaction

from schedsync.core.change import Change
from schedsync.core.observed import Observed
from schedsync.core.schedule import completed_at
from schedsync.database.audit import was_committed
from schedsync.database.beats import last_number
from schedsync.database.clock import database_time, now
from schedsync.database.controls import controls_in_settings
from schedsync.database.environment import require_environment
from schedsync.database.faults import Fault, explained, fault_of
from schedsync.database.lock import await_holder, lock_rows, take
from schedsync.database.lock_wait import wait_for_lock
from schedsync.database.observe import observe
from schedsync.database.write import write
from schedsync.database.write_request import WriteRequest
from schedsync.errors import Failed, Refused, Stale, Unavailable
from schedsync.planning.controls import refused_changes, refused_sets
from schedsync.planning.plan import fingerprint, names_of, refreshed

#: In seconds. Stock Beat polls for changes every 5 seconds; after 6 it has seen one, and has written its copies back.
SETTLE = 6.0
_TRIES = 4
#: For how many seconds we wait for the server to finish a commit after the connection was lost.
_LOST_COMMIT = 15


@dataclass(frozen=True, slots=True)
class WaitOptions:
    """For how many seconds an apply waits, and how it reports that.

    ``settle`` is for a poll of Beat before the tables are read once more, ``lock`` for another apply's lock, ``beats``
    until every Beat has loaded the change; 0 does not wait. ``say`` gets one line of progress at a time.
    """

    settle: float = SETTLE
    lock: float = 0.0
    beats: float = 0.0
    say: Callable[[str], None] = lambda _message: None
    sleep: Callable[[float], None] = time.sleep


class Commit(NamedTuple):
    """A transaction that was committed: its changes as they were written, and its number.

    ``made_change_row`` says that no change row was there before, so that a running Beat has missed this one.
    """

    changes: tuple[Change, ...]
    number: int
    made_change_row: bool = False


def commit(request: WriteRequest, wait: WaitOptions) -> Commit:
    """Write in one transaction; tries again after a deadlock or a serialization failure.

    Raises Refused where a change breaks a control of Django's settings, a freeze has begun, or the database belongs to
    another environment, Stale where the tables are no longer as ``request`` expects, Failed where a grace is not over
    by the database's clock, Locked where another apply holds the lock for longer than ``wait.lock``, Unavailable where
    the connection was lost and nothing is known to be written.
    """
    return wait_for_lock(lambda: _commit_with_retries(request, wait), wait.lock, wait.sleep)


def _commit_with_retries(request: WriteRequest, wait: WaitOptions) -> Commit:
    tries = 0
    while True:
        tries += 1
        try:
            return _commit_once(request)
        except (DatabaseError, InterfaceError) as error:
            fault = fault_of(error, request.using)
            if fault is Fault.GONE:
                return _find_commit(request, error)
            if tries >= _TRIES or fault not in (Fault.RETRY, Fault.LOCKED, Fault.DUPLICATE):
                raise explained(error, request.using) from error
            wait.sleep(0.05 * 4**tries)


def _commit_once(request: WriteRequest) -> Commit:
    using, at = request.using, now()
    with transaction.atomic(using=using, durable=True):
        number = take(using, request.who, at)
        if refused := request.refused_at(now()):
            raise Refused(refused)
        require_environment(using, request.binding.environment)
        lock_rows(using, {change.row.id for change in request.changes if change.row})
        observed = observe(using, request.set)
        _check_expected(request, observed)
        changes = tuple(refreshed(change, observed) for change in request.changes)
        _check_controls(request, changes, observed)
        _check_graces(using, changes, at)
        if any(change.after and change.after.enabled and completed_at(change.after, at) for change in changes):
            raise Stale("the time of a schedule has passed since it was made")
        made = write(replace(request, changes=changes, now=at), observed)
    return Commit(changes, number, made)


def _check_controls(request: WriteRequest, changes: Sequence[Change], observed: Observed) -> None:
    controls = controls_in_settings()
    refused = (
        *refused_sets(request.set, changes, observed.elsewhere, controls),
        *refused_changes(changes, (controls,)),
    )
    if refused:
        raise Refused(refused)


def _check_graces(using: str, changes: Sequence[Change], at: datetime) -> None:
    """Raise Failed where a grace is over by this machine's clock only: one that is ahead would delete too early."""
    over = [change for change in changes if change.after is None and change.removing and change.removing.is_over(at)]
    if not over:
        return
    time_there = database_time(using)
    early = [change.name for change in over if change.removing and not change.removing.is_over(time_there)]
    if early:
        message = f"the grace of `{early[0]}` is not over by the database's clock: this machine's clock is ahead"
        raise Failed(message, hint="set the clock of this machine, then apply again")


def _check_expected(request: WriteRequest, observed: Observed) -> None:
    if request.expected is not None and request.expected != fingerprint(observed, names_of(request.changes)):
        raise Stale("the tables have changed since it was made, or another version of schedsync made it")


def _find_commit(request: WriteRequest, error: Exception) -> Commit:
    """Return the commit whose answer was lost; its audit record is there only if the transaction was committed."""
    connections[request.using].close()
    try:
        # The server may still be committing.
        await_holder(request.using, _LOST_COMMIT)
        committed = was_committed(request.using, request.run)
        observed = observe(request.using, request.set) if committed else Observed()
        number = last_number(request.using)
    except (DatabaseError, InterfaceError):
        hint = "plan again when the database is back: the next apply finds out, and does only what is left"
        lost = f"the connection to database `{request.using}` was lost: all of it was written, or nothing"
        raise Unavailable(lost, hint=hint) from error
    if not committed:
        lost = f"the connection to database `{request.using}` was lost, nothing was written"
        raise Unavailable(lost, hint="apply again") from error
    return Commit(tuple(refreshed(replace(change, row=None), observed) for change in request.changes), number)
