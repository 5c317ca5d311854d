"""Who outside hears of an agent's turns: the forges of its remotes, and the place of its snapshots."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from schedsync.agent.forge_reports import ForgeReports
from schedsync.agent.observers import Observer
from schedsync.agent.snapshots import Snapshots
from schedsync.git.remote import Remote

logger = logging.getLogger(__name__)


@contextmanager
def outside(
    remotes: Iterable[Remote], publish: Callable[[str], None] | None, place: str, patience: float
) -> Iterator[tuple[Observer, ...]]:
    """Yield what is to be called with each turn of agents that follow these remotes.

    A forge is told only with a token for it. ``publish`` takes the text of a snapshot for a ``place``; None publishes
    none. At the end of the block, what is under way has ``patience`` seconds. Raises WrongUsage for a wrong setting.
    """
    observers: list[ForgeReports | Snapshots] = []
    reports = ForgeReports()
    if names := sorted({name for remote in remotes if (name := reports.prepare(remote))}):
        logger.info("tells %s what becomes of each commit", " and ".join(names))
        observers.append(reports)
    if publish is not None:
        observers.append(Snapshots(publish, place))
    try:
        yield tuple(observers)
    finally:
        end = time.monotonic() + patience
        for observer in observers:
            observer.background.wait(max(end - time.monotonic(), 0.0))
