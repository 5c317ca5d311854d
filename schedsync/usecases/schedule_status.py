"""How the schedules run: by SQL where SQL can tell, else from all rows; both give the same."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property

from celery import current_app

from schedsync.calendar.overdue import Moment, late, latest_late_run
from schedsync.core.observed import Paused, Row
from schedsync.core.schedule import completed_at
from schedsync.core.status import Broken, Failed, Late, Listed, Schedules, named
from schedsync.database import status_rows
from schedsync.database.bulk import batches
from schedsync.database.failures import send_failures
from schedsync.database.observe import observe_ids, observe_pauses, observe_rows, with_ledger_fields
from schedsync.database.status_rows import MOST, ReadInstead
from schedsync.database.values import NOT_CONVERTED, read_values
from schedsync.models import ManagedSchedule, SendFailure

#: A schedule that is disabled for longer than this was perhaps forgotten.
LONG = timedelta(days=30)


@dataclass
class ScheduleReader:
    """Reads how the schedules of a database run; a tick is overdue after ``grace``."""

    using: str
    moment: Moment
    grace: timedelta

    @cached_property
    def pauses(self) -> dict[str, Paused]:
        """The pauses by name."""
        return observe_pauses(self.using)

    @cached_property
    def _applied_lately(self) -> Collection[str]:
        recent = ManagedSchedule.objects.using(self.using).filter(applied_at__gt=self.moment.now - LONG)
        return {str(name) for (name,) in read_values(recent, ["name"])}

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
            disabled_long=Listed.of(row.name for row in rows if self._is_row_disabled_long(row)),
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
        disabled = status_rows.disabled_among(self.using, unread)
        for row in rows:
            if row.problems and (row.id not in disabled if row.spec is None else row.spec.enabled):
                yield Broken(row.name, "; ".join(problem.message for problem in row.problems))

    def _is_row_disabled_long(self, row: Row) -> bool:
        """Say whether a row was disabled long ago; an UPDATE by hand records no time, so it is not noticed."""
        if row.spec is None or row.spec.enabled or row.date_changed is None or completed_at(row.spec, self.moment.now):
            return False
        return self._is_disabled_long(row.name, row.date_changed)

    def _is_disabled_long(self, name: str, changed: datetime) -> bool:
        paused = self.pauses.get(name)
        since = changed if paused is None else max(changed, paused.since)
        return self.moment.now - since > LONG and name not in self._applied_lately

    def _from_sql(self) -> Schedules:
        status_rows.require_readable(self.using)
        timings = status_rows.read_timings_in_use(self.using)
        odd = status_rows.odd_ids(self.using, timings.bad)
        if len(odd) > MOST:
            raise ReadInstead
        rows = status_rows.rows_perhaps_late(self.using, timings, odd, self.moment.now, latest_late_run)
        return self._merged(self._judged_by_sql(odd, rows), self.from_rows(observe_ids(self.using, odd)))

    def _judged_by_sql(self, odd: Collection[int], rows: list[Row]) -> Schedules:
        now, enabled = self.moment.now, status_rows.enabled_rows(self.using, odd)
        due, overdue = self._late(sorted(with_ledger_fields(self.using, rows), key=named))
        disabled = status_rows.long_disabled(self.using, odd, now, now - LONG)
        unregistered = status_rows.tasks_of(enabled) - current_app.tasks.keys()
        return Schedules(
            enabled=enabled.count(),
            due=due,
            overdue=overdue,
            never_ran=status_rows.listed(enabled.filter(total_run_count=0, last_run_at=None)),
            disabled_long=Listed.of(sorted(name for name, at in disabled if self._is_disabled_long(name, at))),
            unregistered=status_rows.listed(status_rows.with_tasks(enabled, unregistered)),
        )

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
