"""Reads what the tables hold as plain values; it writes nothing and decides nothing.

A row counts as what Celery makes of it: Celery's own parser reads its crontab, and what Celery refuses becomes a
problem of the row.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import replace
from datetime import datetime, timezone
from functools import lru_cache
from typing import Any

from django.db.models import Model, Q
from django_celery_beat.models import PeriodicTask

from schedsync.core.location import Location, is_place
from schedsync.core.monitor import monitor_in
from schedsync.core.observed import Managed, Observed, Paused, Row, Typed
from schedsync.core.schedule import LEDGER_FIELDS, NOBODY, OF_OUR_BEAT, People
from schedsync.core.timing import LONGEST_INTERVAL, UNITS
from schedsync.database.bulk import batches, rows_of
from schedsync.database.columns import LEDGER_DEFAULTS
from schedsync.database.removals import with_removals
from schedsync.database.rollbacks import read_rolled_back
from schedsync.database.schedule_rows import TIMING_MODELS, with_zone
from schedsync.database.standing import read_standing
from schedsync.database.task_rows import ROW_COLUMNS, read_row
from schedsync.database.values import Damaged, read_values, readable
from schedsync.models import ManagedSchedule, Pause
from schedsync.planning.converter import people_from


def observe(using: str, set_name: str, only: str | None = None) -> Observed:
    """Read the rows, the ledger, the pauses and what was rolled back, in a constant number of queries.

    With ``only``, a name, read nothing but the rows of that name, no standing pauses and nothing that was rolled back.
    """
    ours, elsewhere = _ledger(using, set_name, only)
    pauses = {name: pause for name, pause in observe_pauses(using, only).items() if name in ours}
    standing = tuple(read_standing(using)) if only is None else ()
    rolled_back = read_rolled_back(using, set_name) if only is None else {}
    return Observed(_rows(using, only), ours, elsewhere, pauses, standing, set_name, rolled_back)


def observe_rows(using: str) -> Observed:
    """Read the rows and the pauses without the ledger, in three queries; enough to see whether a write holds."""
    return Observed(rows=_rows(using), pauses=observe_pauses(using))


def observe_typed(using: str) -> dict[int, Typed]:
    """Read what somebody typed into each row, by the row's id, in one query."""
    rows = read_values(rows_of(PeriodicTask, using).order_by(), ("id", *Typed._fields))
    return {values[0]: Typed(*(readable(value, "") for value in values[1:])) for values in rows}


def observe_entries(using: str, ids: Collection[int]) -> Observed:
    """Read entries of the ledger by their ids, of all sets as if they were one, with their rows and all pauses."""
    ledger: dict[str, Managed] = {}
    for batch in batches(sorted(ids)):
        ledger |= {
            managed.name: managed for managed in _read_ledger(rows_of(ManagedSchedule, using).filter(pk__in=batch))
        }
    rows = observe_ids(using, {managed.row_id for managed in ledger.values() if managed.row_id is not None})
    lost = ledger.keys() - {row.name for row in rows}
    for batch in batches(sorted(lost)):
        found = rows_of(PeriodicTask, using).filter(name__in=batch).values_list("pk", flat=True)
        rows += observe_ids(using, set(found))
    return Observed(rows={row.name: row for row in rows}, ledger=ledger, pauses=observe_pauses(using))


def observe_ids(using: str, ids: Collection[int]) -> list[Row]:
    """Read the rows with these ids, in two queries for each batch."""
    rows: list[Row] = []
    for batch in batches(sorted(ids)):
        tasks = with_zone(rows_of(PeriodicTask, using).filter(pk__in=batch), "crontab__timezone")
        rows += map(read_row, read_values(tasks.order_by(), ROW_COLUMNS))
    return with_ledger_fields(using, rows)


#: Above 5,000 rows, read the ledger's fields of all rows.
_FEW = 5000


def with_ledger_fields(using: str, rows: list[Row]) -> list[Row]:
    """Return the rows with the values for our own Beat, which only the ledger can hold."""
    by_name = {row.name: row for row in rows}
    managed = rows_of(ManagedSchedule, using)
    if len(rows) > _FEW:
        return list((by_name | _of_ledger(managed, by_name)).values())
    for batch in batches(sorted(row.id for row in rows)):
        by_name |= _of_ledger(managed.filter(row_id__in=batch), by_name)
    return list(by_name.values())


def _rows(using: str, only: str | None = None) -> dict[str, Row]:
    tasks = with_zone(_named(PeriodicTask, using, only), "crontab__timezone")
    rows = {row.name: row for row in map(read_row, read_values(tasks.order_by(), ROW_COLUMNS))}
    return rows | _with_ledger_fields(using, rows, only)


def _with_ledger_fields(using: str, rows: Mapping[str, Row], only: str | None) -> dict[str, Row]:
    """Return the rows that have values which only the ledger can hold."""
    return _of_ledger(_named(ManagedSchedule, using, only), rows)


def _of_ledger(managed: Any, rows: Mapping[str, Row]) -> dict[str, Row]:
    managed = managed.exclude(**LEDGER_DEFAULTS)
    fields = {
        row_id: _ledger_fields(*values)
        for row_id, *values in read_values(managed.order_by(), ["row_id", *LEDGER_FIELDS])
    }
    if not fields:
        return {}
    return {
        name: replace(row, spec=replace(row.spec, **fields[row.id]))
        for name, row in rows.items()
        if row.id in fields and row.spec is not None
    }


def _ledger_fields(*values: Any) -> dict[str, Any]:
    """Return the fields of the ledger; a time beyond a century counts as a century, a broken monitor as none."""
    delivery, missed_runs, deadline, overlap, max_runtime, monitor = map(readable, values)
    return {
        "delivery": delivery,
        "missed_runs": missed_runs,
        "starting_deadline": _seconds(deadline),
        "overlap": overlap or OF_OUR_BEAT["overlap"],
        "max_runtime": _seconds(max_runtime),
        "monitor": monitor if monitor_in(monitor) else None,
    }


def _seconds(value: int | None) -> int | None:
    return None if value is None else min(max(value, 0), LONGEST_INTERVAL // UNITS["s"])


_LEDGER = (
    "set", "name", "row_id", "timing_kind", "timing_id", "applied", "people", "path", "line", "column", "commit",
)  # fmt: skip
#: The defaults for columns of the ledger that cannot be read, in the same order.
_UNREAD = ("", "", None, "", None, "", "", "", 0, 0, "")


def _named(model: type[Model], using: str, only: str | None) -> Any:
    rows = rows_of(model, using)
    return rows if only is None else rows.filter(name=only)


def every_entry(using: str, only: str | None = None) -> list[Managed]:
    """Return the ledger's entries of all sets by name; with ``only``, a name, at most one."""
    return list(with_removals(using, _read_ledger(_named(ManagedSchedule, using, only)), only))


def entries_where(using: str, condition: Q) -> list[Managed]:
    """Return the ledger's entries of all sets that fit a condition, by name."""
    return list(with_removals(using, _read_ledger(rows_of(ManagedSchedule, using).filter(condition))))


def _ledger(using: str, set_name: str, only: str | None = None) -> tuple[dict[str, Managed], dict[str, str]]:
    ours: dict[str, Managed] = {}
    elsewhere: dict[str, str] = {}
    for managed in every_entry(using, only):
        if managed.set == set_name:
            ours[managed.name] = managed
        else:
            elsewhere[managed.name] = managed.set
    return ours, elsewhere


def _read_ledger(entries: Any) -> Iterator[Managed]:
    for values in read_values(entries.order_by("name"), _LEDGER):
        yield _managed(*(map(readable, values, _UNREAD) if isinstance(values, Damaged) else values))


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
        location=Location(path, line, column) if path and is_place(line, column) else None,
        people=people_in(people),
        timing_row=(timing_kind, timing_id) if timing_kind in TIMING_MODELS and timing_id is not None else None,
        commit=commit or None,
    )


def people_in(text: str) -> People:
    """Return the fields for people; nobody where somebody made their text unreadable."""
    # Many schedules have the same owner. A long text is not kept.
    return _read_people_once(text) if len(text) <= _LONGEST_KEPT else _read_people(text)


def _read_people(text: str) -> People:
    try:
        people = people_from(json.loads(text))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return NOBODY
    texts = (people.owner, people.runbook, people.disabled_reason, *(value for _, value in people.labels))
    return people if all(value is None or isinstance(value, str) for value in texts) else NOBODY


#: In characters.
_LONGEST_KEPT = 1000
_read_people_once = lru_cache(maxsize=1024)(_read_people)


def observe_pauses(using: str, only: str | None = None) -> dict[str, Paused]:
    """Read the pauses by name."""
    columns = ("name", "reason", "who", "since", "until", "held")
    rows = read_values(_named(Pause, using, only).order_by("name"), columns)
    return {pause.name: pause for pause in (Paused(*map(readable, values, _UNREAD_PAUSE)) for values in rows)}


#: The defaults for columns of a pause that cannot be read. Without an end, a pause lasts until somebody resumes it.
_UNREAD_PAUSE = ("", "", "", datetime(1970, 1, 1, tzinfo=timezone.utc), None, False)
