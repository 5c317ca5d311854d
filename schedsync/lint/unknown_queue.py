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
    why="Celery creates an unknown queue and sends to it; no worker reads it, so its messages wait for ever. Known "
    "queues are those of `queues` under `[lint]`, else those that the snapshot's application declares.",
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
