"""Standing by: any number of Beats, one sends.

The lease says who; it is not the guarantee. Its epoch, which grows with every acquisition, stands in the database
wherever the lease itself lives, and each claim checks it in its own transaction. Any error, and any outcome that is
not known, means "not leader".
"""

from __future__ import annotations

import logging
import time
import uuid
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.models import F, Q

from schedsync.database.beats import LEASE
from schedsync.database.bounded import bounded
from schedsync.database.clock import DatabaseNow
from schedsync.models import Lease

logger = logging.getLogger(__name__)

_ROW = 1
#: Retries must fit between two renewals, with some room for a slow answer.
_ROOM = 1.2
#: Of the lock in Redis; several databases may have their leases in one.
_REDIS_KEY = "schedsync:beat:{deployment}"
_NO_PLACE = 'SCHEDSYNC_LEADER is "database", a URL of Redis, or None, not {!r}'


@dataclass(frozen=True, slots=True)
class Timings:
    """How long a lease holds, how often it is renewed, and how often a standby asks for it; in seconds."""

    lease: float = LEASE
    renew: float = 5.0
    retry: float = 1.0

    def __post_init__(self) -> None:
        if not self.lease > self.renew > _ROOM * self.retry > 0:
            raise ImproperlyConfigured(
                f"SCHEDSYNC_LEASE ({self.lease:g} s) must be longer than SCHEDSYNC_RENEW ({self.renew:g} s), "
                f"and that longer than {_ROOM} times SCHEDSYNC_RETRY ({self.retry:g} s), which is more than 0"
            )

    @classmethod
    def of_settings(cls) -> Timings:
        """Read SCHEDSYNC_LEASE, _RENEW and _RETRY; raises ImproperlyConfigured where they do not fit."""
        found = {name: getattr(settings, f"SCHEDSYNC_{name.upper()}", None) for name in ("lease", "renew", "retry")}
        return cls(**{name: float(value) for name, value in found.items() if value is not None})

    @property
    def span(self) -> timedelta:
        """How long a lease holds."""
        return timedelta(seconds=self.lease)

    @property
    def patience(self) -> float:
        """Seconds to wait for a broker's answer: after two of them what was renewed just before is still held."""
        return min(self.lease / 3, (self.lease - self.renew) / 2)


class Election(Protocol):
    """Where the lease lives."""

    name: str
    checks_epoch: bool

    def acquire(self) -> int | None:
        """Ask for the lease; returns its epoch, or None where another Beat holds it."""
        ...

    def renew(self, epoch: int) -> bool:
        """Hold the lease for longer; returns whether it still was ours."""
        ...

    def release(self, epoch: int) -> None:
        """Give the lease back, so that a standby need not wait for its end."""
        ...


def next_epoch(using: str, holder: uuid.UUID, span: timedelta, *, free_only: bool) -> int | None:
    """Take the lease row: count its epoch up, and return it; None where another Beat holds it."""
    rows = _row(using)
    with bounded(using, span):
        free = Q(holder=None) | Q(holder=holder) | Q(expires_at__lte=DatabaseNow()) if free_only else Q()
        rows.filter(free).update(
            holder=holder, epoch=F("epoch") + 1, acquired_at=DatabaseNow(), expires_at=DatabaseNow() + span
        )
        # How many rows were affected says nothing reliable on MariaDB: who stands there by now holds it.
        epoch: int | None = rows.filter(holder=holder).values_list("epoch", flat=True).first()
    return epoch


def _row(using: str) -> Any:
    rows = Lease.objects.using(using).filter(pk=_ROW)
    if not rows.exists():
        Lease.objects.using(using).bulk_create([Lease(pk=_ROW)], ignore_conflicts=True)
    return rows


def still_holds(using: str, holder: uuid.UUID, epoch: int, span: timedelta) -> bool:
    """Renew the lease row, and lock it until the caller's transaction ends; returns whether it is still ours."""
    rows = Lease.objects.using(using).filter(pk=_ROW)
    rows.filter(holder=holder, epoch=epoch).update(expires_at=DatabaseNow() + span)
    ours: bool = rows.filter(holder=holder, epoch=epoch).exists()
    return ours


@dataclass
class DatabaseElection:
    """The lease is a row of the database; it ends by the database's clock."""

    using: str
    holder: uuid.UUID
    timings: Timings
    name: str = "database"
    checks_epoch: bool = True

    def acquire(self) -> int | None:
        """Ask for the lease row."""
        return next_epoch(self.using, self.holder, self.timings.span, free_only=True)

    def renew(self, epoch: int) -> bool:
        """Move the end of the lease; that nobody else took it since is what counts, not that it had ended."""
        with bounded(self.using, self.timings.span):
            return still_holds(self.using, self.holder, epoch, self.timings.span)

    def release(self, epoch: int) -> None:
        """Free the row."""
        _free_row(self.using, self.holder, epoch)


def _free_row(using: str, holder: uuid.UUID, epoch: int) -> None:
    rows = Lease.objects.using(using).filter(pk=_ROW, holder=holder, epoch=epoch)
    rows.update(holder=None, expires_at=DatabaseNow())


@dataclass
class RedisElection:
    """The lease is a lock of redis-py; it ends by Redis's clock. Its epoch is counted in the database."""

    using: str
    holder: uuid.UUID
    timings: Timings
    url: str
    name: str = "redis"
    checks_epoch: bool = True
    _found_lock: Any = field(default=None, repr=False)

    def __post_init__(self) -> None:
        try:
            import redis
        except ImportError as error:
            raise ImproperlyConfigured("SCHEDSYNC_LEADER names Redis: install `schedsync[redis]`") from error
        self._client = redis.Redis.from_url(
            self.url, socket_timeout=self.timings.retry, socket_connect_timeout=self.timings.retry
        )
        self._errors: tuple[type[Exception], ...] = (redis.RedisError, OSError)
        self._not_owned: type[Exception] = redis.exceptions.LockNotOwnedError

    @property
    def _lock(self) -> Any:
        if self._found_lock is None:
            key = _REDIS_KEY.format(deployment=_row(self.using).values_list("deployment", flat=True).get())
            self._found_lock = self._client.lock(key, timeout=self.timings.lease, blocking=False, thread_local=False)
        return self._found_lock

    def acquire(self) -> int | None:
        """Take the lock, then an epoch that ends every earlier one."""
        # Ours still, where only the answer to a renewal was lost.
        if not self._reacquired() and not self._acquired():
            return None
        return next_epoch(self.using, self.holder, self.timings.span, free_only=False)

    def renew(self, epoch: int) -> bool:  # noqa: ARG002
        """Set the lock's time to live again; raises nothing where it is gone."""
        return self._reacquired()

    def release(self, epoch: int) -> None:
        """Delete the lock, if it still is ours."""
        self._try(self._lock.release)
        _free_row(self.using, self.holder, epoch)

    def _acquired(self) -> bool:
        token = f"{self.holder}"
        taken = self._try(self._lock.acquire, token=token)
        if taken is None:
            # Perhaps it is ours, and only the answer was lost: it is asked for as such the next time.
            self._lock.local.token = token.encode()
        return bool(taken)

    def _reacquired(self) -> bool:
        return self._lock.local.token is not None and bool(self._try(self._lock.reacquire))

    def _try(self, call: Any, **options: Any) -> Any:
        try:
            return call(**options)
        except self._errors as error:
            logger.warning("the lease in Redis: %s", error)
            if isinstance(error, self._not_owned):
                # Nothing to ask for again.
                self._lock.local.token = None
            return None


@dataclass
class NoElection:
    """Every Beat sends, and the claims alone keep each tick single."""

    name: str = "none"
    checks_epoch: bool = False

    def acquire(self) -> int | None:
        """Always lead."""
        return 0

    def renew(self, epoch: int) -> bool:  # noqa: ARG002
        """Always lead."""
        return True

    def release(self, epoch: int) -> None:
        """Do nothing."""


def election_of(leader: str | None, using: str, holder: uuid.UUID, timings: Timings) -> Election:
    """Return where the lease lives, by SCHEDSYNC_LEADER; raises ImproperlyConfigured for what is unknown."""
    if leader is None:
        return NoElection()
    if not isinstance(leader, str):
        raise ImproperlyConfigured(_NO_PLACE.format(leader))
    if leader == "database":
        return DatabaseElection(using, holder, timings)
    if leader.partition("://")[0] in ("redis", "rediss", "unix"):
        return RedisElection(using, holder, timings, leader)
    raise ImproperlyConfigured(_NO_PLACE.format(leader))


@dataclass
class Leadership:
    """Whether this Beat leads, as far as it can know: between two answers only its own monotonic clock counts."""

    election: Election
    timings: Timings
    epoch: int | None = None
    _ends: float = 0.0
    _next: float = 0.0

    @property
    def span(self) -> timedelta:
        """How long a lease holds."""
        return self.timings.span

    @property
    def leads(self) -> bool:
        """Whether the lease is held, and has not run out since it was last renewed."""
        return self.epoch is not None and time.monotonic() < self._ends

    @property
    def wait(self) -> float:
        """Seconds until the lease wants to be renewed, or asked for again."""
        return max(self._next - time.monotonic(), 0.0)

    def keep(self) -> bool:
        """Renew the lease, or ask for it, where it is time to; returns whether this Beat leads."""
        if self.wait:
            return self.leads
        asked = time.monotonic()
        self._next = asked + self.timings.retry
        if self.epoch is not None and not self.election.renew(self.epoch):
            self.lose("it was taken, or could not be renewed")
        elif self.epoch is None:
            self.epoch = self.election.acquire()
        if self.epoch is not None:
            self.renewed(asked)
        return self.leads

    def renewed(self, asked: float) -> None:
        """Count the lease from when it was asked for, which lies before it was given."""
        self._ends, self._next = asked + self.timings.lease, asked + self.timings.renew

    def lose(self, why: str) -> None:
        """Lead no longer."""
        if self.epoch is not None:
            logger.warning("lease lost: %s", why, extra={"epoch": self.epoch})
        self.epoch = None
        self._next = min(self._next, time.monotonic() + self.timings.retry)

    def hurry(self) -> None:
        """Ask for the lease at once, where this Beat stands by."""
        if self.epoch is None:
            self._next = 0.0

    def resign(self) -> None:
        """Give the lease back; raises what the database raises."""
        if self.epoch is not None:
            self.election.release(self.epoch)
        self.epoch = None
