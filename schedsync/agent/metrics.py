"""The metrics of an agent from its memory, and those of its database."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from django.db import DatabaseError, InterfaceError, connections
from prometheus_client import generate_latest
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from schedsync.agent.state import State
from schedsync.monitoring import metrics
from schedsync.monitoring.collector import DatabaseCollector, DatabaseReader, registry_of
from schedsync.monitoring.families import value


@dataclass(frozen=True, eq=False)
class AgentCollector(Collector):
    """The metrics of one agent, then those of its database; read in the thread of the scrape."""

    state: State
    database: DatabaseCollector

    def collect(self) -> Iterator[Family]:
        """Yield the families; the connection of this thread is closed at once."""
        state = self.state
        yield from value(metrics.AGENT_ACTS, state.acts)
        if state.has_turned:
            yield from value(metrics.AGENT_FETCH_FAILED, state.fetch_problem is not None)
            yield from value(metrics.AGENT_COMMIT_FAILED, state.problem is not None)
            yield from value(metrics.AGENT_LEFT, state.left)
        yield from value(metrics.AGENT_FETCH_TIME, state.fetched_at)
        yield from value(metrics.AGENT_APPLY_TIME, state.applied_at)
        try:
            yield from self.database.collect()
        finally:
            with suppress(DatabaseError, InterfaceError):
                connections.close_all()


def metrics_of(using: str, state: State) -> Callable[[], str]:
    """Return the function that returns the text of a scrape."""
    registry = registry_of(AgentCollector(state, DatabaseCollector(DatabaseReader(using))))
    return lambda: generate_latest(registry).decode()
