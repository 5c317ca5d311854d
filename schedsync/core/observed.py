"""The tables as plain values: rows, the ledger of one set, and pauses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property, lru_cache
from typing import NamedTuple

from schedsync.core.location import Location
from schedsync.core.removing import Removing
from schedsync.core.rollback import RolledBack
from schedsync.core.schedule import NOBODY, People, Spec, spec_from
from schedsync.core.standing import Standing


class Problem(NamedTuple):
    """Why Beat cannot run a row: the code of the finding, and a message of one line."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the tables: its spec, and the columns that Beat writes.

    ``spec`` is None where the row cannot be read as a schedule; ``problems`` then says why. ``timing_row`` is the kind
    and the id of its schedule row. ``hour`` is the text of a crontab's hour: Beat decides by it when to load the row.
    ``lost`` names the columns of Beat that cannot be read; an apply that writes the row resets them.
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
    lost: frozenset[str] = frozenset()

    def is_done(self, now: datetime) -> bool:
        """Say whether it is a one-off that has run, and does not start again."""
        spec = self.spec
        is_ahead = spec is not None and spec.start_at is not None and spec.start_at > now
        return spec is not None and spec.one_off and self.total_run_count > 0 and not is_ahead


class Typed(NamedTuple):
    """Columns of a row as somebody typed them: a spec has canonical JSON, and a broken row has no spec."""

    task: str
    queue: str | None
    args: str
    kwargs: str
    headers: str


@dataclass(frozen=True, slots=True)
class Paused:
    """An operator's stop, until a time or until it is resumed; ``was_held`` where the schedule was held before."""

    name: str
    reason: str
    who: str
    since: datetime
    until: datetime | None = None
    was_held: bool = False

    def ended(self, now: datetime) -> bool:
        """Say whether its time is over."""
        return self.until is not None and self.until <= now


@dataclass(frozen=True, slots=True)
class Managed:
    """One entry of the ledger: the row of a schedule, and in ``applied`` the canonical form that was applied last.

    Of a schedule that is being removed, ``applied`` is disabled, and ``commit`` is the one that no longer defined it.
    """

    name: str
    set: str
    row_id: int | None
    applied: str
    location: Location | None = None
    people: People = NOBODY
    timing_row: tuple[str, int] | None = None
    commit: str | None = None
    removing: Removing | None = None

    @property
    def spec(self) -> Spec | None:
        """The spec that was applied last; None where somebody made its text unreadable."""
        return _applied(self.applied)

    @property
    def was_enabled(self) -> bool:
        """Whether it was applied enabled; True where that is unknown, so that a human's stop holds."""
        return self.spec is None or self.spec.enabled


@lru_cache(maxsize=65536)
def _applied(text: str) -> Spec | None:
    try:
        spec = spec_from(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    is_sound = isinstance(spec.task, str) and isinstance(spec.enabled, bool) and isinstance(spec.one_off, bool)
    return spec if is_sound else None


@dataclass(frozen=True)
class Observed:
    """The tables: rows, one set's ledger and its pauses by name; ``elsewhere`` maps names of other sets to the set.

    ``standing`` are the standing pauses, and ``set`` is the name of the set, where they were read. ``rolled_back`` are
    the set's rolled-back schedules by their name in the files.
    """

    rows: Mapping[str, Row] = field(default_factory=dict)
    ledger: Mapping[str, Managed] = field(default_factory=dict)
    elsewhere: Mapping[str, str] = field(default_factory=dict)
    pauses: Mapping[str, Paused] = field(default_factory=dict)
    standing: tuple[Standing, ...] = ()
    set: str | None = None
    rolled_back: Mapping[str, RolledBack] = field(default_factory=dict)

    @cached_property
    def by_id(self) -> Mapping[int, Row]:
        """The rows by id, by which a renamed row is found."""
        return {row.id: row for row in self.rows.values()}

    def find(self, name: str, row_id: int | None) -> Row | None:
        """Return the row with a name, else the row with an id, else None."""
        row = self.rows.get(name)
        return row if row is not None or row_id is None else self.by_id.get(row_id)
