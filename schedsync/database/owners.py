"""Reads which rows are managed, for Django's admin: by their ids, or by their names where a row was made again."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from django.db.models import Exists, OuterRef, Q
from django_celery_beat.models import PeriodicTask

from schedsync.database.bulk import rows_of
from schedsync.database.tables import has_table
from schedsync.database.values import read_values, readable
from schedsync.models import ManagedSchedule, Pause

_COLUMNS = ("row_id", "name", "set", "applied_at", "path", "line")
#: The databases in which our tables were seen: no request asks again.
_seen: set[str] = set()


@dataclass(frozen=True, slots=True)
class Owner:
    """The entry of the ledger that a row belongs to: its name, its set, when it was applied last, its file and line.

    ``path`` is empty where the file is not known.
    """

    row_id: int | None
    name: str
    set: str
    applied_at: datetime | None
    path: str = ""
    line: int = 0

    @property
    def place(self) -> str:
        """The file and the line as text; empty where they are not known."""
        return f"{self.path}:{self.line}" if self.path else ""


class Owners:
    """Entries of the ledger, found by the row's name, else by its id, as an apply finds them."""

    def __init__(self, using: str, found: Iterable[Owner]) -> None:
        known = list(found)
        self._using = using
        self._by_id = {owner.row_id: owner for owner in known if owner.row_id is not None}
        self._by_name = {owner.name: owner for owner in known}

    def of(self, row_id: int, name: str) -> Owner | None:
        """Return the entry of a row, None where nobody manages it.

        A row that somebody has renamed is still managed, unless another row has got its name since.
        """
        if (named := self._by_name.get(name)) is not None:
            return named
        renamed = self._by_id.get(row_id)
        return None if renamed is None or renamed.name in self._made_again else renamed

    @cached_property
    def _made_again(self) -> set[str]:
        """The names of entries that another row than the entry's own has; read only if a row was renamed."""
        entries = rows_of(ManagedSchedule, self._using).filter(_has_other_row(self._using))
        return set(entries.values_list("name", flat=True))


def owner_of(using: str, row_id: int, name: str) -> Owner | None:
    """Return the entry of one row, None where nobody manages it, or our tables are not made yet."""
    return Owners(using, _read(using, Q(row_id=row_id) | Q(name=name))).of(row_id, name)


def every_owner(using: str) -> Owners:
    """Return all entries, in one query."""
    return Owners(using, _read(using, Q()))


def is_migrated(using: str) -> bool:
    """Say whether our tables are made: without them the admin works as if nothing was managed."""
    if using not in _seen and has_table(using, ManagedSchedule):
        _seen.add(using)
    return using in _seen


def has_entries(using: str) -> bool:
    """Say whether anything is managed."""
    return is_migrated(using) and rows_of(ManagedSchedule, using).exists()


def _read(using: str, condition: Q) -> Iterable[Owner]:
    if not is_migrated(using):
        return ()
    rows = read_values(rows_of(ManagedSchedule, using).filter(condition).order_by(), _COLUMNS)
    return [Owner(*map(readable, values, (None, "", "", None, "", 0))) for values in rows]


def managed_rows(using: str) -> Q:
    """Return the condition that a row of ``PeriodicTask`` is managed, as :class:`Owners` finds it."""
    entries = rows_of(ManagedSchedule, using)
    renamed = entries.filter(~_has_other_row(using), row_id=OuterRef("pk"))
    return Q(Exists(renamed)) | Q(Exists(entries.filter(name=OuterRef("name"))))


def _has_other_row(using: str) -> Any:
    """Return the condition that another row than the entry's own has the name of the entry."""
    return Exists(rows_of(PeriodicTask, using).filter(name=OuterRef("name")).exclude(pk=OuterRef("row_id")))


def paused_rows(using: str, at: datetime) -> Q:
    """Return the condition that a row of ``PeriodicTask`` is paused at an instant."""
    lasting = rows_of(Pause, using).filter(Q(until=None) | Q(until__gt=at), name=OuterRef("name"))
    return Q(Exists(lasting)) & managed_rows(using)


def managed_users(using: str, kind: str, timing_id: int, most: int) -> list[Owner]:
    """Return the first managed schedules that use a schedule row, by name; ``kind`` is that of its timing."""
    if not is_migrated(using):
        return []
    rows = _users(using, kind).filter(**{f"{kind}_id": timing_id})
    users = list(rows.order_by("name").values_list("pk", "name")[:most])
    if not users:
        return []
    ids, names = zip(*users, strict=True)
    owners = Owners(using, _read(using, Q(row_id__in=ids) | Q(name__in=names)))
    return [owner for user in users if (owner := owners.of(*user)) is not None]


def timings_in_use(using: str, kind: str, ids: Collection[int]) -> set[int]:
    """Return the ids among these of the schedule rows that managed schedules use."""
    if not is_migrated(using):
        return set()
    column = f"{kind}_id"
    used = _users(using, kind).exclude(**{column: None}).order_by().values_list(column, flat=True).distinct()
    return set(used) & set(ids)


def _users(using: str, kind: str) -> Any:
    return rows_of(PeriodicTask, using).filter(managed_rows(using), **{f"{kind}__isnull": False})
