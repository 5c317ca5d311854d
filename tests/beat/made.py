"""Values of Beat as tests need them, without a database."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

from schedsync.beat.loaded_schedule import LoadedSchedule
from schedsync.calendar.ticks import Lateness
from schedsync.core.timing import Interval
from schedsync.database.columns import ManagedColumns

NOON = datetime(2026, 11, 23, 12, tzinfo=timezone.utc)


def loaded(**columns: Any) -> LoadedSchedule:
    """Return a schedule that runs each minute, with some columns changed."""
    made = LoadedSchedule(
        row_id=1, fingerprint=0, name="x", task="t",
        options=(None, None, None, None), expires_after=None, expires=None, start=None, one_off=False,
        timing=Interval(60 * 10**6), timing_row=("interval", 1), last_run=None, count=0, changed=NOON,
        managed=ManagedColumns(), at_most_once=False, lateness=Lateness(),
    )  # fmt: skip
    for name, value in columns.items():
        setattr(made, name, value)
    return made
