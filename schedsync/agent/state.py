"""What an agent knows of what it follows, for the threads of its server."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from schedsync.errors import SchedsyncError
from schedsync.usecases.agent import Turn
from schedsync.usecases.follow_logger import DEFAULT

#: Seconds without a step after which an agent is not alive: one turn plans and applies.
_LONGEST_STEP = 1800.0


@dataclass
class State:
    """The state of one follow. Setting ``wake`` lets its loop ask all of its remotes at once."""

    name: str = DEFAULT
    wake: threading.Event = field(default_factory=threading.Event)
    acts: bool = False
    database_problem: str | None = None
    commit: str | None = None
    fetched_at: float | None = None
    applied_at: float | None = None
    problem: SchedsyncError | None = None
    fetch_problem: SchedsyncError | None = None
    left: int = 0
    has_turned: bool = False
    _stepped: float = field(default_factory=time.monotonic)

    def stepped(self, *, acts: bool, problem: str | None) -> None:
        """Note a step of the loop."""
        self._stepped, self.acts, self.database_problem = time.monotonic(), acts, problem

    def turned(self, turn: Turn) -> None:
        """Note a turn."""
        self.has_turned = True
        self.commit, self.left = turn.commit, len(turn.left)
        if turn.problem is not None or not turn.put_off:
            self.problem = turn.problem
        if turn.asked:
            self.fetch_problem = turn.fetch_problem
        if turn.name:
            self.fetched_at = time.time()
        if turn.outcome is not None:
            self.applied_at = time.time()

    @property
    def is_alive(self) -> bool:
        """Whether the loop goes on."""
        return time.monotonic() - self._stepped < _LONGEST_STEP

    @property
    def not_ready(self) -> str | None:
        """Why this agent does not do its work here, or None: one that stands by is ready."""
        if self.database_problem is not None:
            return "the database is away"
        if not self.acts:
            return None
        if self.commit is None:
            return "no commit was applied yet"
        return None

    @property
    def words(self) -> str:
        """What is kept here, or why nothing is, on one line; with the name of the follow if it has one."""
        said = self.not_ready or (f"keeps {self.commit[:12]}" if self.commit else "stands by")
        return said if self.name == DEFAULT else f"{self.name}: {said}"


def not_alive(states: Sequence[State]) -> str | None:
    """Return why the process is to be started again, or None."""
    names = [state.name for state in states if not state.is_alive and state.name != DEFAULT]
    if all(state.is_alive for state in states):
        return None
    return f"the loop does not go on: {', '.join(names)}" if names else "the loop does not go on"
