"""Who hears of each turn of the agent: functions that watch first runs, tell a forge, or publish snapshots."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from schedsync.core.masked_errors import masked_error
from schedsync.usecases.agent import Turn
from schedsync.usecases.follow_logger import FollowLogger

#: Is called in the loop's thread, with no transaction open; an agent of several databases has a loop, and a thread, for
#: each. It should return within a second or two: the next turn waits for it, and the lease ends after a minute.
Observer = Callable[[Turn], None]


def tell(observers: Iterable[Observer], turn: Turn) -> None:
    """Call each observer with a turn; one that fails is logged, and stops neither the others nor the agent."""
    for observer in observers:
        try:
            observer(turn)
        except Exception as error:
            # It may speak to a service that answers with anything.
            commit, logger = turn.tried or turn.commit, FollowLogger(__name__, turn.follow)
            logger.error("a turn could not be passed on", exc_info=masked_error(error), extra={"commit": commit})
