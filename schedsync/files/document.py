"""One file that could be read as YAML, and what it says in one environment."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from schedsync.core.finding import Finding, Severity
from schedsync.core.location import Location
from schedsync.core.schedule import Schedule
from schedsync.core.sources import Sources, no_sources
from schedsync.files.bounds import TextBudget
from schedsync.files.node import Node

#: The remedy for definitions that are not expanded.
NOT_EXPANDED_HINT: Final = "give `--against FILE`, a snapshot that was taken in this environment"


@dataclass(frozen=True)
class Document:
    """The content of one YAML file at ``path``.

    ``beside`` returns the bytes of another file of the set, by its path relative to this one; it raises OutsideError
    or OSError. ``budget`` is the text that the schedules of the set may still have. ``sources`` returns the values of a
    source of the application.
    """

    path: str
    root: Node
    beside: Callable[[str], bytes]
    budget: TextBudget = field(default_factory=TextBudget)
    sources: Sources = no_sources

    def section(self, key: str, kind: type) -> Any:
        """Return the value of a top-level key, or an empty value of ``kind`` if it is missing or of another type."""
        node = self.root.value.get(key) if isinstance(self.root.value, dict) else None
        return node.value if node is not None and isinstance(node.value, kind) else kind()

    @cached_property
    def schedules(self) -> Sequence[tuple[str, Location, Mapping[str, Node]]]:
        """Each schedule's name, the place of the name, and its fields as they are written."""
        return tuple(self._schedules())

    @property
    def misshapen(self) -> Iterator[str]:
        """The names of schedules that have no fields: a text, a list or nothing is in their place."""
        for name, node in self.section("schedules", dict).items():
            if not isinstance(node.value, dict) and not name.startswith("\0"):
                yield name

    def _schedules(self) -> Iterator[tuple[str, Location, Mapping[str, Node]]]:
        if not isinstance(self.root.value, dict):
            return
        holder: Node = self.root.value.get("schedules", self.root)
        for name, node in self.section("schedules", dict).items():
            if isinstance(node.value, dict) and not name.startswith("\0"):
                yield name, holder.key_at(self.path, name), node.value


@dataclass(frozen=True, slots=True)
class Unexpanded:
    """A definition whose schedules are not known, because only the application knows the values of its ``sources``.

    ``written`` is everything else of it as text: two equal definitions make the same schedules of the same values.
    """

    name: str
    location: Location
    sources: tuple[str, ...]
    written: str

    def finding(self, severity: Severity = "error") -> Finding:
        """Return the finding that the schedules of this definition are not known."""
        knows = " and ".join(f"`{name}`" for name in self.sources)
        message = f"`{self.name}` is not expanded: only the application knows the values of {knows}"
        return Finding("SS153", message, self.location, NOT_EXPANDED_HINT, severity)


@dataclass(frozen=True, slots=True)
class Part:
    """The part of a set that one file gives in one environment.

    ``invalid`` are the names of definitions and schedules that have errors, so that they are not among ``schedules``.
    ``removed`` are the names under `removed` with their places, ``kept_rows`` those of them whose row stays.
    ``findings`` are those of this environment only. ``unexpanded`` are the definitions that could not be expanded.
    """

    schedules: tuple[Schedule, ...] = ()
    removed: tuple[tuple[str, Location], ...] = ()
    kept_rows: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    unexpanded: tuple[Unexpanded, ...] = ()
    invalid: tuple[str, ...] = ()
