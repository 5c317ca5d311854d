"""A value that remembers where it was written."""

from __future__ import annotations

from typing import Any, Final

from schedsync.core.location import Location


class Bad:
    """The value of a scalar that was reported already; later checks skip it."""


BAD: Final = Bad()


class Node:
    """A value and its place; line and column count from 1.

    ``inner`` is the number of characters between a scalar's start and its text (1 for a quote), -1 if unknown.
    ``weight`` counts the values in the node. ``keys`` are line and column of a mapping's keys, None for other nodes.
    """

    __slots__ = ("column", "inner", "keys", "line", "value", "weight")

    def __init__(self, value: Any, line: int, column: int, inner: int = -1) -> None:
        self.value = value
        self.line = line
        self.column = column
        self.inner = inner
        self.weight = 1
        self.keys: dict[str, tuple[int, int]] | None = None

    def at(self, path: str, offset: int | None = None) -> Location:
        """Return the place of the node; with ``offset``, the place of that character of a scalar's text."""
        shift = 0 if offset is None or self.inner < 0 else self.inner + offset
        return Location(path, self.line, self.column + shift)

    def key_at(self, path: str, key: str) -> Location:
        """Return the place of a key of this mapping."""
        line, column = (self.keys or {}).get(key, (self.line, self.column))
        return Location(path, line, column)

    def plain(self) -> Any:
        """Return the value without places; None instead of a scalar that was reported."""
        value = self.value
        if type(value) is dict:
            return {key: node.plain() for key, node in value.items()}
        if type(value) is list:
            return [node.plain() for node in value]
        return None if value is BAD else value
