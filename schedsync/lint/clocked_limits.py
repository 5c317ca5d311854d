"""SS210: an instant outside the schedule's own start and end."""

from __future__ import annotations

from collections.abc import Iterator

from schedsync.core.schedule import Schedule
from schedsync.core.timing import Clocked, instant_text
from schedsync.lint.rule import Context, Found, Rule


def _each(schedule: Schedule, _context: Context) -> Iterator[Found]:
    spec = schedule.spec
    if not isinstance(spec.timing, Clocked):
        return
    at = instant_text(spec.timing.at)
    if spec.expires_at is not None and spec.expires_at <= spec.timing.at:
        message = f"it ends at {instant_text(spec.expires_at)}, before its instant {at}: it never runs"
        yield Found(schedule, message, "expires_at", "leave `expires_at` out, or set it later")
    if spec.start_at is not None and spec.start_at > spec.timing.at:
        message = f"it starts at {instant_text(spec.start_at)}, after its instant {at}: it runs at the start"
        yield Found(schedule, message, "start_at", "leave `start_at` out: `at` is the start")


RULE = Rule(
    code="SS210",
    name="clocked-limits",
    summary="an `at` that `start_at` or `expires_at` contradicts",
    severity="warning",
    why="`at` is the one instant at which the schedule runs. With an earlier `expires_at`, it never runs. With a later "
    "`start_at`, it runs at `start_at` instead.",
    remedy="Remove `start_at` and `expires_at`.",
    bad="""
launch:
  task: shop.tasks.launch
  at: 2099-12-24T18:00:00Z
  expires_at: 2099-12-24T17:00:00Z
""",
    good="""
launch:
  task: shop.tasks.launch
  at: 2099-12-24T18:00:00Z
""",
    each=_each,
)
