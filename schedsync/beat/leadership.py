"""Whether this Beat leads: any number of Beats run, and the one that has the lease sends.

The lease only says who sends; the guarantee is the claim. The lease's epoch grows with every acquisition, is stored in
the database wherever the lease itself is kept, and is checked by each claim in the claim's own transaction. Any error,
and any answer that is lost, means "not leader".
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta

from schedsync.beat.elections import Election
from schedsync.beat.lease_times import LeaseTimes
from schedsync.beat.lease_watch import SECOND_LOOK, LeaseWatch
from schedsync.core.counters import Counters

logger = logging.getLogger(__name__)

_HOUR = 3600.0


@dataclass
class Leadership:
    """Whether this Beat leads, as far as it can know: between two answers only its own monotonic clock counts.

    ``watch`` tells a Beat that stands by when to ask for the lease; without it, it asks each time. ``epoch`` is the
    epoch of the lease, or None while this Beat does not have it. ``held_epoch`` is the one that it got last and has not
    given back: after an error the lease may be kept for a Beat that does not lead any more.
    ``on_end`` is told why this Beat leads no longer, and ``log`` gets the log lines.
    """

    election: Election
    times: LeaseTimes
    watch: LeaseWatch | None = None
    epoch: int | None = None
    held_epoch: int | None = None
    on_end: Callable[[str], None] = lambda _reason: None
    log: logging.Logger | logging.LoggerAdapter[logging.Logger] = logger
    counters: Counters = field(default_factory=Counters)
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
        if self.wait and not self._may_have_news():
            return self.leads
        asked = time.monotonic()
        self._next = asked + self.times.retry
        if self.epoch is None:
            self._ask()
        elif self.election.renew(self.epoch):
            self._keep_lock(self.epoch)
        else:
            self.lose("it was taken, or could not be renewed")
        if self.epoch is not None:
            self.held_epoch = self.epoch
            # Count from when we asked, not from when the answer came, so that we never trust the lease too long.
            self._ends, self._next = asked + self.times.lease, asked + self.times.renew
        return self.leads

    def _may_have_news(self) -> bool:
        return self.epoch is None and self.watch is not None and self.watch.has_news()

    def _ask(self) -> None:
        """Ask for the lease, if it may be free."""
        if self.watch is None:
            self.epoch = self.election.acquire()
            return
        sight, dead = self.watch.look()
        if dead is not None:
            self.log.warning("the process of the leader is dead, epoch %d", dead, extra={"epoch": dead})
        elif self.watch.suspect is not None:
            self._next = time.monotonic() + min(SECOND_LOOK, self.times.retry)
        if dead is not None or sight.lease_is_free or not self.election.is_in_tables:
            self.epoch = self.election.acquire(dead)
        if self.epoch is not None:
            self.watch.keeper.take(self.epoch)
        elif sight.epoch != self.held_epoch:
            self.watch.keeper.drop()

    def _keep_lock(self, epoch: int) -> None:
        if self.watch is not None:
            self.watch.keeper.keep(epoch)

    def lose(self, reason: str, *, database_failed: bool = False) -> None:
        """Lead no longer."""
        if self.watch is not None:
            self._doubt(self.watch, database_failed=database_failed)
        if self.epoch is not None:
            self.log.warning("lease lost: %s", reason, extra={"epoch": self.epoch})
            self.on_end(reason)
            self.counters.lease_losses += 1
        self.epoch = None
        self._next = min(self._next, time.monotonic() + self.times.retry)

    def _doubt(self, watch: LeaseWatch, *, database_failed: bool) -> None:
        if database_failed:
            watch.trust_nothing(self.times.lease)
        elif self.leads and watch.keeper.is_ours():
            self.log.error(
                "another Beat took the lease though this one lives: session locks are not trusted for an hour"
            )
            watch.trust_nothing(_HOUR)

    def hurry(self) -> None:
        """Ask for the lease at once, if this Beat stands by."""
        if self.epoch is None:
            self._next = 0.0

    def rest(self) -> None:
        """Do not ask for the lease before the next retry."""
        self._next = time.monotonic() + self.times.retry

    def resign(self) -> None:
        """Give the lease back, if no other Beat has it; raises what the database raises."""
        self.on_end("it gave the lease back")
        if self.held_epoch is not None:
            self.election.release(self.held_epoch)
        if self.watch is not None:
            self.watch.keeper.drop()
        self.epoch = self.held_epoch = None
