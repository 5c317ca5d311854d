"""A model of stock Beat: when it will run a row, by Celery's own schedule objects. No Django.

Beat decides by ``last_run_at``, not by the time of an edit: see celery/schedules.py ``is_due``, and
django_celery_beat/schedulers.py ``ModelEntry`` and ``DatabaseScheduler.enabled_models_qs``, which loads a crontab with
a plain hour only two hours before it. The model asks the same objects at the same instants as Beat would.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from functools import lru_cache
from typing import Any, cast
from zoneinfo import ZoneInfo

from celery import Celery, current_app, schedules
from celery.loaders.base import BaseLoader

from schedsync.calendar.hour_window import ALWAYS_LOADED_HOUR, LOADED_AROUND, believed_offset
from schedsync.calendar.slots import crontab_slots, interval_slots
from schedsync.core.observed import Row
from schedsync.core.schedule import Spec
from schedsync.core.timing import MICROSECOND, Clocked, Crontab, Interval, Timing

#: ModelEntry takes this long ago for the last run of a row that has a start and never ran.
_BEFORE_START = timedelta(days=365 * 30)
#: Beat reads all rows again at this interval, even without a change (``SCHEDULE_SYNC_MAX_INTERVAL``).
RELOAD = timedelta(seconds=300)
#: Beat writes a run to the table at most this much later (celery/beat.py ``Scheduler.sync_every``).
WRITE_BACK = timedelta(seconds=180)
#: How far ahead Celery looks for an event of the sun (celery/schedules.py ``solar.max_search_days``).
_SEARCHED = timedelta(days=366)
#: The search steps from midnight to midnight of the sun, so that it ends up to a day earlier.
_SEARCH_ENDS = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Run:
    """A run that Beat will send at ``at``; ``late`` where its slot has passed by then."""

    at: datetime
    late: bool = False


class _NoConfiguration(BaseLoader):
    """Loads no settings: Celery's own loader would import a ``celeryconfig`` of the working directory."""

    def read_configuration(self, env: str = "") -> dict[str, Any]:  # noqa: ARG002
        """Return no settings."""
        return {}


@lru_cache(maxsize=1)
def _alone() -> Any:
    # No fixups: the one for Django imports Django where DJANGO_SETTINGS_MODULE is set.
    return Celery("schedsync", loader=_NoConfiguration, fixups=[], set_as_current=False)


def _app() -> Any:
    """Return the project's Celery app where Django is set up, else an app with Celery's defaults."""
    django = sys.modules.get("django.apps")
    return current_app if django is not None and django.apps.ready else _alone()


def celery_schedule(timing: Timing, now: datetime | None = None) -> Any:
    """Build Celery's own object for a timing; raises Celery's exception where it rejects the timing.

    ``now`` freezes the object's clock. A ``Clocked`` timing has no object in Celery.
    """
    built = _built(timing)
    # Not copy(): these classes lose a crontab's zone when they are copied.
    result = object.__new__(type(built))
    result.__dict__.update(built.__dict__)
    if now is not None:
        # In the crontab's zone, as in django_celery_beat/tzcrontab.py: Celery before 5.7 compares the day of this clock
        # with the day of the last run without converting either.
        local = now.astimezone(result.tz) if isinstance(timing, Crontab) else now
        result.nowfun = lambda: local
    return result


@lru_cache(maxsize=4096)
def _built(timing: Timing) -> Any:
    if isinstance(timing, Crontab):
        return _crontab(timing)
    if isinstance(timing, Interval):
        return schedules.schedule(timedelta(microseconds=timing.microseconds), app=_app())
    if isinstance(timing, Clocked):
        raise TypeError("a clocked timing is an instant, not a recurring schedule")
    return schedules.solar(cast(Any, timing.event), float(timing.latitude), float(timing.longitude), app=_app())


def _crontab(timing: Crontab) -> Any:
    # Any: Celery's stubs do not declare ``tz``.
    result: Any = schedules.crontab(
        minute=timing.minute,
        hour=timing.hour,
        day_of_week=timing.day_of_week,
        day_of_month=timing.day_of_month,
        month_of_year=timing.month_of_year,
        app=_app(),
    )
    # As django_celery_beat/tzcrontab.py does: the crontab's zone, not the app's.
    result.tz = ZoneInfo(timing.timezone)
    return result


def next_slot(timing: Timing, after: datetime) -> datetime:
    """Return the first slot after an instant, in UTC; an interval is counted from that instant."""
    if isinstance(timing, Clocked):
        return timing.at
    if isinstance(timing, Interval):
        return after + timedelta(microseconds=timing.microseconds)
    schedule = celery_schedule(timing, after)
    seen = after.astimezone(schedule.tz) if isinstance(timing, Crontab) else after
    return (after + _wait(schedule, seen)).astimezone(timezone.utc)


def sun_slot(timing: Timing, after: datetime) -> datetime | None:
    """Return the first slot of a solar timing after an instant, None where its event does not happen within a year.

    Celery then answers with the end of its search, at which nothing happens.
    """
    slot = next_slot(timing, after)
    return slot if after < slot < after + _SEARCH_ENDS else None


def _wait(schedule: Any, seen: datetime) -> timedelta:
    for days in range(_SEARCHED.days):
        try:
            wait: timedelta = schedule.remaining_estimate(seen + timedelta(days=days))
        except TypeError:
            # Celery before 5.7 raises it where the sun does not rise or set on that day.
            continue
        return wait
    return _SEARCHED


def next_run(spec: Spec, row: Row | None, now: datetime, *, hour: str | None = None) -> Run | None:
    """Return the next run that stock Beat will send for a row with this spec, or None where there is none.

    Of ``row`` only the last run, the run count and the time of the last change count; None is a row that is created at
    ``now``. ``hour`` is the text of the crontab's hour in the table: Beat decides by it when to load the row.
    """
    if not spec.enabled or (spec.one_off and row is not None and row.total_run_count > 0):
        return None
    hour = hour if hour is not None else spec.timing.hour if isinstance(spec.timing, Crontab) else "*"
    if isinstance(spec.timing, Clocked):
        run: Run | None = Run(max(spec.timing.at, now, spec.start_at or now), late=spec.timing.at <= now)
    else:
        deadline = _app().conf.beat_cron_starting_deadline
        run = _first_due(spec.timing, spec.start_at, _base(spec, row, now), now, hour, deadline)
    return None if run and spec.expires_at is not None and run.at >= spec.expires_at else run


def _base(spec: Spec, row: Row | None, now: datetime) -> datetime:
    """Return what ModelEntry takes for the last run."""
    if row is not None and row.last_run_at is not None:
        return row.last_run_at
    changed = (row.date_changed if row is not None else now) or now
    return changed - _BEFORE_START if spec.start_at else changed


@lru_cache(maxsize=65536)
def _first_due(
    timing: Timing, start_at: datetime | None, base: datetime, now: datetime, hour: str, _deadline: int | None
) -> Run | None:
    # Celery's object reads the deadline from the settings; here it is part of the cache's key.
    slot = next_slot(timing, base)
    at = max(slot, now, start_at or now)
    for _ in range(100):
        at = _loaded(timing, hour, at)
        due, wait = _is_due(timing, base, at)
        if due:
            return Run(at, late=slot < at)
        at += timedelta(seconds=wait)
        slot = at
    return None


def _is_due(timing: Timing, base: datetime, at: datetime) -> tuple[bool, float]:
    schedule = celery_schedule(timing, at)
    zone = schedule.tz if isinstance(timing, Crontab) else timezone.utc
    due, wait = schedule.is_due(base.astimezone(zone))
    return bool(due), max(float(wait), MICROSECOND.total_seconds())


def _loaded(timing: Timing, hour: str, at: datetime) -> datetime:
    """Return the first instant from ``at`` on at which Beat has the row in memory."""
    if not isinstance(timing, Crontab) or not hour.isdigit() or int(hour) > 23:
        return at
    server_hour = (int(hour) - believed_offset(ZoneInfo(timing.timezone)) + 24) % 24
    if server_hour == ALWAYS_LOADED_HOUR:
        return at
    while min((at.hour - server_hour) % 24, (server_hour - at.hour) % 24) > LOADED_AROUND:
        at = at.replace(minute=0, second=0, microsecond=0) + timedelta(hours=1)
    return at


def guard(spec: Spec, row: Row | None, now: datetime) -> datetime | None:
    """Return the ``last_run_at`` that keeps an edit from firing for a slot of the past; None where none is needed.

    With a start in the future it is just before that start: stock Beat would fire *at* the start, between the crontab's
    slots. For an interval a first run at its start is right.
    """
    ahead = spec.start_at is not None and spec.start_at > now
    if ahead and isinstance(spec.timing, Interval):
        return None
    run = next_run(spec, row, now)
    if run is None or isinstance(spec.timing, Clocked) or not run.late:
        return None
    return spec.start_at - MICROSECOND if ahead and spec.start_at else now


def slots(timing: Timing, after: datetime) -> Iterator[datetime]:
    """Yield a timing's slots after an instant, in UTC; an interval is counted from that instant."""
    if isinstance(timing, Crontab):
        yield from crontab_slots(timing, after)
    elif isinstance(timing, Interval):
        yield from interval_slots(timing, after)
    elif isinstance(timing, Clocked):
        if timing.at > after:
            yield timing.at
    else:
        yield from _solar_slots(timing, after)


def _solar_slots(timing: Timing, after: datetime) -> Iterator[datetime]:
    while (slot := sun_slot(timing, after)) is not None:
        yield slot
        after = slot
