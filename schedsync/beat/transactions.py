"""Transactions of a Beat: bounded by the server, so that a process that was stopped in the middle holds nobody up."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import connections, transaction

#: So many seconds to wait for a lock: much less than a lease.
_LOCK = 1


@contextmanager
def bounded(using: str, limit: timedelta) -> Iterator[None]:
    """Run a transaction that the server ends where its client says nothing for so long, or waits a second for a lock.

    PostgreSQL and MariaDB can; SQLite's lock is the process's own, and lasts until that goes on or dies.
    """
    with transaction.atomic(using=using):
        if statement := _limits(connections[using], limit):
            with connections[using].cursor() as cursor:
                cursor.execute(statement)
        yield


def _limits(connection: Any, limit: timedelta) -> str | None:
    milliseconds = max(int(limit.total_seconds() * 1000), 1)
    seconds = max(round(limit.total_seconds()), 1)
    if connection.vendor == "postgresql":
        idle = f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds}"
        return f"SET LOCAL lock_timeout = {_LOCK * 1000}; {idle}"
    if connection.vendor != "mysql":
        return None
    # MySQL has no limit for idle transactions.
    idle = f", SESSION idle_transaction_timeout = {seconds}" if connection.mysql_is_mariadb else ""
    return f"SET SESSION innodb_lock_wait_timeout = {_LOCK}{idle}"
