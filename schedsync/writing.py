"""Writes changes to the tables, in the caller's transaction: a fixed number of statements per batch.

Never a model's ``save()``: a whole row that was read earlier rolls back what Beat wrote since. The order is schedule
rows, tasks, ledger, audit record, and last of all the change row, whose lock stops Beat's tick while it is held.
"""

from __future__ import annotations

import json
import uuid
import zlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from django.db import connections
from django.db.models import Exists, F, Model, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Greatest
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    PeriodicTasks,
    SolarSchedule,
)

from schedsync.consequences import last_run_for
from schedsync.core.change import Change, Delete, Observed, Rename
from schedsync.core.location import Location
from schedsync.core.plan import change_document
from schedsync.core.safety import Binding
from schedsync.core.schedule import People, Schedule, Spec, canonical_json, differing, spec_text
from schedsync.core.timing import Crontab, Interval, Solar, Timing
from schedsync.models import ManagedSchedule, Pause, SyncRun
from schedsync.observe import KINDS, applied_at

BATCH = 1000
_TIMING_MODELS: Mapping[str, type[Model]] = {
    "interval": IntervalSchedule,
    "crontab": CrontabSchedule,
    "solar": SolarSchedule,
    "clocked": ClockedSchedule,
}
_COLUMNS = {"expires_after": "expire_seconds", "expires_at": "expires", "start_at": "start_time"}
TimingIds = Mapping[Timing, int]


@dataclass(frozen=True, slots=True)
class Writing:
    """All that one transaction writes, and what its audit record says."""

    using: str
    verb: str
    set: str
    binding: Binding
    checksum: str
    who: str
    now: datetime
    changes: tuple[Change, ...]
    forgotten: tuple[str, ...] = ()
    agreed: tuple[Schedule, ...] = ()
    documents: tuple[Mapping[str, Any], ...] = ()
    places: Mapping[str, tuple[Location, People]] | None = None
    run: uuid.UUID = field(default_factory=uuid.uuid4)


def lock_rows(using: str, ids: Collection[int]) -> None:
    """Lock the rows that will be written, always in the order of their ids; no-op where there is nothing to lock."""
    if not connections[using].features.has_select_for_update:
        return
    for some in _batches(sorted(ids)):
        rows = PeriodicTask.objects.using(using).select_for_update().filter(pk__in=some).order_by("pk")
        list(rows.values_list("pk"))


def write(writing: Writing, observed: Observed) -> bool:
    """Write all changes; returns whether the change row had to be made, which a running Beat then misses once."""
    using, now = writing.using, writing.now
    writes = [change for change in writing.changes if change.after is not None]
    timing_ids = _timing_ids(using, _new_timings(writes))
    _delete_tasks(using, [change.row.id for change in writing.changes if change.after is None and change.row])
    _free_names(using, writing.changes)
    _update_tasks(using, [change for change in writes if change.row], timing_ids, now)
    _create_tasks(using, [change for change in writes if not change.row], timing_ids, now)
    _write_ledger(writing, observed, timing_ids)
    _collect_orphans(using, _left_behind(writing.changes, observed))
    _follow_pauses(writing, observed)
    _record(writing)
    # A reload costs Beat as much as there are rows; what only our own tables learnt is none of its business.
    return bump(using, now) if writing.changes else False


def _new_timings(writes: Iterable[Change]) -> set[Timing]:
    return {
        change.after.timing
        for change in writes
        if change.after
        and (change.row is None or change.row.spec is None or change.row.spec.timing != change.after.timing)
    }


def _timing_ids(using: str, timings: Collection[Timing]) -> dict[Timing, int]:
    """Find or make the schedule rows; never by ``get_or_create``: duplicates are normal in these tables."""
    result: dict[Timing, int] = {}
    for kind, model in _TIMING_MODELS.items():
        wanted = {timing: timing_columns(timing) for timing in timings if timing.kind == kind}
        if not wanted:
            continue
        found = _existing(using, model, wanted)
        missing = [model(**columns) for timing, columns in wanted.items() if timing not in found]
        if missing:
            _rows(model, using).bulk_create(missing, batch_size=BATCH)
            found = _existing(using, model, wanted)
        result.update(found)
    return result


def _existing(using: str, model: type[Model], wanted: Mapping[Timing, Mapping[str, Any]]) -> dict[Timing, int]:
    names = list(next(iter(wanted.values())))
    rows = _rows(model, using).values_list("pk", *names).order_by("-pk")
    if "timezone" in names:
        # A zone that this host does not know must not keep us from reading the others.
        rows = rows.filter(timezone__in={columns["timezone"] for columns in wanted.values()})
    by_values = {tuple(map(str, values)): pk for pk, *values in rows.iterator(chunk_size=5000)}
    keys = ((timing, tuple(str(value) for value in columns.values())) for timing, columns in wanted.items())
    return {timing: by_values[key] for timing, key in keys if key in by_values}


def timing_columns(timing: Timing) -> dict[str, Any]:
    """Return the columns of the schedule row that stands for a timing."""
    if isinstance(timing, Crontab):
        return asdict(timing)
    if isinstance(timing, Interval):
        every, period = timing.every
        return {"every": every, "period": period}
    if isinstance(timing, Solar):
        return asdict(timing)
    return {"clocked_time": timing.at}


def insert(using: str, model: type[Model], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, each a mapping of the same columns; by COPY where the driver offers it, else in batches."""
    if not rows:
        return
    connection: Any = connections[using]
    if connection.vendor != "postgresql" or not hasattr(connection.Database, "Copy"):
        _rows(model, using).bulk_create([model(**columns) for columns in rows], batch_size=BATCH)
        return
    names = {field.attname: field.column for field in model._meta.concrete_fields}
    quoted = connection.ops.quote_name
    columns = ", ".join(quoted(names[name]) for name in rows[0])
    # Thirty times as fast as INSERT: a driver's own way, for the one statement whose time counts.
    statement = f"COPY {quoted(model._meta.db_table)} ({columns}) FROM STDIN"
    with connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(tuple(row.values()))


def task_columns(spec: Spec, names: Iterable[str], timing_ids: TimingIds) -> dict[str, Any]:
    """Return the columns of ``PeriodicTask`` for the named fields of a spec."""
    result: dict[str, Any] = {}
    for name in names:
        value = getattr(spec, name)
        if name == "timing":
            result |= {f"{kind}_id": timing_ids[value] if kind == value.kind else None for kind in KINDS}
        elif name in ("args", "kwargs", "headers"):
            result[name] = value if len(value) <= 2 else _readable(value)
        else:
            result[_COLUMNS.get(name, name)] = value
    return result


@lru_cache(maxsize=4096)
def _readable(text: str) -> str:
    """Return JSON as people meet it in the admin, with white space."""
    return json.dumps(json.loads(text))


def _delete_tasks(using: str, ids: Sequence[int]) -> None:
    for some in _batches(ids):
        rows = PeriodicTask.objects.using(using).filter(pk__in=some)
        if _foreign_references(PeriodicTask):
            rows.delete()
        else:
            # ``delete()`` bumps the change row once for each row, by signal.
            rows._raw_delete(using)


def _foreign_references(model: type[Model]) -> list[Any]:
    return [relation for relation in model._meta.related_objects if relation.field.model._meta.managed]


def _free_names(using: str, changes: Iterable[Change]) -> None:
    """Move names out of the way that one rename frees and another takes: a swap would stumble over itself."""
    renames = [change for change in changes if isinstance(change, Rename) and change.row]
    takers = {change.name.casefold(): change for change in renames}
    stuck = [
        PeriodicTask(pk=change.row.id, name=f"schedsync rename {change.row.id}")
        for change in renames
        if change.row and takers.get(change.old_name.casefold(), change) is not change
    ]
    PeriodicTask.objects.using(using).bulk_update(stuck, ["name"], batch_size=BATCH // 2)


def _update_tasks(using: str, changes: Iterable[Change], timing_ids: TimingIds, now: datetime) -> None:
    groups: dict[tuple[str, ...], list[PeriodicTask]] = defaultdict(list)
    for change in changes:
        columns = _changed_columns(change, timing_ids, now)
        if columns and change.row:
            groups[tuple(sorted(columns))].append(PeriodicTask(pk=change.row.id, **columns))
    for names, rows in groups.items():
        PeriodicTask.objects.using(using).bulk_update(rows, names, batch_size=BATCH // 2)


def _changed_columns(change: Change, timing_ids: TimingIds, now: datetime) -> dict[str, Any]:
    row, after = change.row, change.after
    if row is None or after is None:
        return {}
    names = Spec.__match_args__ if row.spec is None else differing(row.spec, after)
    columns = task_columns(after, names, timing_ids)
    if row.name != change.name:
        columns["name"] = change.name
    if change.rearm:
        columns["total_run_count"] = 0
    last_run = last_run_for(change, now)
    if last_run is not None:
        columns |= {"last_run_at": last_run, "date_changed": now}
    return columns


def _create_tasks(using: str, changes: Sequence[Change], timing_ids: TimingIds, now: datetime) -> None:
    insert(
        using, PeriodicTask, [_new_columns(change, change.after, timing_ids, now) for change in changes if change.after]
    )


def _new_columns(change: Change, after: Spec, timing_ids: TimingIds, now: datetime) -> dict[str, Any]:
    columns = task_columns(after, Spec.__match_args__, timing_ids)
    runtime = {"last_run_at": last_run_for(change, now), "total_run_count": 0, "date_changed": now}
    return {"name": change.name} | columns | runtime


def _write_ledger(writing: Writing, observed: Observed, timing_ids: TimingIds) -> None:
    entries = [change for change in writing.changes if change.ledger is not None]
    gone = {change.name for change in writing.changes if isinstance(change, Delete)} | set(writing.forgotten)
    gone |= {change.old_name for change in writing.changes if isinstance(change, Rename)}
    gone |= {change.name for change in entries}
    # While a human holds a schedule, or it is paused, their edit stays the last word on it.
    stopped = [one.name for one in entries if one.after and one.ledger and one.after.enabled != one.ledger.enabled]
    since = applied_at(writing.using, stopped) if stopped else {}
    ledger = ManagedSchedule.objects.using(writing.using)
    for some in _batches(sorted(gone)):
        ledger.filter(name__in=some).delete()
    ids = _row_ids(writing.using, [change.name for change in entries])
    rows = [_ledger_row(writing, since.get(change.name), change, ids[change.name], timing_ids) for change in entries]
    insert(writing.using, ManagedSchedule, rows)
    _agree(writing)
    _refresh_places(writing, observed, {change.name for change in entries} | gone)


def _agree(writing: Writing) -> None:
    """Remember what the files say of rows that hold it already."""
    said = {schedule.name: spec_text(schedule.spec) for schedule in writing.agreed}
    rows = ManagedSchedule.objects.using(writing.using)
    for some in _batches(sorted(said)):
        found = list(rows.filter(name__in=some, set=writing.set).only("pk", "name"))
        for row in found:
            row.applied, row.applied_at, row.commit = said[row.name], writing.now, writing.binding.commit or ""
        rows.bulk_update(found, ["applied", "applied_at", "commit"], batch_size=BATCH // 2)


def _row_ids(using: str, names: Sequence[str]) -> dict[str, int]:
    result: dict[str, int] = {}
    for some in _batches(names):
        result.update(PeriodicTask.objects.using(using).filter(name__in=some).values_list("name", "pk"))
    return result


def _ledger_row(
    writing: Writing, since: datetime | None, change: Change, row_id: int, timing_ids: TimingIds
) -> dict[str, Any]:
    after, remembered = change.after, change.ledger
    if after is None or remembered is None:
        raise TypeError("a delete leaves no ledger entry")
    kept = change.row.timing_row if change.row and change.row.spec and after.timing not in timing_ids else None
    kind, timing_id = kept or (after.timing.kind, timing_ids[after.timing])
    return {
        "set": writing.set,
        "name": change.name,
        "row_id": row_id,
        "timing_kind": kind,
        "timing_id": timing_id,
        "applied": spec_text(remembered),
        "commit": writing.binding.commit or "",
        "applied_at": since or writing.now,
    } | _place_columns(change.location, change.people)


def _place_columns(location: Location | None, people: People) -> dict[str, Any]:
    path, line, column = location or ("", 0, 0)
    said = {"owner": people.owner, "runbook": people.runbook, "disabled_reason": people.disabled_reason}
    return {
        "path": path,
        "line": line,
        "column": column,
        "people": canonical_json(said | {"labels": dict(people.labels)}),
    }


def _refresh_places(writing: Writing, observed: Observed, written: Collection[str]) -> None:
    moved = {
        name: place
        for name, place in (writing.places or {}).items()
        if name not in written and (known := observed.ledger.get(name)) and (known.location, known.people) != place
    }
    rows = ManagedSchedule.objects.using(writing.using)
    for some in _batches(sorted(moved)):
        stale = list(rows.filter(name__in=some).only("pk", "name"))
        for row in stale:
            for column, value in _place_columns(*moved[row.name]).items():
                setattr(row, column, value)
        rows.bulk_update(stale, ["path", "line", "column", "people"], batch_size=BATCH // 2)


def _left_behind(changes: Iterable[Change], observed: Observed) -> dict[str, set[int]]:
    """Return the schedule rows, by kind, that our changes took a task away from.

    Not those of enabled one-offs, nor of what has an end: when Beat is done with such a row it saves its own copy,
    whole, and one that refers to nothing would stop it (``ModelEntry.is_due`` in django_celery_beat/schedulers.py).
    """
    result: dict[str, set[int]] = defaultdict(set)
    for change in changes:
        if change.row and change.row.spec and _may_be_saved_whole(change.row.spec):
            continue
        known = observed.ledger.get(change.name)
        for timing_row in (change.row and change.row.timing_row, known and known.timing_row):
            if timing_row and _leaves(change):
                result[timing_row[0]].add(timing_row[1])
    return result


def _may_be_saved_whole(spec: Spec) -> bool:
    return spec.enabled and (spec.one_off or spec.expires_at is not None)


def _leaves(change: Change) -> bool:
    if change.after is None or change.row is None or change.row.spec is None:
        return True
    return change.row.spec.timing != change.after.timing


def _collect_orphans(using: str, candidates: Mapping[str, Collection[int]]) -> None:
    for kind, ids in candidates.items():
        collect_orphans(using, kind, ids)


def collect_orphans(using: str, kind: str, ids: Collection[int]) -> None:
    """Delete those of the schedule rows to which nothing at all refers, neither a task nor another app's table."""
    model = _TIMING_MODELS[kind]
    for some in _batches(sorted(ids)):
        unreferenced_rows(using, model).filter(pk__in=some)._raw_delete(using)


def unreferenced_rows(using: str, model: type[Model]) -> QuerySet[Any]:
    """Return the rows of a model to which no foreign key of any installed model refers."""
    referred = Q()
    for relation in model._meta.related_objects:
        column = relation.field.attname
        others = relation.field.model._base_manager.using(using).filter(**{column: OuterRef("pk")})
        referred |= Q(Exists(others))
    rows = _rows(model, using)
    return rows.filter(~referred) if referred else rows


def timing_models() -> Mapping[str, type[Model]]:
    """Return the models of the schedule rows by kind."""
    return _TIMING_MODELS


def _follow_pauses(writing: Writing, observed: Observed) -> None:
    """Let pauses follow renames, and end with their schedule, or with their time where the schedule runs again."""
    renamed = {change.old_name: change.name for change in writing.changes if isinstance(change, Rename)}
    over = {change.name for change in writing.changes if isinstance(change, Delete)} | set(writing.forgotten)
    over |= {name for name in observed.pauses if _is_over(name, writing, observed)}
    moved = [name for name in observed.pauses if name in renamed and name not in over]
    pauses = Pause.objects.using(writing.using)
    followers = list(pauses.filter(name__in=moved)) if moved else []
    leaving = over.union(moved, (renamed[name] for name in moved)) & (set(observed.pauses) | set(renamed.values()))
    for some in _batches(sorted(leaving)):
        pauses.filter(name__in=some).delete()
    for pause in followers:
        pause.pk, pause.name = None, renamed[pause.name]
    pauses.bulk_create(followers, batch_size=BATCH)


def _is_over(name: str, writing: Writing, observed: Observed) -> bool:
    """Say whether a pause's time is over, and its row holds by now what it held before the pause."""
    if not observed.pauses[name].ended(writing.now):
        return False
    change = next((change for change in writing.changes if change.name == name), None)
    if change is not None:
        return change.after is not None and change.ledger is not None and change.after.enabled == change.ledger.enabled
    row, managed = observed.rows.get(name), observed.ledger.get(name)
    return row is None or row.spec is None or managed is None or row.spec.enabled == managed.spec.enabled


def _record(writing: Writing) -> None:
    documents = list(writing.documents) or [change_document(change) for change in writing.changes]
    counts: dict[str, int] = defaultdict(int)
    for change in writing.changes:
        counts[change.kind] += 1
    binding = writing.binding
    SyncRun.objects.using(writing.using).create(
        id=writing.run,
        verb=writing.verb,
        set=writing.set,
        environment=binding.environment,
        repository=binding.repository,
        path=binding.path,
        commit=binding.commit,
        checksum=writing.checksum,
        who=writing.who,
        at=writing.now,
        summary=canonical_json(counts),
        changes=zlib.compress(json.dumps(documents).encode(), 1),
    )


def bump(using: str, now: datetime) -> bool:
    """Tell Beat, by a time that is later than the one before even where a clock lags; returns whether the row is new.

    Beat reloads only where ``last_update`` is greater than what it saw (``schedule_changed`` in
    django_celery_beat/schedulers.py).
    """
    rows = PeriodicTasks.objects.using(using)
    later = Greatest(Value(now), F("last_update") + timedelta(microseconds=1))
    if rows.filter(ident=1).update(last_update=later):
        return False
    rows.create(ident=1, last_update=now)
    return True


def _rows(model: type[Model], using: str) -> QuerySet[Any]:
    rows: QuerySet[Any] = model._default_manager.using(using)
    return rows


def _batches(values: Sequence[Any] | list[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(values), BATCH):
        yield values[start : start + BATCH]
