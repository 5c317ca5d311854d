"""SS204: a step that does not divide the day or the hour."""

from __future__ import annotations

from collections.abc import Iterator

from schedsync.core.schedule import Schedule
from schedsync.core.timing import Crontab
from schedsync.lint.rule import Context, Found, Rule

_STEPPED = (("hour", 24, "day"), ("minute", 60, "hour"))


def _each(schedule: Schedule, _context: Context) -> Iterator[Found]:
    timing = schedule.spec.timing
    if not isinstance(timing, Crontab) or "*/" not in timing.expression:
        return
    for field, size, within in _STEPPED:
        text: str = getattr(timing, field)
        if text.startswith("*/") and (rest := size % (step := int(text[2:]))):
            message = f"every {step} {field}s does not divide the {within}: the last step lasts {rest}"
            yield Found(schedule, message, "crontab", f"use `every` for an even period, or a divisor of {size}")


RULE = Rule(
    code="SS204",
    name="uneven-step",
    summary="a step of hours that does not divide the day, or of minutes that does not divide the hour",
    severity="warning",
    why="The hours of `*/5` are 0, 5, 10, 15 and 20; after 20, the next run is at 0, only four hours later. A step "
    "starts again from 0 in each day (for hours) or each hour (for minutes).",
    remedy="Use `every: 5h` if the period matters, or a step that divides 24 (or 60).",
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
