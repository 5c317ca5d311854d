"""What is known after a soak, as values: what the workers ran, what the tables say, and what the soak itself did."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any


def family(name: str) -> str:
    """Return what the names of one schedule have in common: `roamer-v7` was `roamer-v6` before a rename."""
    return name.partition("-v")[0]


@dataclass(frozen=True, slots=True)
class Run:
    """A task that a worker has begun. All times here are seconds since 1970."""

    name: str
    tick: float
    id: str
    at: float


@dataclass(frozen=True, slots=True)
class Happening:
    """Something that the soak did; ``subject`` is a schedule, or a process such as `beat-1`."""

    at: float
    kind: str
    subject: str = ""


@dataclass(frozen=True, slots=True)
class Record:
    """An audit record, with its changes as the table has them."""

    at: float
    verb: str
    who: str
    commit: str | None
    changes: Sequence[Mapping[str, Any]] = ()

    def names(self) -> set[str]:
        """Return the names that it is about."""
        return {str(change[key]) for change in self.changes for key in ("name", "old_name") if change.get(key)}


@dataclass(frozen=True, slots=True)
class Reign:
    """From when on a Beat or an agent led, under an epoch."""

    epoch: int
    holder: str
    since: float


@dataclass(frozen=True, slots=True)
class Noted:
    """A tick that the journal has as sent; ``at`` is when it was sent, ``beat`` who sent it."""

    name: str
    tick: float
    epoch: int
    beat: str
    at: float


@dataclass(frozen=True, slots=True)
class Facts:
    """All of it. ``rows`` and ``ledger`` are the fields of each managed schedule, ``claims`` its last claimed tick.

    ``quiet_since`` is when the soak had stopped disturbing; ``ended`` when nothing ran any more. ``last_commit`` is the
    last good one that was pushed, ``applied_commit`` what the tables have.
    """

    began: float
    quiet_since: float
    ended: float
    runs: Sequence[Run] = ()
    happenings: Sequence[Happening] = ()
    records: Sequence[Record] = ()
    rows: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    ledger: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    claims: Mapping[str, float] = field(default_factory=dict)
    journal: Sequence[Noted] = ()
    agents: Sequence[Reign] = ()
    drift: str = ""
    last_commit: str = ""
    applied_commit: str = ""
