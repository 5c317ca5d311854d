"""The glance: one statement that tells a Beat what changed, when a pause ends, and whether the lease is to be had."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import BooleanField, Case, Q, Subquery, Value, When
from django.db.models.expressions import RawSQL
from django_celery_beat.models import PeriodicTasks

from schedsync.beat.session_locks import LockRecord
from schedsync.database.clock import DatabaseNow
from schedsync.models import ApplyLock, LeaderLock, Lease, Pause

_ROW = 1


class Mark(NamedTuple):
    """The number of our last change (-1 without one), and when stock Beat's change row was written last."""

    number: int
    last_update: datetime | None


class Sight(NamedTuple):
    """What a glance saw.

    ``pause_ends`` is when the first pause ends. ``lease_is_free`` says that no other Beat has the lease, or that it has
    ended; ``epoch`` is its epoch. ``lock`` is the session lock of the Beat that has the lease, None without one;
    ``lock_is_free`` is None where SQL cannot say.
    """

    mark: Mark
    pause_ends: datetime | None
    lease_is_free: bool
    epoch: int | None = None
    lock: LockRecord | None = None
    lock_is_free: bool | None = None


@dataclass
class Glance:
    """Looks at the tables for the Beat ``holder``; ``free`` is SQL that says whether the leader's lock is free.

    ``sees_lock`` says whether the table of that lock is there. ``looked_at`` is when it looked last, by the monotonic
    clock. ``row`` is that of the lease.
    """

    using: str
    holder: uuid.UUID
    free: str | None = None
    sees_lock: Callable[[], bool] = lambda: False
    looked_at: float = 0.0
    row: int = _ROW
    _sight: Sight | None = None

    def look(self, age: float = 0.0) -> Sight:
        """Return what can be seen now, or was seen ``age`` seconds ago at most; raises what the database raises."""
        if self._sight is None or time.monotonic() - self.looked_at > age:
            # A change that is announced meanwhile may be missing: what is seen is as old as the question.
            self.looked_at = time.monotonic()
            self._sight = self._read()
        return self._sight

    def _read(self) -> Sight:
        columns = {**self._changes(), **self._lease(), **(self._lock() if self.sees_lock() else {})}
        rows = ApplyLock.objects.using(self.using).order_by("pk")
        values = rows.annotate(**columns).values("number", *columns).first()
        if values is None:
            # Not even migrated to the end.
            updates = PeriodicTasks.objects.using(self.using).filter(ident=1)
            return Sight(Mark(-1, updates.values_list("last_update", flat=True).first()), None, lease_is_free=True)
        return _sight(values)

    def _changes(self) -> dict[str, Any]:
        updates = PeriodicTasks.objects.using(self.using).filter(ident=1)
        pauses = Pause.objects.using(self.using).exclude(until=None).order_by("until")
        return {
            "last_update": Subquery(updates.values("last_update")[:1]),
            "pause_ends": Subquery(pauses.values("until")[:1]),
        }

    def _lease(self) -> dict[str, Any]:
        is_free = Q(holder=None) | Q(holder=self.holder) | Q(expires_at__lte=DatabaseNow())
        free = Case(When(is_free, then=Value(True)), default=Value(False), output_field=BooleanField())
        leases = Lease.objects.using(self.using).filter(pk=self.row)
        return {
            "lease_is_free": Subquery(leases.annotate(free=free).values("free")[:1]),
            "lease_epoch": Subquery(leases.values("epoch")[:1]),
        }

    def _lock(self) -> dict[str, Any]:
        locks = LeaderLock.objects.using(self.using).filter(pk=self.row)
        columns: dict[str, Any] = {f"lock_{name}": Subquery(locks.values(name)[:1]) for name in LockRecord._fields}
        if self.free is not None:
            free = locks.annotate(free=RawSQL(self.free, [], output_field=BooleanField()))
            columns["lock_is_free"] = Subquery(free.values("free")[:1])
        return columns


def _sight(values: dict[str, Any]) -> Sight:
    is_free, epoch = values["lease_is_free"], values["lease_epoch"]
    is_locked = epoch is not None and values.get("lock_epoch") == epoch
    lock = LockRecord(epoch, values["lock_name"], values["lock_server"]) if is_locked else None
    return Sight(
        Mark(values["number"], values["last_update"]),
        values["pause_ends"],
        is_free is None or bool(is_free),
        epoch,
        lock,
        None if lock is None else values.get("lock_is_free"),
    )
