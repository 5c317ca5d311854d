"""The apply lock, row locks, and transactions that only read."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import DatabaseError, IntegrityError, connections, transaction
from django.db.models import F
from django_celery_beat.models import PeriodicTask

from schedsync.database.bounded import bounded
from schedsync.database.bulk import batches
from schedsync.database.faults import Fault, fault_of
from schedsync.database.use_tz import require_use_tz
from schedsync.errors import Locked
from schedsync.models import ApplyLock

_ROW = 1
_LARGEST = 2**63 - 1


def take(using: str, holder: str, now: datetime) -> int:
    """Take the apply lock, by writing its row as the first statement of the caller's transaction.

    Returns the number of the change that this transaction makes; each Beat reports the last number that it has loaded.
    Raises Locked where another transaction holds the lock, WrongUsage where ``USE_TZ`` is off.

    The lock ends with the transaction, even if its holder crashes. SQLite cannot report a locked row at once: there we
    wait for its write lock, at most for the connection's timeout.
    """
    require_use_tz()
    rows = ApplyLock.objects.using(using)
    try:
        if connections[using].features.has_select_for_update_nowait:
            rows.select_for_update(nowait=True).filter(pk=_ROW).values_list("pk").first()
        locked = rows.filter(pk=_ROW)
        # A number that somebody set to the largest one has no next one.
        if not (
            locked.filter(number__lt=_LARGEST).update(holder=holder, taken_at=now, number=F("number") + 1)
            or locked.update(holder=holder, taken_at=now, number=1)
        ):
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
    """Wait until the transaction that holds the apply lock has ended; raises a database error after ``seconds``."""
    with bounded(using, timedelta(seconds=seconds), patience=seconds):
        ApplyLock.objects.using(using).select_for_update().filter(pk=_ROW).values_list("pk").first()


def lock_rows(using: str, ids: Collection[int]) -> None:
    """Lock the rows of ``PeriodicTask`` that will be written, in the order of their ids, so that no deadlock arises.

    SQLite has no row locks; its transaction locks the whole file.
    """
    if not connections[using].features.has_select_for_update:
        return
    for batch in batches(sorted(ids)):
        rows = PeriodicTask.objects.using(using).select_for_update().filter(pk__in=batch).order_by("pk")
        list(rows.values_list("pk"))


_READ_ONLY = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


@contextmanager
def read_only_transaction(using: str) -> Iterator[None]:
    """Read all tables as of one moment, in a transaction in which the database refuses writes.

    SQLite cannot refuse them; a transaction that only reads sees one moment there too. Ask Git, read files and wait
    outside: an idle transaction keeps the server from cleaning up, and may be ended by it. Raises WrongUsage where
    ``USE_TZ`` is off.
    """
    require_use_tz()
    connection = connections[using]
    outermost = not connection.in_atomic_block
    if outermost and connection.vendor == "mysql":
        # MySQL applies this to the next transaction, and refuses it within one.
        _execute(using, _READ_ONLY)
    with transaction.atomic(using=using):
        if outermost and connection.vendor == "postgresql":
            _execute(using, _READ_ONLY)
        yield


#: What a statement may take before it goes to the disk, unless the server allows more.
_MEMORY = "64MB"


@contextmanager
def in_memory(using: str) -> Iterator[None]:
    """Let PostgreSQL group a large table in memory: by default it sorts more than 4 MB on the disk."""
    if connections[using].vendor != "postgresql":
        yield
        return
    with transaction.atomic(using=using, savepoint=False):
        smaller = f"pg_size_bytes(current_setting('work_mem')) < pg_size_bytes('{_MEMORY}')"
        _execute(using, f"SELECT set_config('work_mem', '{_MEMORY}', TRUE) WHERE {smaller}")
        yield


def _execute(using: str, statement: str) -> None:
    with connections[using].cursor() as cursor:
        cursor.execute(statement)
