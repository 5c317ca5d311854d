"""Whether this Beat leads: any number of Beats run, and the one that has the lease sends.

The lease only says who sends; the guarantee is the claim. The lease's epoch grows with every acquisition, is stored in
the database wherever the lease itself is kept, and is checked by each claim in the claim's own transaction. Any error,
and any answer that is lost, means "not leader".
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from datetime import timedelta

from schedsync.beat.elections import Election
from schedsync.beat.lease_times import LeaseTimes

logger = logging.getLogger(__name__)


@dataclass
class Leadership:
    """Whether this Beat leads, as far as it can know: between two answers only its own monotonic clock counts.

    ``epoch`` is the epoch of the lease, or None while this Beat does not have it. ``held_epoch`` is the one that it got
    last and has not given back: after an error the lease may be kept for a Beat that does not lead any more.
    """

    election: Election
    times: LeaseTimes
    epoch: int | None = None
    held_epoch: int | None = None
    _ends: float = 0.0
    _next: float = 0.0

    @property
    def span(self) -> timedelta:
        """How long a lease lasts."""
        return self.times.span

    @property
    def leads(self) -> bool:
        """Whether this Beat has the lease, and the lease has not ended since it was last renewed."""
        return self.epoch is not None and time.monotonic() < self._ends

    @property
    def wait(self) -> float:
        """Seconds until the lease is to be renewed, or asked for again."""
        return max(self._next - time.monotonic(), 0.0)

    def keep(self) -> bool:
        """Renew the lease, or ask for it, when it is time to; returns whether this Beat leads."""
        if self.wait:
            return self.leads
        asked = time.monotonic()
        self._next = asked + self.times.retry
        if self.epoch is not None and not self.election.renew(self.epoch):
            self.lose("it was taken, or could not be renewed")
        elif self.epoch is None:
            self.epoch = self.election.acquire()
        if self.epoch is not None:
            self.held_epoch = self.epoch
            # Count from when we asked, not from when the answer came, so that we never trust the lease too long.
            self._ends, self._next = asked + self.times.lease, asked + self.times.renew
        return self.leads

    def lose(self, reason: str) -> None:
        """Lead no longer."""
        if self.epoch is not None:
            logger.warning("lease lost: %s", reason, extra={"epoch": self.epoch})
        self.epoch = None
        self._next = min(self._next, time.monotonic() + self.times.retry)

    def hurry(self) -> None:
        """Ask for the lease at once, if this Beat stands by."""
        if self.epoch is None:
            self._next = 0.0

    def rest(self) -> None:
        """Do not ask for the lease before the next retry."""
        self._next = time.monotonic() + self.times.retry

    def resign(self) -> None:
        """Give the lease back, if no other Beat has it; raises what the database raises."""
        if self.held_epoch is not None:
            self.election.release(self.held_epoch)
        self.epoch = self.held_epoch = None
