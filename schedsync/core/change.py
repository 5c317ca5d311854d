"""A change is a value: what would be done to one schedule, why, and what follows from it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Literal

from schedsync.core.location import Location
from schedsync.core.observed import Row
from schedsync.core.schedule import NOBODY, People, Spec

Cause = Literal["files", "drift", "both"]


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One field, before and after, as JSON values; ``cause`` says who moved: the files, the tables, or both."""

    field: str
    before: Any
    after: Any
    cause: Cause = "files"


@dataclass(frozen=True, slots=True)
class Consequence:
    """What a change does to the running system."""

    code: str
    message: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """Who edited a row behind Git's back, and when, as far as the admin's log tells."""

    user: str
    time: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What all kinds of change have in common.

    ``row`` is the row before, ``after`` what it shall hold; ``ledger`` is what the ledger shall remember of it, which
    differs from ``after`` only where a human's or a pause's ``enabled`` is left alone, and in fields that are left to
    operators. A change that was read back from a document has neither until it is refreshed, but ``ledger_enabled``.
    """

    kind: ClassVar[str]
    name: str
    cause: Cause = "files"
    fields: tuple[FieldChange, ...] = ()
    row: Row | None = None
    after: Spec | None = None
    ledger: Spec | None = None
    ledger_enabled: bool | None = None
    location: Location | None = None
    people: People = NOBODY
    edit_may_fire: bool = False
    rearm: bool = False
    announced: bool = False
    template: str | None = None
    by: Edit | None = None
    consequences: tuple[Consequence, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Create(Change):
    """A row that is not there yet."""

    kind: ClassVar[str] = "create"


@dataclass(frozen=True, slots=True, kw_only=True)
class Update(Change):
    """A managed row whose values differ."""

    kind: ClassVar[str] = "update"


@dataclass(frozen=True, slots=True, kw_only=True)
class Delete(Change):
    """A managed row that no file wants any more."""

    kind: ClassVar[str] = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rename(Change):
    """A managed row that keeps its history under a new name; its values may change with it."""

    kind: ClassVar[str] = "rename"
    old_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Adopt(Change):
    """A row of someone else that the set takes over."""

    kind: ClassVar[str] = "adopt"


#: The kinds by their word; the order is that of a plan's summary.
KINDS: Mapping[str, type[Change]] = {kind.kind: kind for kind in (Create, Update, Delete, Rename, Adopt)}


@dataclass(frozen=True, slots=True)
class Held:
    """A schedule that a human disabled: left alone, and reported until it is released."""

    name: str
    location: Location | None = None
    since: datetime | None = None
    by: Edit | None = None
