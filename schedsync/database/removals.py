"""Reads and writes the removals: schedules that no file defines any more, and that wait disabled to be deleted."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import NamedTuple

from django.db.models import Exists, OuterRef

from schedsync.core.change import Change
from schedsync.core.observed import Managed
from schedsync.core.removing import Removing
from schedsync.core.status import LISTED, Listed, Removed, named
from schedsync.database.bulk import batches, insert, rows_of
from schedsync.database.faults import migrate_hint
from schedsync.database.ledger_sums import DISABLED
from schedsync.database.tables import has_table
from schedsync.database.values import Damaged, read_values
from schedsync.errors import Unavailable
from schedsync.models import ManagedSchedule, Removal

_COLUMNS = ("name", "row_id", "since", "until", "held")


class _Removal(NamedTuple):
    row_id: int | None
    removing: Removing


def with_removals(using: str, entries: Iterable[Managed], only: str | None = None) -> Iterator[Managed]:
    """Yield entries of the ledger, those that are being removed with their grace; with ``only``, a name, read that one.

    There are none before the table is made.
    """
    removals = _read(using, only)
    for managed in entries:
        removal = removals.get(managed.name)
        is_it = removal is not None and removal.row_id == managed.row_id and not managed.was_enabled
        yield replace(managed, removing=removal.removing) if removal and is_it else managed


def _read(using: str, only: str | None) -> dict[str, _Removal]:
    if not has_table(using, Removal):
        return {}
    rows = rows_of(Removal, using).order_by()
    found = {}
    for values in read_values(rows if only is None else rows.filter(name=only), _COLUMNS):
        # Without a readable end, the next apply begins the grace anew.
        if not isinstance(values, Damaged):
            name, row_id, *grace = values
            found[name] = _Removal(row_id, Removing(*grace))
    return found


def removing(using: str) -> Listed[Removed]:
    """Return the schedules of all sets that are being removed; none before the table is made."""
    if not has_table(using, Removal):
        return Listed()
    same = {"name": OuterRef("name"), "row_id": OuterRef("row_id")}
    entries = rows_of(ManagedSchedule, using).filter(applied__contains=DISABLED, **same)
    rows = rows_of(Removal, using).filter(Exists(entries))
    first = [
        Removed(*values)
        for values in read_values(rows.order_by("name")[: LISTED + 1], ("name", "since", "until"))
        if not isinstance(values, Damaged)
    ]
    return Listed(rows.count() if len(first) > LISTED else len(first), tuple(sorted(first, key=named)[:LISTED]))


def write_removals(using: str, changes: Iterable[Change], ids: Mapping[str, int], names: Collection[str]) -> None:
    """Record the changes that disable what no file defines any more, and forget all other ``names``.

    ``ids`` are those of the rows, by name. Raises Unavailable where there is something to record before the table is
    made.
    """
    removing = [change for change in changes if change.removing is not None and change.ledger is not None]
    if not has_table(using, Removal):
        if removing:
            message = f"database `{using}` is not migrated: no table {Removal._meta.db_table}"
            hint = f"{migrate_hint(using)}, then again; without `[prune] grace`, schedules are deleted at once"
            raise Unavailable(message, hint=hint)
        return
    known = set(rows_of(Removal, using).values_list("name", flat=True))
    for batch in batches(sorted(known.intersection(names))):
        rows_of(Removal, using).filter(name__in=batch).delete()
    rows = [
        {"name": change.name, "row_id": ids[change.name], **change.removing._asdict()}
        for change in removing
        if change.removing is not None
    ]
    insert(using, Removal, rows)
