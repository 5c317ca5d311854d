"""The agent's loop: it keeps its lease, and takes a turn when one is due; a signal ends it between transactions."""

from __future__ import annotations

import gc
import logging
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import close_old_connections

from schedsync.agent.lease import AgentLease
from schedsync.agent.observers import Observer, tell
from schedsync.agent.pace import Pace
from schedsync.agent.reports import Reports
from schedsync.agent.state import State
from schedsync.usecases.agent import Turn, Turns

logger = logging.getLogger(__name__)

#: Seconds between two looks at the lease.
_STEP = 1.0
#: Seconds that each wait still takes when the agent ends.
_SHORT_SLEEP = 0.05


@dataclass
class Loop:
    """An agent that runs; ``interval`` is in seconds. ``state`` is what the server shows of it.

    ``observers`` are called after each turn.
    """

    turns: Turns
    lease: AgentLease
    interval: float
    state: State = field(default_factory=State)
    reports: Reports = field(default_factory=Reports)
    observers: tuple[Observer, ...] = ()

    def __post_init__(self) -> None:
        self._fetches, self._keeps, self._tries = (Pace(self.interval) for _ in range(3))
        self._is_ending = threading.Event()
        self._failed_commit: str | None = None
        self.turns.stop = self._stop
        self.turns.fence = self.lease.fence
        self.turns.sleep = self._sleep

    def run(self) -> None:
        """Run until a signal comes; then give the lease back."""
        # A verb pauses the collector, which is right only for what ends soon.
        gc.enable()
        with self._signals():
            while not self._is_ending.is_set():
                self._step()
                self.state.wake.wait(_STEP)
        self.lease.resign()

    def end(self) -> None:
        """End after the transaction that is under way, if one is."""
        self._is_ending.set()
        self.state.wake.set()

    def _step(self) -> None:
        if self.state.wake.is_set():
            self.state.wake.clear()
            self._fetches.hurry()
            self._tries.hurry()
        close_old_connections()
        acts = self.lease.keep()
        self.state.stepped(acts=acts, problem=self.lease.problem)
        if acts and not self._is_ending.is_set() and (self._fetches.is_due or self._keeps.is_due):
            self._turn()

    def _turn(self) -> None:
        fetches = self._fetches.is_due
        turn = self.turns.turn(fetches=fetches, skips=None if self._tries.is_due else self._failed_commit)
        if fetches:
            self._fetches.done(failed=turn.fetch_problem is not None)
        self._note_tried(turn)
        self._keeps.done(failed=turn.problem is not None and turn.tried == turn.commit)
        if not self._is_ending.is_set():
            self.reports.add(turn)
            self.state.turned(turn)
            tell(self.observers, turn)

    def _note_tried(self, turn: Turn) -> None:
        """Let a commit that was not applied be tried more and more seldom, and a newer one at once."""
        if turn.tried is None:
            return
        failed = turn.problem is not None and turn.tried != turn.commit
        if turn.tried != self._failed_commit:
            self._tries.failures = 0
        self._tries.done(failed=failed)
        self._failed_commit = turn.tried if failed else None

    def _stop(self) -> bool:
        """Say whether a fetch is to be given up; the lease is renewed meanwhile."""
        return self._is_ending.is_set() or not self.lease.keep()

    def _sleep(self, seconds: float) -> None:
        if self._is_ending.wait(seconds):
            # An apply that waits for its lock calls this again and again: it must not spin.
            time.sleep(min(seconds, _SHORT_SLEEP))

    def _asked(self, number: int) -> None:
        logger.info("%s: the agent ends", signal.Signals(number).name)
        self.end()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Let SIGTERM and SIGINT end the loop."""

        def ask(number: int, _frame: Any) -> None:
            # This thread may be inside a `wait`, with the lock that `end` needs.
            threading.Thread(target=self._asked, args=(number,)).start()

        before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
