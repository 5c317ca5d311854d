"""When to look for changes: a poll each second, the narrow scan where it finds one, and else from time to time."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timezone
from typing import Any

from django.db.models import Subquery
from django_celery_beat.models import PeriodicTasks

from schedsync.beat.roster import Reload, Roster
from schedsync.models import ApplyLock, Pause

logger = logging.getLogger(__name__)

POLL = 1.0
#: Nobody need say that something changed: without a word it is found after so many seconds ...
SCAN = 5.0
#: ... or after so many times as long as the scan takes, whatever is longer, so that scanning costs at most 2 %.
SHARE = 50


class Reloader:
    """Keeps the roster in step.

    ``number`` is that of the last of our own changes that the roster is known to hold, ``pause_ends`` when the first
    pause does.
    """

    def __init__(self, using: str, roster: Roster, is_migrated: bool) -> None:
        self._using = using
        self._roster = roster
        self._is_migrated = is_migrated
        self.number = -1
        self.pause_ends: datetime | None = None
        self.reset()

    def reset(self) -> None:
        """Look again as soon as possible."""
        self._mark: tuple[Any, ...] | None = None
        self._next_poll = 0.0
        self._next_scan = 0.0

    def hurry(self) -> None:
        """Look at once, rather than at the next poll."""
        self._next_poll = 0.0
        self._mark = None

    @property
    def wait(self) -> float:
        """Seconds until the next poll."""
        return max(self._next_poll - time.monotonic(), 0.0)

    def poll(self) -> Reload | None:
        """Reload where the change row moved, in whatever direction, or a scan is due; returns what was found."""
        now = time.monotonic()
        if now < self._next_poll:
            return None
        mark = self._read_mark()
        self._next_poll = now + POLL
        if mark == self._mark and now < self._next_scan:
            return None
        return self.load(mark)

    def load(self, mark: tuple[Any, ...] | None = None) -> Reload:
        """Reload now."""
        mark = mark or self._read_mark()
        began = time.monotonic()
        reload = self._roster.reload()
        took = time.monotonic() - began
        self._next_poll = began + POLL
        self._mark, self.number = mark, mark[0]
        self.pause_ends = self._first_end()
        self._next_scan = began + max(SCAN, SHARE * reload.scanned)
        if reload.changed or reload.gone:
            found = {"changed": len(reload.changed), "gone": len(reload.gone), "schedules": len(self._roster)}
            logger.info(
                "reloaded %(changed)d changed and %(gone)d gone of %(schedules)d schedules in %(seconds).3f s",
                {**found, "seconds": took}, extra={**found, "seconds": took},
            )  # fmt: skip
        return reload

    def pause_is_over(self) -> bool:
        """Say whether a pause has reached its end."""
        return self.pause_ends is not None and self.pause_ends <= datetime.now(timezone.utc)

    def _first_end(self) -> datetime | None:
        if not self._is_migrated:
            return None
        pauses = Pause.objects.using(self._using).exclude(until=None).order_by("until")
        first: datetime | None = pauses.values_list("until", flat=True).first()
        return first

    def _read_mark(self) -> tuple[Any, ...]:
        """Read the number of our last change and stock Beat's change row, before what they stand for is read."""
        updates = PeriodicTasks.objects.using(self._using).filter(ident=1).values("last_update")
        if not self._is_migrated:
            return (-1, updates.values_list("last_update", flat=True).first())
        locks = ApplyLock.objects.using(self._using).order_by("pk")
        found = locks.values_list("number", Subquery(updates[:1])).first()
        return found or (-1, updates.values_list("last_update", flat=True).first())
