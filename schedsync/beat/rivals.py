"""Notices rivals, schedulers that send too by mistake: a stock Beat, or a Beat that keeps its lease elsewhere."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Mapping

from schedsync.beat.heartbeat import Heartbeat
from schedsync.beat.loaded_schedule import LoadedSchedule, Trace

logger = logging.getLogger(__name__)

#: A stock Beat stays in the status for 20 leases after a trace of it: it writes back only every three minutes.
_KEPT = 20


class Rivals:
    """Logs as an error which rival sends too, and keeps the text for the status as ``trouble``.

    ``lease`` is in seconds. ``expected`` says that other Beats may run the same schedules: there is no election.
    """

    def __init__(self, heartbeat: Heartbeat, lease: float, *, expected: bool) -> None:
        self._heartbeat = heartbeat
        self._lease = lease
        self._expected = expected
        self._faint: set[int] = set()
        self._next_comparison = 0.0
        self.trouble = ""

    def compare(self) -> None:
        """Log an error if another Beat of schedsync keeps its lease elsewhere: then both send."""
        if time.monotonic() < self._next_comparison:
            return
        self._next_comparison = time.monotonic() + self._lease
        elsewhere = self._heartbeat.other_elections()
        self.trouble = ""
        if elsewhere:
            self.trouble = f"another Beat has its lease elsewhere ({', '.join(elsewhere)})"
            logger.error("%s: give all of them the same SCHEDSYNC_LEADER", self.trouble)

    def judge(self, traces: Mapping[int, Trace], schedules: Mapping[int, LoadedSchedule]) -> None:
        """Name the schedules that bear a sure trace of another scheduler, or a faint one for the second time."""
        faint = {row_id for row_id, trace in traces.items() if trace is Trace.FAINT}
        again = (traces.keys() - faint) | (faint & self._faint)
        self._faint |= faint
        self.suspect(schedule.name for row_id in again if (schedule := schedules.get(row_id)) is not None)

    def suspect(self, names: Iterable[str]) -> None:
        """Name schedules that another scheduler has run."""
        suspects = [] if self._expected else sorted(names)
        if not suspects:
            return
        self._next_comparison = time.monotonic() + _KEPT * self._lease
        self.trouble = f"another scheduler runs beside this Beat, and sends {', '.join(suspects[:3])} too"
        logger.error("%s: stop it, or every task runs twice", self.trouble, extra={"schedules": suspects})
