"""When Beat looks for changes: it polls each second, and scans when the poll finds one, or from time to time."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from datetime import datetime, timezone

from schedsync.beat.glance import Glance, Mark
from schedsync.beat.roster import Reload, Roster
from schedsync.core.counters import Counters
from schedsync.core.names import counted

logger = logging.getLogger(__name__)

#: Seconds between polls.
POLL = 1.0
#: Seconds after which a change that was not announced is found, ...
SCAN = 5.0
#: ... by a Beat that stands by, which reads everything again before it leads, ...
SCAN_STANDING_BY = 60.0
#: ... or after 50 times the duration of a scan if that is longer, so that scanning takes at most 2 % of the time.
SHARE = 50


class Reloader:
    """Keeps the roster in step.

    ``change_number`` is the number of the last change by schedsync that the roster is known to contain; ``pause_ends``
    is when the first pause ends. ``clock`` gives seconds, and never goes back.
    """

    def __init__(
        self,
        glance: Glance,
        roster: Roster,
        clock: Callable[[], float] = time.monotonic,
        counters: Counters | None = None,
    ) -> None:
        self._glance = glance
        self._roster = roster
        self._clock = clock
        self._counters = counters or Counters()
        self.change_number = -1
        self.pause_ends: datetime | None = None
        self.reset()

    def reset(self) -> None:
        """Read everything that may have changed at the next poll, and poll at once."""
        self._mark: Mark | None = None
        self._next_poll = 0.0
        self._scanned_at = -math.inf
        self._pause = 0.0

    def hurry(self) -> None:
        """Scan at once, instead of at the next poll that finds a change."""
        self._next_poll = 0.0
        self._mark = None

    def poll_now(self) -> None:
        """Poll at once."""
        self._next_poll = 0.0

    @property
    def wait(self) -> float:
        """Seconds until the next poll."""
        return max(self._next_poll - self._clock(), 0.0)

    def poll(self, every: float = SCAN) -> Reload | None:
        """Reload if the change row moved, in any direction, or a scan is due; returns the changes, or None.

        ``every`` is how often to scan, in seconds.
        """
        now = self._clock()
        if now < self._next_poll:
            return None
        mark = self._look()
        self._next_poll = now + POLL
        if mark == self._mark and now < self._scanned_at + max(every, self._pause):
            return None
        return self.load(mark)

    def load(self, mark: Mark | None = None) -> Reload:
        """Reload now."""
        mark = mark or self._look()
        began = self._clock()
        reload = self._roster.reload()
        took = self._clock() - began
        self._counters.reloads += 1
        self._counters.reload_seconds += took
        self._next_poll = began + POLL
        self._mark, self.change_number = mark, mark.number
        self._scanned_at, self._pause = began, SHARE * reload.scanned
        if reload.changed or reload.gone:
            changed, gone, total = len(reload.changed), len(reload.gone), len(self._roster)
            logger.info(
                "reloaded %d changed and %d gone of %s in %.3f s", changed, gone, counted(total, "schedule"), took,
                extra={"changed": changed, "gone": gone, "total": total, "seconds": took},
            )  # fmt: skip
        return reload

    def pause_is_over(self) -> bool:
        """Say whether a pause has reached its end."""
        return self.pause_ends is not None and self.pause_ends <= datetime.now(timezone.utc)

    def _look(self) -> Mark:
        """Look before the rows are read: what is announced is then surely in them."""
        sight = self._glance.look()
        self.pause_ends = sight.pause_ends
        return sight.mark
