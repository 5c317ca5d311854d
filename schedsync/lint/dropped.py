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
    why="If only one of `exchange` and `routing_key` is given, Celery drops it and sends directly to the queue. If a "
    "header has the name of a header of Celery's own protocol, it replaces that one: a message with another `id`, "
    "`task` or `expires` is lost, or has another effect.",
    remedy="Set both `exchange` and `routing_key`, or neither. Choose other names for your headers.",
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
