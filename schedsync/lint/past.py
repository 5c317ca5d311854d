"""SS211: an instant or an end that has passed."""

from __future__ import annotations

from collections.abc import Iterator

from schedsync.core.timing import Clocked, instant_text
from schedsync.lint.rule import Context, Found, Rule


def _whole(context: Context) -> Iterator[Found]:
    for schedule in context.schedules:
        spec = schedule.spec
        if isinstance(spec.timing, Clocked) and spec.timing.at <= context.now:
            yield Found(schedule, f"`at` has passed: {instant_text(spec.timing.at)}", "at", _HINT)
        elif spec.expires_at is not None and spec.expires_at <= context.now:
            yield Found(schedule, f"`expires_at` has passed: {instant_text(spec.expires_at)}", "expires_at", _HINT)


_HINT = "it never runs: remove it, or give it a new instant"

RULE = Rule(
    code="SS211",
    name="past",
    summary="an `at` or an `expires_at` that has passed",
    severity="warning",
    why="Such a schedule is completed: schedsync neither creates nor enables it. If it has a row, the row stays.",
    remedy="Remove it from the files, or give it a new instant.",
    bad="""
launch:
  task: shop.tasks.launch
  at: 2020-12-24T18:00:00Z
""",
    good="""
launch:
  task: shop.tasks.launch
  at: 2099-12-24T18:00:00Z
""",
    whole=_whole,
)
