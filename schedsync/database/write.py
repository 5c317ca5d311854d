"""Writes changes to the tables, in the caller's transaction: a fixed number of statements per batch.

Never by a model's ``save()``, which would write a whole row and undo what Beat has written to it since. The order is
schedule rows, tasks, ledger, pauses, audit record, and last the change row: Beat's tick waits while that is locked.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db.models import Model
from django_celery_beat.models import PeriodicTask

from schedsync.core.break_glass import CLOSED
from schedsync.core.change import Change, Delete, Release, Rename
from schedsync.core.observed import Observed
from schedsync.core.schedule import LEDGER_FIELDS, Spec, differing
from schedsync.core.timing import Timing
from schedsync.database import break_glass
from schedsync.database.applied_files import keep_files
from schedsync.database.audit import record_request
from schedsync.database.bulk import BATCH, batches, insert
from schedsync.database.ledger import write_ledger
from schedsync.database.notify import bump
from schedsync.database.pauses import follow_changes
from schedsync.database.release import move_past_missed
from schedsync.database.rollbacks import write_marks
from schedsync.database.rollouts import follow_rollouts
from schedsync.database.schedule_rows import KINDS, TimingIds, collect_all_orphans, find_or_make
from schedsync.database.write_request import WriteRequest
from schedsync.planning.consequences import last_run_for

#: New values for Beat's own columns that cannot be read: as if the schedule had just run, so that no past slot is due.
_ANEW: Mapping[str, Callable[[datetime], Any]] = {
    "last_run_at": lambda now: now,
    "total_run_count": lambda _: 0,
    "date_changed": lambda now: now,
}
_COLUMNS = {"expires_after": "expire_seconds", "expires_at": "expires", "start_at": "start_time"}


def write(request: WriteRequest, observed: Observed) -> bool:
    """Write all changes; returns whether the change row had to be made, in which case a running Beat misses it once."""
    using, now = request.using, request.now
    writes = [change for change in request.changes if change.after is not None]
    timing_ids = find_or_make(using, _new_timings(writes))
    _delete_tasks(using, [change.row.id for change in request.changes if isinstance(change, Delete) and change.row])
    _free_names(using, request.changes)
    _update_tasks(using, [change for change in writes if change.row], timing_ids, now)
    _create_tasks(using, [change for change in writes if not change.row], timing_ids, now)
    move_past_missed(using, [change.name for change in request.changes if isinstance(change, Release)], now)
    write_ledger(request, observed, timing_ids)
    collect_all_orphans(using, _left_behind(request.changes, observed))
    ended = follow_changes(request, observed)
    write_marks(request)
    closed = [each.document(CLOSED) for each in break_glass.close(using, request.set)]
    record_request(replace(request, ended=ended, notes=(*request.notes, *closed)), observed)
    if request.files is not None:
        keep_files(using, request.files)
    follow_rollouts(request)
    # A reload costs Beat as much as it has rows, so we spare it where only our own tables changed.
    return bump(using, now) if request.changes else False


def _new_timings(writes: Iterable[Change]) -> set[Timing]:
    return {
        change.after.timing
        for change in writes
        if change.after
        and (change.row is None or change.row.spec is None or change.row.spec.timing != change.after.timing)
    }


def task_columns(spec: Spec, names: Iterable[str], timing_ids: TimingIds) -> dict[str, Any]:
    """Return the columns of ``PeriodicTask`` for the named fields of a spec; fields of the ledger have none."""
    result: dict[str, Any] = {}
    for name in names:
        if name in LEDGER_FIELDS:
            continue
        value = getattr(spec, name)
        if name == "timing":
            result |= _references(value.kind, timing_ids[value])
        elif name in ("args", "kwargs", "headers"):
            result[name] = value if len(value) <= 2 else _readable(value)
        else:
            result[_COLUMNS.get(name, name)] = value
    return result


def _references(kind: str, row_id: int) -> dict[str, int | None]:
    """Return the four references of a task to schedule rows; the one of this kind is set."""
    return {f"{column}_id": row_id if column == kind else None for column in KINDS}


def _readable(text: str) -> str:
    """Return JSON with the white space that the admin writes."""
    return json.dumps(json.loads(text))


def _delete_tasks(using: str, ids: Sequence[int]) -> None:
    for batch in batches(ids):
        rows = PeriodicTask.objects.using(using).filter(pk__in=batch)
        if _foreign_references(PeriodicTask):
            rows.delete()
        else:
            # ``delete()`` would bump the change row once per task, through a signal.
            rows._raw_delete(using)


def _foreign_references(model: type[Model]) -> list[Any]:
    return [relation for relation in model._meta.related_objects if relation.field.model._meta.managed]


def _free_names(using: str, changes: Iterable[Change]) -> None:
    """Give a temporary name to rows whose name another rename takes, so that a swap meets no duplicate."""
    renames = [change for change in changes if isinstance(change, Rename) and change.row]
    takers: dict[str, list[Rename]] = defaultdict(list)
    for change in renames:
        takers[change.name.casefold()].append(change)
    stuck = [
        PeriodicTask(pk=change.row.id, name=f"schedsync rename {change.row.id}")
        for change in renames
        if change.row and any(taker is not change for taker in takers.get(change.old_name.casefold(), ()))
    ]
    PeriodicTask.objects.using(using).bulk_update(stuck, ["name"], batch_size=BATCH // 2)


def _update_tasks(using: str, changes: Iterable[Change], timing_ids: TimingIds, now: datetime) -> None:
    groups: dict[tuple[str, ...], list[PeriodicTask]] = defaultdict(list)
    for change in changes:
        columns = _changed_columns(change, timing_ids, now)
        if columns and change.row:
            groups[tuple(sorted(columns))].append(PeriodicTask(pk=change.row.id, **columns))
    for names, rows in groups.items():
        PeriodicTask.objects.using(using).bulk_update(rows, names, batch_size=BATCH // 2)


def _changed_columns(change: Change, timing_ids: TimingIds, now: datetime) -> dict[str, Any]:
    row, after = change.row, change.after
    if row is None or after is None:
        return {}
    names = Spec.__match_args__ if row.spec is None else differing(row.spec, after)
    columns = {name: _ANEW[name](now) for name in row.lost} | task_columns(after, names, timing_ids)
    if row.name != change.name:
        columns["name"] = change.name
    if change.rearm:
        columns["total_run_count"] = 0
    last_run = last_run_for(change, now)
    if last_run is not None:
        columns |= {"last_run_at": last_run, "date_changed": now}
    return columns


def _create_tasks(using: str, changes: Sequence[Change], timing_ids: TimingIds, now: datetime) -> None:
    insert(
        using, PeriodicTask, [_new_columns(change, change.after, timing_ids, now) for change in changes if change.after]
    )


def _new_columns(change: Change, after: Spec, timing_ids: TimingIds, now: datetime) -> dict[str, Any]:
    columns = task_columns(after, Spec.__match_args__, timing_ids)
    columns["name"] = change.name
    columns["last_run_at"] = last_run_for(change, now)
    columns["total_run_count"] = change.ran.total_run_count if change.ran else 0
    columns["date_changed"] = now
    return columns


def _left_behind(changes: Iterable[Change], observed: Observed) -> dict[str, set[int]]:
    """Return the ids of the schedule rows, by kind, that a task referred to before these changes.

    Leave out those of enabled one-offs and of schedules that expire: when Beat is done with one it saves its whole copy
    of the row, and a copy that refers to a deleted schedule row stops Beat (``ModelEntry.is_due`` in
    django_celery_beat/schedulers.py).
    """
    result: dict[str, set[int]] = defaultdict(set)
    for change in changes:
        if change.row and change.row.spec and _may_be_saved_whole(change.row.spec):
            continue
        managed = observed.ledger.get(change.name)
        for timing_row in (change.row and change.row.timing_row, managed and managed.timing_row):
            if timing_row and _leaves(change):
                result[timing_row[0]].add(timing_row[1])
    return result


def _may_be_saved_whole(spec: Spec) -> bool:
    return spec.enabled and (spec.one_off or spec.expires_at is not None)


def _leaves(change: Change) -> bool:
    if isinstance(change, Release) and change.after is None:
        return False
    if change.after is None or change.row is None or change.row.spec is None:
        return True
    return change.row.spec.timing != change.after.timing
