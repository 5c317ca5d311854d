"""SS218: a schedule that the installed django-celery-beat runs at the wrong time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timezone
from functools import lru_cache
from math import floor

from schedsync.calendar.hour_window import ALWAYS_LOADED_HOUR, LOADED_AROUND, believed_offset
from schedsync.calendar.slots import fields_of
from schedsync.calendar.zones import clock_changes, utc_offset
from schedsync.core.schedule import Schedule
from schedsync.core.timing import Crontab, zone_of
from schedsync.lint.rule import Context, Found, Rule


def _each(schedule: Schedule, context: Context) -> Iterator[Found]:
    timing = schedule.spec.timing
    if isinstance(timing, Crontab) and timing.hour.isdigit() and (late := _late(timing, context.now.date())):
        yield Found(schedule, f"django-celery-beat loads it {late} late in {timing.timezone}", "crontab", _HINT)


@lru_cache(maxsize=4096)
def _late(timing: Crontab, today: date) -> str | None:
    """Return how late Beat may load a crontab in the worst part of the year; None where it is never late."""
    zone = zone_of(timing)
    believed = believed_offset(zone)
    if (int(timing.hour) - believed) % 24 == ALWAYS_LOADED_HOUR:
        return None
    midnight = datetime(today.year, today.month, today.day, tzinfo=timezone.utc)
    offsets = [utc_offset(zone, midnight), *(change.after for change in clock_changes(zone, today))]
    late = max(_after_opening(believed - offset.total_seconds() / 3600, timing) for offset in offsets)
    return f"up to {late:g} h" if late > 0 else None


def _after_opening(apart: float, timing: Crontab) -> float:
    """Return how many hours after its slot Beat loads a crontab; ``apart`` is the error of the offset in hours."""
    slot = apart + fields_of(timing).minutes[0] % 60 / 60
    if floor(slot) > LOADED_AROUND:
        return 24 - LOADED_AROUND - slot
    return -LOADED_AROUND - slot if slot < -LOADED_AROUND else 0


_HINT = "use `timezone: UTC`, or more than one hour: Beat loads only a crontab with one plain hour late"

RULE = Rule(
    code="SS218",
    name="installed-fault",
    summary="a schedule that a known fault of django-celery-beat runs at the wrong time",
    severity="warning",
    why="If the hour of a crontab is one plain number, Beat holds the crontab in memory only from two hours before "
    "that hour to two hours after it. To find that hour, django-celery-beat (2.8 and 2.9) uses the zone's offset on "
    "one day in January 2023. If the zone has changed its offset since then, or changes it by more than two hours, "
    "Beat loads the row after its slot and runs it late.",
    remedy="Use `timezone: UTC`, or name more than one hour.",
    bad="""
report:
  task: shop.tasks.report
  crontab: "0 12 * * *"
  timezone: Antarctica/Casey
""",
    good="""
report:
  task: shop.tasks.report
  crontab: "0 12 * * *"
  timezone: Europe/Berlin
""",
    each=_each,
)
