"""SS207: a schedule that runs each minute, or more often, and whose messages never expire."""

from __future__ import annotations

from collections.abc import Iterator

from schedsync.core.schedule import Schedule
from schedsync.core.timing import UNITS, Crontab, Interval, Timing, duration_text
from schedsync.lint.open_minute import narrow_level
from schedsync.lint.rule import Context, Found, Rule

_MINUTE, _HOUR = UNITS["m"], UNITS["h"]


def _each(schedule: Schedule, _context: Context) -> Iterator[Found]:
    spec = schedule.spec
    if spec.expires_after is not None or spec.expires_at is not None or not spec.enabled or spec.one_off:
        return
    period = _period(spec.timing)
    # Of a schedule with `overlap: skip` only one message waits.
    if period is not None and not spec.skips:
        message = f"{period} without `expires_after`: an hour without workers leaves "
        message += f"{_HOUR // period.microseconds:,} messages"
        expiry = duration_text(max(1, period.microseconds // UNITS["s"]))
        key = "every" if isinstance(spec.timing, Interval) else "crontab"
        yield Found(schedule, message, key, f"`expires_after: {expiry}`")


def _period(timing: Timing) -> Interval | None:
    """Return the period of a timing that runs each minute or more often; None for any other.

    A crontab whose minute seems to be open by accident is left to SS223.
    """
    if isinstance(timing, Interval):
        return timing if timing.microseconds <= _MINUTE else None
    each_minute = isinstance(timing, Crontab) and timing.minute == "*" and narrow_level(timing) is None
    return Interval(_MINUTE) if each_minute else None


RULE = Rule(
    code="SS207",
    name="can-pile-up",
    summary="a schedule that runs each minute or more often, and whose messages never expire",
    severity="info",
    why="While the workers are down, Beat continues to send messages. When the workers come back, they run all of "
    "them, one after the other, although only the last one matters.",
    remedy="Set `expires_after` to the interval; for `* * * * *`, to `1m`. With `overlap: skip` only one "
    "message waits.",
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
