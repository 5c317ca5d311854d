"""Finds the names of schedules by SQL, one page at a time, and reads what the tables hold of them.

The number of queries does not grow with the tables, and no more rows are read than a page shows.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet
from django_celery_beat.models import PeriodicTask

from schedsync.core.observed import Observed
from schedsync.database.bulk import rows_of
from schedsync.database.observe import entries_where, observe_ids, observe_pauses
from schedsync.database.status_lists import ByCodePoint
from schedsync.models import ManagedSchedule

#: In characters. No name, set or queue is longer.
LONGEST_SEARCH = 200
#: In a search, this parts texts that must each occur, so that a glob of the command line finds its schedules.
_ANY = "*"


@dataclass(frozen=True, slots=True)
class NameSearch:
    """What a name must hold, in any case, and the set and the queue of its schedule; empty for any."""

    text: str = ""
    set: str = ""
    queue: str = ""

    @property
    def parts(self) -> list[str]:
        """The texts that a name must hold."""
        return [part for part in self.text.split(_ANY) if part]


def page_of_names(using: str, search: NameSearch, start: int, most: int) -> tuple[int, list[str]]:
    """Return how many schedules fit, and the names from the ``start``-th on, at most ``most``, in their order.

    Rows of Beat itself are left out; a managed row that somebody has renamed counts under the ledger's name.
    """
    kinds = [_managed(using, search), *([] if search.set else [_others(using, search)])]
    total = sum(rows.count() for rows in kinds)
    # No UNION: MariaDB refuses it where the two tables have different collations.
    names = [name for rows in kinds for name in _first(rows, start + most)]
    return total, sorted(names)[start : start + most]


def _first(rows: QuerySet[Any], most: int) -> QuerySet[Any]:
    names: QuerySet[Any] = rows.order_by(ByCodePoint("name")).values_list("name", flat=True)[:most]
    return names


def _managed(using: str, search: NameSearch) -> QuerySet[Any]:
    entries: QuerySet[Any] = rows_of(ManagedSchedule, using).filter(_holds(search)).order_by()
    if search.set:
        entries = entries.filter(set=search.set)
    if search.queue:
        entries = entries.filter(Exists(_tasks(using).filter(pk=OuterRef("row_id"), queue=search.queue)))
    return entries


def _others(using: str, search: NameSearch) -> QuerySet[Any]:
    """Return the rows that nobody manages."""
    entries = rows_of(ManagedSchedule, using)
    owned = Exists(entries.filter(row_id=OuterRef("pk"))) | Exists(entries.filter(name=OuterRef("name")))
    rows: QuerySet[Any] = _tasks(using).filter(_holds(search)).exclude(name__startswith="celery.").filter(~owned)
    return rows.filter(queue=search.queue) if search.queue else rows


def _tasks(using: str) -> QuerySet[Any]:
    rows: QuerySet[Any] = rows_of(PeriodicTask, using).order_by()
    return rows


def _holds(search: NameSearch) -> Q:
    condition = Q()
    for part in search.parts:
        condition &= Q(name__icontains=part)
    return condition


def set_names(using: str) -> list[str]:
    """Return the names of the sets that manage a schedule."""
    return sorted(rows_of(ManagedSchedule, using).order_by().values_list("set", flat=True).distinct())


def name_of_row(using: str, row_id: int) -> str | None:
    """Return the name of the row with an id, or None."""
    name: str | None = _tasks(using).filter(pk=row_id).values_list("name", flat=True).first()
    return name


def row_of_name(using: str, name: str) -> int | None:
    """Return the id of the row with exactly this name, or None; the database may take other names for it."""
    found = _tasks(using).filter(name=name).values_list("pk", "name")
    return next((pk for pk, exact in found if exact == name), None)


def observe_listed(using: str, names: Collection[str]) -> Observed:
    """Read the ledger's entries with these names, their rows and those of the names, and all pauses."""
    ledger = {entry.name: entry for entry in entries_where(using, Q(name__in=names)) if entry.name in names}
    ids = {entry.row_id for entry in ledger.values() if entry.row_id is not None}
    ids |= {pk for pk, name in _tasks(using).filter(name__in=names).values_list("pk", "name") if name in names}
    rows = {row.name: row for row in observe_ids(using, ids)}
    return Observed(rows=rows, ledger=ledger, pauses=observe_pauses(using))


def observe_of_rows(using: str, ids: Collection[int]) -> Observed:
    """Read some rows, the ledger's entries that they belong to, by id or by name, and all pauses."""
    rows = {row.name: row for row in observe_ids(using, ids)}
    entries = entries_where(using, Q(row_id__in=list(ids)) | Q(name__in=list(rows)))
    return Observed(rows=rows, ledger={entry.name: entry for entry in entries}, pauses=observe_pauses(using))
