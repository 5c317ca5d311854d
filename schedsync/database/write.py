"""Writes changes to the tables, in the caller's transaction: a fixed number of statements per batch.

Never a model's ``save()``: a whole row that was read earlier rolls back what Beat wrote since. The order is schedule
rows, tasks, ledger, audit record, and last of all the change row, whose lock stops Beat's tick while it is held.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db import connections
from django.db.models import F, Model, Value
from django.db.models.functions import Greatest
from django_celery_beat.models import (
    PeriodicTask,
    PeriodicTasks,
)

from schedsync.core.change import Change, Rename
from schedsync.core.observed import Observed
from schedsync.core.schedule import OF_OUR_BEAT, Spec, differing
from schedsync.core.timing import Timing
from schedsync.database.bulk import BATCH, batches, insert
from schedsync.database.ledger import TimingIds, WriteRequest, follow_pauses, record, write_ledger
from schedsync.database.notify import notify
from schedsync.database.schedule_rows import KINDS, collect_all_orphans, find_or_make
from schedsync.planning.consequences import last_run_for

_COLUMNS = {"expires_after": "expire_seconds", "expires_at": "expires", "start_at": "start_time"}


def lock_rows(using: str, ids: Collection[int]) -> None:
    """Lock the rows that will be written, always in the order of their ids; no-op where there is nothing to lock."""
    if not connections[using].features.has_select_for_update:
        return
    for some in batches(sorted(ids)):
        rows = PeriodicTask.objects.using(using).select_for_update().filter(pk__in=some).order_by("pk")
        list(rows.values_list("pk"))


def write(writing: WriteRequest, observed: Observed) -> bool:
    """Write all changes; returns whether the change row had to be made, which a running Beat then misses once."""
    using, now = writing.using, writing.now
    writes = [change for change in writing.changes if change.after is not None]
    timing_ids = find_or_make(using, _new_timings(writes))
    _delete_tasks(using, [change.row.id for change in writing.changes if change.after is None and change.row])
    _free_names(using, writing.changes)
    _update_tasks(using, [change for change in writes if change.row], timing_ids, now)
    _create_tasks(using, [change for change in writes if not change.row], timing_ids, now)
    write_ledger(writing, observed, timing_ids)
    collect_all_orphans(using, _left_behind(writing.changes, observed))
    follow_pauses(writing, observed)
    record(writing)
    # A reload costs Beat as much as there are rows; what only our own tables learnt is none of its business.
    return bump(using, now) if writing.changes else False


def _new_timings(writes: Iterable[Change]) -> set[Timing]:
    return {
        change.after.timing
        for change in writes
        if change.after
        and (change.row is None or change.row.spec is None or change.row.spec.timing != change.after.timing)
    }


def task_columns(spec: Spec, names: Iterable[str], timing_ids: TimingIds) -> dict[str, Any]:
    """Return the columns of ``PeriodicTask`` for the named fields of a spec; those for our own Beat have none."""
    result: dict[str, Any] = {}
    for name in names:
        if name in OF_OUR_BEAT:
            continue
        value = getattr(spec, name)
        if name == "timing":
            result |= _references(value.kind, timing_ids[value])
        elif name in ("args", "kwargs", "headers"):
            result[name] = value if len(value) <= 2 else _readable(value)
        else:
            result[_COLUMNS.get(name, name)] = value
    return result


@lru_cache(maxsize=4096)
def _references(kind: str, row_id: int) -> dict[str, int | None]:
    """Return the four references of a task, of which one is set."""
    return {f"{one}_id": row_id if one == kind else None for one in KINDS}


@lru_cache(maxsize=4096)
def _readable(text: str) -> str:
    """Return JSON as people meet it in the admin, with white space."""
    return json.dumps(json.loads(text))


def _delete_tasks(using: str, ids: Sequence[int]) -> None:
    for some in batches(ids):
        rows = PeriodicTask.objects.using(using).filter(pk__in=some)
        if _foreign_references(PeriodicTask):
            rows.delete()
        else:
            # ``delete()`` bumps the change row once for each row, by signal.
            rows._raw_delete(using)


def _foreign_references(model: type[Model]) -> list[Any]:
    return [relation for relation in model._meta.related_objects if relation.field.model._meta.managed]


def _free_names(using: str, changes: Iterable[Change]) -> None:
    """Move names out of the way that one rename frees and another takes: a swap would stumble over itself."""
    renames = [change for change in changes if isinstance(change, Rename) and change.row]
    takers = {change.name.casefold(): change for change in renames}
    stuck = [
        PeriodicTask(pk=change.row.id, name=f"schedsync rename {change.row.id}")
        for change in renames
        if change.row and takers.get(change.old_name.casefold(), change) is not change
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
    columns = task_columns(after, names, timing_ids)
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
    columns["total_run_count"] = 0
    columns["date_changed"] = now
    return columns


def _left_behind(changes: Iterable[Change], observed: Observed) -> dict[str, set[int]]:
    """Return the schedule rows, by kind, that our changes took a task away from.

    Not those of enabled one-offs, nor of what has an end: when Beat is done with such a row it saves its own copy,
    whole, and one that refers to nothing would stop it (``ModelEntry.is_due`` in django_celery_beat/schedulers.py).
    """
    result: dict[str, set[int]] = defaultdict(set)
    for change in changes:
        if change.row and change.row.spec and _may_be_saved_whole(change.row.spec):
            continue
        known = observed.ledger.get(change.name)
        for timing_row in (change.row and change.row.timing_row, known and known.timing_row):
            if timing_row and _leaves(change):
                result[timing_row[0]].add(timing_row[1])
    return result


def _may_be_saved_whole(spec: Spec) -> bool:
    return spec.enabled and (spec.one_off or spec.expires_at is not None)


def _leaves(change: Change) -> bool:
    if change.after is None or change.row is None or change.row.spec is None:
        return True
    return change.row.spec.timing != change.after.timing


def bump(using: str, now: datetime) -> bool:
    """Tell Beat, by a time that is later than the one before even where a clock lags; returns whether the row is new.

    Beat reloads only where ``last_update`` is greater than what it saw (``schedule_changed`` in
    django_celery_beat/schedulers.py).
    """
    rows = PeriodicTasks.objects.using(using)
    later = Greatest(Value(now), F("last_update") + timedelta(microseconds=1))
    made = not rows.filter(ident=1).update(last_update=later)
    if made:
        rows.bulk_create([PeriodicTasks(ident=1, last_update=now)])
    notify(using)
    return made
