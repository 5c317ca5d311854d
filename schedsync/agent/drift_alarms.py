"""The alarm for edits by others that an agent has left: it is sent once, also where a drift job sees them too."""

from __future__ import annotations

from schedsync.usecases.agent import Turn
from schedsync.usecases.alarms import tell_drift
from schedsync.usecases.follow_logger import FollowLogger


def tell_left(turn: Turn) -> None:
    """Send the alarm for what a turn has left; a turn that could not keep the tables knows nothing of edits."""
    if turn.target is not None and turn.problem is None:
        changed = [change.name for change in turn.left]
        tell_drift(turn.target, changed, turn.held, FollowLogger(__name__, turn.follow).warning)
