"""The last apply of a set, if it failed: kept for the metrics until the set is applied."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError, InterfaceError, transaction

from schedsync.core.freeze import FROZEN
from schedsync.core.names import MAX_SET_NAME
from schedsync.database.actor import who
from schedsync.database.clock import now
from schedsync.database.faults import reason_of
from schedsync.database.tables import has_table
from schedsync.database.values import Damaged, read_values
from schedsync.errors import Refused, SchedsyncError, Unavailable, WrongUsage
from schedsync.models import ApplyFailure

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FailedApply:
    """An apply that failed; ``reason`` is the ``failure_reason`` of its JSON."""

    set: str
    at: datetime
    reason: str


@contextmanager
def noted_failure(using: str, set_name: str) -> Iterator[None]:
    """Note that the apply in the block failed; a wrong call says nothing of the set, and none may fail because of this.

    An apply that only waits for the end of a freeze has not failed. A database that is away cannot take the note.
    """
    try:
        yield
    except SchedsyncError as error:
        if is_failure(error):
            note_failure(using, set_name, error.failure_reason)
        raise


def is_failure(error: SchedsyncError) -> bool:
    """Say whether an error is a failure of the set's apply: not a wrong call, a database that is away, or a freeze."""
    return not isinstance(error, (WrongUsage, Unavailable)) and not _waits(error)


def _waits(error: SchedsyncError) -> bool:
    return isinstance(error, Refused) and {refusal.code for refusal in error.refusals} == {FROZEN}


def note_failure(using: str, set_name: str, reason: str) -> None:
    """Write the failure; a role that may not write, or a missing table, is no reason to fail."""
    try:
        if has_table(using, ApplyFailure):
            with transaction.atomic(using=using):
                values = {"at": now(), "reason": reason, "who": who()}
                ApplyFailure.objects.using(using).update_or_create(pk=set_name[:MAX_SET_NAME], defaults=values)
    except (DatabaseError, InterfaceError) as error:
        logger.info("the failure of the apply is not written: %s", reason_of(error, using))


def forget_failure(using: str, set_name: str) -> None:
    """Delete the failure of a set that was applied; writes nothing where there is none."""
    try:
        failures = ApplyFailure.objects.using(using).filter(pk=set_name)
        if has_table(using, ApplyFailure) and failures.exists():
            failures.delete()
    except (DatabaseError, InterfaceError) as error:
        logger.info("the failure of an earlier apply is not deleted: %s", reason_of(error, using))


def failed_applies(using: str) -> list[FailedApply]:
    """Return the sets whose last apply failed; none before the table is made."""
    if not has_table(using, ApplyFailure):
        return []
    found = read_values(ApplyFailure.objects.using(using).order_by("set"), ("set", "at", "reason"))
    return [FailedApply(*values) for values in found if not isinstance(values, Damaged)]
