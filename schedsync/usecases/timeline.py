"""The timeline of a forecast: the next hours by queue. Only a snapshot can say how long runs take."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from schedsync.calendar.forecast import Forecast
from schedsync.calendar.timeline import LENGTH, LONGEST, KnownRuns, timeline_of, window_until
from schedsync.core.schedule import Desired
from schedsync.errors import WrongUsage
from schedsync.planning.snapshot import Snapshot
from schedsync.usecases.selection import selected


def end_of(start: datetime, until: datetime | None) -> datetime:
    """Return the end of a timeline, 24 hours after its start by default; raises WrongUsage where it is too long."""
    try:
        end = start + LENGTH if until is None else until
    except OverflowError:
        raise WrongUsage("the calendar ends before that instant") from None
    if end <= start:
        raise WrongUsage("a timeline needs some time: `--until` is not later than `--from`")
    if end - start > LONGEST:
        raise WrongUsage(f"a timeline has at most {LONGEST.days} days", hint="give an earlier `--until`")
    return end


def with_timeline(
    value: Forecast, desired: Desired, patterns: Sequence[str], snapshot: Snapshot | None = None
) -> Forecast:
    """Return a forecast with the timeline of its schedules; a snapshot may know how long their runs take."""
    known = KnownRuns(snapshot.durations) if snapshot is not None else None
    chosen = list(selected(desired.schedules, patterns).values())
    window = window_until(value.start, end_of(value.start, value.until), value.load.window.last_runs)
    return replace(value, timeline=timeline_of(chosen, window, value.slots, known))
