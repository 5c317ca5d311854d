"""A value that remembers where it was written."""

from __future__ import annotations

from typing import Any, Final

from schedsync.core.location import Location


class Bad:
    """Stands for a scalar that was refused already: whatever is checked later passes it over."""


BAD: Final = Bad()


class Node:
    """A value and its place; ``inner`` is how far behind its start a scalar's text begins, -1 where that is unknown."""

    __slots__ = ("column", "inner", "keys", "line", "value", "weight")

    def __init__(self, value: Any, line: int, column: int, inner: int = -1) -> None:
        self.value = value
        self.line = line
        self.column = column
        self.inner = inner
        self.weight = 1
        self.keys: dict[str, tuple[int, int]] | None = None

    def at(self, path: str, offset: int | None = None) -> Location:
        """Return where the node begins; with ``offset``, where that character of a scalar's text stands."""
        shift = 0 if offset is None or self.inner < 0 else self.inner + offset
        return Location(path, self.line, self.column + shift)

    def key_at(self, path: str, key: str) -> Location:
        """Return the place of a key of this mapping."""
        line, column = (self.keys or {}).get(key, (self.line, self.column))
        return Location(path, line, column)

    def plain(self) -> Any:
        """Return the value without places."""
        value = self.value
        if type(value) is dict:
            return {key: node.plain() for key, node in value.items()}
        if type(value) is list:
            return [node.plain() for node in value]
        return None if value is BAD else value
