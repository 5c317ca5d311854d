"""Takes the session lock for the leader, and writes down which one it is, for the standbys."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.db import DatabaseError, InterfaceError
from django.db.models import Model

from schedsync.beat.session_locks import LockRecord, NoLock, SessionLock
from schedsync.models import LeaderLock, Lease

logger = logging.getLogger(__name__)

_ROW = 1
#: Seconds until a lock that could not be had is tried again: behind a pooler it can never be had for long.
_AGAIN = 60.0


def _errors() -> tuple[type[Exception], ...]:
    known: tuple[type[Exception], ...] = (DatabaseError, InterfaceError, OSError)
    with contextlib.suppress(ImportError):
        import redis

        known += (redis.RedisError,)
    return known


@dataclass
class LockKeeper:
    """The leader's lock, and what is written about it for the standbys.

    ``has_table`` says whether the table for it is there: a later migration adds it. ``row`` is that of the lease.
    """

    using: str
    lock: SessionLock
    has_table: Callable[[type[Model]], bool]
    row: int = _ROW

    def __post_init__(self) -> None:
        self._errors = _errors()
        self._said = ""
        self._next_try = 0.0

    def take(self, epoch: int) -> None:
        """Take the lock of an epoch, and write it down; raises only what the main connection raises."""
        if isinstance(self.lock, NoLock) or not self.has_table(LeaderLock):
            return
        self.drop()
        deployment = Lease.objects.using(self.using).filter(pk=self.row).values_list("deployment", flat=True).get()
        name = f"schedsync:{deployment.hex}:{epoch}"
        server = self._try(self.lock.take, name)
        if server is None:
            self._next_try = time.monotonic() + _AGAIN
            self.drop()
        self._write(LockRecord(0 if server is None else epoch, name, (server or "")[:200]))

    def keep(self, epoch: int) -> None:
        """Take the lock again if it was lost."""
        if isinstance(self.lock, NoLock) or not self.has_table(LeaderLock):
            return
        if time.monotonic() >= self._next_try and not self.is_ours():
            self.take(epoch)

    def is_ours(self) -> bool:
        """Say whether this process has its lock."""
        return bool(self._try(self.lock.is_ours))

    def is_free(self, record: LockRecord) -> bool:
        """Say whether the process that had a lock is dead."""
        return bool(self._try(self.lock.is_free, record))

    def drop(self) -> None:
        """Give the lock back."""
        self._try(self.lock.drop)

    def _try(self, call: Any, *arguments: Any) -> Any:
        try:
            return call(*arguments)
        except self._errors as error:
            if str(error) != self._said:
                logger.info("the session lock fails, a standby may have to wait until the lease has ended: %s", error)
            self._said = str(error)
            return None

    def _write(self, record: LockRecord) -> None:
        rows = LeaderLock.objects.using(self.using)
        if rows.filter(pk=self.row).exists():
            rows.filter(pk=self.row).update(**record._asdict())
        else:
            rows.bulk_create([LeaderLock(pk=self.row, **record._asdict())], ignore_conflicts=True)
