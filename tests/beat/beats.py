"""The Beats that a test has made: each that leads keeps a connection of its own, until the test is over."""

from __future__ import annotations

from typing import Any

_made: list[Any] = []


def note(scheduler: Any) -> None:
    """Take note of a Beat."""
    _made.append(scheduler)


def close_all() -> None:
    """Close the connections, as the end of their processes would."""
    while _made:
        _made.pop().leadership.watch.keeper.drop()
