"""Reads and writes which managed schedules are open for editing in the admin, until the next apply of their set."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime, timezone

from django.db.models import Exists, OuterRef, Q, QuerySet

from schedsync.core.break_glass import Opened
from schedsync.database.bulk import batches, rows_of
from schedsync.database.observe import entries_where
from schedsync.database.rights import may_select
from schedsync.database.tables import has_table
from schedsync.database.values import read_values, readable
from schedsync.models import BreakGlass, ManagedSchedule, Pause

_COLUMNS = ("name", "reason", "who", "since")
#: The defaults for columns that cannot be read, in the same order.
_UNREAD = ("", "", "", datetime(1970, 1, 1, tzinfo=timezone.utc))


def opened(using: str) -> dict[str, Opened]:
    """Return the schedules that are open for editing, by name; none before the table is made."""
    return {each.name: each for each in _read(rows_of(BreakGlass, using))} if _is_there(using) else {}


def may_be_enabled(using: str, names: Collection[str]) -> set[str]:
    """Return the schedules among these that Git has disabled, and that nobody has paused."""
    if not names:
        return set()
    paused = set(rows_of(Pause, using).filter(name__in=names).values_list("name", flat=True))
    return {entry.name for entry in entries_where(using, Q(name__in=names)) if not entry.was_enabled} - paused


def open_again(using: str, each: Opened) -> None:
    """Write that a schedule is open, in the caller's transaction; who opened it before is only in the audit record."""
    rows_of(BreakGlass, using).filter(name=each.name).delete()
    rows_of(BreakGlass, using).create(name=each.name, reason=each.reason, who=each.who, since=each.since)


def is_any_open(using: str, set_name: str) -> bool:
    """Say whether an apply of a set has something to close."""
    return _is_there(using) and _of_set(using, set_name).exists()


def close(using: str, set_name: str) -> tuple[Opened, ...]:
    """Close the schedules of a set, and those that nobody manages any more, in the caller's transaction.

    Returns them by name.
    """
    if not _is_there(using):
        return ()
    closed = tuple(_read(_of_set(using, set_name)))
    for batch in batches([each.name for each in closed]):
        rows_of(BreakGlass, using).filter(name__in=batch).delete()
    return closed


def _is_there(using: str) -> bool:
    """Say whether this role can read the table: an apply with the rights of an older version goes on working."""
    return has_table(using, BreakGlass) and may_select(using, BreakGlass)


def _of_set(using: str, set_name: str) -> QuerySet[BreakGlass]:
    elsewhere = rows_of(ManagedSchedule, using).filter(name=OuterRef("name")).exclude(set=set_name)
    rows: QuerySet[BreakGlass] = rows_of(BreakGlass, using).filter(~Exists(elsewhere))
    return rows


def _read(rows: QuerySet[BreakGlass]) -> Iterator[Opened]:
    for values in read_values(rows.order_by("name"), _COLUMNS):
        yield Opened(*map(readable, values, _UNREAD))
