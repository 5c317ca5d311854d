"""One file that could be read as YAML, and what it says in one environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.schedule import Schedule
from schedsync.files.node import Node


@dataclass(frozen=True, slots=True)
class Document:
    """One file that could be read as YAML: its path, its content, and the files of the set by their path from it."""

    path: str
    root: Node
    beside: Callable[[str], bytes]

    def section(self, key: str, kind: type) -> Any:
        """Return what stands under a top-level key, or an empty value where that has another type."""
        node = self.root.value.get(key) if isinstance(self.root.value, dict) else None
        return node.value if node is not None and isinstance(node.value, kind) else kind()

    def entries(self) -> Iterator[tuple[str, Location, Mapping[str, Node]]]:
        """Yield each schedule's name, its place, and its fields as written."""
        if not isinstance(self.root.value, dict):
            return
        holder: Node = self.root.value.get("schedules", self.root)
        for name, node in self.section("schedules", dict).items():
            if isinstance(node.value, dict) and not name.startswith("\0"):
                yield name, holder.key_at(self.path, name), node.value


@dataclass(frozen=True, slots=True)
class Part:
    """What one file says in one environment: its schedules, the names it removes, and what was found."""

    schedules: tuple[Schedule, ...] = ()
    removed: tuple[tuple[str, Location], ...] = ()
    findings: tuple[Finding, ...] = ()
