"""SS225: a day of the month that some months do not have."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from schedsync.core.crontab import FIELDS_BY_NAME, expand
from schedsync.core.schedule import Schedule
from schedsync.core.timing import Crontab
from schedsync.lint.rule import Context, Found, Rule

#: Each month has the days up to this one.
_LAST_SAFE_DAY = 28
_MONTHS = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
_LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_FEBRUARY, _LEAP_DAY = 2, 29
_HINT = "choose a day up to 28; for the last day of the month, write `28-31` and let the task look at the date"


def _each(schedule: Schedule, _context: Context) -> Iterator[Found]:
    timing = schedule.spec.timing
    # With a weekday, the last days of a month are meant to be there in some months only. Steps are SS204's.
    if not isinstance(timing, Crontab) or timing.day_of_week != "*" or timing.day_of_month == "*":
        return
    # A timing has the days of a step, the text has the step.
    days = (schedule.crontab_text or "").split()[2:3]
    if days and days[0].startswith(("*/", "H/")):
        return
    for message in _problems(timing.day_of_month, timing.month_of_year):
        yield Found(schedule, message, "crontab", _HINT)


@lru_cache(maxsize=4096)
def _problems(days_text: str, months_text: str) -> tuple[str, ...]:
    days = expand(days_text, FIELDS_BY_NAME["day_of_month"])
    months = sorted(expand(months_text, FIELDS_BY_NAME["month_of_year"]))
    # Of days in a row, a short month has the first ones.
    starts = sorted(day for day in days if day > _LAST_SAFE_DAY and day - 1 not in days)
    return tuple(message for day in starts if (message := _missing(day, months)))


def _missing(day: int, months: list[int]) -> str | None:
    """Say in which of the months a day does not exist; None where each has it."""
    if day == _LEAP_DAY:
        return "day 29 exists in February only in leap years" if _FEBRUARY in months else None
    without = [_MONTHS[month - 1] for month in months if _LENGTHS[month - 1] < day]
    if not without:
        return None
    names = " and ".join(filter(None, (", ".join(without[:-1]), without[-1])))
    return f"day {day} does not exist in {names}: nothing runs for it then"


RULE = Rule(
    code="SS225",
    name="short-months",
    summary="a day from 29 to 31 that some of its months do not have",
    severity="warning",
    why="`0 3 31 * *` runs in seven months of twelve; Celery does not move the run to the last day of a shorter month. "
    "`0 3 15,30 * *` runs once in February. Days in a row from 28 on, such as `28-31`, are not flagged, nor are months "
    "that have the day, such as `31 12`, nor a day of the month together with a day of the week.",
    remedy="Choose a day up to 28. For the last day of the month, write `28-31` and let the task look at the date.",
    bad="""
invoices:
  task: shop.tasks.report
  crontab: "0 3 31 * *"
""",
    good="""
invoices:
  task: shop.tasks.report
  crontab: "0 3 28 * *"
""",
    each=_each,
)
