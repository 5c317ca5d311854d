"""Who changed what, when and why, as ``schedsync history`` shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schedsync.core.change import FieldChange

#: Where an entry comes from that schedsync did not record: somebody edited the row in Django's admin.
ADMIN = "admin"
#: Verbs that concern each schedule.
EVERYTHING = ("pause_all", "resume_all")


@dataclass(frozen=True, slots=True)
class Life:
    """A name of a schedule; ``until`` is when it got another one, None for its last name."""

    name: str
    until: datetime | None = None

    def has(self, name: str | None, at: datetime) -> bool:
        """Say whether something that has a name, at an instant, is of this one."""
        return name == self.name and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to show: at most ``limit`` entries from ``since`` on and before ``until``.

    Without names and globs it is of all schedules; with ``verbose`` it has their changes too.
    """

    names: Sequence[str] = ()
    globs: Sequence[str] = ()
    sets: Sequence[str] = ()
    verbs: Sequence[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    limit: int = 100
    verbose: bool = False

    @property
    def is_named(self) -> bool:
        """Whether it is of some schedules only."""
        return bool(self.names or self.globs)

    def spans(self, at: datetime) -> bool:
        """Say whether an instant is in its time."""
        return (self.since is None or self.since <= at) and (self.until is None or at < self.until)


@dataclass(frozen=True, slots=True)
class HistoryChange:
    """What an entry did to one schedule, or beside all of them where ``name`` is None.

    ``details`` is what the verb says besides, as JSON values. ``row_id`` is the id of the row in the tables.
    """

    kind: str
    name: str | None = None
    old_name: str | None = None
    fields: tuple[FieldChange, ...] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    row_id: int | None = None


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One call that changed something, or one edit in Django's admin, whose ``verb`` is ``admin``.

    ``run`` is the id of its record. ``commit`` is as the record has it. ``counts`` are the changes by kind. ``changes``
    is None where they were not read; ``problem`` says why, or which of them cannot be read.
    """

    at: datetime
    verb: str
    who: str
    run: str | None = None
    set: str = ""
    environment: str | None = None
    commit: str | None = None
    pull_request: str | None = None
    pipeline: str | None = None
    job: str | None = None
    reason: str | None = None
    counts: Mapping[str, int] = field(default_factory=dict)
    changes: tuple[HistoryChange, ...] | None = None
    problem: str = ""

    @property
    def is_admin(self) -> bool:
        """Whether somebody did it in Django's admin, behind Git's back."""
        return self.verb == ADMIN


@dataclass(frozen=True, slots=True)
class History:
    """The entries, the newest first.

    ``lives`` are the names of the schedules that were asked for, with their former ones. ``is_cut`` says that there are
    older entries than the limit lets through. Of old records before ``unread_before`` it is not known which schedules
    they are about.
    """

    at: datetime
    wanted: Wanted
    entries: tuple[HistoryEntry, ...] = ()
    lives: tuple[Life, ...] = ()
    is_cut: bool = False
    unread_before: datetime | None = None
