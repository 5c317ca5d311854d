"""Claims the next batch while the present one is sent: the database works while messages are built."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from django.db import connections

from schedsync.beat.claims import Batch


class ClaimsAhead:
    """One thread with a connection of its own, which it has only while batch follows batch.

    On SQLite, where a second connection would wait for the first, nothing is claimed ahead.
    """

    def __init__(self, using: str) -> None:
        self._using = using
        self._thread: ThreadPoolExecutor | None = None

    @property
    def is_possible(self) -> bool:
        """Whether the database lets two connections write at the same time."""
        return connections[self._using].vendor != "sqlite"

    def start(self, claim: Callable[[], Batch]) -> Future[Batch]:
        """Begin a claim; its result raises what the claim raises."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="schedsync-claims-ahead")
        return self._thread.submit(self._claim, claim)

    def _claim(self, claim: Callable[[], Batch]) -> Batch:
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
            self._thread = None
