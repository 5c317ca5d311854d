"""Reads a row of ``PeriodicTask`` as a plain value, with what Beat cannot do with it.

Never through django-celery-beat's ``ModelEntry``, which disables rows while it loads them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime, timezone
from typing import Any

from schedsync.core.observed import Problem, Row
from schedsync.core.schedule import Spec, canonical_json
from schedsync.core.timing import Clocked, Interval, Timing
from schedsync.database.columns import TaskColumns
from schedsync.database.schedule_rows import JOINED_COLUMNS, read_joined

#: The columns to select for ``read_row``, in its order; ``zone`` is text that ``schedule_rows.with_zone`` adds.
ROW_COLUMNS = ("enabled", "description", *TaskColumns._fields, *JOINED_COLUMNS)
_TASK = len(TaskColumns._fields)
_HOUR = JOINED_COLUMNS.index("crontab__hour")


def read_row(values: tuple[Any, ...]) -> Row:
    """Return the row with these values of ROW_COLUMNS."""
    enabled, description, *others = values
    columns, timing_values = TaskColumns(*others[:_TASK]), tuple(others[_TASK:])
    timing, timing_row, timing_problems = _timing(columns.one_off, columns.timing_rows, timing_values)
    problems = list(timing_problems)
    spec = _spec(columns, timing, problems, enabled=enabled, description=description)
    return Row(
        id=columns.id,
        name=columns.name,
        spec=spec,
        last_run_at=columns.last_run_at,
        total_run_count=columns.total_run_count,
        date_changed=columns.date_changed,
        timing_row=timing_row,
        hour=timing_values[_HOUR] or "*",
        problems=tuple(problems),
    )


def _timing(
    one_off: bool, timing_rows: tuple[tuple[str, int], ...], values: tuple[Any, ...]
) -> tuple[Timing | None, tuple[str, int] | None, tuple[Problem, ...]]:
    """Return the timing of a row, its schedule row as kind and id, and the problems."""
    first = timing_rows[0] if timing_rows else None
    if len(timing_rows) != 1:
        count = "no" if not timing_rows else len(timing_rows)
        return None, first, (Problem("SS320", f"{count} schedules, Beat stops at this row"),)
    timing = read_joined(timing_rows[0][0], values)
    if isinstance(timing, Problem):
        return None, first, (timing,)
    return timing, first, tuple(_timing_problems(timing, one_off))


def _timing_problems(timing: Timing, one_off: bool) -> Iterator[Problem]:
    if isinstance(timing, Clocked) and not one_off:
        yield Problem("SS320", "a clocked schedule that is not one-off, Beat stops when it has run")
    if isinstance(timing, Interval) and timing.microseconds <= 0:
        yield Problem("SS320", "an interval of 0, Beat sends at every tick")


def _spec(
    columns: TaskColumns, timing: Timing | None, problems: list[Problem], *, enabled: bool, description: str
) -> Spec | None:
    args = _json("args", columns.args)
    kwargs = _json("kwargs", columns.kwargs)
    headers = _json("headers", columns.headers)
    problems += [text for text in (args, kwargs, headers) if isinstance(text, Problem)]
    if columns.expires is not None and columns.expire_seconds is not None:
        problems.append(Problem("SS320", "two expiries, Beat stops when it writes the row back"))
    if timing is None or isinstance(args, Problem) or isinstance(kwargs, Problem) or isinstance(headers, Problem):
        return None
    problems += _shape_problems({"args": args, "kwargs": kwargs, "headers": headers})
    return Spec(
        task=columns.task,
        timing=timing,
        args=args,
        kwargs=kwargs,
        headers=headers,
        queue=columns.queue,
        exchange=columns.exchange,
        routing_key=columns.routing_key,
        priority=columns.priority,
        expires_after=columns.expire_seconds,
        expires_at=_utc(columns.expires),
        start_at=_utc(columns.start_time),
        one_off=columns.one_off,
        enabled=enabled,
        description=description,
    )


_EMPTY = {"args": "[]", "kwargs": "{}", "headers": "{}"}
_BROKEN = {
    "args": ("SS322", "args that are not JSON, Beat disables the row"),
    "kwargs": ("SS322", "kwargs that are not JSON, Beat disables the row"),
    "headers": ("SS321", "headers that are not JSON, Beat skips the row"),
}


def _json(name: str, text: str | None) -> str | Problem:
    if not text or text == _EMPTY[name]:
        return _EMPTY[name]
    try:
        return canonical_json(json.loads(text))
    except (ValueError, RecursionError):
        return Problem(*_BROKEN[name])


_SHAPES = {
    "args": ("[", "SS322", "args that are no JSON list, the task gets other arguments than intended"),
    "kwargs": ("{", "SS322", "kwargs that are no JSON object, every send fails"),
    "headers": ("{", "SS320", "headers that are no JSON object, Beat stops at this row"),
}


def _shape_problems(texts: Mapping[str, str]) -> Iterator[Problem]:
    for name, text in texts.items():
        bracket, code, message = _SHAPES[name]
        if not text.startswith(bracket):
            yield Problem(code, message)


def _utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    return value.replace(tzinfo=timezone.utc) if value.tzinfo is None else value.astimezone(timezone.utc)
