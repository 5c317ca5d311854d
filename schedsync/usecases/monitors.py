"""Brings monitors into step after a commit: a service never stops an apply, a pause or its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from itertools import chain

from schedsync.core.watch import Failure, Kind, Settled
from schedsync.database.audit import last_binding
from schedsync.database.monitors import sets_of
from schedsync.errors import SchedsyncError
from schedsync.monitors.in_step import bring_into_step


def settle(
    using: str, set_name: str, environment: str | None, progress: Callable[[str], None] = lambda _step: None
) -> Settled:
    """Make, change and delete the monitors of a set's schedules at each service, and note what could not be done.

    Raises nothing that a service, the settings or the database can cause: the schedules are committed already.
    """
    return _guarded(lambda: bring_into_step(using, set_name, environment, progress))


def settle_muted(using: str, names: Collection[str]) -> Settled:
    """Mute or unmute the monitors of schedules that were paused or resumed; everything else waits for an apply."""

    def muted() -> Settled:
        sets = {name: last_binding(using, name) for name in sets_of(using, names)}
        chosen = frozenset(names)
        found = [
            bring_into_step(using, name, last.environment if last else None, only=chosen) for name, last in sets.items()
        ]
        done: Counter[Kind] = Counter()
        for each in found:
            done.update(each.done)
        failures = tuple(chain.from_iterable(each.failures for each in found))
        return Settled(done, failures, sum(each.waiting for each in found))

    return _guarded(muted)


def _guarded(settled: Callable[[], Settled]) -> Settled:
    try:
        return settled()
    except SchedsyncError as error:
        return Settled({}, (Failure("", "", error.message),))
