"""The apply lock, and reading everything as of one moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import DatabaseError, IntegrityError, connections, transaction
from django.db.models import F

from schedsync.database.bounded import bounded
from schedsync.database.faults import Fault, fault_of
from schedsync.database.use_tz import require_use_tz
from schedsync.errors import Locked
from schedsync.models import ApplyLock

_ROW = 1


def take(using: str, holder: str, now: datetime) -> int:
    """Write the lock row, as the first statement of the caller's transaction; raises Locked where another holds it,
    and WrongUsage where ``USE_TZ`` is off.

    Returns the number of the change that the transaction makes, by which Beats say what they have loaded.

    The lock ends with the transaction, whatever becomes of its holder. Where the database cannot say at once that a
    row is locked (SQLite), its own write lock is waited for as long as the connection's timeout.
    """
    require_use_tz()
    rows = ApplyLock.objects.using(using)
    try:
        if connections[using].features.has_select_for_update_nowait:
            rows.select_for_update(nowait=True).filter(pk=_ROW).first()
        if not rows.filter(pk=_ROW).update(holder=holder, taken_at=now, number=F("number") + 1):
            rows.create(pk=_ROW, holder=holder, taken_at=now, number=1)
        number: int = rows.values_list("number", flat=True).get(pk=_ROW)
    except IntegrityError as error:
        raise Locked from error
    except DatabaseError as error:
        if fault_of(error, using) is Fault.LOCKED:
            raise Locked from error
        raise
    return number


def await_holder(using: str, seconds: int) -> None:
    """Wait until whoever holds the lock row has committed, or not; raises what the database raises after so long."""
    with bounded(using, timedelta(seconds=seconds), patience=seconds):
        ApplyLock.objects.using(using).select_for_update().filter(pk=_ROW).first()


_READ_ONLY = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


@contextmanager
def read_only_transaction(using: str) -> Iterator[None]:
    """Read everything as of one moment, in a transaction in which the database itself lets nothing be written.

    SQLite has no such transaction; one that only reads sees one moment there as well. Raises WrongUsage where
    ``USE_TZ`` is off.
    """
    require_use_tz()
    connection = connections[using]
    alone = not connection.in_atomic_block
    if alone and connection.vendor == "mysql":
        # Holds for the next transaction, and cannot be said within one.
        _execute(using, _READ_ONLY)
    with transaction.atomic(using=using):
        if alone and connection.vendor == "postgresql":
            _execute(using, _READ_ONLY)
        yield


def _execute(using: str, statement: str) -> None:
    with connections[using].cursor() as cursor:
        cursor.execute(statement)
