"""SS207: a short interval whose messages never expire."""

from __future__ import annotations

from collections.abc import Iterator

from schedsync.core.schedule import Schedule
from schedsync.core.timing import Interval
from schedsync.lint.rule import Context, Found, Rule

#: In microseconds: at this interval an hour without workers leaves sixty messages.
_SHORT = 60 * 10**6


def _each(schedule: Schedule, _context: Context) -> Iterator[Found]:
    spec = schedule.spec
    if not isinstance(spec.timing, Interval) or spec.timing.microseconds > _SHORT or not spec.enabled or spec.one_off:
        return
    if spec.expires_after is None and spec.expires_at is None:
        an_hour = 3600 * 10**6 // spec.timing.microseconds
        message = f"{spec.timing} without `expires_after`: an hour without workers leaves {an_hour:,} messages"
        yield Found(schedule, message, "every", f"`expires_after: {str(spec.timing).removeprefix('every ')}`")


RULE = Rule(
    code="SS207",
    name="can-pile-up",
    summary="an interval of a minute or less whose messages never expire",
    severity="info",
    why="While the workers are down, Beat continues to send messages. When the workers come back, they run all of "
    "them, one after the other, although only the last one matters.",
    remedy="Set `expires_after` to the interval.",
    bad="""
heartbeat:
  task: shop.tasks.ping
  every: 30s
""",
    good="""
heartbeat:
  task: shop.tasks.ping
  every: 30s
  expires_after: 30s
""",
    each=_each,
)
