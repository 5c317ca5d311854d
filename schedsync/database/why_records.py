"""Reads what the audit record and the admin's log say of one schedule, and of pauses; bounded, and nothing believed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import accumulate
from typing import Any, NamedTuple

from django.db.models import QuerySet
from django.db.models.functions import Length

from schedsync.core.change import FieldChange
from schedsync.core.hand_run import PastRecord
from schedsync.core.json_list import elements
from schedsync.core.timing import instant
from schedsync.core.why import Recorded, Stop, TableEdit
from schedsync.database import admin_log
from schedsync.database.hand_runs import PAST, past_record
from schedsync.database.run_changes import unpack
from schedsync.database.tables import has_table
from schedsync.database.values import NOT_CONVERTED, Damaged, read_values
from schedsync.models import HistoryName, SyncRun

#: How many records are looked at, and how many bytes of changes: compressed in all, and unpacked in all.
MOST_RECORDS = 2000
_MOST_PACKED, _MOST_UNPACKED = 2**25, 2**28
_MOST_EDITS = 100
_EVERYTHING = frozenset({"pause_all", "resume_all"})
_NOT_READ = (ValueError, KeyError, TypeError, AttributeError, RecursionError)


class _Run(NamedTuple):
    """One audit record; ``changes`` is JSON."""

    run: str
    verb: str
    at: datetime
    who: str
    commit: str | None
    changes: bytes
    pull_request: str | None = None


@dataclass(frozen=True)
class Records:
    """The newest audit records, the newest first; of older ones than ``since`` nothing was read, None if all were."""

    runs: Sequence[_Run] = ()
    since: datetime | None = None
    #: The changes of a record that concern some names: parsing those of a large apply takes long, and `why` asks often.
    _parsed: dict[tuple[str, frozenset[str]], list[Mapping[str, Any]]] = field(
        default_factory=dict, repr=False, compare=False
    )

    def of(self, name: str) -> list[Recorded]:
        """Return the changes of one schedule, also those under a former name, the newest first."""
        result: list[Recorded] = []
        names = {name}
        for run in self.runs:
            for change in self._changes(run, names):
                if change.get("kind") == "pause":
                    continue
                recorded = _recorded(run, change)
                if recorded is not None:
                    result.append(recorded)
                    names |= {recorded.old_name} if recorded.old_name and recorded.name in names else set()
        return result

    def past_runs(self) -> tuple[PastRecord, ...]:
        """Return the runs of the past, of all schedules."""
        read = (past_record(run.changes, run.who, run.at) for run in self.runs if run.verb == PAST)
        return tuple(record for record in read if record is not None)

    def renamed_to(self, name: str) -> str | None:
        """Return the name that a schedule got from a rename, the last one; None where it was not renamed."""
        for run in self.runs:
            for change in self._changes(run, {name}):
                if change.get("kind") == "rename" and change.get("old_name") == name:
                    return str(change.get("name"))
        return None

    def stops(self, names: set[str], current: Sequence[Stop]) -> tuple[Stop, ...]:
        """Return the stops of a schedule and of everything, those of now and those that have ended or were replaced.

        Of a pause of everything that replaced another one, the tables keep the start of the first.
        """
        ended, left = self._stops(names)
        over_at = {(stop.everything, stop.until) for stop in ended}
        current = [stop for stop in current if stop.lasts or (stop.everything, stop.until) not in over_at]
        result = [
            replace(stop, since=left[kind].since) if (kind := stop.everything) in left else stop for stop in current
        ]
        kinds = {stop.everything for stop in current}
        over = [stop for kind, stop in left.items() if kind not in kinds and stop.until is not None]
        return (*result, *over, *ended)

    def _changes(self, run: _Run, names: set[str]) -> Sequence[Mapping[str, Any]]:
        key = (run.run, frozenset(names))
        if key not in self._parsed:
            self._parsed[key] = list(_changes(run, names))
        return self._parsed[key]

    def _stops(self, names: set[str]) -> tuple[list[Stop], dict[bool, Stop]]:
        """Return the stops that have ended, and by whether it is of everything the last one."""
        ended: list[Stop] = []
        left: dict[bool, Stop] = {}
        for run in reversed(self.runs):
            of_all = run.verb in _EVERYTHING
            for change in _changes(run, names, any_name=True) if of_all else self._changes(run, names):
                kind = str(change.get("kind"))
                everything = kind in _EVERYTHING
                before = left.get(everything)
                if not everything and kind not in ("pause", "resume") and not _ends(change, before, run.at):
                    continue
                if before is not None:
                    del left[everything]
                    ended.append(replace(before, until=_end_of(before, kind, run.at)))
                if kind.startswith("pause"):
                    left[everything] = _stop(run, change, everything=everything)
        return ended, left


def _ends(change: Mapping[str, Any], stop: Stop | None, at: datetime) -> bool:
    """Say whether an apply ends a pause whose time is over: it enables the row again."""
    if stop is None or stop.until is None or stop.until > at:
        return False
    fields = change.get("fields")
    return isinstance(fields, list) and any(
        isinstance(field, dict) and field.get("field") == "enabled" and field.get("after") is True for field in fields
    )


def _end_of(stop: Stop, kind: str, at: datetime) -> datetime:
    """Return when a stop ended: the row of one schedule stays disabled, also past the pause's time, until it is ended.

    A pause that replaces it does not say that the row was still disabled.
    """
    is_late = not stop.everything and kind != "pause"
    return at if stop.until is None or is_late else min(stop.until, at)


def _stop(run: _Run, change: Mapping[str, Any], *, everything: bool) -> Stop:
    who, reason = str(change.get("who") or run.who), str(change.get("reason") or "")
    until = change.get("until")
    try:
        end = None if until is None else instant(str(until))
    except ValueError:
        end = None
    return Stop(who, reason, run.at, end, everything=everything)


def read_records(using: str) -> Records:
    """Read the newest audit records, in three queries."""
    rows = SyncRun.objects.using(using).order_by("-at")
    # Before the migration that makes this table, the records have no pull request either.
    later = ("pull_request",) if has_table(using, HistoryName) else ()
    read = read_values(rows[: MOST_RECORDS + 1], ("id", "verb", "at", "who", "commit", *later))
    kept = [row for row in read[:MOST_RECORDS] if not isinstance(row, Damaged)]
    if not kept:
        return Records()
    is_cut = len(read) > MOST_RECORDS
    sizes = dict(rows.filter(at__gte=kept[-1][2]).annotate(size=Length("changes")).values_list("pk", "size"))
    total = accumulate(sizes.get(row[0]) or 0 for row in kept)
    few = [row for row, size in zip(kept, total, strict=True) if size <= _MOST_PACKED]
    packed = _packed(rows.filter(at__gte=few[-1][2])) if few else {}
    runs = list(_runs(few, packed))
    return Records(runs, runs[-1].at if runs and (is_cut or len(runs) < len(kept)) else None)


def _packed(rows: QuerySet[Any]) -> Mapping[Any, Any]:
    """Return the changes of records; without any where SQLite holds one that is no text and no bytes."""
    try:
        return dict(rows.values_list("pk", "changes"))
    except NOT_CONVERTED:
        return {}


def _runs(rows: Sequence[tuple[Any, ...]], packed: Mapping[Any, Any]) -> Iterator[_Run]:
    """Yield the records with their changes, as long as these are not too many; those that are damaged are left out."""
    total = 0
    for run, verb, at, who, commit, *later in rows:
        data = unpack(packed.get(run))
        total += len(data or b"")
        if total > _MOST_UNPACKED:
            return
        if data is not None:
            yield _Run(str(run), verb, at, who, commit, data, *later)


def _changes(run: _Run, names: set[str], *, any_name: bool = False) -> Iterator[Mapping[str, Any]]:
    """Yield the changes of a record that concern one of the names; most records are passed over unread."""
    if not any_name and not any(json.dumps(name).encode() in run.changes for name in names):
        return
    changes = (change for change in elements(run.changes) if isinstance(change, dict))
    try:
        yield from [change for change in changes if any_name or {change.get("name"), change.get("old_name")} & names]
    except (ValueError, RecursionError):
        return


def _recorded(run: _Run, change: Mapping[str, Any]) -> Recorded | None:
    try:
        apply, people = change.get("apply") or {}, change.get("people") or {}
        fields = tuple(
            FieldChange(str(field["field"]), field.get("before"), field.get("after"))
            for field in change.get("fields") or ()
        )
        reason, row_id = people.get("disabled_reason"), apply.get("row")
        return Recorded(
            kind=str(change["kind"]),
            name=str(change["name"]),
            at=run.at,
            who=run.who,
            verb=run.verb,
            run=run.run,
            commit=run.commit or None,
            old_name=str(change["old_name"]) if change.get("old_name") else None,
            fields=fields,
            disabled_reason=None if reason is None else str(reason),
            row_id=row_id if isinstance(row_id, int) else None,
            pull_request=run.pull_request or None,
        )
    except _NOT_READ:
        return None


def table_edits(row_id: int | None, name: str) -> tuple[TableEdit, ...]:
    """Return what the admin's log says of a row, or of a deleted one with this name, the newest first.

    Returns nothing if the project does not use the admin, or its log cannot be read.
    """
    return admin_log.table_edits([] if row_id is None else [row_id], [name], _MOST_EDITS)
