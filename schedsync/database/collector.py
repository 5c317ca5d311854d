"""Python's garbage collector, paused for work that makes millions of objects and no garbage.

Imports neither Django nor click, so that the command line stays fast to start.
"""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from contextlib import contextmanager

_changing = threading.Lock()


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the garbage collector: a collection would scan millions of live objects and free nothing.

    Also a decorator. In a process with threads the pause is that of the thread that began it, and ends with it: those
    that come meanwhile make it no longer, and the collector never stays off.
    """
    with _changing:
        is_mine = gc.isenabled()
        if is_mine:
            gc.disable()
    try:
        yield
    finally:
        if is_mine:
            gc.enable()
