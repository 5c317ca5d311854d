"""Reads what ``schedsync status`` says of Git's side: last applies, unmanaged rows, and entries that may differ."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connections
from django.db.models import Exists, Max, OuterRef, Q
from django_celery_beat.models import PeriodicTask

from schedsync.core.observed import Managed
from schedsync.core.origin import Binding, commit_from
from schedsync.core.status import LastApply, Listed
from schedsync.core.timing import Timing
from schedsync.database import ledger_sums
from schedsync.database.audit import SAYS_LAST_APPLY
from schedsync.database.bulk import batches, rows_of
from schedsync.database.ledger_sums import DISABLED, ENABLED, TimingSum
from schedsync.database.schedule_rows import KINDS, TIMING_MODELS, read_timings
from schedsync.database.status_lists import MOST, listed
from schedsync.database.values import NOT_CONVERTED, read_values, readable
from schedsync.models import ManagedSchedule, SyncRun

TimingRow = tuple[str, int]
RowSums = Mapping[TimingRow, TimingSum]
#: SQL, and its parameters.
Condition = tuple[str, Sequence[Any]]
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
class Compared:
    """The ledger of all sets, compared with the rows.

    ``entries`` is the number of its entries; ``samples`` are ids of entries that have a row, one for each timing.
    ``suspects`` are the ids of the entries that may differ from their rows; at most MOST + 1 of them. ``astray`` says
    whether one of them has no row, or a row of another name; True where there are too many.
    """

    entries: int
    samples: tuple[int, ...]
    suspects: frozenset[int]
    astray: bool


def compared(using: str, rows: RowSums | None = None) -> Compared:
    """Compare each entry of the ledger with its row: by the sums of ``rows`` where these are known and of use.

    Else in one pass over both tables if few differ.
    """
    entries = rows_of(ManagedSchedule, using).count()
    if rows is not None and ledger_sums.are_useful(entries, rows):
        return compared_by_sums(using, entries, rows)
    groups = _fetched(using, *_groups(using))
    differing = {row_id for *_, first, last in groups if first is not None for row_id in (first, last)}
    have_rows = sum(count for _, count, *_ in groups) == entries
    if have_rows and not differing:
        found = []
    elif have_rows and all(first == last for *_, first, last in groups):
        found = _fetched(using, *_suspects(using, among=_with_ids(differing)))
    else:
        found = _fetched(using, *_suspects(using))
    return _compared(entries, tuple(sample for sample, *_ in groups), found)


def compared_by_sums(using: str, entries: int, rows: RowSums) -> Compared:
    """Compare only the entries of timings whose sums differ, and those whose rows were saved since."""
    unequal = ledger_sums.unequal(using, rows)
    found: list[tuple[Any, ...]] = []
    if unequal.timings:
        found += _fetched(using, *_suspects(using, among=_of_timings(unequal.timings)))
    if unequal.saved_after is not None:
        found += _fetched(using, *_suspects(using, among=("t.date_changed > %s", [unequal.saved_after])))
    return _compared(entries, unequal.samples, found)


def _compared(entries: int, samples: tuple[int, ...], found: Collection[tuple[Any, ...]]) -> Compared:
    ids = frozenset(int(row_id) for row_id, _ in found)
    is_astray = len(ids) > MOST or any(is_right is None for _, is_right in found)
    return Compared(entries, samples, ids, is_astray)


def _fetched(using: str, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    with connections[using].cursor() as cursor:
        cursor.execute(statement, values)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def unmanaged(using: str, ledger: Compared | None = None) -> Listed[str]:
    """Return the rows that no set manages, without Beat's own; ``ledger`` was compared before, or is now."""
    entries, tasks = rows_of(ManagedSchedule, using), rows_of(PeriodicTask, using)
    own = Q(name__startswith="celery.")
    rows = tasks.exclude(own).filter(~Exists(entries.filter(row_id=OuterRef("pk"))))
    ledger = ledger or compared(using)
    if ledger.astray:
        # A row that was deleted and made again by hand is found by its name.
        there = tasks.filter(pk=OuterRef("row_id"))
        made_again = list(entries.filter(~Exists(there)).values_list("name", flat=True)[:MOST])
        return listed(rows.exclude(name__in=made_again))
    # Each entry has a row of its own.
    managed = ledger.entries - entries.filter(own).count()
    count = tasks.count() - tasks.filter(own).count() - managed
    return listed(rows if managed else tasks.exclude(own), count)


def entries_to_compare(using: str, ledger: Compared) -> set[int] | None:
    """Return the ids of the entries of the ledger that may differ from their rows; None if there are too many.

    A row differs only if it was saved since the last apply, or enabled or disabled without a time, or if its schedule
    row is another one or was edited. An UPDATE by hand of other columns is left to ``schedsync drift``.
    """
    if len(ledger.suspects) > MOST:
        return None
    ids = set(ledger.suspects)
    if moved := _edited_timings(using, ledger.samples):
        condition = Q(pk__in=[])
        for kind in {kind for kind, _ in moved}:
            here = [row_id for other, row_id in moved if other == kind]
            condition |= Q(timing_kind=kind, timing_id__in=here)
        ids |= set(rows_of(ManagedSchedule, using).filter(condition).values_list("pk", flat=True)[: MOST + 1])
    return ids if len(ids) <= MOST else None


#: By a database's vendor: the function that finds a text in another one. LIKE takes three times as long.
_FIND = {"postgresql": "strpos", "mysql": "INSTR", "sqlite": "instr"}


def _groups(using: str) -> tuple[str, list[str]]:
    """Return SQL, and its parameters, for the entries that have a row, grouped by their timings.

    Of each group: its first entry, their number, and the first and the last entry that may differ from its row.
    """
    vendor, (entries, tasks) = connections[using].vendor, _tables(using)
    find = _FIND[vendor]
    # With an outer join, PostgreSQL finds the text before it joins, and need not carry it through the join.
    join = "LEFT JOIN" if vendor == "postgresql" else "JOIN"
    enabled = f"CASE WHEN {find}(applied, %s) > 0 THEN true WHEN {find}(applied, %s) > 0 THEN false END"
    differing = f"CASE WHEN {_differs(vendor)} OR t.enabled <> m.was_enabled THEN m.id END"
    columns = "id, name, row_id, applied_at, timing_kind, timing_id"
    statement = (
        f"SELECT MIN(m.id), COUNT(m.id), MIN({differing}), MAX({differing}) FROM {tasks} t "
        f"{join} (SELECT {columns}, {enabled} AS was_enabled FROM {entries}) m ON m.row_id = t.id "
        "GROUP BY m.timing_kind, m.timing_id HAVING COUNT(m.id) > 0"
    )
    return statement, [ENABLED, DISABLED]


def _suspects(using: str, among: Condition = ("1 = 1", ())) -> tuple[str, list[Any]]:
    """Return SQL for the suspects ``among`` the entries ``m`` with their rows ``t``, and its parameters.

    Each comes with NULL where the entry has no row of its name.
    """
    vendor, (entries, tasks) = connections[using].vendor, _tables(using)
    find, binary = _FIND[vendor], _BINARY.get(vendor, "")
    is_right = f"CASE WHEN {binary}t.name = {binary}m.name THEN 1 END"
    condition, values = among
    statement = (
        f"SELECT m.id, {is_right} FROM {entries} m LEFT JOIN {tasks} t ON t.id = m.row_id "
        f"WHERE ({condition}) AND (t.id IS NULL OR {_differs(vendor)} OR (t.enabled AND {find}(m.applied, %s) > 0) "
        f"OR (NOT t.enabled AND {find}(m.applied, %s) > 0)) LIMIT {MOST + 1}"
    )
    return statement, [*values, DISABLED, ENABLED]


def _with_ids(ids: Collection[int]) -> Condition:
    return f"m.id IN ({', '.join(str(int(row_id)) for row_id in sorted(ids))})", ()


def _of_timings(rows: Collection[TimingRow]) -> Condition:
    """Return the condition that an entry has one of these timings, or none."""
    ids = {kind: [row_id for other, row_id in rows if other == kind and row_id is not None] for kind, _ in rows}
    conditions = ["m.timing_id IS NULL", *("m.timing_kind = %s AND m.timing_id = ANY(%s)" for _ in ids)]
    return " OR ".join(conditions), [value for kind_and_ids in ids.items() for value in kind_and_ids]


def _tables(using: str) -> tuple[str, str]:
    quote = connections[using].ops.quote_name
    return quote(ManagedSchedule._meta.db_table), quote(PeriodicTask._meta.db_table)


#: By a database's vendor: the operator before a text that makes its comparison exact.
_BINARY = {"mysql": "BINARY "}


def _differs(vendor: str) -> str:
    """Return the condition that an entry ``m`` may differ from its row ``t``, but for ``enabled``."""
    binary = _BINARY.get(vendor, "")
    ids = " ".join(f"WHEN '{kind}' THEN t.{kind}_id" for kind in KINDS)
    return (
        f"{binary}t.name <> {binary}m.name OR t.date_changed > m.applied_at "
        f"OR m.timing_id <> COALESCE(CASE m.timing_kind {ids} END, -1)"
    )


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
