"""The agent's loop for one database: it keeps its lease, and lets each follow take a turn when one is due."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import dataclass, field

from django.db import close_old_connections

from schedsync.agent.follow import Follow
from schedsync.agent.lease import AgentLease
from schedsync.agent.observers import Observer, tell

#: The most seconds between two looks at the lease, and those between two looks at a fetch that is under way.
_STEP, _LOOK = 1.0, 0.1
#: Seconds that each wait still takes when the agent ends.
_SHORT_SLEEP = 0.05


@dataclass
class Loop:
    """A loop that runs in one thread, with its own connections to the database.

    Its follows fetch at the same time, and apply one after the other. ``observers`` are called after each turn.
    Setting ``wake`` lets it ask all remotes at once.
    """

    follows: Sequence[Follow]
    lease: AgentLease
    observers: tuple[Observer, ...] = ()
    wake: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self._is_ending, self._acts = threading.Event(), False
        for follow in self.follows:
            follow.state.wake = self.wake
            turns = follow.turns
            turns.stop, turns.fence, turns.sleep = self._stop, self.lease.fence, self._sleep

    def run(self) -> None:
        """Run until :meth:`end`, or until a step fails; then give the lease back."""
        try:
            with ThreadPoolExecutor(len(self.follows), "schedsync-fetch") as fetcher:
                self._run(fetcher)
        finally:
            self.lease.resign()

    def _run(self, fetcher: Executor) -> None:
        try:
            while not self._is_ending.is_set():
                self._step(fetcher)
                self.wake.wait(min(map(_wait, self.follows)))
        finally:
            # The executor waits for its threads, which ask whether to stop.
            self._is_ending.set()

    def end(self) -> None:
        """End after the transaction that is under way, if one is."""
        self._is_ending.set()
        self.wake.set()

    def _step(self, fetcher: Executor) -> None:
        if self.wake.is_set():
            self.wake.clear()
            for follow in self.follows:
                follow.hurry()
        close_old_connections()
        for follow in self.follows:
            # A turn can take long: the lease is looked at before each.
            self._acts = self.lease.keep()
            for each in self.follows:
                each.state.stepped(acts=self._acts, problem=self.lease.problem)
            if self._is_ending.is_set():
                return
            if self._acts:
                self._turn(follow, fetcher)
            else:
                follow.give_up()

    def _turn(self, follow: Follow, fetcher: Executor) -> None:
        turn = follow.step(fetcher)
        # A turn that the end of the agent has broken off says nothing; one that has written does.
        if turn is not None and (turn.outcome is not None or not self._is_ending.is_set()):
            follow.note(turn)
            tell(self.observers, turn)

    def _stop(self) -> bool:
        """Say whether a fetch is to be given up, and no apply may begin."""
        return self._is_ending.is_set() or not self._acts

    def _sleep(self, seconds: float) -> None:
        if self._is_ending.wait(seconds):
            # An apply that waits for its lock calls this again and again: it must not spin.
            time.sleep(min(seconds, _SHORT_SLEEP))


def _wait(follow: Follow) -> float:
    """Return the seconds until a loop looks at a follow again."""
    return _LOOK if follow.is_asking else min(max(follow.wait, _LOOK), _STEP)
