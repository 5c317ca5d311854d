"""Ends pauses to the second, without delaying ticks that are due."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta, timezone

from schedsync.beat.reloader import POLL, Reloader
from schedsync.database.pauses import end_pause, pauses_over
from schedsync.errors import SchedsyncError

logger = logging.getLogger(__name__)

#: Seconds for which ticks may wait while pauses are ended.
_PATIENCE = 0.5


class Pauses:
    """Ends the pauses whose time is over; a pause that cannot be ended yet is tried again after the others."""

    def __init__(self, using: str, reloader: Reloader, limit: timedelta) -> None:
        self._using = using
        self._reloader = reloader
        self._limit = limit
        self._stuck: set[str] = set()
        self._not_before = 0.0

    @property
    def wait(self) -> float | None:
        """Seconds until a pause is to be ended; None if no pause has an end."""
        first = self._reloader.pause_ends
        if first is None:
            return None
        return max((first - datetime.now(timezone.utc)).total_seconds(), self._not_before - time.monotonic())

    def end(self) -> None:
        """End the pauses that are over, for no longer than ticks may wait."""
        began = time.monotonic()
        if not self._reloader.pause_is_over() or began < self._not_before:
            return
        names = sorted(pauses_over(self._using), key=self._stuck.__contains__)
        if not names:
            self._reloader.hurry()
        for name in names:
            self._end(name)
            if time.monotonic() - began > _PATIENCE:
                break
        if self._stuck:
            self._not_before = time.monotonic() + max(POLL, 10 * (time.monotonic() - began))

    def _end(self, name: str) -> None:
        try:
            end_pause(self._using, name, self._limit)
        except SchedsyncError as error:
            # Usually because an apply is running.
            level = logging.INFO if name in self._stuck else logging.WARNING
            logger.log(level, "`%s` stays paused beyond its time: %s", name, error, extra={"schedule": name})
            self._stuck.add(name)
        else:
            logger.warning("paused no longer: %s", name, extra={"schedule": name})
            self._stuck.discard(name)
            self._reloader.hurry()
