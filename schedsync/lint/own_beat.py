"""SS221: keys that only schedsync's own Beat knows."""

from __future__ import annotations

from collections.abc import Iterator

from schedsync.core.schedule import OF_OUR_BEAT, Schedule, beyond_row
from schedsync.lint.rule import Context, Found, Rule


def _each(schedule: Schedule, _context: Context) -> Iterator[Found]:
    said = [key for key in beyond_row(schedule.spec) if key in OF_OUR_BEAT]
    for key in said:
        if key == "max_runtime" and "overlap" in said:
            # It is a part of `overlap`, and goes with it.
            continue
        message = f"stock Beat does not know `{key}`: it works only with `schedsync.beat:Scheduler`"
        yield Found(schedule, message, key, "run `celery beat --scheduler schedsync.beat:Scheduler`")


RULE = Rule(
    code="SS221",
    name="own-beat",
    summary="a key that only schedsync's own Beat supports",
    severity="info",
    why="`delivery`, `missed_runs`, `starting_deadline`, `overlap` and `max_runtime` have no column in "
    "django-celery-beat's tables, so stock Beat ignores them. If stock Beat dies while it sends, it sends the message "
    "once or not at all. After a time without a Beat, it makes up for the latest missed run only. It sends a message "
    "for each tick, however long the last run takes.",
    remedy="Run `schedsync.beat:Scheduler`, or remove the key. If that Beat runs everywhere, turn this rule off.",
    bad="""
invoices:
  task: shop.tasks.report
  crontab: "0 3 * * *"
  missed_runs: none
""",
    good="""
invoices:
  task: shop.tasks.report
  crontab: "0 3 * * *"
""",
    each=_each,
)
