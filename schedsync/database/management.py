"""Reads what ``schedsync status`` says of Git's side: last applies, unmanaged rows, and entries that may differ."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.db import connections
from django.db.models import Exists, Max, Min, OuterRef, Q
from django_celery_beat.models import PeriodicTask

from schedsync.core.observed import Managed
from schedsync.core.origin import Binding, commit_from
from schedsync.core.status import LastApply, Listed
from schedsync.core.timing import Timing
from schedsync.database.audit import SAYS_LAST_APPLY
from schedsync.database.bulk import rows_of
from schedsync.database.schedule_rows import KINDS, TIMING_MODELS, read_timings
from schedsync.database.status_rows import MOST, listed
from schedsync.database.values import NOT_CONVERTED, read_values, readable
from schedsync.models import ManagedSchedule, SyncRun

TimingRow = tuple[str, int]
_APPLY = ("set", "environment", "commit", "who", "at", "summary")


def last_applies(using: str) -> tuple[LastApply, ...]:
    """Return the last apply of each set, the newest first; values that cannot be read are left out.

    A set that was renamed since has only its new name.
    """
    runs = SyncRun.objects.using(using).filter(verb__in=SAYS_LAST_APPLY)
    try:
        newest = dict(runs.order_by().values_list("set").annotate(at=Max("at")))
        rows = runs.filter(at__in=set(newest.values())).exclude(verb="renamed")
    except NOT_CONVERTED:
        some = list(runs.order_by().values_list("pk", flat=True)[:MOST])
        newest, rows = {}, runs.filter(pk__in=some).exclude(verb="renamed")
    last: dict[str, LastApply] = {}
    for set_name, environment, commit, who, at, summary in read_values(rows, _APPLY):
        name, instant = readable(set_name), readable(at)
        if name is None or instant is None or newest.get(name, instant) != instant:
            continue
        if name not in last or last[name].at < instant:
            text = Binding(None, None, None, *commit_from(readable(commit))).commit_text
            counts = _counts(readable(summary))
            last[name] = LastApply(name, readable(environment), text, readable(who, ""), instant, counts)
    return tuple(sorted(last.values(), key=lambda apply: apply.at, reverse=True))


def _counts(summary: str | None) -> dict[str, int]:
    try:
        return {str(kind): int(count) for kind, count in json.loads(summary or "{}").items()}
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return {}


def count_managed(using: str) -> int:
    """Return how many schedules all sets manage."""
    count: int = rows_of(ManagedSchedule, using).count()
    return count


def unmanaged(using: str) -> Listed[str]:
    """Return the rows that no set manages, without Beat's own."""
    entries = rows_of(ManagedSchedule, using)
    rows = rows_of(PeriodicTask, using).filter(~Exists(entries.filter(row_id=OuterRef("pk"))))
    # A row that was deleted and made again by hand is found by its name.
    tasks = rows_of(PeriodicTask, using).filter(pk=OuterRef("row_id"))
    made_again = list(entries.filter(~Exists(tasks)).values_list("name", flat=True)[:MOST])
    return listed(rows.exclude(name__startswith="celery.").exclude(name__in=made_again))


def entries_to_compare(using: str) -> set[int] | None:
    """Return the ids of the entries of the ledger that may differ from their rows; None if there are too many.

    A row differs only if it was saved since the last apply, or enabled or disabled without a time, or if its schedule
    row is another one or was edited. An UPDATE by hand of other columns is left to ``schedsync drift``.
    """
    with connections[using].cursor() as cursor:
        cursor.execute(_suspects(using), ['%"enabled":false,"exchange":%', '%"enabled":true,"exchange":%'])
        ids = {int(row_id) for (row_id,) in cursor.fetchall()}
    moved = _edited_timings(using)
    if moved and len(ids) <= MOST:
        condition = Q(pk__in=[])
        for kind in {kind for kind, _ in moved}:
            here = [row_id for other, row_id in moved if other == kind]
            condition |= Q(timing_kind=kind, timing_id__in=here)
        ids |= set(rows_of(ManagedSchedule, using).filter(condition).values_list("pk", flat=True)[: MOST + 1])
    return ids if len(ids) <= MOST else None


def _suspects(using: str) -> str:
    """Return SQL for the ids; its parameters are patterns of entries that were applied disabled, and enabled."""
    quote = connections[using].ops.quote_name
    binary = "BINARY " if connections[using].vendor == "mysql" else ""
    ids = " ".join(f"WHEN '{kind}' THEN t.{quote(f'{kind}_id')}" for kind in KINDS)
    return (
        f"SELECT m.{quote('id')} FROM {quote(ManagedSchedule._meta.db_table)} m "
        f"LEFT JOIN {quote(PeriodicTask._meta.db_table)} t ON t.{quote('id')} = m.{quote('row_id')} "
        f"WHERE t.{quote('id')} IS NULL OR {binary}t.{quote('name')} <> {binary}m.{quote('name')} "
        f"OR t.{quote('date_changed')} > m.{quote('applied_at')} "
        f"OR (t.{quote('enabled')} AND m.{quote('applied')} LIKE %s) "
        f"OR (NOT t.{quote('enabled')} AND m.{quote('applied')} LIKE %s) "
        f"OR m.{quote('timing_id')} <> COALESCE(CASE m.{quote('timing_kind')} {ids} END, -1) LIMIT {MOST + 1}"
    )


def _edited_timings(using: str) -> set[TimingRow]:
    """Return the schedule rows that somebody edited in place; one entry of the ledger stands for all that share it."""
    entries = rows_of(ManagedSchedule, using).filter(timing_kind__in=KINDS, timing_id__isnull=False)
    samples = entries.order_by().values("timing_kind", "timing_id").annotate(sample=Min("pk")).values("sample")
    columns = ("name", "set", "timing_kind", "timing_id", "applied")
    applied: dict[TimingRow, Timing] = {}
    for values in read_values(entries.filter(pk__in=list(samples.values_list("sample", flat=True))), columns):
        name, set_name, kind, row_id, text = map(readable, values)
        managed = Managed(name, set_name, None, text or "")
        if kind in TIMING_MODELS and row_id is not None and managed.spec is not None:
            applied[kind, row_id] = managed.spec.timing
    present = _read(using, applied)
    return {row for row, timing in applied.items() if present.get(row) != timing}


def _read(using: str, rows: Mapping[TimingRow, Any]) -> dict[TimingRow, Any]:
    read: dict[TimingRow, Any] = {}
    for kind in KINDS:
        read |= read_timings(using, kind, [row_id for other, row_id in rows if other == kind])
    return read
