"""Python's garbage collector, paused for work that makes millions of objects and no garbage.

Imports neither Django nor click, so that the command line stays fast to start.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause the garbage collector: a collection would scan millions of live objects and free nothing."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
