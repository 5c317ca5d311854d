"""What the tables hold, as plain values; reading writes nothing and decides nothing.

Never through django-celery-beat's ``ModelEntry``, which disables rows while it loads them. A row counts as what
Celery makes of it: its crontab is read by Celery's own parser, and what Celery refuses is a problem of the row.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from django.db.models import CharField, F, Model
from django.db.models.functions import Cast
from django_celery_beat.models import PeriodicTask

from schedsync.core.change import Edit
from schedsync.core.location import Location
from schedsync.core.observed import Managed, Observed, Paused, Problem, Row
from schedsync.core.schedule import OF_OUR_BEAT, People, Spec, canonical_json
from schedsync.core.timing import Clocked, Interval, Timing
from schedsync.database.bulk import rows_of
from schedsync.database.columns import TaskColumns
from schedsync.database.schedule_rows import clocked_of, crontab_of, interval_of, solar_of
from schedsync.models import ManagedSchedule, Pause


class _TimingColumns(NamedTuple):
    """What a row's schedule row says, whichever kind it is."""

    interval__every: int | None
    interval__period: str | None
    crontab__minute: str | None
    crontab__hour: str | None
    crontab__day_of_month: str | None
    crontab__month_of_year: str | None
    crontab__day_of_week: str | None
    zone: str | None
    solar__event: str | None
    solar__latitude: Decimal | None
    solar__longitude: Decimal | None
    clocked__clocked_time: datetime | None


def observe(using: str, set_name: str, only: str | None = None) -> Observed:
    """Read the rows, the ledger and the pauses from a database alias; four queries, whatever their number.

    With ``only`` a name, nothing but what bears it is read.
    """
    ours, elsewhere = _ledger(using, set_name, only)
    paused = {name: pause for name, pause in pauses(using, only).items() if name in ours}
    return Observed(rows=_rows(using, only), ledger=ours, elsewhere=elsewhere, pauses=paused)


def observe_rows(using: str) -> Observed:
    """Read the rows and the pauses alone, to see whether what was written holds; three queries."""
    return Observed(rows=_rows(using), pauses=pauses(using))


def _rows(using: str, only: str | None = None) -> dict[str, Row]:
    # As text: the model's own field raises on a zone that this host does not know.
    tasks = _named(PeriodicTask, using, only).annotate(zone=Cast(F("crontab__timezone"), CharField()))
    found = tasks.values_list("enabled", "description", *TaskColumns._fields, *_TimingColumns._fields).order_by()
    rows = {row.name: row for row in map(_row, found)}
    return rows | _with_what_our_beat_reads(using, rows, only)


def _with_what_our_beat_reads(using: str, rows: Mapping[str, Row], only: str | None) -> dict[str, Row]:
    """Return the rows of which the ledger says more than the table can."""
    silent = {name: default for name, default in OF_OUR_BEAT.items() if default is not None}
    managed = _named(ManagedSchedule, using, only).exclude(starting_deadline=None, **silent)
    said = {row_id: dict(zip(OF_OUR_BEAT, values, strict=True)) for row_id, *values in
            managed.values_list("row_id", *OF_OUR_BEAT)}  # fmt: skip
    if not said:
        return {}
    found = {name: row for name, row in rows.items() if row.id in said and row.spec is not None}
    return {name: replace(row, spec=replace(row.spec, **said[row.id])) for name, row in found.items() if row.spec}


def _row(values: tuple[Any, ...]) -> Row:
    enabled, description, *others = values
    columns, timing_columns = TaskColumns(*others[:_TASK]), _TimingColumns(*others[_TASK:])
    timing, timing_row, said = _timing(columns.one_off, columns.timing_rows, timing_columns)
    problems = list(said)
    spec = _spec(columns, timing, problems, enabled=enabled, description=description)
    return Row(
        id=columns.id,
        name=columns.name,
        spec=spec,
        last_run_at=columns.last_run_at,
        total_run_count=columns.total_run_count,
        date_changed=columns.date_changed,
        timing_row=timing_row,
        hour=timing_columns.crontab__hour or "*",
        problems=tuple(problems),
    )


_TASK = len(TaskColumns._fields)


@lru_cache(maxsize=65536)
def _timing(
    one_off: bool, given: tuple[tuple[str, int], ...], columns: _TimingColumns
) -> tuple[Timing | None, tuple[str, int] | None, tuple[Problem, ...]]:
    """Return the timing of a row's schedule columns, the schedule row, and what is wrong; most rows share one."""
    first = given[0] if given else None
    if len(given) != 1:
        count = "no" if not given else len(given)
        return None, first, (Problem("SS320", f"{count} schedules, Beat stops at this row"),)
    read = _READERS[given[0][0]](columns)
    if isinstance(read, Problem):
        return None, first, (read,)
    return read, first, tuple(_timing_problems(read, one_off))


def _timing_problems(timing: Timing, one_off: bool) -> Iterator[Problem]:
    if isinstance(timing, Clocked) and not one_off:
        yield Problem("SS320", "a clocked schedule that is not one-off, Beat stops when it has run")
    if isinstance(timing, Interval) and timing.microseconds <= 0:
        yield Problem("SS320", "an interval of 0, Beat sends at every tick")


_READERS: Mapping[str, Callable[[_TimingColumns], Timing | Problem]] = {
    "interval": lambda row: interval_of(row.interval__every, row.interval__period),
    "crontab": lambda row: crontab_of(
        row.crontab__minute or "",
        row.crontab__hour or "",
        row.crontab__day_of_month or "",
        row.crontab__month_of_year or "",
        row.crontab__day_of_week or "",
        row.zone or "",
    ),
    "solar": lambda row: solar_of(row.solar__event, row.solar__latitude, row.solar__longitude),
    "clocked": lambda row: clocked_of(row.clocked__clocked_time),
}


def _spec(
    columns: TaskColumns, timing: Timing | None, problems: list[Problem], *, enabled: bool, description: str
) -> Spec | None:
    args, kwargs, headers = (
        _json("args", columns.args),
        _json("kwargs", columns.kwargs),
        _json("headers", columns.headers),
    )
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
    "headers": ("SS321", "headers that are not JSON, Beat passes the row over"),
}


@lru_cache(maxsize=65536)
def _json(name: str, text: str | None) -> str | Problem:
    if not text or text == _EMPTY[name]:
        return _EMPTY[name]
    try:
        return canonical_json(json.loads(text))
    except (ValueError, RecursionError):
        return Problem(*_BROKEN[name])


_SHAPES = {
    "args": ("[", "SS322", "args that are no JSON list, the task gets something else than was meant"),
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


_LEDGER = (
    "set", "name", "row_id", "timing_kind", "timing_id", "applied", "people", "path", "line", "column", "commit",
)  # fmt: skip


def _named(model: type[Model], using: str, only: str | None) -> Any:
    rows = rows_of(model, using)
    return rows if only is None else rows.filter(name=only)


def _ledger(using: str, set_name: str, only: str | None = None) -> tuple[dict[str, Managed], dict[str, str]]:
    ours: dict[str, Managed] = {}
    elsewhere: dict[str, str] = {}
    for values in _named(ManagedSchedule, using, only).values_list(*_LEDGER).order_by("name"):
        if values[0] == set_name:
            ours[values[1]] = _managed(*values)
        else:
            elsewhere[values[1]] = values[0]
    return ours, elsewhere


def _managed(
    set_name: str,
    name: str,
    row_id: int | None,
    timing_kind: str,
    timing_id: int | None,
    applied: str,
    people: str,
    path: str,
    line: int,
    column: int,
    commit: str,
) -> Managed:
    return Managed(
        name=name,
        set=set_name,
        row_id=row_id,
        applied=applied,
        location=Location(path, line, column) if path else None,
        people=_people(people),
        timing_row=(timing_kind, timing_id) if timing_kind and timing_id is not None else None,
        commit=commit or None,
    )


@lru_cache(maxsize=4096)
def _people(text: str) -> People:
    values = json.loads(text)
    values["labels"] = tuple(sorted(values.get("labels", {}).items()))
    return People(**values)


def pauses(using: str, only: str | None = None) -> dict[str, Paused]:
    """Read the pauses by the schedule's name."""
    rows = _named(Pause, using, only).values_list("name", "reason", "who", "since", "until", "held").order_by("name")
    return {row[0]: Paused(*row) for row in rows}


def edits(using: str, rows: Mapping[str, int]) -> dict[int, Edit]:
    """Return the last edit of each row in the admin's log; empty where the project does not use it.

    ``rows`` maps names to the ids of their rows; an edit counts from the time on when the ledger last took the row in.
    """
    from django.apps import apps

    if not rows or not apps.is_installed("django.contrib.admin"):
        return {}
    from django.contrib.admin.models import LogEntry

    since = {rows[name]: time for name, time in applied_at(using, rows).items()}
    entries = (
        LogEntry.objects.using(using)
        .filter(content_type__app_label="django_celery_beat", content_type__model="periodictask")
        .filter(object_id__in=[str(row_id) for row_id in since])
        .order_by("action_time")
        .values_list("object_id", "user__username", "action_time")
    )
    found = ((int(str(object_id)), Edit(str(user), time)) for object_id, user, time in entries)
    return {row_id: edit for row_id, edit in found if edit.time >= since[row_id]}


def applied_at(using: str, names: Collection[str]) -> dict[str, datetime]:
    """Return when the ledger last took in each of the schedules."""
    rows = ManagedSchedule.objects.using(using).filter(name__in=list(names))
    return dict(rows.values_list("name", "applied_at"))
