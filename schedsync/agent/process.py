"""The process of an agent: a loop for each database, which a signal ends between transactions."""

from __future__ import annotations

import gc
import logging
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from django.db import connections

from schedsync.agent.loop import Loop
from schedsync.agent.state import State

logger = logging.getLogger(__name__)


@dataclass
class Process:
    """An agent that runs, with at least one loop. A database that is away keeps only its own loop waiting."""

    loops: Sequence[Loop]
    _failure: BaseException | None = field(default=None, init=False)

    @property
    def states(self) -> tuple[State, ...]:
        """The states of all follows."""
        return tuple(follow.state for loop in self.loops for follow in loop.follows)

    def run(self) -> None:
        """Run until a signal comes, or a loop fails, whose error is raised; no loop is left behind."""
        # A verb pauses the collector, which is right only for what ends soon.
        gc.enable()
        first, *others = self.loops
        threads = [threading.Thread(target=self._run, args=(loop,)) for loop in others]
        with self._signals():
            for thread in threads:
                thread.start()
            try:
                first.run()
            finally:
                self.end()
                for thread in threads:
                    thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self, loop: Loop) -> None:
        try:
            loop.run()
        except BaseException as error:
            self._failure = error
        finally:
            connections.close_all()
            self.end()

    def end(self) -> None:
        """End all loops after the transaction that is under way in each."""
        for loop in self.loops:
            loop.end()

    def _asked(self, number: int) -> None:
        logger.info("%s: the agent ends", signal.Signals(number).name)
        self.end()

    @contextmanager
    def _signals(self) -> Iterator[None]:
        """Let SIGTERM and SIGINT end the loops."""

        def ask(number: int, _frame: Any) -> None:
            # This thread may be inside a `wait`, with the lock that `end` needs.
            threading.Thread(target=self._asked, args=(number,)).start()

        before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)
