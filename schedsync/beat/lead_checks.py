"""Whether this Beat may have the lease: not in another environment's database, nor with a clock that is wrong."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from schedsync.beat.clock_check import ClockCheck
from schedsync.beat.environment import OwnEnvironment
from schedsync.beat.leadership import Leadership
from schedsync.beat.report import Report

logger = logging.getLogger(__name__)


@dataclass
class LeadChecks:
    """Keeps the lease while this Beat may lead, and else gives it back.

    The checks take a few statements at each renewal, and none between two renewals. ``step_down`` gives the lease to
    another Beat.
    """

    leadership: Leadership
    environment: OwnEnvironment
    clock: ClockCheck
    report: Report
    step_down: Callable[[], None]
    _next: float = 0.0
    _has_better: bool = False
    _clock_agreed: bool = True

    @property
    def may_lead(self) -> bool:
        """Whether this Beat may have the lease, by the last look."""
        return self.environment.fits and not self._has_better

    @property
    def trouble(self) -> str:
        """What the status says of this Beat, or an empty text."""
        if self.environment.trouble:
            return self.environment.trouble
        if self.clock.agrees:
            return ""
        return f"{self.clock.text}; another Beat leads instead" if self._has_better else self.clock.text

    def keep(self) -> bool:
        """Ask for the lease or renew it, if this Beat may have it; returns whether it leads."""
        if not self.look():
            return self._stand_back()
        had_lease = self.leadership.epoch is not None
        leads = self.leadership.keep()
        if leads and not had_lease:
            # The database may have been bound, or replaced, since the last look.
            self._next = 0.0
            if not self.look():
                return self._stand_back()
        return leads

    def look(self) -> bool:
        """Look again if it is time to; returns whether this Beat may lead."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + self.leadership.times.renew
            self.environment.look()
            self._look_at_clock()
            self.report.environment = self.environment.name
            self.report.clock_ahead = self.clock.reported
        return self.may_lead

    def _look_at_clock(self) -> None:
        self.clock.measure()
        had_better, agreed = self._has_better, self._clock_agreed
        self._clock_agreed = self.clock.agrees
        self._has_better = not self.clock.agrees and self.clock.has_better(self.environment.bound)
        if self._clock_agreed or (self._has_better, self._clock_agreed) == (had_better, agreed):
            return
        if self._has_better:
            logger.error("%s: a Beat whose clock agrees leads instead", self.clock.text)
        else:
            logger.error("%s, and no live Beat's clock agrees: this Beat may go on to lead", self.clock.text)

    def _stand_back(self) -> bool:
        """Give the lease back, and do not ask for it before the next retry; returns False: this Beat does not lead."""
        if self.leadership.held_epoch is not None:
            self.step_down()
        self.leadership.rest()
        return False
