"""SS213: a queue that no worker is known to read."""

from __future__ import annotations

from collections.abc import Iterator

from schedsync.core.finding import did_you_mean
from schedsync.core.schedule import Schedule
from schedsync.lint.rule import Context, Found, Rule


def _each(schedule: Schedule, context: Context) -> Iterator[Found]:
    queue = schedule.spec.queue
    if queue is None:
        return
    known = context.options.queues or (context.application.queues if context.application else ())
    if known and queue not in known:
        hint = did_you_mean(queue, known) or f"known: {', '.join(known)}"
        yield Found(schedule, f"unknown queue `{queue}`", "queue", hint)


RULE = Rule(
    code="SS213",
    name="unknown-queue",
    summary="a queue that neither the configuration nor the application knows",
    severity="warning",
    why="Celery creates a queue that it does not know and sends to it. No worker reads that queue, so its messages "
    "wait for ever. The known queues are `queues` under `[lint]`; without that, the queues that the application "
    "declares in the snapshot.",
    remedy="Correct the name, or add the queue to `queues` under `[lint]`.",
    bad="""
report:
  task: shop.tasks.report
  crontab: "0 4 * * *"
  queue: raports
""",
    good="""
report:
  task: shop.tasks.report
  crontab: "0 4 * * *"
  queue: reports
""",
    needs_application=True,
    each=_each,
)
