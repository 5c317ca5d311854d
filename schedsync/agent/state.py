"""What an agent knows of itself, for the threads of its server."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field

from schedsync.errors import SchedsyncError
from schedsync.usecases.agent import Turn

#: Seconds without a step after which an agent is not alive: one turn may fetch, plan and apply.
_LONGEST_STEP = 1800.0


@dataclass
class State:
    """The state of one agent. Setting ``wake`` lets it ask the remote at once."""

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
        self.commit, self.problem, self.fetch_problem = turn.commit, turn.problem, turn.fetch_problem
        self.left = len(turn.left)
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
        """Why this agent does not do its work, or None: one that stands by is ready."""
        if self.database_problem is not None:
            return "the database is away"
        if not self.acts:
            return None
        if self.commit is None:
            return "no commit was applied yet"
        return None
