"""Reads the history: audit records by their names or all of them, in a number of queries that does not grow with them.

Records are read as they are: what is damaged is said, and never ends the call.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from schedsync.core.history import EVERYTHING, History, HistoryChange, HistoryEntry, Life, Wanted
from schedsync.database.bulk import batches, rows_of
from schedsync.database.faults import migrate_hint
from schedsync.database.history_names import Entry, first_time, is_wanted, lives_of, runs_of, within
from schedsync.database.run_changes import read_documents
from schedsync.database.tables import has_table
from schedsync.database.values import Damaged, Unreadable, read_values, readable
from schedsync.errors import Unavailable
from schedsync.models import HistoryName, SyncRun
from schedsync.planning.history import changes_of, concerning, only_of
from schedsync.planning.named import named_in

#: How many records without names are looked through: those of an older version, which no apply has read yet.
_MOST_WITHOUT_NAMES = 2000
#: How many changes a call without names returns at most.
_MOST_CHANGES = 100_000
_COLUMNS = (
    "id", "at", "verb", "who", "set", "environment", "commit", "pull_request", "pipeline", "job", "reason", "summary",
)  # fmt: skip
_DAMAGED = "its changes cannot be read"


def read_history(using: str, wanted: Wanted, at: datetime) -> History:
    """Read what is wanted; raises Unavailable where the database is not migrated."""
    if not has_table(using, HistoryName):
        message = f"database `{using}` is not migrated: no table {HistoryName._meta.db_table}"
        raise Unavailable(message, hint=migrate_hint(using))
    if wanted.is_named:
        return _named(using, wanted, at)
    entries = _entries(_chosen(using, wanted).order_by("-at", "pk")[: wanted.limit + 1])
    found = entries[: wanted.limit]
    if wanted.verbose:
        found = _with_changes(using, found)
    return History(at, wanted, tuple(found), is_cut=len(entries) > wanted.limit)


def _chosen(using: str, wanted: Wanted) -> QuerySet[Any]:
    rows = within(rows_of(SyncRun, using), wanted.since, wanted.until)
    if wanted.sets:
        rows = rows.filter(set__in=wanted.sets)
    return rows.filter(verb__in=wanted.verbs) if wanted.verbs else rows


def _named(using: str, wanted: Wanted, at: datetime) -> History:
    """Read the entries of some schedules, also under their former names."""
    old = _without_names(using)
    lives = tuple(dict.fromkeys(life for name in wanted.names for life in lives_of(using, name, old.entries)))
    times = runs_of(using, lives, wanted.globs, wanted.since, wanted.until)
    others = [entry for entry in old.entries if is_wanted(entry, lives, wanted.globs)]
    times |= {entry.run: entry.at for entry in others if wanted.spans(entry.at)}
    of_names = _rows_of_runs(using, wanted, sorted(times, key=lambda run: (times[run], run.int), reverse=True))
    first = first_time(using, lives, wanted.globs)
    firsts = [*(entry.at for entry in others), *([] if first is None else [first])]
    everything = _of_everything(using, wanted, min(firsts, default=None))
    entries = sorted([*of_names, *everything], key=lambda entry: (entry.at, entry.run), reverse=True)
    read = _with_changes(using, entries[: wanted.limit], lambda found: concerning(found, lives, wanted.globs))
    found = [kept for entry in read if (kept := _only_of(entry, lives, wanted.globs)) is not None]
    return History(at, wanted, tuple(found), lives, len(entries) > wanted.limit, old.unread_before)


def _rows_of_runs(using: str, wanted: Wanted, runs: Sequence[uuid.UUID]) -> list[HistoryEntry]:
    found: list[HistoryEntry] = []
    for batch in batches(runs):
        found += _entries(_chosen(using, wanted).filter(pk__in=batch).order_by("-at", "pk"))
        if len(found) > wanted.limit:
            break
    return found[: wanted.limit + 1]


def _of_everything(using: str, wanted: Wanted, since: datetime | None) -> list[HistoryEntry]:
    """Return the pauses of everything, since the first record of the schedules: they stopped them too."""
    if since is None:
        return []
    rows = _chosen(using, wanted).filter(set="", verb__in=EVERYTHING, at__gte=since)
    return _entries(rows.order_by("-at", "pk")[: wanted.limit + 1])


def _only_of(entry: HistoryEntry, lives: Sequence[Life], globs: Sequence[str]) -> HistoryEntry | None:
    """Return an entry with the changes of some schedules only; None if it has none, because names only look alike."""
    if not entry.changes:
        return entry
    kept = only_of(entry.changes, lives, globs, entry.at)
    return replace(entry, changes=kept) if kept else None


def _entries(rows: QuerySet[Any]) -> list[HistoryEntry]:
    """Return records without their changes; those without an id or a time are left out."""
    return [
        _entry(values)
        for values in read_values(rows, _COLUMNS)
        if not isinstance(values[0], Unreadable) and not isinstance(values[1], Unreadable)
    ]


def _entry(values: Sequence[Any]) -> HistoryEntry:
    run, at, verb, who, *rest = values
    set_name, environment, commit, pull_request, pipeline, job, reason, summary = map(readable, rest)
    return HistoryEntry(
        at=at,
        verb=str(verb),
        who=str(who),
        run=str(run),
        set=set_name or "",
        environment=environment,
        commit=commit or None,
        pull_request=pull_request or None,
        pipeline=pipeline or None,
        job=job or None,
        reason=reason or None,
        counts=_counts(summary or ""),
    )


def _counts(summary: str) -> Mapping[str, int]:
    try:
        counts = json.loads(summary)
    except (ValueError, RecursionError):
        return {}
    if not isinstance(counts, dict):
        return {}
    return {key: value for key, value in counts.items() if type(value) is int}


def _with_changes(
    using: str, entries: Sequence[HistoryEntry], choose: Callable[[Any], Any] | None = None
) -> list[HistoryEntry]:
    """Return the entries with their changes, as long as these are not too many; ``choose`` leaves out documents."""
    read: dict[str, HistoryEntry] = {}
    left = _MOST_CHANGES
    by_run = {entry.run: entry for entry in entries if entry.run is not None}
    for run, documents in read_documents(using, [uuid.UUID(entry.run) for entry in entries], choose):
        changes, unread = changes_of(documents)
        left -= len(changes)
        if left < 0:
            break
        read[str(run)] = replace(by_run[str(run)], changes=changes, problem=_problem(documents, unread))
    unread_entry = "its changes were not read: there are too many; give a lower `--limit`, or names"
    return [read.get(str(entry.run)) or replace(entry, problem=unread_entry) for entry in entries]


def _problem(documents: Any, unread: int) -> str:
    if not unread:
        return ""
    if not isinstance(documents, list):
        return _DAMAGED
    return f"{unread:,} of its changes cannot be read"


@dataclass(frozen=True, slots=True)
class _WithoutNames:
    """The entries of records that have no rows of names; of older records than ``unread_before`` nothing was read."""

    entries: Sequence[Entry] = ()
    unread_before: datetime | None = None


def _without_names(using: str) -> _WithoutNames:
    rows = rows_of(SyncRun, using).filter(names=None).order_by("-at")
    found = read_values(rows[: _MOST_WITHOUT_NAMES + 1], ("id", "at"))
    times: dict[uuid.UUID, datetime] = {values[0]: values[1] for values in found if not isinstance(values, Damaged)}
    entries: list[Entry] = []
    last: uuid.UUID | None = None
    for run, documents in read_documents(using, list(times)[:_MOST_WITHOUT_NAMES]):
        last = run
        named = named_in(documents) if isinstance(documents, list) else ()
        entries += [Entry(run, times[run], each) for each in named]
    if not times or last == list(times)[-1]:
        return _WithoutNames(entries)
    return _WithoutNames(entries, max(times.values()) if last is None else times[last])


def may_have_records(using: str, lives: Sequence[Life]) -> bool:
    """Say whether a record is about one of these names at any time, or may be, as its names were not found yet."""
    return first_time(using, lives, ()) is not None or rows_of(SyncRun, using).filter(names=None).exists()


def row_ids_of(changes: Sequence[HistoryChange]) -> set[int]:
    """Return the ids of the rows that changes were written to."""
    return {change.row_id for change in changes if change.row_id is not None}
