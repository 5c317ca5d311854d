"""SS208: a message that expires after the next one is sent."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from schedsync.calendar.slots import shortest_gap
from schedsync.core.schedule import Schedule
from schedsync.core.timing import duration_text
from schedsync.lint.rule import Context, Found, Rule

#: No expiry is shorter. For intervals under a second none is right; SS205 finds those.
_SHORTEST = timedelta(seconds=1)


def _each(schedule: Schedule, _context: Context) -> Iterator[Found]:
    spec = schedule.spec
    if spec.expires_after is None or spec.one_off:
        return
    gap = shortest_gap(spec.timing)
    if gap is not None and timedelta(seconds=spec.expires_after) > max(gap, _SHORTEST):
        seconds = gap.total_seconds()
        shown = f"{seconds:g}s" if seconds % 1 else duration_text(int(seconds))
        message = f"`expires_after: {duration_text(spec.expires_after)}` is longer than the {shown} to the next run"
        most = duration_text(max(1, int(seconds)))
        yield Found(schedule, message, "expires_after", f"`expires_after: {most}` or less")


RULE = Rule(
    code="SS208",
    name="late-expiry",
    summary="`expires_after` longer than the time to the next run",
    severity="warning",
    why="An expiry keeps late messages from piling up. If it is longer than the period, two or more messages of the "
    "same task can wait, and the workers run them one after the other.",
    remedy="Set `expires_after` to the period, or less.",
    bad="""
sync:
  task: shop.tasks.sync
  crontab: "*/15 * * * *"
  expires_after: 1h
""",
    good="""
sync:
  task: shop.tasks.sync
  crontab: "*/15 * * * *"
  expires_after: 15m
""",
    each=_each,
)
