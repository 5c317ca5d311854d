"""SS214: a disabled schedule without a reason."""

from __future__ import annotations

from collections.abc import Iterator

from schedsync.core.schedule import Schedule
from schedsync.lint.rule import Context, Found, Rule


def _each(schedule: Schedule, _context: Context) -> Iterator[Found]:
    if schedule.spec.enabled or schedule.people.disabled_reason:
        return
    if not any(map(_is_misspelt, schedule.positions)):
        yield Found(schedule, "disabled without a reason", "enabled", "add `disabled_reason: …`")


def _is_misspelt(key: str) -> bool:
    """Say whether an unknown key, which is an error already, was meant to be the reason."""
    return key != "disabled_reason" and (key.startswith("disab") or key.endswith("reason"))


RULE = Rule(
    code="SS214",
    name="disabled-without-reason",
    summary="`enabled: false` without a `disabled_reason`",
    severity="warning",
    why="A year later nobody knows whether the schedule may run again, and nobody dares to remove it.",
    remedy="Give the reason in `disabled_reason`, or remove the schedule.",
    bad="""
report:
  task: shop.tasks.report
  crontab: "0 4 * * *"
  enabled: false
""",
    good="""
report:
  task: shop.tasks.report
  crontab: "0 4 * * *"
  enabled: false
  disabled_reason: until the warehouse opens
""",
    each=_each,
)
