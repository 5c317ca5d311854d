"""Notices another scheduler that sends too, by mistake: a stock Beat, or one that has its lease elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping

from schedsync.beat.heartbeat import Heartbeat
from schedsync.beat.loaded_schedule import LoadedSchedule, Trace

logger = logging.getLogger(__name__)

#: What was noticed of a stock Beat stays in the status for so many leases: it writes back every three minutes.
_KEPT = 20


class Rivals:
    """Says loudly who else sends, and keeps it for the status as ``trouble``.

    ``lease`` is in seconds. Where ``expected``, other Beats run what this one has loaded, and rightly so: there is no
    election.
    """

    def __init__(self, presence: Heartbeat, lease: float, *, expected: bool) -> None:
        self._presence = presence
        self._lease = lease
        self._expected = expected
        self._faint: set[int] = set()
        self._next_comparison = 0.0
        self.trouble = ""

    def compare(self) -> None:
        """Say so where another Beat of ours looks for the lease elsewhere: then both would send."""
        if time.monotonic() < self._next_comparison:
            return
        self._next_comparison = time.monotonic() + self._lease
        elsewhere = self._presence.others()
        self.trouble = ""
        if elsewhere:
            self.trouble = f"another Beat has its lease elsewhere ({', '.join(elsewhere)})"
            logger.error("%s: give all of them the same SCHEDSYNC_LEADER", self.trouble)

    def judge(self, traces: Mapping[int, Trace], entries: Mapping[int, LoadedSchedule]) -> None:
        """Name the schedules that bear a sure trace of another scheduler, or a faint one once more."""
        faint = {row_id for row_id, trace in traces.items() if trace is Trace.FAINT}
        again = (traces.keys() - faint) | (faint & self._faint)
        self._faint |= faint
        self.suspect(entry.name for row_id in again if (entry := entries.get(row_id)) is not None)

    def suspect(self, names: Iterable[str]) -> None:
        """Name schedules that somebody else has run."""
        found = [] if self._expected else sorted(names)
        if not found:
            return
        self._next_comparison = time.monotonic() + _KEPT * self._lease
        self.trouble = f"another scheduler runs beside this Beat, and sends {', '.join(found[:3])} too"
        logger.error("%s: stop it, or every task runs twice", self.trouble, extra={"schedules": found})
