"""Where a value was written."""

from __future__ import annotations

from typing import NamedTuple


class Location(NamedTuple):
    """A place in a file: its path as the user gave it, line and column counted from 1."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"
