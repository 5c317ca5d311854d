"""SS220: arguments that the task does not take."""

from __future__ import annotations

import json
from collections.abc import Iterator

from schedsync.core.schedule import Schedule
from schedsync.lint.rule import Context, Found, Rule


def _each(schedule: Schedule, context: Context) -> Iterator[Found]:
    task = context.application.tasks.get(schedule.spec.task) if context.application else None
    if task is None or task.parameters is None:
        return
    spec = schedule.spec
    for field, message, hint in task.misfits(json.loads(spec.args), json.loads(spec.kwargs)):
        yield Found(schedule, message, field if field in schedule.positions else "task", hint)


RULE = Rule(
    code="SS220",
    name="arguments",
    summary="`args` and `kwargs` that do not fit the task's signature",
    severity="warning",
    why="Beat does not check arguments; the worker raises a TypeError at every run. If the signature changes together "
    "with the schedule, deploy the workers first.",
    remedy="Correct the arguments, or deploy the workers first.",
    bad="""
report:
  task: shop.tasks.report
  crontab: "0 4 * * *"
  kwargs: {kimd: full}
""",
    good="""
report:
  task: shop.tasks.report
  crontab: "0 4 * * *"
  kwargs: {kind: full}
""",
    needs_application=True,
    each=_each,
)
