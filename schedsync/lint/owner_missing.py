"""SS215: a schedule without an owner."""

from __future__ import annotations

from collections.abc import Iterator

from schedsync.core.schedule import Schedule
from schedsync.lint.rule import Context, Found, Rule


def _each(schedule: Schedule, _context: Context) -> Iterator[Found]:
    if not schedule.people.owner and not any(map(_is_misspelt, schedule.positions)):
        yield Found(schedule, "no `owner`", None, "name the team to ask when it fails")


def _is_misspelt(key: str) -> bool:
    """Say whether an unknown key, which is an error already, was meant to be the owner: it has the same letters."""
    return key != "owner" and len(key) in range(4, 7) and set("owners").issuperset(key)


RULE = Rule(
    code="SS215",
    name="owner-missing",
    summary="a schedule without an `owner`",
    severity="warning",
    why="When the schedule fails at night, people need to know whom to ask.",
    remedy="Set `owner`, or set it under `defaults` for all schedules of a file.",
    bad="""
report:
  task: shop.tasks.report
  crontab: "0 4 * * *"
""",
    good="""
report:
  task: shop.tasks.report
  crontab: "0 4 * * *"
  owner: team-data
""",
    opt_in=True,
    each=_each,
)
