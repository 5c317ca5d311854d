"""The places where a lease can be kept: a row of the database, a lock in Redis, or nowhere."""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from django.core.exceptions import ImproperlyConfigured
from django.db import connections
from django.db.models import F, Q

from schedsync.beat.lease_times import LeaseTimes
from schedsync.database.bounded import bounded
from schedsync.database.clock import DatabaseNow
from schedsync.models import Lease

logger = logging.getLogger(__name__)

#: The row of the Beats' lease; an agent's has another.
_ROW = 1
#: The key of the lock in Redis; it names the deployment because several databases may keep their leases in one Redis.
_REDIS_KEY = "schedsync:beat:{deployment}"
_UNKNOWN_PLACE = 'SCHEDSYNC_LEADER is "database", a URL of Redis, or None, not {!r}'


class Election(Protocol):
    """Decides which Beat has the lease.

    ``name`` is written into the Beat's row, ``mode`` into the log. ``checks_epoch`` says that only a Beat that has the
    lease may claim; ``is_in_tables`` that a look at the tables shows whether the lease is free.
    """

    name: str
    mode: str
    checks_epoch: bool
    is_in_tables: bool

    def acquire(self, dead: int | None = None) -> int | None:
        """Ask for the lease; returns its epoch, or None if another Beat has it.

        A lease of the epoch ``dead`` is free before its end: the process that has it is dead.
        """
        ...

    def renew(self, epoch: int) -> bool:
        """Keep the lease for longer; returns whether it still was this Beat's."""
        ...

    def release(self, epoch: int) -> None:
        """Give the lease back, so that a standby need not wait for its end."""
        ...


def next_epoch(using: str, holder: uuid.UUID, span: timedelta, free: Q, row: int = _ROW) -> int | None:
    """Take the lease row if it is ``free``, and count its epoch up; returns the new one, or None if it is not ours."""
    rows = _row(using, row)
    with bounded(using, span):
        rows.filter(free).update(
            holder=holder, epoch=F("epoch") + 1, acquired_at=DatabaseNow(), expires_at=DatabaseNow() + span
        )
        # The number of affected rows is not reliable on MariaDB, so read who has the row now.
        epoch: int | None = rows.filter(holder=holder).values_list("epoch", flat=True).first()
    return epoch


def _row(using: str, row: int = _ROW) -> Any:
    rows = Lease.objects.using(using).filter(pk=row)
    if not rows.exists():
        Lease.objects.using(using).bulk_create([Lease(pk=row)], ignore_conflicts=True)
    return rows


def renew_row(using: str, holder: uuid.UUID, epoch: int, span: timedelta, row: int = _ROW) -> bool:
    """Renew the lease row, and lock it until the caller's transaction ends; returns whether it is still ours."""
    rows = Lease.objects.using(using).filter(pk=row)
    mine = rows.filter(holder=holder, epoch=epoch)
    if mine.update(expires_at=DatabaseNow() + span):
        return True
    # The number of affected rows is not reliable on MariaDB: 0 may be 1.
    is_ours: bool = connections[using].vendor == "mysql" and mine.exists()
    return is_ours


@dataclass
class DatabaseElection:
    """The lease is a row of the database; it ends by the database's clock."""

    using: str
    holder: uuid.UUID
    times: LeaseTimes
    name: str = "database"
    mode: str = "standing by for the lease in the database"
    checks_epoch: bool = True
    is_in_tables: bool = True
    row: int = _ROW

    def acquire(self, dead: int | None = None) -> int | None:
        """Ask for the lease row."""
        free = Q(holder=None) | Q(holder=self.holder) | Q(expires_at__lte=DatabaseNow())
        free = free if dead is None else free | Q(epoch=dead)
        return next_epoch(self.using, self.holder, self.times.span, free, self.row)

    def renew(self, epoch: int) -> bool:
        """Move the end of the lease, also of one that has ended: what counts is that no other Beat took it since."""
        with bounded(self.using, self.times.span):
            return renew_row(self.using, self.holder, epoch, self.times.span, self.row)

    def release(self, epoch: int) -> None:
        """Free the row."""
        _free_row(self.using, self.holder, epoch, self.row)


def _free_row(using: str, holder: uuid.UUID, epoch: int, row: int = _ROW) -> None:
    rows = Lease.objects.using(using).filter(pk=row, holder=holder, epoch=epoch)
    rows.update(holder=None, expires_at=DatabaseNow())


@dataclass
class RedisElection:
    """The lease is a lock of redis-py; it ends by Redis's clock. Its epoch is counted in the database."""

    using: str
    holder: uuid.UUID
    times: LeaseTimes
    url: str
    name: str = "redis"
    mode: str = "standing by for the lease in Redis"
    checks_epoch: bool = True
    is_in_tables: bool = False
    _made_lock: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        try:
            import redis
        except ImportError as error:
            raise ImproperlyConfigured("SCHEDSYNC_LEADER names Redis: install `schedsync[redis]`") from error
        self._client = redis.Redis.from_url(
            self.url, socket_timeout=self.times.retry, socket_connect_timeout=self.times.retry
        )
        self._errors: tuple[type[Exception], ...] = (redis.RedisError, OSError)
        self._not_owned: type[Exception] = redis.exceptions.LockNotOwnedError

    @property
    def _lock(self) -> Any:
        if self._made_lock is None:
            self._made_lock = self._new_lock()
        return self._made_lock

    def _new_lock(self) -> Any:
        key = _REDIS_KEY.format(deployment=_row(self.using).values_list("deployment", flat=True).get())
        return self._client.lock(key, timeout=self.times.lease, blocking=False, thread_local=False)

    def acquire(self, dead: int | None = None) -> int | None:
        """Take the lock, then a new epoch, which ends every earlier one."""
        if dead is not None:
            self._release_for(dead)
        # The lock may still be ours: perhaps only the answer to a renewal was lost.
        if not self._reacquired() and not self._acquired():
            return None
        return next_epoch(self.using, self.holder, self.times.span, Q())

    def _release_for(self, dead: int) -> None:
        """Release the lock that a dead Beat has, if it still is the dead Beat's."""
        holder = _row(self.using).filter(epoch=dead).values_list("holder", flat=True).first()
        if holder is not None:
            lock = self._new_lock()
            lock.local.token = f"{holder}".encode()
            self._try(lock.release)

    def renew(self, epoch: int) -> bool:  # noqa: ARG002
        """Set the lock's time to live again; returns False, and raises nothing, if the lock is gone."""
        return self._reacquired()

    def release(self, epoch: int) -> None:
        """Delete the lock, if it still is ours."""
        if self._lock.local.token is not None:
            self._try(self._lock.release)
        _free_row(self.using, self.holder, epoch)

    def _acquired(self) -> bool:
        token = f"{self.holder}"
        is_acquired = self._try(self._lock.acquire, token=token)
        if is_acquired is None:
            # Perhaps the lock is ours and only the answer was lost: the next call asks for it as ours.
            self._lock.local.token = token.encode()
        return bool(is_acquired)

    def _reacquired(self) -> bool:
        return self._lock.local.token is not None and bool(self._try(self._lock.reacquire))

    def _try(self, call: Any, **options: Any) -> Any:
        try:
            return call(**options)
        except self._errors as error:
            logger.warning("the lease in Redis: %s", error)
            if isinstance(error, self._not_owned):
                # The lock is not ours: do not ask for it as ours again.
                self._lock.local.token = None
            return None


@dataclass
class NoElection:
    """Every Beat sends, and the claims alone make sure that no tick is sent by two of them."""

    name: str = "none"
    mode: str = "no election, every Beat sends"
    checks_epoch: bool = False
    is_in_tables: bool = False

    def acquire(self, dead: int | None = None) -> int | None:  # noqa: ARG002
        """Always lead."""
        return 0

    def renew(self, epoch: int) -> bool:  # noqa: ARG002
        """Always lead."""
        return True

    def release(self, epoch: int) -> None:
        """Do nothing."""


def election_of(leader: str | None, using: str, holder: uuid.UUID, times: LeaseTimes) -> Election:
    """Return the election that SCHEDSYNC_LEADER names; raises ImproperlyConfigured if it names none."""
    if leader is None:
        return NoElection()
    if not isinstance(leader, str):
        raise ImproperlyConfigured(_UNKNOWN_PLACE.format(leader))
    if leader == "database":
        return DatabaseElection(using, holder, times)
    if leader.partition("://")[0] in ("redis", "rediss", "unix"):
        return RedisElection(using, holder, times, leader)
    raise ImproperlyConfigured(_UNKNOWN_PLACE.format(leader))
