"""Listeners that wake a waiting Beat before its next poll: to PostgreSQL's NOTIFY, and to a channel in Redis.

They are not needed: without them, and if a message is lost, the poll finds every announced change within a second.
"""

from __future__ import annotations

import logging
import select
import time
from collections.abc import Sequence
from typing import Any, Protocol

from django.db import DatabaseError, InterfaceError, connections

from schedsync.core.masked_errors import error_line
from schedsync.database.notify import CHANNEL, in_redis

logger = logging.getLogger(__name__)

#: Seconds until a connection that broke is made again.
_AGAIN = 10.0


class Listener(Protocol):
    """Hears that something was announced."""

    def file(self) -> Any | None:
        """Return a file that becomes readable then, or None while there is no connection."""
        ...

    def drain(self) -> None:
        """Read what was announced."""
        ...

    def close(self) -> None:
        """Give the connection back."""
        ...


class _Failure:
    """Says once that a listener has no connection: it is tried again and again."""

    def __init__(self, words: str) -> None:
        self._words, self._is_told = words, False

    def tell(self, error: Exception) -> None:
        """Log the error in one line, unless it was said since the last connection."""
        if not self._is_told:
            logger.info("%s: %s", self._words, error_line(error))
        self._is_told = True

    def over(self) -> None:
        """Note that there is a connection."""
        self._is_told = False


class PostgresListener:
    """Listens on a connection of its own: Django's may be closed at any time."""

    def __init__(self, using: str) -> None:
        self._using = using
        self._connection: Any = None
        self._not_before = 0.0
        self._failure = _Failure("no LISTEN, polling goes on")

    def file(self) -> Any | None:
        """Return the connection, and make it if it is time to."""
        if self._connection is None and time.monotonic() >= self._not_before:
            self._not_before = time.monotonic() + _AGAIN
            try:
                self._connection = self._listening()
                self._failure.over()
            except (DatabaseError, InterfaceError) as error:
                self._failure.tell(error)
        return None if self._connection is None else self._connection.connection

    def _listening(self) -> Any:
        connection = connections[self._using].copy()
        with connection.cursor() as cursor:
            cursor.execute(f"LISTEN {CHANNEL}")
        if hasattr(connection.connection, "add_notify_handler"):
            # psycopg 3 keeps notifications that nothing handles.
            connection.connection.add_notify_handler(lambda _: None)
        return connection

    def drain(self) -> None:
        """Fetch the notifications; close the connection if it broke."""
        try:
            with self._connection.cursor() as cursor:
                cursor.execute("SELECT 1")
            notifies = getattr(self._connection.connection, "notifies", None)
            if isinstance(notifies, list):
                notifies.clear()
        except (DatabaseError, InterfaceError):
            self.close()

    def close(self) -> None:
        """Close the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class RedisListener:
    """Subscribes to a channel of the Redis that holds the lease."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._client: Any = None
        self._subscription: Any = None
        self._not_before = 0.0
        self._failure = _Failure("no subscription in Redis, polling goes on")

    def file(self) -> Any | None:
        """Return the subscription's socket, and subscribe if it is time to."""
        if self._subscription is None and time.monotonic() >= self._not_before:
            self._not_before = time.monotonic() + _AGAIN
            self._subscribe()
        connection = getattr(self._subscription, "connection", None)
        return getattr(connection, "_sock", None)

    def _subscribe(self) -> None:
        import redis

        # Keep the client: when it is collected, it closes the connections of its subscriptions.
        self._client = redis.Redis.from_url(self._url, socket_timeout=2, socket_connect_timeout=2)
        subscription = self._client.pubsub(ignore_subscribe_messages=True)
        try:
            subscription.subscribe(CHANNEL)
            self._subscription = subscription
            self._failure.over()
        except (redis.RedisError, OSError) as error:
            self._failure.tell(error)

    def drain(self) -> None:
        """Read the messages; close the connection if it broke."""
        import redis

        try:
            while self._subscription.get_message(timeout=0) is not None:
                pass
        except (redis.RedisError, OSError):
            self.close()

    def close(self) -> None:
        """Close the connection."""
        subscription, self._subscription = self._subscription, None
        if subscription is not None:
            subscription.close()
        if self._client is not None:
            self._client.close()


def listeners(using: str, leader: str | None) -> list[Listener]:
    """Return the listeners for this database, and for Redis if ``leader`` names one."""
    made: list[Listener] = []
    if connections[using].vendor == "postgresql":
        made.append(PostgresListener(using))
    if (url := in_redis(leader)) is not None:
        made.append(RedisListener(url))
    return made


def close_all(wakers: Sequence[Listener]) -> None:
    """Close the connections of listeners."""
    for listener in wakers:
        listener.close()


def wait(wakers: Sequence[Listener], seconds: float) -> bool:
    """Wait until a listener hears something, or the time is over; returns whether it heard something."""
    files = {file: listener for listener in wakers if (file := listener.file()) is not None}
    try:
        ready, _, _ = select.select(list(files), [], [], max(seconds, 0))
    except (OSError, ValueError):
        # A socket that other code closed has no file any more.
        for listener in files.values():
            listener.close()
        return False
    for file in ready:
        files[file].drain()
    return bool(ready)
