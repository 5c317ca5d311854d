"""Reads and writes the runs that have not ended: Beat adds them, the workers say when they start and end."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

from django.db.models import Exists, OuterRef
from django_celery_beat.models import PeriodicTask

from schedsync.core.open_run import OpenRun
from schedsync.database.bulk import batches, rows_of
from schedsync.database.clock import DatabaseNow, database_time
from schedsync.database.tables import has_table
from schedsync.models import ManagedSchedule
from schedsync.models import OpenRun as OpenRunRow

_COLUMNS = ("row_id", "task_id", "sent_at", "started_at", "worker")


def read_open_runs(using: str, row_ids: Collection[int]) -> dict[int, list[OpenRun]]:
    """Return what is noted of runs, by the ids of their schedules' rows; some of them may count no longer."""
    found: dict[int, list[OpenRun]] = defaultdict(list)
    for ids in batches(sorted(row_ids)):
        rows = rows_of(OpenRunRow, using).filter(row_id__in=ids).order_by("task_id")
        for row_id, *values in rows.values_list(*_COLUMNS):
            found[row_id].append(OpenRun(*values))
    return dict(found)


def counting(runs: Collection[OpenRun], max_runtime: int, expires_after: int | None, now: datetime) -> OpenRun | None:
    """Return the run among these that counts for longest from now on, or None; ``now`` is by the database's clock."""
    until = {run: run.counts_until(max_runtime, expires_after) for run in runs}
    open_now = [(end, run.task_id, run) for run, end in until.items() if end is not None and end > now]
    return max(open_now)[2] if open_now else None


def open_now(using: str, limits: Mapping[int, tuple[int, int | None]]) -> dict[int, OpenRun]:
    """Return the runs that have not ended, by the ids of their schedules' rows; none before the table is made.

    ``limits`` are the ``max_runtime`` and the ``expires_after`` of each row, in seconds.
    """
    if not limits or not has_table(using, OpenRunRow):
        return {}
    at, runs = database_time(using), read_open_runs(using, limits.keys())
    found = {row_id: counting(known, *limits[row_id], at) for row_id, known in runs.items()}
    return {row_id: run for row_id, run in found.items() if run is not None}


def limits_of_open(using: str) -> dict[int, int]:
    """Return the ``max_runtime`` in seconds of the schedules of which a run is noted, by the ids of their rows."""
    if not has_table(using, OpenRunRow):
        return {}
    ids = rows_of(OpenRunRow, using).values("row_id")
    entries = ManagedSchedule.objects.using(using).filter(row_id__in=ids, max_runtime__gt=0)
    return dict(entries.values_list("row_id", "max_runtime"))


def replace_runs(using: str, over: Collection[str], begun: dict[str, int]) -> None:
    """Delete runs that count no longer, and add those that are about to be sent: task ids with their rows' ids."""
    for ids in batches(sorted(over)):
        rows_of(OpenRunRow, using).filter(pk__in=ids).delete()
    rows = [OpenRunRow(task_id=task_id, row_id=row_id) for task_id, row_id in sorted(begun.items())]
    rows_of(OpenRunRow, using).bulk_create(rows, ignore_conflicts=True)


def note_sent(using: str, task_ids: Collection[str]) -> None:
    """Note that the broker has the messages of tasks; what a worker has started, or ended, stays as it is."""
    for ids in batches(sorted(task_ids)):
        rows_of(OpenRunRow, using).filter(pk__in=ids, started_at=None).update(sent_at=DatabaseNow())


def note_started(using: str, task_id: str, schedule: str, worker: str) -> None:
    """Note that a worker has started a task; a run that Beat has not noted, such as one by hand, is added."""
    now = DatabaseNow()
    runs = rows_of(OpenRunRow, using)
    if runs.filter(pk=task_id).update(started_at=now, worker=worker):
        return
    row_id = rows_of(PeriodicTask, using).filter(name=schedule).values_list("pk", flat=True).first()
    if row_id is not None:
        values: dict[str, Any] = {"row_id": row_id, "sent_at": now, "started_at": now, "worker": worker}
        runs.bulk_create([OpenRunRow(task_id=task_id, **values)], ignore_conflicts=True)


def note_waiting_again(using: str, task_id: str) -> None:
    """Note that the message of a task is in a queue again: the task asked for a retry, or gave it back."""
    rows_of(OpenRunRow, using).filter(pk=task_id).update(sent_at=DatabaseNow(), started_at=None, worker="")


def note_ended(using: str, task_id: str) -> None:
    """Note that a task has ended."""
    rows_of(OpenRunRow, using).filter(pk=task_id).delete()


def forget_deleted(using: str) -> None:
    """Delete the runs of schedules whose row is gone; on MariaDB a DELETE with a subquery waits for locked rows."""
    tasks = PeriodicTask.objects.using(using).filter(pk=OuterRef("row_id"))
    runs = rows_of(OpenRunRow, using)
    for ids in batches(list(runs.filter(~Exists(tasks)).values_list("pk", flat=True))):
        runs.filter(pk__in=ids).delete()
