"""The garbage collector is paused for a time, and never stays off."""

from __future__ import annotations

import gc
from contextlib import ExitStack

from schedsync.database.collector import gc_paused


def test_a_pause_ends_with_the_one_that_began_it() -> None:
    first, second = ExitStack(), ExitStack()
    first.enter_context(gc_paused())
    second.enter_context(gc_paused())
    states = [gc.isenabled()]
    first.close()
    states.append(gc.isenabled())
    second.close()

    assert [*states, gc.isenabled()] == [False, True, True]


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    try:
        with gc_paused():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()
