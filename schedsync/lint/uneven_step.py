"""SS204: a step that does not divide what it counts in."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from schedsync.core.crontab import FIELDS_BY_NAME, expand
from schedsync.core.schedule import Schedule
from schedsync.core.timing import Crontab
from schedsync.lint.rule import Context, Found, Rule

_STEP = re.compile(r"[*H]/(\d{1,4})\Z", re.ASCII)
#: By field: the unit of its numbers, what it counts them in, and the remedy.
_WORDS = {
    "minute": ("minutes", "hour", "use `every` for an even period, or a divisor of 60"),
    "hour": ("hours", "day", "use `every` for an even period, or a divisor of 24"),
    "day_of_month": ("days", "month", "use `every: {step}d` for an even period, or name the days"),
    "month_of_year": ("months", "year", "use a divisor of 12, or name the months"),
    "day_of_week": ("days", "week", "use `every: {step}d` for an even period, or name the days"),
}
_MONTH_LENGTHS = (28, 29, 30, 31)


def _each(schedule: Schedule, _context: Context) -> Iterator[Found]:
    text = schedule.crontab_text
    if text is None or "/" not in text or not isinstance(schedule.spec.timing, Crontab):
        return
    for message, hint in _problems(text, schedule.name if "H" in text else ""):
        yield Found(schedule, message, "crontab", hint)


@lru_cache(maxsize=16384)
def _problems(text: str, seed: str) -> tuple[tuple[str, str], ...]:
    """Return a message and a hint for each field with an uneven step; ``seed`` is what `H` is hashed from."""
    return tuple(
        (message, _WORDS[name][2].format(step=match[1]))
        for name, part in zip(FIELDS_BY_NAME, text.split(), strict=True)
        if (match := _STEP.match(part)) and (message := _problem(name, part, int(match[1]), seed))
    )


def _problem(name: str, part: str, step: int, seed: str) -> str | None:
    """Return what is uneven about a step, None where all its gaps are equal."""
    field = FIELDS_BY_NAME[name]
    numbers = sorted(expand(part, field, seed))
    unit, within, _ = _WORDS[name]
    if name != "day_of_month":
        rest = numbers[0] + field.last + 1 - field.first - numbers[-1]
        return None if rest == step else f"every {step} {unit} does not divide the {within}: the last step lasts {rest}"
    rests = {numbers[0] + length - max(day for day in numbers if day <= length) for length in _MONTH_LENGTHS}
    if rests == {step}:
        return None
    rest_text = f"{min(rests)} to {max(rests)}"
    return f"every {step} {unit} starts again on day {numbers[0]} of each {within}: the last step lasts {rest_text}"


RULE = Rule(
    code="SS204",
    name="uneven-step",
    summary="a step that does not divide what it counts in: the hour, the day, the week, the month or the year",
    severity="warning",
    why="The hours of `*/5` are 0, 5, 10, 15 and 20; after 20, the next run is at 0, only four hours later. A step "
    "starts again in each hour (for minutes), day (for hours), week, month and year. `*/2` as the day of the month "
    "includes the 31st and the 1st; as the day of the week, Saturday and Sunday. `*/40` as the minute is 0 and 40, so "
    "the gaps are 40 and 20 minutes. `H/7` moves the first number; its gaps are as uneven. A step of a range, such as "
    "`8-18/3`, is not flagged.",
    remedy="Use `every: 5h` if the period matters, a step that divides 60, 24 or 12, or write the numbers out.",
    bad="""
sync:
  task: shop.tasks.sync
  crontab: "0 */5 * * *"
""",
    good="""
sync:
  task: shop.tasks.sync
  crontab: "0 */6 * * *"
""",
    each=_each,
)
