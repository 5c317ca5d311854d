"""Waiting for the apply lock."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from schedsync.errors import Locked

T = TypeVar("T")
_BETWEEN_TRIES = 0.2


def wait_for_lock(write: Callable[[], T], seconds: float, sleep: Callable[[float], None] = time.sleep) -> T:
    """Call ``write``, again and again while another apply holds the lock; raises Locked after ``seconds``."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            return write()
        except Locked:
            if time.monotonic() >= deadline:
                raise
        sleep(_BETWEEN_TRIES)
