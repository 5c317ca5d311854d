"""Writes the ledger: which schedules a set owns, where they are defined, and the values that were last applied."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from django_celery_beat.models import PeriodicTask

from schedsync.core.change import Change, Rename
from schedsync.core.location import Location
from schedsync.core.observed import Observed
from schedsync.core.origin import recorded_commit
from schedsync.core.schedule import People, canonical_json, spec_text
from schedsync.database.bulk import BATCH, batches, insert
from schedsync.database.columns import ledger_columns
from schedsync.database.removals import write_removals
from schedsync.database.schedule_rows import TimingIds
from schedsync.database.values import Damaged, read_values
from schedsync.database.write_request import WriteRequest
from schedsync.models import ManagedSchedule
from schedsync.planning.converter import people_document


def write_ledger(request: WriteRequest, observed: Observed, timing_ids: TimingIds) -> None:
    """Record in the ledger what a request applies, after its tasks are written."""
    kept = [change for change in request.changes if change.ledger is not None]
    written = _names_left_behind(request) | {change.name for change in kept}
    stop_times = _stop_times(request.using, kept)
    _delete(request.using, written)
    ids = _insert(request, observed, stop_times, timing_ids)
    write_removals(request.using, kept, ids, written)
    _record_agreeing(request)
    _move_locations(request, observed, written)


def applied_at(using: str, names: Collection[str]) -> dict[str, datetime]:
    """Return, by name, since when an edit of a managed schedule counts as somebody else's."""
    result: dict[str, datetime] = {}
    for batch in batches(list(names)):
        rows = ManagedSchedule.objects.using(using).filter(name__in=batch)
        result.update(values for values in read_values(rows, ("name", "applied_at")) if not isinstance(values, Damaged))
    return result


def give_to_set(using: str, names: Collection[str], set_name: str) -> None:
    """Let a set manage schedules that are in the ledger, in the caller's transaction."""
    for batch in batches(sorted(names)):
        ManagedSchedule.objects.using(using).filter(name__in=batch).update(set=set_name)


def names_given_up(request: WriteRequest) -> set[str]:
    """Return the names that the set no longer owns: deleted and released ones, and those whose row is lost."""
    return {change.name for change in request.changes if change.ledger is None} | set(request.lost_rows)


def _names_left_behind(request: WriteRequest) -> set[str]:
    return names_given_up(request) | {change.old_name for change in request.changes if isinstance(change, Rename)}


def _stop_times(using: str, kept: Sequence[Change]) -> dict[str, datetime]:
    """Return ``applied_at`` of schedules that stay held or paused: the human's stop must remain the latest edit.

    It must remain so too while a held schedule waits to be deleted.
    """
    stopped = [
        change.name
        for change in kept
        if change.after and change.ledger and (change.after.enabled != change.ledger.enabled or _is_held(change))
    ]
    return applied_at(using, stopped) if stopped else {}


def _is_held(change: Change) -> bool:
    return change.removing is not None and change.removing.held


def _delete(using: str, names: Collection[str]) -> None:
    for batch in batches(sorted(names)):
        ManagedSchedule.objects.using(using).filter(name__in=batch).delete()


def _insert(
    request: WriteRequest, observed: Observed, stop_times: Mapping[str, datetime], timing_ids: TimingIds
) -> dict[str, int]:
    """Write the entries of changes; returns the ids of their rows, by name."""
    kept = [change for change in request.changes if change.ledger is not None]
    ids = _row_ids(request.using, [change.name for change in kept])
    rows = [
        {"row_id": ids[change.name], "applied_at": stop_times.get(change.name, request.now)}
        | _ledger_columns(request, change, timing_ids)
        | {"commit": _commit(request, change, observed)}
        for change in kept
    ]
    insert(request.using, ManagedSchedule, rows)
    return ids


def _row_ids(using: str, names: Sequence[str]) -> dict[str, int]:
    result: dict[str, int] = {}
    for batch in batches(names):
        result.update(PeriodicTask.objects.using(using).filter(name__in=batch).values_list("name", "pk"))
    return result


def _ledger_columns(request: WriteRequest, change: Change, timing_ids: TimingIds) -> dict[str, Any]:
    after, applied = change.after, change.ledger
    if after is None or applied is None:
        raise TypeError("a delete leaves no row in the ledger")
    unmoved = change.row.timing_row if change.row and change.row.spec and after.timing not in timing_ids else None
    kind, timing_id = unmoved or (after.timing.kind, timing_ids[after.timing])
    return {
        "set": request.set,
        "name": change.name,
        "timing_kind": kind,
        "timing_id": timing_id,
        "applied": spec_text(applied),
        **ledger_columns(after),
        **_location_columns(change.location, change.people),
    }


def _commit(request: WriteRequest, change: Change, observed: Observed) -> str:
    """Return the commit to record: of a schedule that is disabled again, still the one that no longer defined it."""
    before = observed.ledger.get(change.name)
    if before is not None and before.removing is not None and before.removing == change.removing:
        return before.commit or ""
    return recorded_commit(request.binding) or ""


def _location_columns(location: Location | None, people: People) -> dict[str, Any]:
    path, line, column = location or ("", 0, 0)
    return {
        "path": path,
        "line": line,
        "column": column,
        "people": canonical_json(people_document(people)),
    }


def _record_agreeing(request: WriteRequest) -> None:
    """Record the files' values for schedules whose row already has them, where somebody made the same edit by hand."""
    texts = {schedule.name: spec_text(schedule.spec) for schedule in request.to_record}
    ledger = ManagedSchedule.objects.using(request.using)
    for batch in batches(sorted(texts)):
        rows = list(ledger.filter(name__in=batch, set=request.set).only("pk", "name"))
        for row in rows:
            row.applied, row.applied_at, row.commit = (
                texts[row.name],
                request.now,
                recorded_commit(request.binding) or "",
            )
        ledger.bulk_update(rows, ["applied", "applied_at", "commit"], batch_size=BATCH // 2)


def _move_locations(request: WriteRequest, observed: Observed, written: Collection[str]) -> None:
    """Record new positions in the files, and new people, for schedules that are not ``written`` anyway."""
    moved = {
        name: (location, people)
        for name, (location, people) in (request.locations or {}).items()
        if name not in written
        and (managed := observed.ledger.get(name))
        and (managed.location, managed.people) != (location, people)
    }
    ledger = ManagedSchedule.objects.using(request.using)
    for batch in batches(sorted(moved)):
        rows = list(ledger.filter(name__in=batch).only("pk", "name"))
        for row in rows:
            for column, value in _location_columns(*moved[row.name]).items():
                setattr(row, column, value)
        ledger.bulk_update(rows, ["path", "line", "column", "people"], batch_size=BATCH // 2)
