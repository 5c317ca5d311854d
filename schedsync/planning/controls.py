"""Which schedules break a control: a task or a queue that is not allowed, or starts that are too frequent. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import timedelta
from fnmatch import fnmatchcase
from typing import NamedTuple

from schedsync.calendar.slots import shortest_gap
from schedsync.core.change import Change, Rename
from schedsync.core.controls import Controls, period_text
from schedsync.core.finding import Finding
from schedsync.core.names import first_names
from schedsync.core.refusal import Refusal
from schedsync.core.schedule import Schedule, Spec
from schedsync.core.timing import Interval

#: The codes of the findings, by the codes of the refusals.
CODES = {"task_not_allowed": "SS171", "queue_not_allowed": "SS172", "too_often": "SS173"}
_NAMES_SHOWN = 10
_PATTERNS_SHOWN = 5


class Violation(NamedTuple):
    """One control that a schedule breaks.

    ``does`` is the end of a sentence that begins with the schedule's name; ``key`` is the field at fault.
    """

    code: str
    does: str
    key: str
    control: str
    hint: str


def violations(spec: Spec, controls: Controls) -> Iterator[Violation]:
    """Yield every control that a schedule breaks."""
    if controls.allowed_tasks is not None:
        yield from _of_tasks(spec, controls, controls.allowed_tasks)
    if controls.allowed_queues is not None:
        yield from _of_queues(spec, controls, controls.allowed_queues)
    if controls.minimum_period is not None and not spec.one_off:
        yield from _of_timing(spec, controls, controls.minimum_period)


def _of_tasks(spec: Spec, controls: Controls, patterns: Sequence[str]) -> Iterator[Violation]:
    allowed = _allowed(patterns)
    if not _matches(spec.task, patterns):
        yield _violation("task_not_allowed", f"runs the task `{spec.task}`", "task", controls, "allowed_tasks", allowed)
    # Celery copies the headers over its own, and a worker runs the task that the header `task` names.
    if '"task"' in spec.headers and "task" in (headers := json.loads(spec.headers)):
        task = headers["task"]
        if not isinstance(task, str) or not _matches(task, patterns):
            does = f"runs the task `{task}` by its header `task`"
            yield _violation("task_not_allowed", does, "headers", controls, "allowed_tasks", allowed)


def _of_queues(spec: Spec, controls: Controls, patterns: Sequence[str]) -> Iterator[Violation]:
    """Yield the queue; and an exchange or a routing key, which reach queues that the file does not name."""
    at_fault = {} if spec.queue is None or _matches(spec.queue, patterns) else {"queue": spec.queue}
    if "*" not in patterns:
        at_fault |= {key: value for key in ("exchange", "routing_key") if (value := getattr(spec, key))}
    for key, value in at_fault.items():
        does = f"is sent by the {key.replace('_', ' ')} `{value}`"
        yield _violation("queue_not_allowed", does, key, controls, "allowed_queues", _allowed(patterns))


def _of_timing(spec: Spec, controls: Controls, least: timedelta) -> Iterator[Violation]:
    gap = shortest_gap(spec.timing)
    if gap is not None and gap < least:
        does = f"can start {period_text(gap)} after its last start"
        key = "every" if isinstance(spec.timing, Interval) else spec.timing.kind
        yield _violation("too_often", does, key, controls, "minimum_period", f"at least {period_text(least)}")


def _matches(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _allowed(patterns: Sequence[str]) -> str:
    return first_names([f"`{pattern}`" for pattern in patterns], _PATTERNS_SHOWN) or "nothing"


def _violation(code: str, does: str, key: str, controls: Controls, name: str, limit: str) -> Violation:
    control = controls.named(name)
    place = f"edit {control}" if controls.in_files else f"change {control} in Django's settings; no flag lifts it"
    return Violation(code, f"{does}; {control} allows {limit}", key, control, f"edit the schedule, or {place}")


def refused_changes(changes: Iterable[Change], layers: Sequence[Controls]) -> Iterator[Refusal]:
    """Yield a refusal for each control that a change would break; a stop breaks none."""
    for change in changes:
        if change.after is None or change.removing is not None or _only_disables(change):
            continue
        for controls in layers:
            for violation in violations(change.after, controls):
                message = f"`{change.name}` {violation.does}"
                yield Refusal(violation.code, message, violation.hint, schedule=change.name)


def refused_sets(
    set_name: str, changes: Iterable[Change], elsewhere: Mapping[str, str], controls: Controls
) -> Iterator[Refusal]:
    """Yield a refusal for each set that is not allowed: the set itself, and those whose rows the changes take over.

    ``elsewhere`` maps names of other sets to the set.
    """
    patterns = controls.allowed_sets
    if patterns is None:
        return
    taken = (elsewhere.get(change.old_name if isinstance(change, Rename) else change.name) for change in changes)
    for name in dict.fromkeys([set_name, *taken]):
        if name is not None and not _matches(name, patterns):
            control = controls.named("allowed_sets")
            message = f"set `{name}` must not be changed from here; {control} allows {_allowed(patterns)}"
            hint = f"change {control} in Django's settings; no flag lifts it"
            yield Refusal("set_not_allowed", message, hint)


def _only_disables(change: Change) -> bool:
    fields = {field.field for field in change.fields}
    return change.kind == "update" and fields == {"enabled"} and change.after is not None and not change.after.enabled


def errors(schedules: Iterable[Schedule], layers: Sequence[Controls]) -> Iterator[Finding]:
    """Yield a finding at its place for each control that a schedule breaks."""
    for schedule in schedules:
        for controls in layers:
            for violation in violations(schedule.spec, controls):
                message = f"`{schedule.name}` {violation.does}"
                yield Finding(CODES[violation.code], message, schedule.at(violation.key), violation.hint)


def warnings(schedules: Iterable[Schedule], layers: Sequence[Controls]) -> Iterator[Finding]:
    """Yield one finding for each control that managed schedules break; the plan changes none of them."""
    broken: dict[tuple[str, str], list[tuple[Schedule, Violation]]] = {}
    for schedule in schedules:
        for controls in layers:
            for violation in violations(schedule.spec, controls):
                broken.setdefault((violation.code, violation.control), []).append((schedule, violation))
    for (code, control), those in broken.items():
        names = list(dict.fromkeys(schedule.name for schedule, _ in those))
        first, violation = those[0]
        count = f"{len(names):,} managed schedule{'s break' if len(names) > 1 else ' breaks'} {control}"
        message = f"{count}; only a change of it will be refused: {first_names(names, _NAMES_SHOWN)}"
        hint = "edit it so that it is allowed, or disable or delete it; any other change of it is refused"
        yield Finding(CODES[code], message, first.at(violation.key), hint, "warning")
