"""SS201: a time that daylight saving skips at the next change of the clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache

from schedsync.calendar.slots import crontab_slots, fields_of
from schedsync.calendar.zones import ClockChange, clock_changes
from schedsync.core.schedule import Schedule
from schedsync.core.timing import Crontab, zone_of
from schedsync.lint.rule import Context, Found, Rule

_ALL_HOURS = 24


def _each(schedule: Schedule, context: Context) -> Iterator[Found]:
    timing = schedule.spec.timing
    if isinstance(timing, Crontab) and (message := _skipped(timing, context.now.date())):
        hint = f"run it at an hour that every day of {timing.timezone} has, or in UTC"
        yield Found(schedule, message, "crontab", hint)


@lru_cache(maxsize=16384)
def _skipped(timing: Crontab, today: date) -> str | None:
    fields = fields_of(timing)
    if timing.timezone == "UTC" or len(fields.hours) == _ALL_HOURS:
        return None
    for change in clock_changes(zone_of(timing), today):
        if change.skips and (walls := slots_within(timing, change)):
            return _message(timing, change, walls)
    return None


def slots_within(timing: Crontab, change: ClockChange) -> list[datetime]:
    """Return the wall-clock times of a crontab within the time that is skipped or repeated."""
    fields = fields_of(timing)
    first, last = change.wall
    midnight = datetime(first.year, first.month, first.day)
    walls = (
        midnight + timedelta(days=day, minutes=minute)
        for day in range((last - midnight).days + 1)
        if fields.on(first.date() + timedelta(days=day))
        for minute in fields.minutes
    )
    return [wall for wall in walls if first <= wall < last]


def _message(timing: Crontab, change: ClockChange, walls: list[datetime]) -> str:
    zone = zone_of(timing)
    run = next(crontab_slots(timing, change.at - timedelta(minutes=1)))
    times = f"{walls[0]:%H:%M}" + (f" to {walls[-1]:%H:%M}" if len(walls) > 1 else "")
    missing = f"{walls[0]:%Y-%m-%d} {times} does not exist in {timing.timezone}"
    if run - change.at > change.after - change.before:
        return f"{missing}: it does not run then"
    others = ", the others are skipped" if len(walls) > 1 and len(fields_of(timing).hours) == 1 else ""
    return f"{missing}: it runs at {run.astimezone(zone):%H:%M}{others}"


RULE = Rule(
    code="SS201",
    name="skipped-time",
    summary="a time that daylight saving skips at the next change of the clock",
    severity="warning",
    why="When clocks go forward, one hour of the day does not exist. Celery makes up for the runs of that hour with a "
    "single run, later by as much as the clock moved. If another run of the schedule is due at that time, only one of "
    "the two happens.",
    remedy="Choose an hour that every day has, or set `timezone: UTC`.",
    bad="""
nightly:
  task: shop.tasks.report
  crontab: "30 2 * * *"
  timezone: Europe/Berlin
""",
    good="""
nightly:
  task: shop.tasks.report
  crontab: "30 4 * * *"
  timezone: Europe/Berlin
""",
    each=_each,
)
