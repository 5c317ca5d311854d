"""SS202: a time that daylight saving repeats at the next change of the clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from functools import lru_cache

from schedsync.calendar.slots import fields_of
from schedsync.calendar.zones import clock_changes
from schedsync.core.schedule import Schedule
from schedsync.core.timing import Crontab, zone_of
from schedsync.lint.rule import Context, Found, Rule
from schedsync.lint.skipped_time import slots_within


def _each(schedule: Schedule, context: Context) -> Iterator[Found]:
    timing = schedule.spec.timing
    if isinstance(timing, Crontab) and (message := _doubled(timing, context.now.date())):
        yield Found(
            schedule, message, "crontab", "if it must run in both of these hours, set `timezone: UTC` or use `every`"
        )


@lru_cache(maxsize=16384)
def _doubled(timing: Crontab, today: date) -> str | None:
    if timing.timezone == "UTC":
        return None
    for change in clock_changes(zone_of(timing), today):
        if not change.skips and slots_within(timing, change):
            first, last = change.wall
            again = "nothing runs the second time" if len(fields_of(timing).minutes) > 1 else "it runs the first time"
            return f"{first:%Y-%m-%d} {first:%H:%M} to {last:%H:%M} occurs twice in {timing.timezone}: {again}"
    return None


RULE = Rule(
    code="SS202",
    name="doubled-time",
    summary="a time that occurs twice at the next change of the clock",
    severity="info",
    why="When clocks go back, one hour of the day occurs twice. Celery runs a schedule only the first time: a schedule "
    "that runs every 15 minutes pauses for an hour.",
    remedy="If each hour must count, set `timezone: UTC`, or use `every`.",
    bad="""
sync:
  task: shop.tasks.sync
  crontab: "*/15 * * * *"
  timezone: Europe/Berlin
""",
    good="""
sync:
  task: shop.tasks.sync
  crontab: "*/15 * * * *"
""",
    each=_each,
)
