"""Ends pauses to the second, without delaying ticks that are due."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta, timezone

from schedsync.beat.reloader import POLL, Reloader
from schedsync.core.names import first_names
from schedsync.database.pause_ends import end_pauses
from schedsync.database.pauses import pauses_over
from schedsync.errors import SchedsyncError

logger = logging.getLogger(__name__)

#: Seconds for which ticks may wait while pauses are ended.
_PATIENCE = 0.5
#: Up to this number of pauses end in one transaction, which takes a fraction of the patience.
_TOGETHER = 200
_NAMED = 5


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
        over = pauses_over(self._using)
        if not over:
            self._reloader.hurry()
        for names in self._groups(over):
            self._end_group(names, began)
            if time.monotonic() - began > _PATIENCE:
                break
        if self._stuck:
            self._not_before = time.monotonic() + max(POLL, 10 * (time.monotonic() - began))

    def _groups(self, names: Sequence[str]) -> Iterator[Sequence[str]]:
        """Yield the names to end together; those that could not be ended before are last, and alone."""
        fresh = [name for name in names if name not in self._stuck]
        yield from (fresh[start : start + _TOGETHER] for start in range(0, len(fresh), _TOGETHER))
        yield from ([name] for name in names if name in self._stuck)

    def _end_group(self, names: Sequence[str], began: float) -> None:
        """End pauses together; if that fails, one by one, so that one of them holds up no other."""
        if len(names) > 1:
            try:
                end_pauses(self._using, names, self._limit)
            except SchedsyncError as error:
                logger.info("%s pauses were not ended together: %s", f"{len(names):,}", error)
            else:
                logger.warning("paused no longer: %s", first_names(names, _NAMED), extra={"schedules": list(names)})
                self._reloader.hurry()
                return
        for name in names:
            self._end(name)
            if time.monotonic() - began > _PATIENCE:
                break

    def _end(self, name: str) -> None:
        try:
            end_pauses(self._using, [name], self._limit)
        except SchedsyncError as error:
            # Usually because an apply is running.
            level = logging.INFO if name in self._stuck else logging.WARNING
            logger.log(level, "`%s` stays paused beyond its time: %s", name, error, extra={"schedule": name})
            self._stuck.add(name)
        else:
            logger.warning("paused no longer: %s", name, extra={"schedule": name})
            self._stuck.discard(name)
            self._reloader.hurry()
