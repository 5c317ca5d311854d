"""SS203: a day of the month and a day of the week that both have to match."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from schedsync.core.crontab import FIELDS_BY_NAME, expand
from schedsync.core.schedule import Schedule
from schedsync.core.timing import Crontab
from schedsync.lint.rule import Context, Found, Rule

_WEEK = 7


def _each(schedule: Schedule, _context: Context) -> Iterator[Found]:
    timing = schedule.spec.timing
    if not isinstance(timing, Crontab) or timing.day_of_month == "*" or timing.day_of_week == "*":
        return
    if not _is_window(timing.day_of_month):
        message = f"day of month `{timing.day_of_month}` and day of week `{timing.day_of_week}` must both match"
        yield Found(schedule, message, "crontab", "to run on either of them, as cron does, write two schedules")


@lru_cache(maxsize=1024)
def _is_window(days: str) -> bool:
    """Say whether the days are two to seven in a row: with a weekday they mean the first Monday of a month, or such."""
    numbers = expand(days, FIELDS_BY_NAME["day_of_month"])
    return 1 < len(numbers) <= _WEEK and max(numbers) - min(numbers) == len(numbers) - 1


RULE = Rule(
    code="SS203",
    name="both-days",
    summary="a crontab that restricts both the day of the month and the day of the week",
    severity="warning",
    why="cron runs such a crontab on days that match either field; Celery runs it only on days that match both. For "
    "cron, `0 0 1 * mon` means every Monday and every first day of the month; for Celery, it means one or two days a "
    "year. A window of two to seven days in a row is not flagged: `0 6 1-7 * mon` is the right way to say the first "
    "Monday of each month.",
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
