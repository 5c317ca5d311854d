"""The metrics of all that an agent follows, from its memory, and those of its database."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TypeAlias

from django.db import DatabaseError, InterfaceError, connections
from prometheus_client import generate_latest
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from schedsync.agent.state import State
from schedsync.monitoring import metrics
from schedsync.monitoring.collector import DatabaseCollector, DatabaseReader, registry_of
from schedsync.monitoring.families import values
from schedsync.monitoring.metrics import Metric

#: The value of a metric for a follow; None where it is not known yet.
Number: TypeAlias = Callable[[State], "float | None"]


@dataclass(frozen=True, eq=False)
class AgentCollector(Collector):
    """The metrics of each follow, then those of the database, if it is one; read in the thread of the scrape."""

    states: Sequence[State]
    database: DatabaseCollector | None

    def collect(self) -> Iterator[Family]:
        """Yield the families; the connection of this thread is closed at once."""
        yield from self._of_all(metrics.AGENT_ACTS, lambda state: state.acts)
        yield from self._of_all(
            metrics.AGENT_FETCH_FAILED, _after_a_turn(lambda state: state.fetch_problem is not None)
        )
        yield from self._of_all(metrics.AGENT_COMMIT_FAILED, _after_a_turn(lambda state: state.problem is not None))
        yield from self._of_all(metrics.AGENT_LEFT, _after_a_turn(lambda state: state.left))
        yield from self._of_all(metrics.AGENT_FETCH_TIME, lambda state: state.fetched_at)
        yield from self._of_all(metrics.AGENT_APPLY_TIME, lambda state: state.applied_at)
        if self.database is None:
            return
        try:
            yield from self.database.collect()
        finally:
            with suppress(DatabaseError, InterfaceError):
                connections.close_all()

    def _of_all(self, metric: Metric, number: Number) -> Iterator[Family]:
        return values(metric, [((state.name,), number(state)) for state in self.states])


def _after_a_turn(number: Number) -> Number:
    return lambda state: number(state) if state.has_turned else None


def metrics_of(using: str | None, states: Sequence[State]) -> Callable[[], str]:
    """Return the function that returns the text of a scrape; ``using`` is the database, None for several."""
    # Two databases would have the same metrics, with nothing that tells them apart.
    database = DatabaseCollector(DatabaseReader(using)) if using is not None else None
    registry = registry_of(AgentCollector(states, database))
    return lambda: generate_latest(registry).decode()
