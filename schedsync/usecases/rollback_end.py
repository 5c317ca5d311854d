"""Ends rollbacks: what the files say counts again for these schedules, at the next apply."""

from __future__ import annotations

from collections.abc import Sequence

from django.db import transaction

from schedsync.core.rollback import RolledBack
from schedsync.database import audit
from schedsync.database.actor import who
from schedsync.database.clock import now
from schedsync.database.environment import require_no_other
from schedsync.database.faults import database_errors
from schedsync.database.lock import take
from schedsync.database.lock_wait import wait_for_lock
from schedsync.database.rollbacks import delete_marks, read_rolled_back
from schedsync.database.transaction import WaitOptions
from schedsync.errors import WrongUsage
from schedsync.planning.rolled_back import rolled_back_document
from schedsync.usecases.selection import is_selected

#: The verb of the audit record.
VERB = "rollback_end"


def end_rollbacks(
    using: str, set_name: str, patterns: Sequence[str], reason: str | None, wait: WaitOptions, environment: str | None
) -> tuple[RolledBack, ...]:
    """End the rollbacks of a set whose names fit a pattern, all without patterns; returns those that were.

    Nothing is written to a row of a schedule. Raises WrongUsage where a pattern fits none, Locked where an apply holds
    the lock for too long.
    """

    def once() -> tuple[RolledBack, ...]:
        at, actor = now(), who()
        with transaction.atomic(using=using, durable=True):
            take(using, actor, at)
            require_no_other(using, environment)
            marks = read_rolled_back(using, set_name)
            ended = _chosen(tuple(marks.values()), patterns)
            if ended:
                delete_marks(using, set_name, [mark.name for mark in ended])
                documents = [{"kind": "rollback_ended", **rolled_back_document(mark)} for mark in ended]
                documents += [{"kind": "reason", "text": reason}] if reason else []
                changes = audit.packed(documents)
                audit.record(using, VERB, set_name, actor, at, {VERB: len(ended)}, changes=changes, reason=reason)
        return ended

    with database_errors(using):
        return wait_for_lock(once, wait.lock, wait.sleep)


def _chosen(marks: Sequence[RolledBack], patterns: Sequence[str]) -> tuple[RolledBack, ...]:
    for pattern in patterns:
        if not any(is_selected(name, [pattern]) for mark in marks for name in mark.names):
            message = f"no rolled-back schedule of the set is named `{pattern}`"
            raise WrongUsage(message, hint="`schedsync list --state rolled-back` names them")
    return tuple(mark for mark in marks if any(is_selected(name, patterns) for name in sorted(mark.names)))
