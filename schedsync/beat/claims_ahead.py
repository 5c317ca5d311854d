"""Claims the next batch while the present one is sent: the database works while messages are built."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait

from django.db import DatabaseError, InterfaceError, connections

from schedsync.beat.claims import Batch

logger = logging.getLogger(__name__)

#: Seconds until a second connection is tried again: an attempt may take long, and others may need the place.
_AGAIN = 600.0


class CannotConnect(Exception):
    """The database gave no second connection: nothing was claimed."""


class ClaimsAhead:
    """One thread with a connection of its own, which it has only while batch follows batch.

    On SQLite, where a second connection would wait for the first, nothing is claimed ahead.
    """

    def __init__(self, using: str) -> None:
        self._using = using
        self._thread: ThreadPoolExecutor | None = None
        self._last: Future[Batch] | None = None
        self._not_before = 0.0

    @property
    def is_possible(self) -> bool:
        """Whether the database lets two connections write at a time, and gave a second one when it was asked last."""
        return connections[self._using].vendor != "sqlite" and time.monotonic() >= self._not_before

    def start(self, claim: Callable[[], Batch]) -> Future[Batch]:
        """Begin a claim; its result raises what the claim raises, or CannotConnect."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="schedsync-claims-ahead")
        self._last = self._thread.submit(self._claim, claim)
        return self._last

    def settle(self, seconds: float) -> None:
        """Wait until the claim has ended, for at most some seconds."""
        if self._last is not None:
            wait([self._last], seconds)

    def _claim(self, claim: Callable[[], Batch]) -> Batch:
        try:
            connections[self._using].ensure_connection()
        except (DatabaseError, InterfaceError) as error:
            self._not_before = time.monotonic() + _AGAIN
            logger.warning("no second connection to the database, batches are claimed one by one: %s", error)
            raise CannotConnect from error
        try:
            return claim()
        except BaseException:
            connections[self._using].close()
            raise

    def rest(self) -> None:
        """Give the connection back, until batch follows batch again."""
        if self._thread is not None:
            self._thread.submit(connections.close_all)
            self._thread.shutdown()
            self._thread = self._last = None
