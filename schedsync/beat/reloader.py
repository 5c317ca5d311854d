"""When Beat looks for changes: it polls each second, and scans when the poll finds one, or from time to time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any

from django.db.models import Subquery
from django_celery_beat.models import PeriodicTasks

from schedsync.beat.roster import Reload, Roster
from schedsync.models import ApplyLock, Pause

logger = logging.getLogger(__name__)

#: Seconds between polls.
POLL = 1.0
#: Seconds after which a change that was not announced is found, ...
SCAN = 5.0
#: ... or after 50 times the duration of a scan if that is longer, so that scanning takes at most 2 % of the time.
SHARE = 50


class Reloader:
    """Keeps the roster in step.

    ``change_number`` is the number of the last change by schedsync that the roster is known to contain; ``pause_ends``
    is when the first pause ends. ``clock`` gives seconds, and never goes back.
    """

    def __init__(self, using: str, roster: Roster, clock: Callable[[], float] = time.monotonic) -> None:
        self._using = using
        self._roster = roster
        self._clock = clock
        self.change_number = -1
        self.pause_ends: datetime | None = None
        self.reset()

    def reset(self) -> None:
        """Read everything that may have changed at the next poll, and poll at once."""
        self._mark: tuple[Any, ...] | None = None
        self._next_poll = 0.0
        self._next_scan = 0.0

    def hurry(self) -> None:
        """Scan at once, instead of at the next poll that finds a change."""
        self._next_poll = 0.0
        self._mark = None

    @property
    def wait(self) -> float:
        """Seconds until the next poll."""
        return max(self._next_poll - self._clock(), 0.0)

    def poll(self) -> Reload | None:
        """Reload if the change row moved, in any direction, or a scan is due; returns the changes, or None."""
        now = self._clock()
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
        began = self._clock()
        reload = self._roster.reload()
        took = self._clock() - began
        self._next_poll = began + POLL
        self._mark, self.change_number = mark, mark[0]
        self.pause_ends = self._first_end()
        self._next_scan = began + max(SCAN, SHARE * reload.scanned)
        if reload.changed or reload.gone:
            counts = {"changed": len(reload.changed), "gone": len(reload.gone), "schedules": len(self._roster)}
            logger.info(
                "reloaded %(changed)d changed and %(gone)d gone of %(schedules)d schedules in %(seconds).3f s",
                {**counts, "seconds": took}, extra={**counts, "seconds": took},
            )  # fmt: skip
        return reload

    def pause_is_over(self) -> bool:
        """Say whether a pause has reached its end."""
        return self.pause_ends is not None and self.pause_ends <= datetime.now(timezone.utc)

    def _first_end(self) -> datetime | None:
        pauses = Pause.objects.using(self._using).exclude(until=None).order_by("until")
        first: datetime | None = pauses.values_list("until", flat=True).first()
        return first

    def _read_mark(self) -> tuple[Any, ...]:
        """Read the number of our last change and stock Beat's change row, before the rows that they announce."""
        updates = PeriodicTasks.objects.using(self._using).filter(ident=1).values("last_update")
        locks = ApplyLock.objects.using(self._using).order_by("pk")
        mark: tuple[Any, ...] | None = locks.values_list("number", Subquery(updates[:1])).first()
        return mark or (-1, updates.values_list("last_update", flat=True).first())
