"""Watches the lease for a Beat that stands by: when to ask for it, and whether the process of the leader is dead."""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass

from schedsync.beat.glance import Glance, Sight
from schedsync.beat.lock_keeper import LockKeeper
from schedsync.beat.session_locks import lock_of
from schedsync.beat.tables import Tables
from schedsync.models import LeaderLock

#: Seconds until a second look, because the leader may have lost its lock for a moment only.
SECOND_LOOK = 0.25
#: A sight of the same step is new enough; in seconds.
_SAME_STEP = 0.1


@dataclass
class LeaseWatch:
    """Looks at the lease, and at the session lock of the Beat that has it.

    ``suspect`` is the epoch whose lock was free at the last look, and at all looks since ``suspect_since``. After a
    failure of the database nobody is thought dead for a while: the server may have lost the locks of processes that
    live.
    """

    glance: Glance
    keeper: LockKeeper
    suspect: int | None = None
    suspect_since: float = 0.0
    _blind_until: float = 0.0
    _looked_at: float = 0.0

    def has_news(self) -> bool:
        """Say whether the tables were looked at since: then a standby judges what was seen, and need not look again."""
        return self.glance.looked_at > self._looked_at

    def look(self) -> tuple[Sight, int | None]:
        """Return what can be seen, and the epoch of a leader that is dead, or None."""
        sight = self.glance.look(_SAME_STEP)
        self._looked_at = self.glance.looked_at
        before, self.suspect = self.suspect, self._without_lock(sight)
        if self.suspect != before:
            self.suspect_since = time.monotonic()
        is_sure = time.monotonic() - self.suspect_since >= SECOND_LOOK
        return sight, self.suspect if is_sure else None

    def _without_lock(self, sight: Sight) -> int | None:
        if sight.lock is None or time.monotonic() < self._blind_until:
            return None
        is_free = self.keeper.is_free(sight.lock) if sight.lock_is_free is None else sight.lock_is_free
        return sight.lock.epoch if is_free else None

    def trust_nothing(self, seconds: float) -> None:
        """Think nobody dead for so long."""
        self._blind_until = time.monotonic() + seconds


def watch_of(
    leader: str | None, using: str, holder: uuid.UUID, retry: float, tables: Tables, row: int = 1
) -> LeaseWatch:
    """Return the watch for the place of the lease that SCHEDSYNC_LEADER names; ``retry`` is in seconds.

    ``row`` is that of the lease: the Beats have the first.
    """
    lock = lock_of(leader, using, retry, row)
    glance = Glance(using, holder, lock.free, lambda: tables.has(LeaderLock), row=row)
    return LeaseWatch(glance, LockKeeper(using, lock, tables.has, row))
