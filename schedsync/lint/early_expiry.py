"""SS226: a message that expires while it still waits in its queue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from schedsync.calendar.slots import shortest_gap
from schedsync.core.schedule import Schedule
from schedsync.core.timing import duration_text
from schedsync.lint.rule import Context, Found, Rule

#: In seconds: a worker with one task in hand, a network, and clocks that differ a little take that long.
_USUAL_WAIT = 5
_ALL_OTHERS = "*"


def _each(schedule: Schedule, context: Context) -> Iterator[Found]:
    expiry, queue, waits = schedule.spec.expires_after, schedule.spec.queue, context.options.queue_waits
    if expiry is None:
        return
    wait = waits.get(queue) if queue else None
    wait = waits.get(_ALL_OTHERS) if wait is None else wait
    if expiry >= (_USUAL_WAIT if wait is None else wait):
        return
    gap = shortest_gap(schedule.spec.timing) or timedelta.max
    if wait is not None:
        yield _found(schedule, expiry, wait, gap)
    elif gap >= timedelta(seconds=_USUAL_WAIT):
        # A shorter gap leaves no expiry that is right; nobody has said how long its messages wait.
        yield _found(schedule, expiry, _USUAL_WAIT, gap)


def _found(schedule: Schedule, expiry: int, wait: int, gap: timedelta) -> Found:
    queue = f"queue `{schedule.spec.queue}`" if schedule.spec.queue else "its queue"
    message = f"`expires_after: {duration_text(expiry)}` is shorter than the {duration_text(wait)} that a message "
    message += f"may wait in {queue}"
    fits = gap.total_seconds() >= wait
    hint = f"`expires_after: {duration_text(wait)}` or more" if fits else "run it less often, or add workers"
    return Found(schedule, message, "expires_after", hint)


RULE = Rule(
    code="SS226",
    name="early-expiry",
    summary="`expires_after` shorter than a message may wait in its queue",
    severity="warning",
    why="A worker drops a message that has expired, and no run happens. How long a message waits depends on the "
    "workers, which the files do not show: say it with `queue_waits` under `[lint]`, by queue, with `*` for all other "
    "queues. Without it this rule assumes five seconds, and passes over schedules that run more often than that.",
    remedy="Set `expires_after` to more than the queue's usual wait, or correct `queue_waits`.",
    bad="""
report:
  task: shop.tasks.report
  crontab: "0 4 * * *"
  expires_after: 2s
""",
    good="""
report:
  task: shop.tasks.report
  crontab: "0 4 * * *"
  expires_after: 2h
""",
    each=_each,
)
