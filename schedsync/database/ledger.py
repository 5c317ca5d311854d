"""What our own tables remember of an apply: the ledger, the pauses, the audit record."""

from __future__ import annotations

import json
import uuid
import zlib
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django_celery_beat.models import PeriodicTask

from schedsync.core.change import Change, Delete, Rename
from schedsync.core.location import Location
from schedsync.core.observed import Observed
from schedsync.core.origin import Binding
from schedsync.core.schedule import OF_OUR_BEAT, People, Schedule, canonical_json, spec_text
from schedsync.core.timing import Timing
from schedsync.database.bulk import BATCH, batches, insert
from schedsync.database.observe import applied_at
from schedsync.models import ManagedSchedule, Pause, SyncRun
from schedsync.planning.documents import change_document

TimingIds = Mapping[Timing, int]


@dataclass(frozen=True, slots=True)
class WriteRequest:
    """All that one transaction writes, and what its audit record says."""

    using: str
    verb: str
    set: str
    binding: Binding
    checksum: str
    who: str
    now: datetime
    changes: tuple[Change, ...]
    forgotten: tuple[str, ...] = ()
    agreed: tuple[Schedule, ...] = ()
    documents: tuple[Mapping[str, Any], ...] = ()
    places: Mapping[str, tuple[Location, People]] | None = None
    run: uuid.UUID = field(default_factory=uuid.uuid4)


def write_ledger(writing: WriteRequest, observed: Observed, timing_ids: TimingIds) -> None:
    """Remember what was applied: the changes, what the files say of rows that hold it already, and new places."""
    entries = [change for change in writing.changes if change.ledger is not None]
    gone = {change.name for change in writing.changes if isinstance(change, Delete)} | set(writing.forgotten)
    gone |= {change.old_name for change in writing.changes if isinstance(change, Rename)}
    gone |= {change.name for change in entries}
    # While a human holds a schedule, or it is paused, their edit stays the last word on it.
    stopped = [one.name for one in entries if one.after and one.ledger and one.after.enabled != one.ledger.enabled]
    since = applied_at(writing.using, stopped) if stopped else {}
    ledger = ManagedSchedule.objects.using(writing.using)
    for some in batches(sorted(gone)):
        ledger.filter(name__in=some).delete()
    ids = _row_ids(writing.using, [change.name for change in entries])
    rows = [_ledger_row(writing, since.get(change.name), change, ids[change.name], timing_ids) for change in entries]
    insert(writing.using, ManagedSchedule, rows)
    _agree(writing)
    _refresh_places(writing, observed, {change.name for change in entries} | gone)


def _agree(writing: WriteRequest) -> None:
    """Remember what the files say of rows that hold it already."""
    said = {schedule.name: spec_text(schedule.spec) for schedule in writing.agreed}
    rows = ManagedSchedule.objects.using(writing.using)
    for some in batches(sorted(said)):
        found = list(rows.filter(name__in=some, set=writing.set).only("pk", "name"))
        for row in found:
            row.applied, row.applied_at, row.commit = said[row.name], writing.now, writing.binding.commit or ""
        rows.bulk_update(found, ["applied", "applied_at", "commit"], batch_size=BATCH // 2)


def _ledger_row(
    writing: WriteRequest, since: datetime | None, change: Change, row_id: int, timing_ids: TimingIds
) -> dict[str, Any]:
    after, remembered = change.after, change.ledger
    if after is None or remembered is None:
        raise TypeError("a delete leaves no ledger entry")
    kept = change.row.timing_row if change.row and change.row.spec and after.timing not in timing_ids else None
    kind, timing_id = kept or (after.timing.kind, timing_ids[after.timing])
    return {
        "set": writing.set,
        "name": change.name,
        "row_id": row_id,
        "timing_kind": kind,
        "timing_id": timing_id,
        "applied": spec_text(remembered),
        "commit": writing.binding.commit or "",
        "applied_at": since or writing.now,
        **{name: getattr(after, name) for name in OF_OUR_BEAT},
    } | _place_columns(change.location, change.people)


def _place_columns(location: Location | None, people: People) -> dict[str, Any]:
    path, line, column = location or ("", 0, 0)
    said = {"owner": people.owner, "runbook": people.runbook, "disabled_reason": people.disabled_reason}
    return {
        "path": path,
        "line": line,
        "column": column,
        "people": canonical_json(said | {"labels": dict(people.labels)}),
    }


def _refresh_places(writing: WriteRequest, observed: Observed, written: Collection[str]) -> None:
    moved = {
        name: place
        for name, place in (writing.places or {}).items()
        if name not in written and (known := observed.ledger.get(name)) and (known.location, known.people) != place
    }
    rows = ManagedSchedule.objects.using(writing.using)
    for some in batches(sorted(moved)):
        stale = list(rows.filter(name__in=some).only("pk", "name"))
        for row in stale:
            for column, value in _place_columns(*moved[row.name]).items():
                setattr(row, column, value)
        rows.bulk_update(stale, ["path", "line", "column", "people"], batch_size=BATCH // 2)


def follow_pauses(writing: WriteRequest, observed: Observed) -> None:
    """Let pauses follow renames, and end with their schedule, or with their time where the schedule runs again."""
    renamed = {change.old_name: change.name for change in writing.changes if isinstance(change, Rename)}
    over = {change.name for change in writing.changes if isinstance(change, Delete)} | set(writing.forgotten)
    over |= {name for name in observed.pauses if _is_over(name, writing, observed)}
    moved = [name for name in observed.pauses if name in renamed and name not in over]
    pauses = Pause.objects.using(writing.using)
    followers = list(pauses.filter(name__in=moved)) if moved else []
    leaving = over.union(moved, (renamed[name] for name in moved)) & (set(observed.pauses) | set(renamed.values()))
    for some in batches(sorted(leaving)):
        pauses.filter(name__in=some).delete()
    for pause in followers:
        pause.pk, pause.name = None, renamed[pause.name]
    pauses.bulk_create(followers, batch_size=BATCH)


def _is_over(name: str, writing: WriteRequest, observed: Observed) -> bool:
    """Say whether a pause's time is over, and its row holds by now what it held before the pause."""
    pause = observed.pauses[name]
    if not pause.ended(writing.now):
        return False
    if pause.held:
        return True
    change = next((change for change in writing.changes if change.name == name), None)
    if change is not None:
        return change.after is not None and change.ledger is not None and change.after.enabled == change.ledger.enabled
    row, managed = observed.rows.get(name), observed.ledger.get(name)
    return row is None or row.spec is None or managed is None or row.spec.enabled == managed.spec.enabled


def record(writing: WriteRequest) -> None:
    """Write the audit record, which is committed with what it tells of."""
    documents = list(writing.documents) or [change_document(change) for change in writing.changes]
    counts: dict[str, int] = defaultdict(int)
    for change in writing.changes:
        counts[change.kind] += 1
    binding = writing.binding
    SyncRun.objects.using(writing.using).create(
        id=writing.run,
        verb=writing.verb,
        set=writing.set,
        environment=binding.environment,
        repository=binding.repository,
        path=binding.path,
        commit=binding.commit,
        checksum=writing.checksum,
        who=writing.who,
        at=writing.now,
        summary=canonical_json(counts),
        changes=zlib.compress(json.dumps(documents).encode(), 1),
    )


def _row_ids(using: str, names: Sequence[str]) -> dict[str, int]:
    result: dict[str, int] = {}
    for some in batches(names):
        result.update(PeriodicTask.objects.using(using).filter(name__in=some).values_list("name", "pk"))
    return result
