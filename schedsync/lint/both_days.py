"""SS203: a day of the month and a day of the week that both have to match."""

from __future__ import annotations

from collections.abc import Iterator

from schedsync.core.schedule import Schedule
from schedsync.core.timing import Crontab
from schedsync.lint.rule import Context, Found, Rule


def _each(schedule: Schedule, _context: Context) -> Iterator[Found]:
    timing = schedule.spec.timing
    if isinstance(timing, Crontab) and timing.day_of_month != "*" and timing.day_of_week != "*":
        message = f"day of month `{timing.day_of_month}` and day of week `{timing.day_of_week}` must both match"
        yield Found(schedule, message, "crontab", "to run on either of them, as cron does, write two schedules")


RULE = Rule(
    code="SS203",
    name="both-days",
    summary="a crontab that restricts both the day of the month and the day of the week",
    severity="warning",
    why="cron runs such a crontab on days that match either field; Celery runs it only on days that match both. For "
    "cron, `0 0 1 * mon` means every Monday and every first day of the month; for Celery, it means one or two days a "
    "year.",
    remedy="Write two schedules if either day should count. If both fields must match, say so with an ignore comment.",
    bad="""
report:
  task: shop.tasks.report
  crontab: "0 6 1 * mon"
""",
    good="""
report-on-the-first:
  task: shop.tasks.report
  crontab: "0 6 1 * *"
report-on-mondays:
  task: shop.tasks.report
  crontab: "0 6 * * mon"
  args: [week]
""",
    each=_each,
)
