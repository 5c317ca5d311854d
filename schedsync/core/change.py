"""A change: what an apply does to one schedule, why, and its consequences."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal, NamedTuple

from schedsync.core.location import Location
from schedsync.core.observed import Row
from schedsync.core.removing import Removing
from schedsync.core.schedule import NOBODY, People, Spec, Template

Cause = Literal["files", "drift", "both"]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field, before and after, as JSON values; ``cause`` says who changed it: the files, the table, or both."""

    field: str
    before: Any
    after: Any
    cause: Cause = "files"


@dataclass(frozen=True, slots=True)
class Consequence:
    """One effect of a change on the running system; ``at`` is when, where that is known.

    ``instead_of`` is the instant of the run that a moved run takes the place of.
    """

    code: str
    message: str
    at: datetime | None = None
    instead_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """Who edited a row outside Git, and when, by the admin's log."""

    user: str
    time: datetime


class Ran(NamedTuple):
    """The last run of a row that was deleted, and how often it had run."""

    last_run_at: datetime | None
    total_run_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """The fields of every kind of change.

    ``row`` is the row before, ``after`` the spec that it gets. ``ledger`` is the spec that the ledger records: it
    differs from ``after`` in ``enabled`` where the schedule is held or paused, and in fields under ``ignore_changes``.
    A change that was read from a document has none of them. ``hashed`` are the crontabs before and after as they are
    written, where they contain an ``H`` and that is known. ``removing`` is the grace of a schedule that is in no file
    any more: the change disables it, or deletes it after that. ``ran`` is what a deleted row knew that is made again.
    """

    kind: ClassVar[str]
    name: str
    cause: Cause = "files"
    fields: tuple[FieldChange, ...] = ()
    row: Row | None = None
    after: Spec | None = None
    ledger: Spec | None = None
    location: Location | None = None
    people: People = NOBODY
    edit_may_fire: bool = False
    rearm: bool = False
    announced: bool = False
    template: Template | None = None
    hashed: tuple[str | None, str | None] = (None, None)
    ran: Ran | None = None
    by: Edit | None = None
    removing: Removing | None = None
    consequences: tuple[Consequence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(Change):
    """Add a row."""

    kind: ClassVar[str] = "create"


@dataclass(frozen=True, slots=True, kw_only=True)
class Update(Change):
    """Change values of a managed row."""

    kind: ClassVar[str] = "update"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete(Change):
    """Remove a managed row that is in no file any more."""

    kind: ClassVar[str] = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release(Change):
    """Stop managing a row that is in no file any more; the row stays as it is."""

    kind: ClassVar[str] = "release"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rename(Change):
    """Give a managed row a new name; it keeps its history, and its values may change too."""

    kind: ClassVar[str] = "rename"
    old_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopt(Change):
    """Take over a row that the set does not manage yet."""

    kind: ClassVar[str] = "adopt"


#: The kinds by their names, in the order of a plan's summary.
KINDS: Mapping[str, type[Change]] = {kind.kind: kind for kind in (Create, Update, Delete, Rename, Adopt, Release)}


@dataclass(frozen=True, slots=True)
class Held:
    """A schedule that a human disabled: left alone, and reported until it is released."""

    name: str
    location: Location | None = None
    since: datetime | None = None
    by: Edit | None = None
