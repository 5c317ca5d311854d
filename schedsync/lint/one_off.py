"""SS209: a one-off without an instant to run at."""

from __future__ import annotations

from collections.abc import Iterator

from schedsync.core.schedule import Schedule
from schedsync.core.timing import Clocked
from schedsync.lint.rule import Context, Found, Rule


def _each(schedule: Schedule, _context: Context) -> Iterator[Found]:
    spec = schedule.spec
    if spec.one_off and not isinstance(spec.timing, Clocked) and spec.start_at is None:
        message = f"a one-off with `{spec.timing}` runs at the first slot after the apply, and never again"
        yield Found(schedule, message, "one_off", "use `at: 2026-12-24T18:00:00Z`, or add `start_at`")


RULE = Rule(
    code="SS209",
    name="one-off-without-a-start",
    summary="a one-off with a recurring timing and no `start_at`",
    severity="warning",
    why="The schedule runs once, at the first slot after its first apply. If you apply the files to another database, "
    "or a year later, it runs once more, at the first slot after that apply.",
    remedy="Use `at` with the instant that you mean, or add a `start_at`.",
    bad="""
backfill:
  task: shop.tasks.backfill
  crontab: "0 3 * * *"
  one_off: true
""",
    good="""
backfill:
  task: shop.tasks.backfill
  at: 2099-01-10T03:00:00Z
""",
    each=_each,
)
