"""Signals wait while a batch is in flight: Celery's handler raises SystemExit wherever the program stands."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_SIGNALS = (signal.SIGTERM, signal.SIGINT)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let SIGTERM and SIGINT wait until the block is through.

    By handlers that take note, not by a mask: that would be this thread's alone, and Python runs a handler in the main
    thread whichever thread took the signal.
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
        for one in dict.fromkeys(noted):
            signal.raise_signal(one)
