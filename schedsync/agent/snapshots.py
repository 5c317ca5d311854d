"""The snapshot that an agent publishes: at its start, and after each apply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from schedsync.agent.background import Background, Job
from schedsync.errors import SchedsyncError
from schedsync.render.programs import json_
from schedsync.usecases.agent import Turn
from schedsync.usecases.follow_logger import DEFAULT, FollowLogger
from schedsync.usecases.snapshot import capture


@dataclass
class Snapshots:
    """Publishes what the application and the database of a follow know; call it with each turn, and it raises nothing.

    ``publish`` takes the text of a snapshot, and raises a SchedsyncError where that fails; ``place`` is for log lines.
    ``follow`` is the name of the follow.
    """

    publish: Callable[[str], None]
    place: str
    follow: str = DEFAULT
    background: Background = field(default_factory=lambda: Background("schedsync-publish"))
    _is_due: bool = True

    def __call__(self, turn: Turn) -> None:
        """Take a snapshot if the turn is the first one or has applied something, and publish it, or one that waits."""
        if turn.follow != self.follow:
            return
        self._is_due = self._is_due or turn.outcome is not None
        if self._is_due and turn.set is not None and turn.commit is not None:
            self._take(turn.using, turn.set, turn.commit)
        self.background.start()

    def _take(self, using: str, set_name: str, commit: str) -> None:
        what = f"a snapshot is not published to {self.place}"
        try:
            data = json_.snapshot(capture(using, set_name))
        except SchedsyncError as error:
            logger = FollowLogger(__name__, self.follow)
            logger.warning("%s, and it is tried again: %s", what, error, extra={"commit": commit})
            return
        self._is_due = False
        self.background.put("snapshot", Job(partial(self.publish, data), what, commit, self.follow))
