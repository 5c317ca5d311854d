"""SS217: options that Celery drops or overwrites silently."""

from __future__ import annotations

import json
from collections.abc import Iterator

from schedsync.core.schedule import Schedule
from schedsync.lint.rule import Context, Found, Rule

#: The headers of Celery's own protocol (celery/app/amqp.py ``as_task_v2``); a schedule's headers replace them.
PROTOCOL_HEADERS = frozenset(
    {"lang", "task", "id", "shadow", "eta", "expires", "group", "group_index", "retries", "timelimit", "root_id",
     "parent_id", "argsrepr", "kwargsrepr", "origin", "ignore_result", "replaced_task_nesting", "stamped_headers",
     "stamps"}
)  # fmt: skip


def _each(schedule: Schedule, _context: Context) -> Iterator[Found]:
    spec = schedule.spec
    if (spec.exchange is None) != (spec.routing_key is None):
        given, missing = ("exchange", "routing_key") if spec.exchange is not None else ("routing_key", "exchange")
        message = f"`{given}` without `{missing}` is dropped, unless the queue is bound to a topic exchange"
        yield Found(schedule, message, given, f"add `{missing}`, or leave `{given}` out")
    if spec.headers != "{}":
        for name in sorted(PROTOCOL_HEADERS & set(json.loads(spec.headers))):
            message = f"header `{name}` replaces Celery's own, which workers need"
            yield Found(schedule, message, "headers", "choose another name")


RULE = Rule(
    code="SS217",
    name="dropped",
    summary="options that Celery silently drops or overwrites",
    severity="warning",
    why="With only one of `exchange` and `routing_key` Celery sends directly to the queue, and drops the given one. A "
    "header with the name of one of Celery's own replaces it: a message with another `id`, `task` or `expires` is "
    "lost, or does something else.",
    remedy="Give both `exchange` and `routing_key`, or neither; choose other names for headers.",
    bad="""
report:
  task: shop.tasks.report
  crontab: "0 4 * * *"
  queue: reports
  routing_key: reports.daily
""",
    good="""
report:
  task: shop.tasks.report
  crontab: "0 4 * * *"
  exchange: reports
  routing_key: reports.daily
""",
    each=_each,
)
