"""Lets signals wait while a batch is sent: Celery's handler raises SystemExit at any point of the program."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

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
