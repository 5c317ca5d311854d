"""Where a value was written."""

from __future__ import annotations

from typing import NamedTuple

_LARGEST = 2**31 - 1


class Location(NamedTuple):
    """A place in a file: its path as the user gave it, line and column counted from 1."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


def is_place(line: int, column: int) -> bool:
    """Say whether a file can have this line and column; 0 stands for a place that is not known."""
    return 0 <= line <= _LARGEST and 0 <= column <= _LARGEST
