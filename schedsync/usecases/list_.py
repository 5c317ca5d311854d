"""Lists the schedules of a database with their states, in a constant number of queries."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property

from celery import current_app

from schedsync.calendar.overdue import Moment, late
from schedsync.calendar.ticks import first_tick, last_tick, tick_after
from schedsync.core.full_pause import FullyPaused
from schedsync.core.listing import LastRun, ListedSchedule, Listing
from schedsync.core.names import counted
from schedsync.core.observed import Managed, Observed, Row
from schedsync.core.schedule import completed_at
from schedsync.core.selector import Candidate, Selector
from schedsync.core.timing import MICROSECOND
from schedsync.database.beats import live_beats
from schedsync.database.break_glass import opened
from schedsync.database.clock import now
from schedsync.database.collector import gc_paused
from schedsync.database.faults import database_errors
from schedsync.database.full_pause import full_pause
from schedsync.database.last_runs import claimed_runs, last_run_of
from schedsync.database.listed_names import observe_listed
from schedsync.database.lock import read_only_transaction
from schedsync.database.observe import every_entry, observe_pauses, observe_rows
from schedsync.database.rollbacks import rolled_back_by_holder
from schedsync.database.standing import read_standing
from schedsync.database.status import as_applied
from schedsync.database.status_lists import MOST
from schedsync.planning.diff import diff
from schedsync.usecases.selection import choose


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to list: the schedules that fit the selector and have one of the states; without states, any.

    ``desired`` are the names in the files of ``set``, None where no files were read: a schedule of the set that is not
    among them is being removed. Without files, it is one that an apply has disabled for that.
    """

    selector: Selector
    states: Collection[str] = ()
    set: str | None = None
    desired: Collection[str] | None = None


def list_schedules(using: str, wanted: Wanted, progress: Callable[[str], None] = lambda _step: None) -> Listing:
    """Return the schedules of all sets, and the rows that nobody manages, by name; rows of Beat itself are left out.

    Raises WrongUsage where the selector fits nothing, Unavailable where the database does not answer.
    """
    progress("reading the schedules")
    at = now()
    with database_errors(using), read_only_transaction(using):
        reading = Reading(using, at, wanted, _observe(using))
        chosen = {candidate.name for candidate in choose(wanted.selector, reading.candidates())}
        progress(f"comparing {counted(len(chosen), 'schedule')}")
        listed = (reading.listed(name) for name in sorted(chosen))
        schedules = tuple(each for each in listed if not wanted.states or each.state in wanted.states)
        standing = tuple(each for each in read_standing(using) if not each.ended(at))
    return Listing(at, schedules, reading.full_pause, standing)


def list_named(using: str, names: Sequence[str]) -> Listing:
    """Return the schedules with these names of the ledger or of rows, in this order; a name without either is left out.

    Nothing is read of the others. Raises Unavailable where the database does not answer.
    """
    at = now()
    with database_errors(using), read_only_transaction(using):
        observed = observe_listed(using, frozenset(names))
        reading = Reading(using, at, Wanted(Selector()), observed, {row.id for row in observed.rows.values()})
        there = [name for name in names if name in observed.ledger or name in observed.rows]
        return Listing(at, tuple(map(reading.listed, there)), reading.full_pause)


@gc_paused()
def names_in_state(using: str, state: str, fits: Callable[[Candidate], bool]) -> list[str]:
    """Return the names of the schedules that have a state and fit, in their order; works out no run.

    Raises Unavailable where the database does not answer.
    """
    at = now()
    with database_errors(using), read_only_transaction(using):
        reading = Reading(using, at, Wanted(Selector()), _observe_for(using, state, at))
        return [each.name for each in reading.candidates() if fits(each) and reading.state(each.name) == state]


def _observe_for(using: str, state: str, at: datetime) -> Observed:
    """Read the schedules that can have a state: the pauses tell what is paused, unless everything is."""
    pause = full_pause(using)
    if state != "paused" or (pause is not None and pause.is_on(at)):
        return _observe(using)
    names = observe_pauses(using).keys()
    return observe_listed(using, names) if len(names) <= MOST else _observe(using)


def _observe(using: str) -> Observed:
    read = observe_rows(using)
    return Observed(rows=read.rows, ledger={entry.name: entry for entry in every_entry(using)}, pauses=read.pauses)


class Reading:
    """What the tables hold, read once, and the state of each schedule; without ``row_ids`` all rows were read."""

    def __init__(
        self, using: str, at: datetime, wanted: Wanted, observed: Observed, row_ids: Collection[int] | None = None
    ) -> None:
        self.at, self.wanted, self.observed = at, wanted, observed
        marks = rolled_back_by_holder(using)
        self.rolled_back = {mark.kept_name: mark for mark in marks if mark.kept is not None or mark.is_damaged}
        self.opened = opened(using)
        self.claims = claimed_runs(using, row_ids)
        leading = [beat.leads_since for beat in live_beats(using) if beat.leads and beat.leads_since]
        self.moment = Moment(
            at, max(leading, default=None), current_app.conf.beat_cron_starting_deadline, full_pause(using)
        )

    def by_row(self) -> dict[int, ListedSchedule]:
        """Return the schedules that have a row, by its id."""
        rows = {name: self._row(name) for name in self._names()}
        return {row.id: self.listed(name) for name, row in rows.items() if row is not None}

    @cached_property
    def full_pause(self) -> FullyPaused | None:
        """The pause of everything, while it lasts."""
        pause = self.moment.full_pause
        return pause if pause is not None and pause.is_on(self.at) else None

    @cached_property
    def _renamed(self) -> set[int]:
        """The ids of managed rows that somebody has renamed: they belong to their entries."""
        gone = [entry for name, entry in self.observed.ledger.items() if name not in self.observed.rows]
        return {entry.row_id for entry in gone if entry.row_id is not None}

    def candidates(self) -> list[Candidate]:
        """Return the schedules as a selector sees them."""
        return [self._candidate(name) for name in sorted(self._names())]

    def _names(self) -> set[str]:
        others = (name for name, row in self.observed.rows.items() if row.id not in self._renamed)
        return {*self.observed.ledger, *(name for name in others if not name.startswith("celery."))}

    def _candidate(self, name: str) -> Candidate:
        row, entry = self._row(name), self.observed.ledger.get(name)
        queue = row.spec.queue if row is not None and row.spec is not None else None
        if entry is None:
            return Candidate(name, queue=queue)
        return Candidate(name, entry.set, queue, entry.people.owner, entry.people.labels)

    def _row(self, name: str) -> Row | None:
        entry = self.observed.ledger.get(name)
        return self.observed.find(name, entry.row_id if entry else None)

    @cached_property
    def _difference(self) -> tuple[set[str], set[str], set[str]]:
        """The names that are held, drifted and completed: the ledger compared with the rows, as `drift` does it."""
        difference = diff(as_applied(self.observed), self.observed, self.at)
        drifted = {change.name for change in difference.changes if change.cause != "files"}
        unread = {name for name, entry in self.observed.ledger.items() if entry.spec is None}
        lost = set(difference.lost_rows)
        return {held.name for held in difference.held}, drifted | unread | lost, set(difference.completed)

    def listed(self, name: str) -> ListedSchedule:
        """Return one schedule."""
        row, entry = self._row(name), self.observed.ledger.get(name)
        state, pause = self.state(name), self.observed.pauses.get(name)
        mark = self.rolled_back.get(name) if entry is not None else None
        schedule = ListedSchedule(name, state, pause=pause, rolled_back=mark)
        if entry is not None:
            people, is_open = entry.people, self.opened.get(name)
            schedule = replace(schedule, set=entry.set, people=people, removing=entry.removing, opened=is_open)
        if row is None:
            then = "forgets it" if schedule.state == "removing" else "makes it again"
            return replace(schedule, problem=f"its row is gone; `schedsync apply` {then}")
        return self._with_runs(replace(schedule, spec=row.spec, problem=_problem(row)), row)

    def state(self, name: str) -> str:
        """Return the state of one schedule, by its word."""
        state = self._state(name, self._row(name), self.observed.ledger.get(name))
        return "paused" if state == "ok" and self.full_pause is not None else state

    def _state(self, name: str, row: Row | None, entry: Managed | None) -> str:
        if entry is None:
            return "unmanaged"
        if self._is_removed(entry) and not _runs_in_spite_of_removal(entry, row):
            return "removing"
        if name in self.observed.pauses:
            return "paused"
        held, drifted, completed = self._difference
        if name in held:
            return "held"
        if name in drifted:
            return "drifted"
        if name in self.rolled_back:
            return "rolled-back"
        if name in completed or (row is not None and row.is_done(self.at)):
            return "completed"
        return "ok" if row is not None and row.spec is not None and row.spec.enabled else "disabled"

    def _is_removed(self, entry: Managed) -> bool:
        wanted = self.wanted
        if entry.name in self.rolled_back:
            return False
        if wanted.desired is None or entry.set != wanted.set:
            return entry.removing is not None
        return entry.name not in wanted.desired

    def _with_runs(self, schedule: ListedSchedule, row: Row) -> ListedSchedule:
        last: LastRun | None = last_run_of(row, self.claims.get(row.id))
        if row.spec is None or row.problems or not row.spec.enabled:
            return replace(schedule, last_run=last)
        due = next((each.tick for each in late([row], self.moment)), None)
        return replace(schedule, last_run=last, due=due, next_run=_next_run(row, self._runs_from))

    @property
    def _runs_from(self) -> datetime:
        """Now, or just before the end of the pause of everything: a tick at its end is sent."""
        until = self.full_pause.until if self.full_pause else None
        return self.at if until is None else until - MICROSECOND


def _runs_in_spite_of_removal(entry: Managed, row: Row | None) -> bool:
    """Say whether somebody has enabled a schedule that waits to be deleted: until the next apply it runs."""
    return entry.removing is not None and row is not None and row.spec is not None and row.spec.enabled


def _problem(row: Row) -> str | None:
    return row.problems[0].message if row.problems else None


def _next_run(row: Row, at: datetime) -> datetime | None:
    """Return the first tick ahead, counted from the last run as Beat counts it."""
    spec = row.spec
    if spec is None or completed_at(spec, at) or row.is_done(at):
        return None
    last = row.last_run_at or row.date_changed or at
    tick = first_tick(spec.timing, last, spec.start_at, ran=row.last_run_at is not None)
    if tick is not None and tick <= at:
        tick = tick_after(spec.timing, last_tick(spec.timing, tick, at))
    return None if tick is None or (spec.expires_at is not None and tick >= spec.expires_at) else tick
