"""Signals, for which Celery's handler raises SystemExit at any point of the program: they wait, and are not lost."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let SIGTERM and SIGINT wait until the block has ended.

    Handlers take note of them. A mask would not do: it is one thread's, and Python runs handlers in the main thread
    also for a signal that another thread got.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    noted: list[int] = []
    before = {number: handler for number in _SIGNALS if (handler := signal.getsignal(number)) is not None}
    for number in before:
        signal.signal(number, lambda number, _frame: noted.append(number))
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        for noted_number in dict.fromkeys(noted):
            signal.raise_signal(noted_number)


@dataclass
class Ending:
    """Sees to it that Beat ends once it is told to.

    Code in C may lose the SystemExit of Celery's handler: SQLite says that a function failed, and a driver of MariaDB
    goes on with half a value and raises another error.
    """

    is_told: bool = False
    _is_watching: bool = False

    def tell(self) -> None:
        """Take note that Celery's handler runs; outside of :meth:`watched` nothing can be lost."""
        self.is_told |= self._is_watching

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Raise SystemExit at the end of the block, or for any error in it, if Beat was told to end meanwhile."""
        self._is_watching = True
        try:
            yield
        except Exception as error:
            if self.is_told:
                raise SystemExit from error
            raise
        finally:
            self._is_watching = False
        if self.is_told:
            raise SystemExit
