"""Reads and writes the one row of the pause of everything."""

from __future__ import annotations

from dataclasses import asdict

from django.db.models import F

from schedsync.core.full_pause import FullyPaused
from schedsync.database.clock import now
from schedsync.database.faults import migrate_hint
from schedsync.database.tables import has_table
from schedsync.database.values import read_values, readable
from schedsync.errors import Unavailable
from schedsync.models import FullPause

_ROW = 1
_NAMES = ("who", "reason", "since", "until", "passed_until")
_UNREAD = ("", "", None, None, None)


def read_full_pause(using: str) -> FullyPaused | None:
    """Return the last pause of everything, or None if there was none; a value that cannot be read is left out."""
    rows = read_values(FullPause.objects.using(using).filter(pk=_ROW), _NAMES)
    return FullyPaused(*map(readable, rows[0], _UNREAD)) if rows else None


def full_pause(using: str) -> FullyPaused | None:
    """Return the same; also None before the table is made."""
    return read_full_pause(using) if has_table(using, FullPause) else None


def everything_is_paused(using: str) -> bool:
    """Say whether everything is paused now."""
    pause = full_pause(using)
    return pause is not None and pause.is_on(now())


def require_table(using: str) -> None:
    """Raise Unavailable if the migration that makes the table has not run."""
    if not has_table(using, FullPause):
        table = FullPause._meta.db_table
        raise Unavailable(
            f"database `{using}` is not migrated: no table {table}", hint=f"{migrate_hint(using)}, then again"
        )


def lock_full_pause(using: str) -> FullyPaused:
    """Lock the row until the caller's transaction ends, make it where it is missing, and return it as a value.

    The first statement writes: on SQLite a transaction that reads first cannot wait for the lock.
    """
    rows = FullPause.objects.using(using)
    if not rows.filter(pk=_ROW).update(who=F("who")):
        rows.bulk_create([FullPause(pk=_ROW)], ignore_conflicts=True)
        rows.filter(pk=_ROW).update(who=F("who"))
    return read_full_pause(using) or FullyPaused("", "")


def write_full_pause(using: str, pause: FullyPaused) -> None:
    """Write the row."""
    FullPause.objects.using(using).filter(pk=_ROW).update(**asdict(pause))
