"""Reads what ``schedsync status`` says of Git's side: last applies, unmanaged rows, and entries that may differ."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.models import Count, Exists, Max, Min, OuterRef, Q
from django_celery_beat.models import PeriodicTask

from schedsync.core.observed import Managed
from schedsync.core.origin import Binding, commit_from
from schedsync.core.status import LastApply, Listed
from schedsync.core.timing import Timing
from schedsync.database.audit import SAYS_LAST_APPLY
from schedsync.database.bulk import batches, rows_of
from schedsync.database.schedule_rows import KINDS, TIMING_MODELS, read_timings
from schedsync.database.status_lists import MOST, listed
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


@dataclass(frozen=True, slots=True)
class Suspects:
    """The entries of the ledger of all sets that may differ from their rows, by id; at most MOST + 1 of them.

    ``astray`` says whether one of them has no row, or a row of another name; True where there are too many.
    """

    ids: frozenset[int]
    astray: bool

    @property
    def are_too_many(self) -> bool:
        """Whether there are more than those that are known."""
        return len(self.ids) > MOST


def suspects(using: str) -> Suspects:
    """Return the entries of the ledger that may differ from their rows, by one pass over both tables."""
    with connections[using].cursor() as cursor:
        cursor.execute(*_suspects(using))
        found = cursor.fetchall()
    ids = frozenset(int(row_id) for row_id, _ in found)
    return Suspects(ids, len(ids) > MOST or any(is_right is None for _, is_right in found))


def samples(using: str) -> tuple[int, tuple[int, ...]]:
    """Return the number of entries in the ledger, and the ids of entries, one for each timing."""
    entries = rows_of(ManagedSchedule, using).order_by().values("timing_kind", "timing_id")
    groups = list(entries.annotate(sample=Min("pk"), entries=Count("pk")).values_list("sample", "entries"))
    return sum(count for _, count in groups), tuple(sample for sample, _ in groups)


def unmanaged(using: str, compared: Suspects | None = None) -> Listed[str]:
    """Return the rows that no set manages, without Beat's own; ``compared`` are the suspects where they are known."""
    entries, tasks = rows_of(ManagedSchedule, using), rows_of(PeriodicTask, using)
    own = Q(name__startswith="celery.")
    rows = tasks.exclude(own).filter(~Exists(entries.filter(row_id=OuterRef("pk"))))
    if (compared or suspects(using)).astray:
        # A row that was deleted and made again by hand is found by its name.
        there = tasks.filter(pk=OuterRef("row_id"))
        made_again = list(entries.filter(~Exists(there)).values_list("name", flat=True)[:MOST])
        return listed(rows.exclude(name__in=made_again))
    # Each entry has a row of its own.
    managed = entries.count() - entries.filter(own).count()
    count = tasks.count() - tasks.filter(own).count() - managed
    return listed(rows if managed else tasks.exclude(own), count)


def entries_to_compare(using: str, compared: Suspects, samples: Sequence[int]) -> set[int] | None:
    """Return the ids of the entries of the ledger that may differ from their rows; None if there are too many.

    A row differs only if it was saved since the last apply, or enabled or disabled without a time, or if its schedule
    row is another one or was edited. An UPDATE by hand of other columns is left to ``schedsync drift``.
    """
    if compared.are_too_many:
        return None
    ids = set(compared.ids)
    if moved := _edited_timings(using, samples):
        condition = Q(pk__in=[])
        for kind in {kind for kind, _ in moved}:
            here = [row_id for other, row_id in moved if other == kind]
            condition |= Q(timing_kind=kind, timing_id__in=here)
        ids |= set(rows_of(ManagedSchedule, using).filter(condition).values_list("pk", flat=True)[: MOST + 1])
    return ids if len(ids) <= MOST else None


#: By a database's vendor: the function that finds a text in another one. LIKE takes three times as long.
_FIND = {"postgresql": "strpos", "mysql": "INSTR", "sqlite": "instr"}


def _suspects(using: str) -> tuple[str, list[str]]:
    """Return SQL for the ids, each with NULL where the entry has no row of its name, and its parameters."""
    vendor, quote = connections[using].vendor, connections[using].ops.quote_name
    entries, tasks = quote(ManagedSchedule._meta.db_table), quote(PeriodicTask._meta.db_table)
    find, binary = _FIND[vendor], "BINARY " if vendor == "mysql" else ""
    is_right = f"CASE WHEN {binary}t.name = {binary}m.name THEN 1 END"
    ids = " ".join(f"WHEN '{kind}' THEN t.{kind}_id" for kind in KINDS)
    statement = (
        f"SELECT m.id, {is_right} FROM {entries} m LEFT JOIN {tasks} t ON t.id = m.row_id "
        f"WHERE t.id IS NULL OR {binary}t.name <> {binary}m.name OR t.date_changed > m.applied_at "
        f"OR (t.enabled AND {find}(m.applied, %s) > 0) OR (NOT t.enabled AND {find}(m.applied, %s) > 0) "
        f"OR m.timing_id <> COALESCE(CASE m.timing_kind {ids} END, -1) LIMIT {MOST + 1}"
    )
    # The canonical form has its keys in order.
    return statement, ['"enabled":false,"exchange":', '"enabled":true,"exchange":']


def _edited_timings(using: str, samples: Sequence[int]) -> set[TimingRow]:
    """Return the schedule rows that somebody edited in place; one entry of the ledger stands for all that share it."""
    entries = rows_of(ManagedSchedule, using)
    columns = ("name", "set", "timing_kind", "timing_id", "applied")
    applied: dict[TimingRow, Timing] = {}
    for batch in batches(samples):
        for values in read_values(entries.filter(pk__in=batch), columns):
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
