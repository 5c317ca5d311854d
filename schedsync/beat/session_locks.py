"""Session locks: the leader's lock ends with its process, so that a standby need not wait for the end of the lease.

Each server frees such a lock when the connection of a dead process closes. The lock belongs to one epoch. Without it,
or where the host dies, a standby waits until the lease has ended. The lock says only when to take the lease; that no
tick is sent twice is the work of the epoch and the claims.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from django.db import connections

from schedsync.database.notify import in_redis


class LockRecord(NamedTuple):
    """What the leader wrote about its lock: the epoch that it is for, its name, and the server that keeps it."""

    epoch: int
    name: str
    server: str


class SessionLock(Protocol):
    """The lock of the leader. ``free`` is SQL that says of the record whether its lock is free, where SQL can."""

    free: str | None

    def take(self, name: str) -> str | None:
        """Take the lock; returns the server that keeps it, or None if it cannot be had."""
        ...

    def is_ours(self) -> bool:
        """Say whether this process still has the lock."""
        ...

    def is_free(self, record: LockRecord) -> bool:
        """Say whether the process that had the lock is dead; False where this cannot be known."""
        ...

    def drop(self) -> None:
        """Give the lock back."""
        ...


class _Statements(NamedTuple):
    take: str
    is_ours: str
    free: str


_KEY = "hashtextextended({}, 0)"
#: A server that was started anew has forgotten its locks, though the leader may live.
_POSTGRES_SERVER = "EXTRACT(EPOCH FROM pg_postmaster_start_time())::text"
#: The halves of the key are the two numbers of the lock.
_POSTGRES_LOCKS = (
    "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND (classid::bigint << 32 | objid::bigint) = {}"
    " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
)
_MARIADB_SERVER = "CONCAT(@@hostname, ':', @@port)"
_STATEMENTS = {
    "postgresql": _Statements(
        take=f"SELECT pg_try_advisory_lock({_KEY.format('%s')}), {_POSTGRES_SERVER}",
        # Behind a pooler the next statement may run in another session.
        is_ours=f"SELECT EXISTS ({_POSTGRES_LOCKS.format(_KEY.format('%s'))} AND pid = pg_backend_pid())",
        # To try it would not do: behind a pooler this may be the very session that has it.
        free=f"CASE WHEN server = {_POSTGRES_SERVER}"
        f" THEN NOT EXISTS ({_POSTGRES_LOCKS.format(_KEY.format('name'))}) END",
    ),
    "mysql": _Statements(
        take=f"SELECT GET_LOCK(%s, 0), {_MARIADB_SERVER}",
        is_ours="SELECT IS_USED_LOCK(%s) = CONNECTION_ID()",
        free=f"CASE WHEN server = {_MARIADB_SERVER} THEN IS_FREE_LOCK(name) END",
    ),
}


@dataclass
class DatabaseLock:
    """An advisory lock of PostgreSQL, or a named one of MariaDB and MySQL, on a connection of its own."""

    using: str
    _connection: Any = None
    _name: str = ""

    def __post_init__(self) -> None:
        self._statements = _STATEMENTS[connections[self.using].vendor]
        self.free: str | None = self._statements.free

    def take(self, name: str) -> str | None:
        """Take the lock on a new connection."""
        self._connection, self._name = connections[self.using].copy(), name
        is_taken, server = self._ask(self._statements.take)
        return str(server) if is_taken else None

    def is_ours(self) -> bool:
        """Ask the lock's own session, which also keeps it from being closed as idle."""
        return self._connection is not None and bool(self._ask(self._statements.is_ours)[0])

    def _ask(self, statement: str) -> tuple[Any, ...]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, [self._name])
            row: tuple[Any, ...] = cursor.fetchone()
        return row

    def is_free(self, record: LockRecord) -> bool:  # noqa: ARG002
        """Return False: ``free`` answers."""
        return False

    def drop(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


@dataclass
class FileLock:
    """A lock of a file beside SQLite's. A leader that is stopped keeps it, though another Beat leads by then."""

    path: Path
    free: str | None = None
    _file: Any = None

    def take(self, name: str) -> str | None:  # noqa: ARG002
        """Lock the file."""
        self._file = self.path.open("ab")
        return socket.gethostname() if _locked(self._file) else None

    def is_ours(self) -> bool:
        """Say whether the file is open: only closing it gives the lock back."""
        return self._file is not None

    def is_free(self, record: LockRecord) -> bool:
        """Try to lock the file, on the host where the leader did."""
        if record.server != socket.gethostname() or not self.path.exists():
            return False
        with self.path.open("ab") as file:
            return _locked(file)

    def drop(self) -> None:
        """Close the file."""
        file, self._file = self._file, None
        if file is not None:
            file.close()


def _locked(file: Any) -> bool:
    import fcntl

    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@dataclass
class RedisLock:
    """A subscription to a channel that is named like the lock: Redis counts who listens."""

    url: str
    timeout: float
    free: str | None = None
    _subscription: Any = field(default=None, repr=False)
    _name: str = ""

    def __post_init__(self) -> None:
        import redis

        self._client = redis.Redis.from_url(self.url, socket_timeout=self.timeout, socket_connect_timeout=self.timeout)

    def take(self, name: str) -> str | None:
        """Subscribe."""
        self._subscription, self._name = self._client.pubsub(), name  # type: ignore[no-untyped-call]
        self._subscription.subscribe(name)
        return self._server() if self._hears("subscribe") and self._listeners(name) else None

    def _hears(self, kind: str) -> bool:
        message = self._subscription.get_message(timeout=self.timeout)
        return message is not None and message["type"] == kind

    def _listeners(self, name: str) -> int:
        # Each node of a cluster counts its own.
        ((_, listeners),) = self._client.pubsub_numsub(name)
        return int(listeners)

    def _server(self) -> str:
        # A Redis that was started anew, or another one, has forgotten the subscription.
        return str(self._client.info("server")["run_id"])

    def is_ours(self) -> bool:
        """Ask by a ping on the subscription's own connection."""
        if self._subscription is None or self._subscription.connection is None:
            return False
        self._subscription.ping()
        return self._hears("pong") and self._listeners(self._name) > 0

    def is_free(self, record: LockRecord) -> bool:
        """Ask how many listen."""
        return self._listeners(record.name) == 0 and record.server == self._server()

    def drop(self) -> None:
        """Unsubscribe by closing the connection."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.close()


class NoLock:
    """No lock: a standby waits for the end of the lease."""

    free: str | None = None

    def take(self, name: str) -> str | None:  # noqa: ARG002
        """Take nothing."""
        return None

    def is_ours(self) -> bool:
        """Have nothing."""
        return False

    def is_free(self, record: LockRecord) -> bool:  # noqa: ARG002
        """Know nothing."""
        return False

    def drop(self) -> None:
        """Do nothing."""


def lock_of(leader: str | None, using: str, timeout: float, row: int = 1) -> SessionLock:
    """Return the lock that goes with the place of the lease, and its row; ``timeout`` is in seconds, for Redis."""
    if leader is None:
        return NoLock()
    if (url := in_redis(leader)) is not None:
        return RedisLock(url, timeout)
    connection = connections[using]
    if connection.vendor in _STATEMENTS:
        return DatabaseLock(using)
    return _file_lock(connection, row)


def _file_lock(connection: Any, row: int) -> SessionLock:
    try:
        import fcntl  # noqa: F401
    except ImportError:
        return NoLock()
    name = Path(str(connection.settings_dict["NAME"]))
    ending = "beat" if row == 1 else f"lease-{row}"
    return FileLock(name.with_name(f"{name.name}-schedsync-{ending}")) if name.is_file() else NoLock()
