"""SS216: two schedules that do the same at the same times."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from schedsync.core.schedule import Schedule
from schedsync.lint.rule import Context, Found, Rule


def _whole(context: Context) -> Iterator[Found]:
    alike: dict[object, list[Schedule]] = {}
    for schedule in context.schedules:
        spec = schedule.spec
        if spec.enabled:
            alike.setdefault((spec.task, spec.args, spec.kwargs), []).append(schedule)
    for schedules in alike.values():
        if len(schedules) > 1:
            yield from _same_times(schedules)


def _same_times(schedules: Sequence[Schedule]) -> Iterator[Found]:
    seen: dict[object, Schedule] = {}
    for schedule in schedules:
        spec = schedule.spec
        first = seen.setdefault((spec.timing, spec.start_at, spec.expires_at), schedule)
        if first is not schedule:
            message = f"does the same as `{first.name}`: task, arguments and timing are equal"
            yield Found(schedule, message, None, "remove one of them")


RULE = Rule(
    code="SS216",
    name="twice",
    summary="two schedules with the same task, the same arguments and the same timing",
    severity="warning",
    why="The task runs twice each time. This rule compares the meaning of timings: `*/15` and `0,15,30,45` are the "
    "same.",
    remedy="Remove one of the two.",
    bad="""
report:
  task: shop.tasks.report
  crontab: "0,30 * * * *"
report-again:
  task: shop.tasks.report
  crontab: "*/30 * * * *"
""",
    good="""
report:
  task: shop.tasks.report
  crontab: "*/30 * * * *"
report-again:
  task: shop.tasks.report
  crontab: "*/30 * * * *"
  args: [again]
""",
    whole=_whole,
)
