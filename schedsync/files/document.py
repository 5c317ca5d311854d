"""One file that could be read as YAML, and what it says in one environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.schedule import Schedule
from schedsync.files.bounds import TextBudget
from schedsync.files.node import Node


@dataclass(frozen=True)
class Document:
    """The content of one YAML file at ``path``.

    ``beside`` returns the bytes of another file of the set, by its path relative to this one; it raises OutsideError
    or OSError. ``budget`` is the text that the schedules of the set may still have.
    """

    path: str
    root: Node
    beside: Callable[[str], bytes]
    budget: TextBudget = field(default_factory=TextBudget)

    def section(self, key: str, kind: type) -> Any:
        """Return the value of a top-level key, or an empty value of ``kind`` if it is missing or of another type."""
        node = self.root.value.get(key) if isinstance(self.root.value, dict) else None
        return node.value if node is not None and isinstance(node.value, kind) else kind()

    @cached_property
    def schedules(self) -> Sequence[tuple[str, Location, Mapping[str, Node]]]:
        """Each schedule's name, the place of the name, and its fields as they are written."""
        return tuple(self._schedules())

    def _schedules(self) -> Iterator[tuple[str, Location, Mapping[str, Node]]]:
        if not isinstance(self.root.value, dict):
            return
        holder: Node = self.root.value.get("schedules", self.root)
        for name, node in self.section("schedules", dict).items():
            if isinstance(node.value, dict) and not name.startswith("\0"):
                yield name, holder.key_at(self.path, name), node.value


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a set that one file gives in one environment.

    ``removed`` are the names under `removed` with their places, ``kept_rows`` those of them whose row stays.
    ``findings`` are those of this environment only.
    """

    schedules: tuple[Schedule, ...] = ()
    removed: tuple[tuple[str, Location], ...] = ()
    kept_rows: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
