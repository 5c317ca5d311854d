"""SS219: a task that the application's workers do not know."""

from __future__ import annotations

from collections.abc import Iterator

from schedsync.core.finding import did_you_mean
from schedsync.core.schedule import Schedule
from schedsync.lint.rule import Context, Found, Rule


def _each(schedule: Schedule, context: Context) -> Iterator[Found]:
    if context.application is None or not context.application.tasks:
        return
    task = schedule.spec.task
    if task not in context.application.tasks:
        near = did_you_mean(task, context.application.tasks)
        hint = near or "deploy the workers that know it first, or correct the name"
        yield Found(schedule, f"the application does not register the task `{task}`", "task", hint)


RULE = Rule(
    code="SS219",
    name="unregistered-task",
    summary="a task that the application does not register",
    severity="warning",
    why="Beat sends a task by its name and does not check the name. A worker that does not know the task logs an error "
    "and drops the message. A task that is new in the same change is not in a snapshot yet: deploy the workers "
    "before you apply the schedule. `schedsync plan` and `schedsync doctor` ask the project's own Celery app, without "
    "a snapshot.",
    remedy="Correct the name, or deploy the workers first.",
    bad="""
report:
  task: shop.tasks.raport
  crontab: "0 4 * * *"
""",
    good="""
report:
  task: shop.tasks.report
  crontab: "0 4 * * *"
""",
    needs_application=True,
    each=_each,
)
