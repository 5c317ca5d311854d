"""Reads what Beat and the workers left of schedules since an apply, in one query for each table and thousand rows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

from django_celery_beat.models import PeriodicTask

from schedsync.calendar.ticks import GRACE
from schedsync.core.journal_data import instant, micros
from schedsync.core.observed import Row
from schedsync.core.open_run import PASSED_BY
from schedsync.core.why import Claimed, NotSent
from schedsync.database.bulk import Among, batches, rows_of
from schedsync.database.journal_sent import sent_ticks
from schedsync.database.observe import observe_ids, observe_rows
from schedsync.database.open_runs import read_open_runs
from schedsync.database.status_lists import MOST
from schedsync.database.tables import has_table
from schedsync.database.values import Damaged, read_values
from schedsync.models import Claim, OpenRun, SendFailure
from schedsync.planning.first_runs import Traces


def read_traces(using: str, names: Collection[str], since: datetime, now: datetime) -> list[Traces]:
    """Return what is known of the schedules with these names since an instant, in the order of their names.

    The outcomes of their tasks are not known to the tables of schedsync.
    """
    rows = _rows(using, names)
    ids = {row.id for row in rows.values()}
    claims, failures = _claims(using, ids), _failures(using, ids)
    sent = _sent(using, claims, since, now)
    traces = [
        Traces(name, row, sent.get(row.id), claims.get(row.id), failures.get(row.id))
        if (row := rows.get(name)) is not None
        else Traces(name, None)
        for name in sorted(names)
    ]
    return list(_with_open_runs(using, traces))


def _rows(using: str, names: Collection[str]) -> Mapping[str, Row]:
    """Return the rows by name; above some thousand, reading all of them is faster."""
    if len(names) > MOST:
        return observe_rows(using).rows
    ids: set[int] = set()
    for batch in batches(sorted(names)):
        ids.update(rows_of(PeriodicTask, using).filter(name__in=batch).order_by().values_list("pk", flat=True))
    return {row.name: row for row in observe_ids(using, ids)}


def _claims(using: str, ids: Collection[int]) -> dict[int, Claimed]:
    found = {}
    for batch in batches(sorted(ids)):
        rows = rows_of(Claim, using).filter(Among(batch)).order_by()
        for values in read_values(rows, ("row_id", "tick", "claimed_at", "epoch", "confirmed", "batch")):
            if not isinstance(values, Damaged):
                row_id, tick, claimed_at, epoch, confirmed, of_batch = values
                found[row_id] = Claimed(tick, claimed_at, epoch, confirmed, of_batch == PASSED_BY)
    return found


def _failures(using: str, ids: Collection[int]) -> dict[int, NotSent]:
    if not has_table(using, SendFailure):
        return {}
    found = {}
    for batch in batches(sorted(ids)):
        rows = rows_of(SendFailure, using).filter(Among(batch)).order_by()
        for values in read_values(rows, ("row_id", "tick", "failed_at", "reason", "given_up")):
            if not isinstance(values, Damaged):
                found[values[0]] = NotSent(*values[1:])
    return found


def _sent(using: str, claims: Mapping[int, Claimed], since: datetime, now: datetime) -> dict[int, datetime]:
    """Return the first tick since an instant that was sent, by the ids of the rows.

    The claim knows the last tick. The earlier ones are in the journal, which is written a little later.
    """
    last = {
        row_id: claim.tick
        for row_id, claim in claims.items()
        if claim.confirmed and not claim.passed_by and claim.tick >= since
    }
    noted = [row_id for row_id, claim in claims.items() if claim.tick >= since]
    if not noted:
        return {}
    journal = sent_ticks(using, noted, since, now + GRACE)
    first: dict[int, list[int]] = defaultdict(list)
    for row_id, tick in journal.sent | journal.unsure:
        if tick >= micros(since):
            first[row_id].append(tick)
    return {**last, **{row_id: _earliest(ticks, last.get(row_id)) for row_id, ticks in first.items()}}


def _earliest(ticks: Iterable[int], last: datetime | None) -> datetime:
    first = instant(min(ticks))
    return first if last is None else min(first, last)


def _with_open_runs(using: str, traces: Iterable[Traces]) -> Iterable[Traces]:
    known = list(traces)
    skipping = {each.row.id for each in known if each.row and each.row.spec and each.row.spec.skips}
    if not skipping or not has_table(using, OpenRun):
        return known
    runs = {run.task_id: run for some in read_open_runs(using, skipping).values() for run in some}
    return [replace(each, open_run=runs.get(each.task_id or "")) for each in known]
