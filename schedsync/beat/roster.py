"""The roster: all schedules that Beat has loaded, kept in step with the tables by reading only what changed."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import NamedTuple

from schedsync.beat.agenda import Agenda
from schedsync.beat.journal import Journal
from schedsync.beat.loaded_schedule import NO_NEXT_RUN, CannotRun, LoadedSchedule, Trace, load
from schedsync.beat.run_repairs import LookTimes, RunRepairs
from schedsync.beat.scan import Scan, TimingRow, timing_fingerprints
from schedsync.beat.task_rows import TaskRow, TaskRows
from schedsync.core.journal import Event
from schedsync.core.observed import Problem
from schedsync.core.timing import Timing
from schedsync.database.columns import LedgerColumns, ManagedColumns, TaskColumns
from schedsync.database.schedule_rows import KINDS, read_timings

logger = logging.getLogger(__name__)

#: Above 100 changed rows, compare fingerprints before reading rows in full: most of many rows have only run.
_FEW = 100


@dataclass(frozen=True, slots=True)
class Reload:
    """The result of a reload: ids of schedules that are new or changed, and of those that are gone.

    ``traces`` says which of them another scheduler has run since they were read last; ``scanned`` is how many seconds
    it took to find the changes.
    """

    changed: Set[int] = frozenset()
    gone: Set[int] = frozenset()
    traces: Mapping[int, Trace] = field(default_factory=dict)
    scanned: float = 0.0


class Broken(NamedTuple):
    """An enabled row that cannot run: its fingerprint, its name, the reason, and when Beat found it."""

    fingerprint: int
    name: str
    reason: str
    since: datetime


@dataclass(slots=True)
class _Intake:
    """The ids of wanted rows that are not there, and of those that were taken in, with the traces found in these."""

    missing: set[int]
    changed: set[int] = field(default_factory=set)
    traces: dict[int, Trace] = field(default_factory=dict)


@dataclass
class Roster:
    """The schedules by the id of their row, in step with the agenda.

    ``cron_deadline`` is Celery's ``beat_cron_starting_deadline``, in seconds. ``broken`` holds enabled rows that cannot
    run; ``repairs`` the rows whose last run is to be corrected. ``reread`` holds the ids of rows that the next reload
    reads in any case; ``is_stale`` says that this reload should come soon.
    """

    using: str
    cron_deadline: int | None = None
    journal: Journal = field(default_factory=Journal)
    clock: Callable[[], float] = time.monotonic
    schedules: dict[int, LoadedSchedule] = field(default_factory=dict)
    broken: dict[int, Broken] = field(default_factory=dict)
    reread: set[int] = field(default_factory=set)
    is_stale: bool = False
    repairs: RunRepairs = field(default_factory=RunRepairs)
    agenda: Agenda = field(init=False)
    _looked_at: datetime | None = None
    _timings: dict[TimingRow, Timing | Problem] = field(default_factory=dict)
    _timing_prints: dict[TimingRow, int] = field(default_factory=dict)
    _moved: set[TimingRow] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.agenda = Agenda(self.schedules)
        columns = LedgerColumns(self.using)
        self._scan = Scan(self.using, columns)
        self._rows = TaskRows(self.using, columns)

    def __len__(self) -> int:
        return len(self.schedules)

    def reload(self) -> Reload:
        """Find by the narrow scan which rows changed, and read those in full."""
        began, now = self.clock(), datetime.now(timezone.utc)
        self._reload_timings()
        look = self._scan.look()
        self._note_gone(look.gone)
        self.drop(look.gone)
        # No copy: the first look finds all rows, perhaps a million.
        wanted = look.new
        wanted |= self._pending()
        suspects = look.changed - wanted
        if len(suspects) > _FEW:
            suspects = self._differing(suspects)
        scanned = self.clock() - began
        wanted |= suspects
        intake = self._read(wanted, suspects, None if self._looked_at is None else LookTimes(self._looked_at, now))
        self._note_gone(intake.missing)
        self.drop(intake.missing)
        self._scan.accept(look, intake.missing)
        self._moved, self._looked_at = set(), now
        self.reread.clear()
        self.is_stale = False
        return Reload(intake.changed, look.gone | intake.missing, intake.traces, scanned)

    def read_soon(self, row_ids: Collection[int]) -> None:
        """Note rows that differ from what is loaded: they are to be read at once, not at the next scan."""
        self.reread.update(row_ids)
        self.is_stale |= bool(row_ids)

    def _pending(self) -> set[int]:
        """Return the ids of rows to read in any case: those noted, and those whose timing's row changed."""
        if not self._moved:
            return self.reread
        moved = {row_id for row_id, schedule in self.schedules.items() if schedule.timing_row in self._moved}
        return self.reread | moved | self.broken.keys()

    def _differing(self, suspects: set[int]) -> set[int]:
        """Return the rows among the suspects that differ in more than their runs, or are no longer there."""
        unchanged = {
            row.id
            for row in self._rows.fingerprints(suspects, len(self))
            if not self._differs(row.id, row.fingerprint, row.managed, has_run=row.has_run)
        }
        return suspects - unchanged

    def _differs(self, row_id: int, fingerprint: int, managed: ManagedColumns, *, has_run: bool) -> bool:
        """Say whether a row differs in more than its runs from what is loaded.

        A last run that was set to NULL counts too: that is how upstream makes Beat count from now again.
        """
        schedule = self.schedules.get(row_id)
        if schedule is None:
            known = self.broken.get(row_id)
            return known is None or known.fingerprint != fingerprint
        lost_last_run = schedule.last_run is not None and not has_run
        return lost_last_run or schedule.fingerprint != fingerprint or schedule.managed != managed

    def _reload_timings(self) -> None:
        """Read the timings' rows that changed, and note them until their tasks have been read too."""
        prints = timing_fingerprints(self.using)
        changed = {row for row, fingerprint in prints.items() if self._timing_prints.get(row) != fingerprint}
        for kind in KINDS:
            ids = [row_id for row_kind, row_id in changed if row_kind == kind]
            self._timings |= read_timings(self.using, kind, ids)
        for row in self._timing_prints.keys() - prints.keys():
            self._timings.pop(row, None)
        # New ones count too: a task may have been read before its timing was.
        self._moved |= changed
        self._timing_prints = prints

    def _read(self, wanted: set[int], suspects: set[int], look: LookTimes | None) -> _Intake:
        """Read wanted rows in full, and take them in; suspects only if they differ.

        What is read is taken out of ``wanted``: a copy would be large when all rows are read.
        """
        intake = _Intake(missing=wanted)
        for row in self._rows.read(wanted, len(self)):
            row_id, columns = row.id, row.columns
            if row_id not in wanted:
                continue
            wanted.discard(row_id)
            if columns is None:
                self._break(row_id, f"row {row_id}", 0, row.error)
                continue
            has_run = columns.last_run_at is not None
            if row_id in suspects and not self._differs(row_id, row.fingerprint, row.managed, has_run=has_run):
                continue
            intake.changed.add(row_id)
            before, was_broken = self.schedules.get(row_id), row_id in self.broken
            after = self._take(row, columns)
            if after and look and not was_broken:
                self.repairs.compare(before, after, look)
                self.agenda.put(after)
            if before and after and (trace := before.trace(after.last_run, after.count, by_apply=row.by_apply)):
                intake.traces[row_id] = trace
        return intake

    def _take(self, row: TaskRow, columns: TaskColumns) -> LoadedSchedule | None:
        """Take a row in; returns its schedule, or None if it cannot run."""
        try:
            schedule = load(row, columns, self._timings, self.cron_deadline)
        except CannotRun as error:
            self._break(row.id, columns.name, row.fingerprint, str(error))
            return None
        self._mended(row.id)
        self.schedules[row.id] = schedule
        self.agenda.put(schedule)
        return schedule

    def schedule_next(self, schedule: LoadedSchedule) -> None:
        """Work out the next tick of a schedule, and note it."""
        try:
            schedule.schedule_next()
        except Exception as error:
            self.give_up(schedule, error)
        else:
            self.agenda.put(schedule)

    def give_up(self, schedule: LoadedSchedule, error: Exception) -> None:
        """Take out a schedule whose next run cannot be worked out."""
        self._break(schedule.row_id, schedule.name, schedule.fingerprint, f"{NO_NEXT_RUN}: {error}")

    def _break(self, row_id: int, name: str, fingerprint: int, reason: str) -> None:
        before = self.broken.get(row_id)
        self.drop([row_id])
        now = datetime.now(timezone.utc)
        self.broken[row_id] = Broken(fingerprint, name, reason, now if before is None else before.since)
        self.journal.note(row_id, Event.BROKEN, now, count=None, reason=reason)
        logger.error("`%s` cannot run: %s", name, reason, extra={"schedule": name})

    def refresh(self) -> None:
        """Read the last runs of all schedules again, as another Beat may have written them, and work out the ticks."""
        for row_id, last_run, count, since in self._rows.runs(self.broken):
            schedule = self.schedules.get(row_id)
            if schedule is not None and (schedule.last_run, schedule.count) != (last_run, count):
                schedule.last_run, schedule.count, schedule.changed = last_run, count, since or schedule.changed
                self.schedule_next(schedule)
        self.agenda.rebuild()

    def drop(self, row_ids: Collection[int]) -> None:
        """Forget schedules, and rows that cannot run."""
        for row_id in row_ids:
            self.schedules.pop(row_id, None)
            self.broken.pop(row_id, None)
            self.repairs.drop(row_id)

    def _note_gone(self, row_ids: Collection[int]) -> None:
        """Note the schedules among these rows: somebody has disabled or deleted them."""
        now = datetime.now(timezone.utc)
        for row_id in row_ids:
            if (schedule := self.schedules.get(row_id)) is not None:
                self.journal.note(row_id, Event.GONE, now, count=None, name=schedule.name)
            self._mended(row_id)

    def _mended(self, row_id: int) -> None:
        """Note for how long a row could not run, if it could not."""
        if (broken := self.broken.pop(row_id, None)) is not None:
            now = datetime.now(timezone.utc)
            self.journal.note(
                row_id, Event.BROKEN, min(broken.since, now), now, count=None, reason=broken.reason, name=broken.name
            )

    def note_broken(self) -> None:
        """Note the rows that cannot run, when this Beat begins to lead."""
        now = datetime.now(timezone.utc)
        for row_id, broken in self.broken.items():
            self.journal.note(row_id, Event.BROKEN, now, count=None, reason=broken.reason)
