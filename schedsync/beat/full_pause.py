"""The pause of everything, as Beat sees it: read again and again, because it must stop a batch in the middle too."""

from __future__ import annotations

import logging
import time
from datetime import datetime, timezone

from schedsync.beat.loaded_schedule import LoadedSchedule
from schedsync.beat.tables import Tables
from schedsync.core.full_pause import FullyPaused, left_out_of
from schedsync.database.full_pause import read_full_pause
from schedsync.models import FullPause

logger = logging.getLogger(__name__)

#: Seconds between looks: a pause must stop each Beat within two seconds.
LOOK = 0.5


class PauseBegan(Exception):
    """Everything is paused: nothing was claimed."""


class FullPauseWatch:
    """Reads the pause of everything; before its table is made there is none."""

    def __init__(self, using: str, tables: Tables) -> None:
        self._using = using
        self._tables = tables
        self._pause: FullyPaused | None = None
        self._was_on = False
        self._next_look = 0.0

    @property
    def wait(self) -> float:
        """Seconds until the next look."""
        return max(self._next_look - time.monotonic(), 0.0)

    @property
    def was_on(self) -> bool:
        """Whether everything was paused at the last look; without a look."""
        return self._was_on

    def is_on(self) -> bool:
        """Say whether everything is paused, as of a look that is at most half a second old."""
        if not self.wait:
            self._pause = self._read()
            self._next_look = time.monotonic() + LOOK
        now = _now()
        is_on = self._pause is not None and self._pause.is_on(now)
        self._log(now, is_on=is_on)
        return is_on

    def may_send(self) -> bool:
        """Look in the transaction of a claim; False if a pause has begun or ended since the ticks were worked out."""
        pause = self._read()
        if pause == self._pause:
            return pause is None or not pause.is_on(_now())
        self._next_look = 0.0
        return False

    def left_out(self, schedule: LoadedSchedule) -> datetime | None:
        """Return the instant up to which a schedule's ticks are not sent, or None."""
        if self._pause is None:
            return None
        until = self._pause.left_out(_now())
        return left_out_of(until, last_run=schedule.last_run, changed=schedule.changed)

    def leaves_out(self, schedule: LoadedSchedule, tick: datetime) -> bool:
        """Say whether a tick is not sent, because it fell due while everything was paused or before."""
        until = self.left_out(schedule)
        return until is not None and tick <= until

    def _read(self) -> FullyPaused | None:
        return read_full_pause(self._using) if self._tables.has(FullPause) else None

    def _log(self, now: datetime, *, is_on: bool) -> None:
        if is_on and not self._was_on and self._pause is not None:
            logger.warning("%s", self._pause.text(now), extra={"reason": self._pause.reason})
        elif self._was_on and not is_on:
            logger.warning("the pause of everything is over")
        self._was_on = is_on


def _now() -> datetime:
    return datetime.now(timezone.utc)
