"""Collects the metrics at each scrape: from the database, and in Beat also from Beat's own memory."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from django.db import DatabaseError, InterfaceError, connections
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from schedsync.core.counters import Counters
from schedsync.core.status import BeatStatus
from schedsync.errors import SchedsyncError
from schedsync.monitoring import metrics
from schedsync.monitoring.families import of_beats, of_database, value
from schedsync.monitoring.reading import Reading, read

logger = logging.getLogger(__name__)

#: Seconds that a scrape waits for another one that reads the database: Prometheus waits for 10 seconds.
_PATIENCE = 5.0


@dataclass(eq=False)
class DatabaseReader:
    """Reads the database for scrapes, one at a time: a server that does not answer must not collect connections."""

    using: str
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_away: bool = False

    def read(self) -> Reading | None:
        """Return what the database knows; None if it does not answer, which is logged once."""
        if not self._lock.acquire(timeout=_PATIENCE):
            return None
        try:
            reading = read(self.using)
        except (DatabaseError, InterfaceError, SchedsyncError) as error:
            if not self._is_away:
                logger.warning("the metrics cannot be read from the database: %s", error)
            self._is_away = True
            return None
        finally:
            self._lock.release()
        self._is_away = False
        return reading


@dataclass(frozen=True, eq=False)
class DatabaseCollector(Collector):
    """The metrics of a database, and of all Beats that write their heartbeat into it."""

    reader: DatabaseReader

    def collect(self) -> Iterator[Family]:
        """Yield the families."""
        reading = self.reader.read()
        yield from value(metrics.DATABASE_UP, reading is not None)
        if reading is not None:
            yield from of_database(reading)
            yield from of_beats(reading.status.beats, reading.counters)


@dataclass(frozen=True, eq=False)
class BeatCollector(Collector):
    """The metrics of one Beat from its memory, and those of its database where that answers.

    Other Beats are left out: their own ports tell more, and a sum over all ports counts nothing twice. ``own`` returns
    the Beat; ``is_away`` says that it has lost its database, which then is not asked.
    """

    reader: DatabaseReader
    own: Callable[[], tuple[BeatStatus, Counters]]
    is_away: Callable[[], bool]

    def collect(self) -> Iterator[Family]:
        """Yield the families; the database is read in this thread, by a connection that is closed at once."""
        beat, counters = self.own()
        try:
            reading = None if self.is_away() else self.reader.read()
        finally:
            with suppress(DatabaseError, InterfaceError):
                connections.close_all()
        yield from value(metrics.DATABASE_UP, reading is not None)
        if reading is not None:
            yield from of_database(reading)
        yield from of_beats([beat], {beat.id: counters})


def registry_of(collector: Collector) -> CollectorRegistry:
    """Return a registry of its own: the metrics of the application's process do not belong to the schedules."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(collector)
    return registry
