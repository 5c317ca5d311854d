"""Who outside hears of an agent's turns: the forges of its remotes, and the place of its snapshots."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial

from schedsync.agent.first_runs import sections
from schedsync.agent.forge_reports import ForgeReports
from schedsync.agent.observers import Observer
from schedsync.agent.options import FollowOptions
from schedsync.agent.snapshots import Snapshots
from schedsync.core.published import Place

logger = logging.getLogger(__name__)


@contextmanager
def outside(
    follows: Sequence[FollowOptions], publish: Callable[[Place, str], None], patience: float
) -> Iterator[tuple[Observer, ...]]:
    """Yield what is to be called with each turn of an agent with these follows.

    A forge is told only with a token for it. ``publish`` takes the text of a snapshot for a place; it is called for
    follows that name one. At the end of the block, what is under way has ``patience`` seconds. Raises WrongUsage for a
    wrong setting.
    """
    observers: list[ForgeReports | Snapshots] = []
    reports = ForgeReports(sections)
    if names := sorted({name for follow in follows if (name := reports.prepare(follow.remote))}):
        logger.info("tells %s what becomes of each commit", " and ".join(names))
        observers.append(reports)
    observers += [
        Snapshots(partial(publish, follow.publish), str(follow.publish), follow.name)
        for follow in follows
        if follow.publish is not None
    ]
    try:
        yield tuple(observers)
    finally:
        end = time.monotonic() + patience
        for observer in observers:
            observer.background.wait(max(end - time.monotonic(), 0.0))
