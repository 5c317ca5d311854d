"""One of the things that an agent follows: when its remote is asked, and when its tables are looked at."""

from __future__ import annotations

from concurrent.futures import Executor, Future
from dataclasses import dataclass, field, replace

from schedsync.agent.pace import Pace
from schedsync.agent.reports import Reports
from schedsync.agent.state import State
from schedsync.usecases.agent import Fetched, Turn, Turns


@dataclass
class Follow:
    """A follow of a loop; ``interval`` is in seconds. ``state`` is what the server shows of it."""

    turns: Turns
    interval: float
    state: State = field(init=False)
    _fetch: Future[Fetched] | None = field(default=None, init=False)
    _failed_commit: str | None = field(default=None, init=False)
    _is_given_up: bool = field(default=False, init=False)
    _is_hurried: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        self.state = State(self.turns.kept.name)
        self._reports = Reports(self.turns.kept.name)
        self._fetches, self._keeps, self._tries = (Pace(self.interval) for _ in range(3))

    @property
    def is_asking(self) -> bool:
        """Whether the remote is being asked."""
        return self._fetch is not None

    @property
    def wait(self) -> float:
        """Seconds until the remote is to be asked, or the tables are to be looked at; 0 if it is time."""
        return min(self._fetches.wait, self._keeps.wait)

    def hurry(self) -> None:
        """Ask the remote soon, and try again what was not applied."""
        # A fetch that is under way may have asked before the push.
        self._is_hurried = self.is_asking
        self._fetches.hurry()
        self._tries.hurry()

    def give_up(self) -> None:
        """Use no fetch that is under way: another agent acts."""
        self._is_given_up = self.is_asking

    def step(self, fetcher: Executor) -> Turn | None:
        """Begin to ask the remote if it is time to, and take a turn if one is due; None without one.

        A fetch takes its time in a thread of ``fetcher``: a remote that hangs keeps no other follow waiting.
        """
        if self._fetch is None and self._fetches.is_due:
            self._fetch = fetcher.submit(self.turns.fetch)
        if self._fetch is None:
            return self._turn(None) if self._keeps.is_due else None
        if not self._fetch.done():
            return None
        fetched, self._fetch = self._fetch.result(), None
        if self._is_given_up:
            self._is_given_up = False
            return None
        self._fetches.done(failed=fetched.problem is not None)
        if self._is_hurried:
            self.hurry()
        return self._turn(fetched)

    def _turn(self, fetched: Fetched | None) -> Turn:
        turn = self.turns.after(fetched, skips=None if self._tries.is_due else self._failed_commit)
        if fetched is not None and fetched.found is not None:
            self._note_tried(turn, fetched.found.commit)
        self._keeps.done(failed=turn.problem is not None and turn.tried == turn.commit)
        return replace(turn, put_off=self._failed_commit not in (None, turn.tried))

    def _note_tried(self, turn: Turn, found: str) -> None:
        """Let a commit that was not applied be tried more and more seldom, and a newer one at once."""
        if found == turn.commit:
            self._failed_commit, self._tries.failures = None, 0
        elif found == turn.tried:
            if found != self._failed_commit:
                self._tries.failures = 0
            self._tries.done(failed=True)
            self._failed_commit = found

    def note(self, turn: Turn) -> None:
        """Log what is new in a turn, and show it in the state."""
        self._reports.add(turn)
        self.state.turned(turn)
