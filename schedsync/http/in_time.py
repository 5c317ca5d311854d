"""A call that is given up after a time.

The timeouts of a socket are not enough: they hold for each read, and a host can send byte by byte.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


class TooLong(Exception):
    """A call took longer than it may."""


def in_time(call: Callable[[], T], seconds: float) -> T:
    """Return what a call returns, or raise what it raises; raises TooLong after ``seconds``.

    The call runs in a thread, which goes on then, and keeps no process from ending.
    """
    found: queue.SimpleQueue[tuple[T | None, Exception | None]] = queue.SimpleQueue()

    def run() -> None:
        try:
            found.put((call(), None))
        except Exception as error:
            found.put((None, error))

    threading.Thread(target=run, name="schedsync-http", daemon=True).start()
    try:
        result, error = found.get(timeout=seconds)
    except queue.Empty:
        raise TooLong from None
    if error is not None:
        raise error
    return result  # type: ignore[return-value]  # without an error it is what the call returned
