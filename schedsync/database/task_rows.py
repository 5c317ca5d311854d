"""Reads a row of ``PeriodicTask`` as a plain value, with what Beat cannot do with it.

Never through django-celery-beat's ``ModelEntry``, which disables rows while it loads them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

from schedsync.core.nesting import is_deeper
from schedsync.core.observed import Problem, Row
from schedsync.core.schedule import Spec, canonical_json, utc, with_plain_breaks
from schedsync.core.timing import LONGEST_INTERVAL, UNITS, Clocked, Timing
from schedsync.database.columns import TaskColumns
from schedsync.database.schedule_rows import JOINED_COLUMNS, read_joined, unreadable_column
from schedsync.database.values import Damaged, Unreadable

#: The columns to select for ``read_row``, in its order; ``zone`` is text that ``schedule_rows.with_zone`` adds.
ROW_COLUMNS = ("enabled", "description", *TaskColumns._fields, *JOINED_COLUMNS)
_TASK = len(TaskColumns._fields)
_HOUR = JOINED_COLUMNS.index("crontab__hour")


def read_row(values: tuple[Any, ...]) -> Row:
    """Return the row with these values of ROW_COLUMNS."""
    if isinstance(values, Damaged):
        return _damaged_row(values)
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


#: Columns that Beat writes, and that no file knows.
_OF_BEAT = frozenset({"last_run_at", "total_run_count", "date_changed"})


def _damaged_row(values: tuple[Any, ...]) -> Row:
    """Return a row of which a column cannot be read; it has no spec, so that an apply writes a managed one again."""
    damaged = {name: value for name, value in zip(ROW_COLUMNS, values, strict=True) if isinstance(value, Unreadable)}
    sound: list[Any] = [None if isinstance(value, Unreadable) else value for value in values]
    columns = TaskColumns(*sound[2 : 2 + _TASK])
    return Row(
        id=columns.id,
        name=columns.name if "name" not in damaged else damaged["name"].text,
        spec=None,
        last_run_at=columns.last_run_at,
        total_run_count=columns.total_run_count or 0,
        date_changed=columns.date_changed,
        timing_row=columns.timing_rows[0] if columns.timing_rows else None,
        problems=tuple(
            unreadable_column(name.replace("__", ".").replace("zone", "crontab.timezone"), value)
            for name, value in damaged.items()
        ),
        lost=_OF_BEAT & damaged.keys(),
    )


def _timing(
    one_off: bool, timing_rows: tuple[tuple[str, int], ...], values: tuple[Any, ...]
) -> tuple[Timing | None, tuple[str, int] | None, tuple[Problem, ...]]:
    """Return the timing of a row, its schedule row as kind and id, and the problems."""
    first = timing_rows[0] if timing_rows else None
    if len(timing_rows) != 1:
        count = "no" if not timing_rows else len(timing_rows)
        return None, first, (Problem("SS320", f"{count} schedules, stock Beat stops at this row"),)
    timing = read_joined(timing_rows[0][0], values)
    if isinstance(timing, Problem):
        return None, first, (timing,)
    return timing, first, tuple(_timing_problems(timing, one_off))


def _timing_problems(timing: Timing, one_off: bool) -> Iterator[Problem]:
    if isinstance(timing, Clocked) and not one_off:
        yield Problem("SS320", "a clocked schedule that is not one-off, stock Beat stops when it has run")


def _spec(
    columns: TaskColumns, timing: Timing | None, problems: list[Problem], *, enabled: bool, description: str
) -> Spec | None:
    args = _json("args", columns.args)
    kwargs = _json("kwargs", columns.kwargs)
    headers = _json("headers", columns.headers)
    problems += [text for text in (args, kwargs, headers) if isinstance(text, Problem)]
    if columns.expires is not None and columns.expire_seconds is not None:
        problems.append(Problem("SS320", "two expiries, stock Beat stops when it writes the row back"))
    if columns.expire_seconds is not None and not 0 <= columns.expire_seconds <= LONGEST_EXPIRY:
        message = f"`expire_seconds` is {columns.expire_seconds}: it must be between 0 and a century"
        problems.append(Problem("SS333", message))
        timing = None
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
        # Beat ignores an expiry of 0.
        expires_after=columns.expire_seconds or None,
        expires_at=columns.expires and utc(columns.expires),
        start_at=columns.start_time and utc(columns.start_time),
        one_off=columns.one_off,
        enabled=enabled,
        description=with_plain_breaks(description),
    )


#: In seconds. Beat adds it to the time of the run.
LONGEST_EXPIRY = LONGEST_INTERVAL // UNITS["s"]
#: Deeper values than those that the files may have would end in a RecursionError.
_DEEPEST = 100
_EMPTY = {"args": "[]", "kwargs": "{}", "headers": "{}"}
_BROKEN = {
    "args": ("SS322", "args that are not JSON, Beat disables the row"),
    "kwargs": ("SS322", "kwargs that are not JSON, Beat disables the row"),
    "headers": ("SS321", "headers that are not JSON, Beat skips the row"),
}


def _json(name: str, text: str | None) -> str | Problem:
    if not text or text == _EMPTY[name]:
        return _EMPTY[name]
    return _read_json_once(name, text) if len(text) <= _LONGEST_KEPT else _read_json(name, text)


def _read_json(name: str, text: str) -> str | Problem:
    try:
        value = json.loads(text)
        if text.count("[") + text.count("{") > _DEEPEST and is_deeper(value, _DEEPEST):
            return Problem("SS333", f"{name} that are nested more than {_DEEPEST} levels deep")
        return canonical_json(value)
    except (ValueError, RecursionError):
        return Problem(*_BROKEN[name])


#: In characters.
_LONGEST_KEPT = 200
#: A web process reads the same rows again for each page.
_read_json_once = lru_cache(maxsize=65536)(_read_json)

_SHAPES = {
    "args": ("[", "SS322", "args that are no JSON list, the task gets other arguments than intended"),
    "kwargs": ("{", "SS322", "kwargs that are no JSON object, every send fails"),
    "headers": ("{", "SS320", "headers that are no JSON object, stock Beat stops at this row"),
}


def _shape_problems(texts: Mapping[str, str]) -> Iterator[Problem]:
    for name, text in texts.items():
        bracket, code, message = _SHAPES[name]
        if not text.startswith(bracket):
            yield Problem(code, message)


def are_sound_arguments(args: str, kwargs: str, headers: str) -> bool:
    """Say whether args, kwargs and headers are JSON of the right kind."""
    texts = {"args": _json("args", args), "kwargs": _json("kwargs", kwargs), "headers": _json("headers", headers)}
    sound = {name: text for name, text in texts.items() if not isinstance(text, Problem)}
    return len(sound) == len(texts) and not any(_shape_problems(sound))
