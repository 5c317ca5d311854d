"""Says who changed what, when and why: from the audit records, and for a name from the log of Django's admin too."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from schedsync.core.finding import did_you_mean
from schedsync.core.history import ADMIN, History, HistoryChange, HistoryEntry, Life, Wanted
from schedsync.core.names import shortened
from schedsync.database import why_rows
from schedsync.database.admin_log import table_edits
from schedsync.database.clock import now
from schedsync.database.faults import database_errors
from schedsync.database.history import may_have_records, read_history, row_ids_of
from schedsync.database.lock import read_only_transaction
from schedsync.errors import Failed


def history(using: str, wanted: Wanted) -> History:
    """Return the newest entries that are wanted, with what was done in Django's admin to schedules that are named.

    Raises Failed where no schedule has or had one of the names, Unavailable where the database is not there or not
    migrated.
    """
    with database_errors(using), read_only_transaction(using):
        found = read_history(using, wanted, now())
        for name in wanted.names:
            found = _with_admin(using, found, name)
    if wanted.globs and not wanted.names and not found.entries and _asks_for_all(wanted):
        globs = ", ".join(f"`{shortened(glob)}`" for glob in wanted.globs)
        raise Failed(f"no schedule fits {globs}, and none did, as far as the records go")
    return found


def _asks_for_all(wanted: Wanted) -> bool:
    """Say whether nothing but the names narrows what is wanted, so that without entries there is none of them."""
    return not (wanted.sets or wanted.verbs or wanted.since or wanted.until)


def _with_admin(using: str, found: History, name: str) -> History:
    """Return the history with the edits of one schedule in Django's admin."""
    wanted = found.wanted
    lives = _lives_of(found, name)
    rows = [why_rows.find(using, life.name) for life in lives]
    row_ids = {row.row.id for row in rows if row.row is not None}
    for entry in found.entries:
        row_ids |= row_ids_of([change for change in entry.changes or () if _is_of(change, lives)])
    edits = () if wanted.sets else tuple(_edits(row_ids, lives, wanted))
    is_known = edits or any(row.is_there for row in rows) or any(_names(entry, lives) for entry in found.entries)
    if not is_known and (_asks_for_all(wanted) or not may_have_records(using, lives)):
        hint = did_you_mean(name, why_rows.known_names(using)) or "`schedsync list` lists the schedules"
        raise Failed(f"no schedule is named `{shortened(name)}`, and none was, as far as the records go", hint=hint)
    entries = sorted([*found.entries, *edits], key=lambda entry: entry.at, reverse=True)
    return replace(found, entries=tuple(entries[: wanted.limit]), is_cut=found.is_cut or len(entries) > wanted.limit)


def _lives_of(found: History, name: str) -> list[Life]:
    """Return the names of one schedule: its chain begins at its last name, which has no end."""
    chains: list[list[Life]] = []
    for life in found.lives:
        if life.until is None or not chains:
            chains.append([])
        chains[-1].append(life)
    return next((chain for chain in chains if any(life.name == name for life in chain)), [Life(name)])


def _is_of(change: HistoryChange, lives: list[Life]) -> bool:
    return any(life.name in (change.name, change.old_name) for life in lives)


def _names(entry: HistoryEntry, lives: list[Life]) -> bool:
    return any(_is_of(change, lives) for change in entry.changes or ()) or entry.problem != ""


def _edits(row_ids: set[int], lives: list[Life], wanted: Wanted) -> Iterator[HistoryEntry]:
    if wanted.verbs and ADMIN not in wanted.verbs:
        return
    for edit in table_edits(row_ids, [life.name for life in lives], wanted.limit + 1):
        if wanted.spans(edit.at):
            details = {"fields": list(edit.fields)} if edit.fields else {}
            changes = (HistoryChange(edit.action, lives[0].name, details=details),)
            yield HistoryEntry(edit.at, ADMIN, edit.user, counts={edit.action: 1}, changes=changes)
