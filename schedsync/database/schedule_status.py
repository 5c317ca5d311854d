"""How the schedules run: by SQL where SQL can tell, else from all rows; both give the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from celery import current_app

from schedsync.calendar.overdue import Moment, late, latest_late_run
from schedsync.core.observed import Paused, Row
from schedsync.core.schedule import completed_at
from schedsync.core.status import Broken, Failed, Late, Listed, Schedules, named
from schedsync.database import status_lists, status_rows
from schedsync.database.bulk import batches
from schedsync.database.failures import send_failures
from schedsync.database.ledger_sums import TimingSum
from schedsync.database.observe import observe_ids, observe_pauses, observe_rows, with_ledger_fields
from schedsync.database.status_lists import MOST, ReadInstead
from schedsync.database.status_rows import Counts
from schedsync.database.values import NOT_CONVERTED
from schedsync.models import SendFailure

#: A schedule that is disabled for longer than this was perhaps forgotten.
LONG = timedelta(days=30)


@dataclass
class ScheduleReader:
    """Reads how the schedules of a database run; a tick is overdue after ``grace``."""

    using: str
    moment: Moment
    grace: timedelta
    #: The sums of the rows of each timing, once they were read by SQL.
    sums: Mapping[tuple[str, int], TimingSum] | None = None

    @cached_property
    def pauses(self) -> dict[str, Paused]:
        """The pauses by name."""
        return observe_pauses(self.using)

    @property
    def _long_ago(self) -> datetime:
        return self.moment.now - LONG

    def read(self) -> Schedules:
        """Read what SQL finds, and in full the rows that it cannot judge."""
        try:
            return self._from_sql()
        except (ReadInstead, *NOT_CONVERTED):
            return self.from_rows(observe_rows(self.using).rows.values())

    def from_rows(self, rows: Iterable[Row]) -> Schedules:
        """Judge rows that were read in full."""
        rows = sorted(rows, key=named)
        enabled = [row for row in rows if row.spec is not None and row.spec.enabled and not row.problems]
        registered = current_app.tasks
        due, overdue = self._late(enabled)
        return Schedules(
            enabled=len(enabled),
            due=due,
            overdue=overdue,
            never_ran=Listed.of(row.name for row in enabled if not row.total_run_count and row.last_run_at is None),
            disabled_long=Listed.of(self._disabled_long(rows)),
            unregistered=Listed.of(row.name for row in enabled if row.spec and row.spec.task not in registered),
            broken=Listed.of(self._broken(rows)),
        )

    def _late(self, rows: Iterable[Row]) -> tuple[Listed[Late], Listed[Late]]:
        """Return the schedules that are due, and those that are overdue."""
        everything = list(late(rows, self.moment))
        limit = self.moment.now - self.grace
        return (
            Listed.of(schedule for schedule in everything if schedule.tick >= limit),
            Listed.of(schedule for schedule in everything if schedule.tick < limit),
        )

    def _broken(self, rows: list[Row]) -> Iterator[Broken]:
        """Yield the enabled rows that cannot run."""
        unread = [row.id for row in rows if row.problems and row.spec is None]
        disabled = status_lists.disabled_among(self.using, unread)
        for row in rows:
            if row.problems and (row.id not in disabled if row.spec is None else row.spec.enabled):
                yield Broken(row.name, "; ".join(problem.message for problem in row.problems))

    def _disabled_long(self, rows: Iterable[Row]) -> list[str]:
        """Return the rows that were disabled long ago; an UPDATE by hand records no time, so it is not noticed."""
        names = [row.name for row in rows if self._is_disabled_long(row)]
        applied = status_lists.applied_since(self.using, names, self._long_ago)
        return [name for name in names if name not in applied]

    def _is_disabled_long(self, row: Row) -> bool:
        if row.spec is None or row.spec.enabled or row.date_changed is None or completed_at(row.spec, self.moment.now):
            return False
        return row.date_changed < self._long_ago and row.name not in self._paused_lately

    @cached_property
    def _paused_lately(self) -> Collection[str]:
        return {name for name, pause in self.pauses.items() if pause.since >= self._long_ago}

    def _from_sql(self) -> Schedules:
        status_rows.require_readable(self.using)
        counts = status_rows.count_rows(self.using, self.moment.now, self._long_ago)
        timings = status_rows.read_timings_in_use(self.using)
        self.sums = timings.sums
        odd = status_rows.odd_ids(self.using, counts, timings.bad)
        if len(odd) > MOST:
            raise ReadInstead
        rows = status_rows.rows_perhaps_late(self.using, counts, timings, odd, self.moment.now, latest_late_run)
        judged = self._judged_by_sql(counts, odd, rows)
        return self._merged(judged, self.from_rows(observe_ids(self.using, odd)))

    def _judged_by_sql(self, counts: Counts, odd: Collection[int], rows: list[Row]) -> Schedules:
        enabled = status_lists.enabled_rows(self.using, odd)
        due, overdue = self._late(sorted(with_ledger_fields(self.using, rows), key=named))
        tasks = self._tasks(counts, odd)
        unregistered = tasks.keys() - current_app.tasks.keys()
        never_ran = status_lists.never_ran(enabled)
        return Schedules(
            enabled=sum(tasks.values()),
            due=due,
            overdue=overdue,
            # The odd rows are counted too, so that only 0 is certain where there are any.
            never_ran=status_lists.listed(never_ran, None if odd and counts.never_ran else counts.never_ran),
            disabled_long=self._disabled_long_by_sql(odd) if counts.disabled else Listed(),
            unregistered=status_lists.listed(
                status_lists.with_tasks(enabled, unregistered), sum(tasks[task] for task in unregistered)
            ),
        )

    def _tasks(self, counts: Counts, odd: Collection[int]) -> Mapping[str, int]:
        """Return how many enabled rows each task has, without the odd rows."""
        if not odd:
            return counts.tasks
        of_odd = status_lists.tasks_of(status_lists.enabled_among(self.using, odd))
        return {task: left for task, count in counts.tasks.items() if (left := count - of_odd.get(task, 0)) > 0}

    def _disabled_long_by_sql(self, odd: Collection[int]) -> Listed[str]:
        now, paused = self.moment.now, self._paused_lately
        return status_lists.listed(status_lists.long_disabled(self.using, odd, now, self._long_ago, paused))

    def _merged(self, one: Schedules, other: Schedules) -> Schedules:
        return Schedules(
            enabled=one.enabled + other.enabled,
            due=one.due.merged(other.due, named),
            overdue=one.overdue.merged(other.overdue, named),
            never_ran=one.never_ran.merged(other.never_ran, named),
            disabled_long=one.disabled_long.merged(other.disabled_long, named),
            unregistered=one.unregistered.merged(other.unregistered, named),
            broken=one.broken.merged(other.broken, named),
        )

    def failed(self) -> Listed[Failed]:
        """Return the schedules whose last message could not be sent."""
        failures = send_failures(self.using)
        rows = [row for batch in batches(sorted(failures)) for row in observe_ids(self.using, batch)]
        rows = [row for row in sorted(rows, key=named) if _is_last(failures[row.id], row)]
        return Listed.of(_failed(row, failures[row.id]) for row in rows)


def _failed(row: Row, failure: SendFailure) -> Failed:
    return Failed(row.name, failure.tick, failure.failed_at, failure.reason, failure.given_up)


def _is_last(failure: SendFailure, row: Row) -> bool:
    """Say whether nothing was sent since, and nobody has stopped the schedule or made it anew."""
    last, spec = row.last_run_at, row.spec
    if spec is None or not (spec.enabled or (failure.given_up and spec.one_off)):
        return False
    if last is None:
        return row.date_changed is None or row.date_changed <= failure.failed_at
    # The run of a message that was given up is written back too.
    return last <= failure.tick if failure.given_up else last < failure.tick
