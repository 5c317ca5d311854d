"""What the tables hold: rows, our ledger, and pauses, as plain values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from typing import NamedTuple

from schedsync.core.location import Location
from schedsync.core.schedule import NOBODY, People, Spec, spec_from


class Problem(NamedTuple):
    """What Beat cannot do with a row: the code of the finding, and a message of one line."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the tables: what it holds, and what Beat keeps in it.

    ``spec`` is None where the row cannot be read as a schedule; ``problems`` then says why. ``timing_row`` is the
    kind and the id of the schedule row behind it, ``hour`` the text of a crontab's hour: Beat loads by its spelling.
    """

    id: int
    name: str
    spec: Spec | None
    last_run_at: datetime | None = None
    total_run_count: int = 0
    date_changed: datetime | None = None
    timing_row: tuple[str, int] | None = None
    hour: str = "*"
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Paused:
    """An operator's time-boxed stop; ``held`` says that a human had stopped the schedule before it."""

    name: str
    reason: str
    who: str
    since: datetime
    until: datetime | None = None
    held: bool = False

    def ended(self, now: datetime) -> bool:
        """Say whether its time is over."""
        return self.until is not None and self.until <= now


@dataclass(frozen=True, slots=True)
class Managed:
    """What the ledger knows of one schedule: the row, and the canonical form last applied."""

    name: str
    set: str
    row_id: int | None
    applied: str
    location: Location | None = None
    people: People = NOBODY
    timing_row: tuple[str, int] | None = None
    commit: str | None = None

    @property
    def spec(self) -> Spec:
        """The canonical form last applied, read back; ``applied`` is its text."""
        return _applied(self.applied)


@lru_cache(maxsize=65536)
def _applied(text: str) -> Spec:
    return spec_from(json.loads(text))


@dataclass(frozen=True)
class Observed:
    """What the tables hold: rows by name, our own set's ledger, the names of other sets, and our set's pauses."""

    rows: Mapping[str, Row] = field(default_factory=dict)
    ledger: Mapping[str, Managed] = field(default_factory=dict)
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    pauses: Mapping[str, Paused] = field(default_factory=dict)

    @cached_property
    def by_id(self) -> Mapping[int, Row]:
        """The rows by id: a row that somebody renamed is still the same."""
        return {row.id: row for row in self.rows.values()}

    def find(self, name: str, row_id: int | None) -> Row | None:
        """Return the row of a name, or else of an id."""
        row = self.rows.get(name)
        return row if row is not None or row_id is None else self.by_id.get(row_id)
