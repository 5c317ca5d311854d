"""Serves the metrics of this Beat, and those of its database, on the port of ``SCHEDSYNC_METRICS_ADDRESS``."""

from __future__ import annotations

import os
import socket
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

from schedsync.core.counters import Counters
from schedsync.core.status import BeatReport, BeatStatus, Listed
from schedsync.monitoring.settings import chosen_schedules, metrics_address

if TYPE_CHECKING:
    from schedsync.beat.scheduler import Scheduler


class Metrics:
    """The port of one Beat; without the setting there is none.

    Raises ImproperlyConfigured if the address cannot be used, or if prometheus-client is not installed.
    """

    def __init__(self, beat: Scheduler) -> None:
        self._beat = beat
        self._name = f"{socket.gethostname()[:200]}:{os.getpid()}"
        self._started_at = datetime.now(timezone.utc)
        self._is_away = True
        self._server: Any = None
        if (address := metrics_address()) is not None:
            from schedsync.monitoring.collector import BeatCollector, DatabaseReader
            from schedsync.monitoring.server import MetricsServer

            chosen_schedules()
            collector = BeatCollector(DatabaseReader(beat.using), self.own, lambda: self._is_away)
            self._server = MetricsServer(address, collector)

    def step(self, *, is_away: bool) -> None:
        """Open the port if it is not open yet; ``is_away`` says that the database is away."""
        self._is_away = is_away
        if self._server is not None:
            self._server.open()

    def close(self) -> None:
        """Close the port."""
        if self._server is not None:
            self._server.close()

    def own(self) -> tuple[BeatStatus, Counters]:
        """Return how this Beat is doing, from its memory; called by the threads of the server."""
        beat = self._beat
        # A thread has a current app of its own, and what is read next asks it for Beat's settings.
        beat.app.set_current()
        leadership, sender = beat.leadership, beat.sender
        status = BeatStatus(
            id=str(beat.holder),
            name=self._name,
            election=leadership.election.name,
            leads=leadership.leads,
            leads_since=None,
            epoch=leadership.epoch or 0,
            started_at=self._started_at,
            seen=timedelta(0),
            loaded=beat.reloader.change_number,
            loaded_at=None,
            schedules=len(beat.roster),
            trouble=beat.heartbeat.trouble,
            report=BeatReport(
                broken=Listed(len(beat.roster.broken)),
                broker_trouble=sender.trouble,
                last_tick=sender.last_tick,
                last_late=sender.last_late,
                clock_ahead=beat.report.clock_ahead,
                environment=beat.report.environment,
            ),
        )
        return status, sender.counters
