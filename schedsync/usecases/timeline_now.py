"""The timeline of all schedules in a database: what runs in the next 24 hours, as the tables say now."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django_celery_beat.models import PeriodicTask

from schedsync.calendar.stock_beat import slots
from schedsync.calendar.timeline import LENGTH, KnownRuns, Timeline, timeline_of, window_until
from schedsync.core.location import Location
from schedsync.core.observed import Row
from schedsync.core.schedule import Schedule, Template
from schedsync.core.timing import Interval
from schedsync.database.bulk import rows_of
from schedsync.database.collector import gc_paused
from schedsync.database.durations import typical_seconds
from schedsync.database.faults import database_errors
from schedsync.database.lock import read_only_transaction
from schedsync.database.observe import observe_rows
from schedsync.database.open_runs import limits_of_open, open_now
from schedsync.database.tables import has_more
from schedsync.usecases.preview import MOST_ON_A_PAGE, last_files, templates_of

_NOWHERE = Location("", 1, 1)


@gc_paused()
def timeline_now(using: str, at: datetime) -> Timeline | None:
    """Return what runs in the 24 hours from an instant on, of all rows that can be read; None if there are too many.

    The schedules of one definition share a lane, as far as an apply has kept their files.
    """
    with database_errors(using):
        if has_more(rows_of(PeriodicTask, using), MOST_ON_A_PAGE):
            return None
    templates: dict[str, str] = {}
    for files in last_files(using):
        templates |= templates_of(using, files)
    with database_errors(using), read_only_transaction(using):
        rows = observe_rows(using).rows
        running = _running(using, rows)
    schedules = [_schedule(name, row, templates) for name, row in rows.items()]
    known = [schedule for schedule in schedules if schedule is not None]
    window = window_until(at, at + LENGTH, _last_runs(rows))
    return timeline_of(known, window, slots, KnownRuns(typical_seconds(), running))


def _schedule(name: str, row: Row, templates: Mapping[str, str]) -> Schedule | None:
    if row.spec is None:
        return None
    template = templates.get(name)
    return Schedule(name, row.spec, _NOWHERE, template=Template(template) if template else None)


def _last_runs(rows: Mapping[str, Row]) -> dict[str, datetime]:
    """Return from when intervals are counted: the last run, else the last change of the row, as Beat does."""
    return {
        name: since
        for name, row in rows.items()
        if row.spec is not None
        and isinstance(row.spec.timing, Interval)
        and (since := row.last_run_at or row.date_changed) is not None
    }


def _running(using: str, rows: Mapping[str, Row]) -> dict[str, datetime]:
    """Return when open runs began, by the names of their schedules."""
    open_limits = limits_of_open(using)
    specs = {row.id: (name, row.spec) for name, row in rows.items() if row.id in open_limits and row.spec is not None}
    limits = {row_id: (open_limits[row_id], spec.expires_after) for row_id, (_, spec) in specs.items()}
    began = {row_id: run.started_at for row_id, run in open_now(using, limits).items()}
    return {specs[row_id][0]: at for row_id, at in began.items() if at is not None}
