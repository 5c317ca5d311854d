"""Ends pauses on time, by the second, without holding up what is due."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timedelta, timezone

from schedsync.beat.reloader import POLL, Reloader
from schedsync.database.pauses import end_pause, pauses_over
from schedsync.errors import SchedsyncError

logger = logging.getLogger(__name__)

#: For so many seconds ticks may wait while pauses are ended.
_PATIENCE = 0.5


class Pauses:
    """Ends the pauses whose time is over; one that cannot be ended yet is tried again after the others."""

    def __init__(self, using: str, loader: Reloader, span: timedelta) -> None:
        self._using = using
        self._loader = loader
        self._span = span
        self._stuck: set[str] = set()
        self._not_before = 0.0

    @property
    def wait(self) -> float | None:
        """Seconds until there is something to do; None where nothing is paused for a time."""
        first = self._loader.pause_ends
        if first is None:
            return None
        return max((first - datetime.now(timezone.utc)).total_seconds(), self._not_before - time.monotonic())

    def end(self) -> None:
        """End what is over, but for no longer than ticks may wait."""
        began = time.monotonic()
        if not self._loader.pause_is_over() or began < self._not_before:
            return
        names = sorted(pauses_over(self._using), key=self._stuck.__contains__)
        if not names:
            self._loader.hurry()
        for name in names:
            self._end(name)
            if time.monotonic() - began > _PATIENCE:
                break
        if self._stuck:
            self._not_before = time.monotonic() + max(POLL, 10 * (time.monotonic() - began))

    def _end(self, name: str) -> None:
        try:
            end_pause(self._using, name, self._span)
        except SchedsyncError as error:
            # Mostly an apply that is running.
            level = logging.INFO if name in self._stuck else logging.WARNING
            logger.log(level, "`%s` stays paused beyond its time: %s", name, error, extra={"schedule": name})
            self._stuck.add(name)
        else:
            logger.warning("paused no longer: %s", name, extra={"schedule": name})
            self._stuck.discard(name)
            self._loader.hurry()
