"""Opens a managed schedule for editing in the admin, until the next apply of its set."""

from __future__ import annotations

from django.db import transaction

from schedsync.core.break_glass import CLOSED, OPENED, Opened
from schedsync.core.pipeline import storable
from schedsync.database import audit, break_glass
from schedsync.database.actor import who
from schedsync.database.bulk import rows_of
from schedsync.database.clock import now
from schedsync.database.environment import require_no_other
from schedsync.database.faults import database_errors
from schedsync.database.lock import take
from schedsync.errors import WrongUsage
from schedsync.models import ManagedSchedule

#: In characters: how much of a reason is kept.
_LONGEST_REASON = 2000


def open_for_editing(using: str, name: str, reason: str) -> Opened:
    """Let the admin edit a managed schedule until the next apply of its set, and record who wanted it, and why.

    Raises WrongUsage without a reason, or where nobody manages the schedule, Refused where the database belongs to
    another environment than this process names, Locked where an apply holds the lock.
    """
    if not reason.strip():
        raise WrongUsage("opening a schedule needs a reason", hint="say why it cannot wait for Git")
    at, actor = now(), who()
    each = Opened(name, storable(reason.strip(), _LONGEST_REASON), actor, at)
    with database_errors(using), transaction.atomic(using=using, durable=True):
        take(using, actor, at)
        require_no_other(using, None)
        sets = dict(rows_of(ManagedSchedule, using).filter(name=name).values_list("name", "set"))
        if name not in sets:
            raise WrongUsage(f"`{name}` is not managed", hint="its form can be edited as it is")
        break_glass.open_again(using, each)
        changes = audit.packed([each.document(OPENED)])
        audit.record(using, OPENED, sets[name], actor, at, {OPENED: 1}, changes=changes, reason=each.reason)
    return each


def close_without_changes(using: str, set_name: str) -> None:
    """Close what is open in a set, after an apply that had nothing else to write."""
    with database_errors(using):
        if not break_glass.is_any_open(using, set_name):
            return
        at, actor = now(), who()
        with transaction.atomic(using=using, durable=True):
            take(using, actor, at)
            closed = break_glass.close(using, set_name)
            if closed:
                changes = audit.packed([each.document(CLOSED) for each in closed])
                audit.record(using, CLOSED, set_name, actor, at, {CLOSED: len(closed)}, changes=changes)
