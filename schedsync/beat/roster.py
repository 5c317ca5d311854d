"""What Beat has loaded, and how it is kept in step with the tables: only what changed is read in full."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any, TypeVar

from django.db import DataError, connections
from django.db.models import BooleanField, Case, ExpressionWrapper, F, Field, Q, When
from django.db.models.expressions import RawSQL
from django_celery_beat.models import PeriodicTask

from schedsync.beat.agenda import Agenda
from schedsync.beat.loaded_schedule import AT_MOST_ONCE, LoadedSchedule, Trace, lateness_of, parsed
from schedsync.beat.scan import Scan, TimingRow, task_fingerprint, timing_fingerprints
from schedsync.core.observed import Problem
from schedsync.core.timing import Clocked, Crontab, Interval, Timing
from schedsync.database.bulk import batches
from schedsync.database.columns import ManagedColumns, TaskColumns
from schedsync.database.schedule_rows import KINDS, read_timings
from schedsync.models import ManagedSchedule

logger = logging.getLogger(__name__)

T = TypeVar("T", bound="tuple[Any, ...]")
#: A row by its id: what is read of it, or None where it cannot be read; its fingerprint, what the ledger says, and
#: whether an apply wrote its last run.
_Found = tuple[int, "TaskColumns | None", int, ManagedColumns, Any]

#: From so many changes on everything is read, rather than each row by its id; or from such a part of all rows on.
_MANY, _PART = 2_000, 4
#: More rows than that are not held in memory all at once.
_PART_SIZE = 5_000
#: So many rows that changed somehow are read in full at once.
_FEW = 100
_UNMANAGED = ManagedColumns()
_NO_NEXT_RUN = "its next run cannot be worked out"
#: Only what never ran counts from its last edit; to make instants of what the database says takes longer than all else.
_SINCE = Case(When(last_run_at=None, then="date_changed"))
_BY_APPLY = ExpressionWrapper(Q(last_run_at=F("date_changed")), Field())
_LAST_RUN = TaskColumns._fields.index("last_run_at")
#: So on PostgreSQL the last run comes as text: most rows have the same, of which an instant is made once. What has no
#: date, "infinity", comes as it is.
_ISO = "TO_CHAR(last_run_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"+00:00\"')"
_AS_TEXT = RawSQL(f"COALESCE({_ISO}, last_run_at::text)", (), Field())


@dataclass(frozen=True, slots=True)
class Reload:
    """What a reload found: ids of entries that are new or changed, and of those that are gone.

    ``traces`` says which of them somebody else has run since they were read last; ``scanned`` is how many seconds it
    took to find all that.
    """

    changed: frozenset[int] = frozenset()
    gone: frozenset[int] = frozenset()
    traces: Mapping[int, Trace] = field(default_factory=dict)
    scanned: float = 0.0


@dataclass
class Roster:
    """The entries by the id of their row, in step with the agenda.

    ``cron_deadline`` is Celery's ``beat_cron_starting_deadline``, in seconds. ``broken`` holds enabled rows that cannot
    run, each with its fingerprint and why; ``reread`` the ids of rows that the next reload reads in any case.
    """

    using: str
    with_ledger: bool = True
    cron_deadline: int | None = None
    agenda: Agenda = field(default_factory=Agenda)
    entries: dict[int, LoadedSchedule] = field(default_factory=dict)
    broken: dict[int, tuple[int, str]] = field(default_factory=dict)
    reread: set[int] = field(default_factory=set)
    _timings: dict[TimingRow, Timing | Problem] = field(default_factory=dict)
    _timing_prints: dict[TimingRow, int] = field(default_factory=dict)
    _moved: set[TimingRow] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._scan = Scan(self.using, with_ledger=self.with_ledger)

    def __len__(self) -> int:
        return len(self.entries)

    def reload(self) -> Reload:
        """Find what changed by the narrow scan, and read that in full."""
        began = time.monotonic()
        self._reload_timings()
        look = self._scan.look()
        for row_id in look.gone:
            self._forget(row_id)
        must = look.new | self._pending()
        suspects = look.changed - must
        if len(suspects) > _FEW:
            # Most of many have only run, and to read those in full takes longer than to compare them.
            suspects = self._differing(suspects)
        scanned = time.monotonic() - began
        found, taken, traces = self._read(must, suspects)
        vanished = (must | suspects) - found
        for row_id in vanished:
            self._forget(row_id)
        self._scan.accept(look, vanished)
        self._moved = set()
        self.reread.clear()
        return Reload(frozenset(taken), frozenset(look.gone | vanished), traces, scanned)

    @property
    def _enabled(self) -> Any:
        return PeriodicTask.objects.using(self.using).filter(enabled=True).order_by()

    @property
    def _columns(self) -> list[Any]:
        instead: dict[str, Any] = {"date_changed": _SINCE}
        if connections[self.using].vendor == "postgresql":
            instead["last_run_at"] = _AS_TEXT
        return [instead.get(name, name) for name in TaskColumns._fields]

    def _pending(self) -> set[int]:
        """Return the ids of rows to read whatever they say: those asked for, and those whose schedule changed."""
        if not self._moved:
            return self.reread
        moved = {entry.row_id for entry in self.entries.values() if entry.timing_row in self._moved}
        return self.reread | moved | self.broken.keys()

    def _differing(self, suspects: set[int]) -> set[int]:
        """Return those of the rows that differ in more than their runs, or are no longer there."""
        ids = _some(suspects, len(self))
        managed = self._ledger(ids)
        chosen = self._enabled if ids is None else self._enabled.filter(pk__in=ids)
        ran = ExpressionWrapper(~Q(last_run_at=None), BooleanField())
        found = chosen.annotate(print=task_fingerprint(self.using), ran=ran).values_list("pk", "print", "ran")
        return suspects - {
            row_id
            for row_id, print_, has_run in found
            if not self._differs(row_id, print_, managed.get(row_id, _UNMANAGED), ran=has_run)
        }

    def _differs(self, row_id: int, print_: int, managed: ManagedColumns, *, ran: bool) -> bool:
        """Say whether a row differs in more than its runs from what is loaded.

        A last run that was taken away counts too: that is upstream's way to make Beat count from now again.
        """
        entry = self.entries.get(row_id)
        if entry is None:
            known = self.broken.get(row_id)
            return known is None or known[0] != print_
        forgotten = entry.last_run is not None and not ran
        return forgotten or entry.fingerprint != print_ or entry.managed != managed

    def _reload_timings(self) -> None:
        """Read the schedule rows that changed, and note them until their tasks have been read too."""
        found = timing_fingerprints(self.using)
        changed = {row for row, print_ in found.items() if self._timing_prints.get(row) != print_}
        for kind in KINDS:
            self._timings |= read_timings(self.using, kind, [row_id for one, row_id in changed if one == kind])
        for row in self._timing_prints.keys() - found.keys():
            self._timings.pop(row, None)
        # New ones count too: a task may have been read before its schedule was.
        self._moved |= changed
        self._timing_prints = found

    def _read(self, must: set[int], suspects: set[int]) -> tuple[set[int], set[int], dict[int, Trace]]:
        """Read rows in full, and take in those that must be and those that differ.

        Returns the ids of what was there, of what was taken in, and the traces of others in that.
        """
        found: set[int] = set()
        taken: set[int] = set()
        traces: dict[int, Trace] = {}
        wanted = must | suspects
        for row_id, columns, print_, managed, explained in self._rows(wanted):
            is_suspect = row_id in suspects
            if not is_suspect and row_id not in must:
                continue
            found.add(row_id)
            if columns is None:
                continue
            if is_suspect and not self._differs(columns.id, print_, managed, ran=columns.last_run_at is not None):
                continue
            taken.add(columns.id)
            before = self.entries.get(row_id)
            entry = self._take(columns, managed, print_)
            if before and entry and (trace := before.trace(entry.last_run, entry.count, explained=bool(explained))):
                traces[row_id] = trace
        return found, taken, traces

    def _rows(self, wanted: Collection[int]) -> Iterator[_Found]:
        few = _some(wanted, len(self))
        parts: Iterable[Sequence[int] | None] = [None] if few is None else batches(few)
        for some in parts:
            try:
                yield from self._part(some, in_parts=len(wanted) > _PART_SIZE)
            except (DataError, ValueError) as error:
                for ids in batches(sorted(wanted)) if some is None else [some]:
                    yield from self._halves(ids, error)

    def _halves(self, ids: Sequence[int], error: Exception) -> Iterator[_Found]:
        """Read the half of some rows, and the other one, until the row that cannot be read stands alone."""
        if len(ids) == 1:
            self._break(ids[0], f"row {ids[0]}", 0, f"it cannot be read: {error}")
            yield ids[0], None, 0, _UNMANAGED, None
            return
        middle = len(ids) // 2
        for half in (ids[:middle], ids[middle:]):
            try:
                yield from self._part(half, in_parts=len(half) > _PART_SIZE)
            except (DataError, ValueError) as found:
                yield from self._halves(half, found)

    def _part(self, some: Sequence[int] | None, *, in_parts: bool) -> Iterator[_Found]:
        managed = self._ledger(some)
        rows = self._enabled.annotate(print=task_fingerprint(self.using))
        chosen = rows if some is None else rows.filter(pk__in=some)
        found = chosen.values_list("print", _BY_APPLY, *self._columns)
        for print_, explained, *values in found.iterator(chunk_size=_PART_SIZE) if in_parts else found:
            if isinstance(values[_LAST_RUN], str):
                values[_LAST_RUN] = _instant(values[_LAST_RUN])
            yield values[0], TaskColumns(*values), print_, managed.get(values[0], _UNMANAGED), explained

    def _ledger(self, ids: Sequence[int] | None) -> dict[int, ManagedColumns]:
        if not self.with_ledger:
            return {}
        rows = ManagedSchedule.objects.using(self.using).exclude(row_id=None)
        chosen = rows if ids is None else rows.filter(row_id__in=ids)
        return {
            row_id: ManagedColumns(*values) for row_id, *values in chosen.values_list("row_id", *ManagedColumns._fields)
        }

    def _take(self, columns: TaskColumns, managed: ManagedColumns, print_: int) -> LoadedSchedule | None:
        """Take a row in; returns its entry, or None where it cannot run."""
        entry = self._entry(columns, managed, print_)
        if isinstance(entry, str):
            self._break(columns.id, columns.name, print_, entry)
            return None
        self.broken.pop(columns.id, None)
        self.entries[columns.id] = entry
        self.agenda.put(entry)
        return entry

    def _entry(self, columns: TaskColumns, managed: ManagedColumns, print_: int) -> LoadedSchedule | str:
        timing_rows = columns.timing_rows
        if len(timing_rows) != 1:
            return "it has no schedule, or more than one"
        timing = self._timings.get(timing_rows[0])
        if timing is None or isinstance(timing, Problem):
            return "its schedule is gone" if timing is None else timing.message
        if isinstance(timing, Interval) and timing.microseconds <= 0:
            return "an interval of 0"
        for name, said, kind in (
            ("args", columns.args, list), ("kwargs", columns.kwargs, dict), ("headers", columns.headers, dict)
        ):  # fmt: skip
            if not _is_json(said, kind):
                return f"its {name} are no JSON {'list' if kind is list else 'object'}"
        try:
            entry = self._built(columns, managed, timing)
        except Exception as error:
            # Whatever Celery or a library of its own says of one row, the others run.
            return f"{_NO_NEXT_RUN}: {error}"
        entry.fingerprint, entry.timing_row = print_, _same(timing_rows[0])
        return entry

    def _built(self, columns: TaskColumns, managed: ManagedColumns, timing: Timing) -> LoadedSchedule:
        entry = LoadedSchedule()
        entry.row_id, entry.name = columns.id, columns.name
        # One object for all equal values: most of a large table's repeat, but for the arguments of tenants.
        entry.task, entry.args = sys.intern(columns.task), sys.intern(columns.args or "[]")
        entry.kwargs = columns.kwargs if columns.kwargs and columns.kwargs != "{}" else "{}"
        entry.headers = sys.intern(columns.headers or "{}")
        entry.options = _same((columns.queue, columns.exchange, columns.routing_key, columns.priority))
        entry.expires_after, entry.expires, entry.start = columns.expire_seconds, columns.expires, columns.start_time
        entry.one_off = columns.one_off or isinstance(timing, Clocked)
        entry.timing = timing
        entry.last_run, entry.count = columns.last_run_at, columns.total_run_count
        entry.changed = columns.date_changed or columns.last_run_at or datetime.now(timezone.utc)
        entry.managed = _same(managed)
        entry.once = managed.delivery == AT_MOST_ONCE
        deadline = managed.starting_deadline
        if deadline is None and isinstance(timing, Crontab):
            deadline = self.cron_deadline
        entry.lateness = lateness_of(managed.missed_runs or "latest", deadline)
        entry.plan()
        return entry

    def plan(self, entry: LoadedSchedule) -> None:
        """Work the next tick of an entry out, and note it."""
        try:
            entry.plan()
        except Exception as error:
            self.give_up(entry, error)
        else:
            self.agenda.put(entry)

    def give_up(self, entry: LoadedSchedule, error: Exception) -> None:
        """Take an entry out, of which no next run can be worked out."""
        self._break(entry.row_id, entry.name, entry.fingerprint, f"{_NO_NEXT_RUN}: {error}")

    def _break(self, row_id: int, name: str, print_: int, why: str) -> None:
        self._forget(row_id)
        self.broken[row_id] = (print_, why)
        logger.error("`%s` cannot run: %s", name, why, extra={"schedule": name})

    def _forget(self, row_id: int) -> None:
        self.entries.pop(row_id, None)
        self.broken.pop(row_id, None)
        self.agenda.drop(row_id)

    def refresh(self) -> None:
        """Read the last runs of all entries again, as somebody else may have written them, and plan anew."""
        rows = self._enabled.exclude(pk__in=self.broken).values_list("pk", "last_run_at", "total_run_count", _SINCE)
        for row_id, last_run, count, since in rows.iterator(_PART_SIZE):
            entry = self.entries.get(row_id)
            if entry is not None and (entry.last_run, entry.count) != (last_run, count):
                entry.last_run, entry.count, entry.changed = last_run, count, since or entry.changed
                self.plan(entry)
        self.agenda.rebuild(self.entries.values())

    def drop(self, row_ids: Collection[int]) -> None:
        """Forget entries that are done."""
        for row_id in row_ids:
            self._forget(row_id)


def _some(ids: Collection[int], total: int) -> list[int] | None:
    """Return the ids of rows to ask for, or None where to read all of them costs less."""
    return None if len(ids) > min(_MANY, total // _PART) else sorted(ids)


@lru_cache(maxsize=65536)
def _same(value: T) -> T:
    return value


@lru_cache(maxsize=4096)
def _instant(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _is_json(text: str | None, kind: type) -> bool:
    try:
        return not text or isinstance(parsed(text), kind)
    except (ValueError, RecursionError):
        return False
