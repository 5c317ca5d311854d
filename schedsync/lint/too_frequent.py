"""SS205: starts that follow each other faster than the task may end."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from schedsync.calendar.slots import shortest_gap
from schedsync.core.schedule import Schedule
from schedsync.core.timing import Interval
from schedsync.lint.rule import Context, Found, Rule

_SECOND = timedelta(seconds=1)


def _each(schedule: Schedule, context: Context) -> Iterator[Found]:
    timing = schedule.spec.timing
    if isinstance(timing, Interval) and timing.microseconds < 10**6:
        message = f"{timing}: Beat cannot send that often, only a few thousand messages a second at most"
        yield Found(schedule, message, "every", "use one task that loops")
    elif context.application is not None and not schedule.spec.skips:
        yield from _faster_than_the_limit(schedule, context.application.tasks.get(schedule.spec.task))


def _faster_than_the_limit(schedule: Schedule, task: object) -> Iterator[Found]:
    limit = getattr(task, "limit", None)
    gap = shortest_gap(schedule.spec.timing)
    if limit and gap is not None and gap < timedelta(seconds=limit):
        message = f"starts every {gap.total_seconds():g} s, but its time limit lets a run take {limit:g} s"
        key = "every" if isinstance(schedule.spec.timing, Interval) else "crontab"
        yield Found(schedule, message, key, "run it less often, or lower the task's time limit")


RULE = Rule(
    code="SS205",
    name="too-frequent",
    summary="an interval under a second, or starts that are closer together than the task's time limit",
    severity="warning",
    why="Beat sends one message after the other and cannot keep up with intervals under a second. A task that may run "
    "longer than the time to its next start overlaps with itself, or its messages pile up in the queue.",
    remedy="Run it less often, lower the task's time limit, or let a single task loop.",
    bad="""
poll:
  task: shop.tasks.poll
  every: 250000us
""",
    good="""
poll:
  task: shop.tasks.poll
  every: 10s
  expires_after: 10s
""",
    each=_each,
)
