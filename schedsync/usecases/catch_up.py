"""How many runs follow at once if the ticks that fell due during a pause count as missed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from celery import current_app

from schedsync.calendar.overdue import lateness_of
from schedsync.calendar.ticks import first_after, first_tick, runs_at_once
from schedsync.core.full_pause import left_out_of
from schedsync.core.observed import Row


@dataclass(frozen=True, slots=True)
class CatchUp:
    """The numbers of runs and of schedules."""

    runs: int = 0
    schedules: int = 0

    def __add__(self, other: CatchUp) -> CatchUp:
        return CatchUp(self.runs + other.runs, self.schedules + other.schedules)


def catch_up_of(row: Row, now: datetime, left_out: datetime | None = None, *, enabled: bool = False) -> CatchUp:
    """Return what one row sends at once, as it is, or ``enabled``; a row that Beat cannot run sends nothing.

    Ticks up to ``left_out`` fell due during an earlier pause of everything.
    """
    spec = row.spec
    if spec is None or row.problems or not (spec.enabled or enabled):
        return CatchUp()
    if (spec.one_off and row.total_run_count) or (spec.expires_at is not None and spec.expires_at <= now):
        return CatchUp()
    last = row.last_run_at or row.date_changed or now
    tick = first_tick(spec.timing, last, spec.start_at, ran=row.last_run_at is not None)
    until = left_out_of(left_out, last_run=row.last_run_at, changed=row.date_changed)
    if tick is not None and until is not None:
        tick, _ = first_after(spec.timing, tick, until)
    lateness = lateness_of(spec, current_app.conf.beat_cron_starting_deadline)
    runs = 0 if tick is None or tick > now else runs_at_once(spec.timing, tick, now, lateness)
    return CatchUp(runs, 1 if runs else 0)


def catch_up_text(value: CatchUp) -> str:
    """Say how many runs that are."""
    runs = "1 run is" if value.runs == 1 else f"{value.runs:,} runs are"
    schedules = "1 schedule" if value.schedules == 1 else f"{value.schedules:,} schedules"
    return f"catching up: {runs} sent at once, of {schedules}" if value.runs else "catching up: no run was missed"
