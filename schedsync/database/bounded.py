"""Transactions with a time limit on the server, so that a suspended process does not block the others."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any

from django.db import connections, transaction


@contextmanager
def bounded(using: str, limit: timedelta, patience: int = 1) -> Iterator[None]:
    """Run a transaction that the server ends if we send no statement for ``limit``.

    ``patience`` is for how many seconds a statement waits for a lock; the default is much shorter than a lease.
    PostgreSQL and MariaDB have both limits, MySQL only the second, SQLite neither: its lock lasts as long as the
    process holds it.
    """
    with transaction.atomic(using=using):
        if statement := _limits(connections[using], limit, patience):
            with connections[using].cursor() as cursor:
                cursor.execute(statement)
        yield


def reconnect(using: str) -> None:
    """Replace a connection that was interrupted during a statement, or at the end of a transaction."""
    broken = connections[using]
    del connections[using]
    with suppress(Exception):
        if broken.connection is not None:
            broken.connection.close()


def _limits(connection: Any, limit: timedelta, patience: int) -> str | None:
    milliseconds = max(int(limit.total_seconds() * 1000), 1)
    seconds = max(round(limit.total_seconds()), 1)
    if connection.vendor == "postgresql":
        idle = f"SET LOCAL idle_in_transaction_session_timeout = {milliseconds}"
        return f"SET LOCAL lock_timeout = {patience * 1000}; {idle}"
    if connection.vendor != "mysql":
        return None
    # MySQL has no time limit for idle transactions.
    idle = f", SESSION idle_transaction_timeout = {seconds}" if connection.mysql_is_mariadb else ""
    return f"SET SESSION innodb_lock_wait_timeout = {patience}{idle}"
