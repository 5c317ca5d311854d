"""Writes to the schedules that a selector chooses, all in one transaction behind the apply lock.

The number of statements grows with batches, never with each schedule.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, TypeVar

from django.db import transaction
from django.db.models import Exists, OuterRef
from django_celery_beat.models import PeriodicTask

from schedsync.calendar.stock_beat import guard
from schedsync.core.observed import Observed, Paused, Row
from schedsync.core.selector import Candidate
from schedsync.database import audit
from schedsync.database.actor import who
from schedsync.database.bulk import BATCH, batches, insert, rows_of
from schedsync.database.candidates import candidates
from schedsync.database.clock import now
from schedsync.database.environment import require_no_other
from schedsync.database.faults import database_errors
from schedsync.database.lock import lock_rows, take
from schedsync.database.notify import bump
from schedsync.database.observe import observe_entries
from schedsync.database.pauses import pause_columns
from schedsync.database.removals import with_removals
from schedsync.database.standing import forget_ended, read_standing
from schedsync.models import ManagedSchedule, Pause

T = TypeVar("T")


def change_selected(
    using: str,
    choose: Callable[[Sequence[Candidate]], Collection[str]],
    write: Callable[[Observed, Sequence[Candidate], str, datetime], T],
    environment: str | None,
) -> T:
    """Call ``write`` for the schedules whose names ``choose`` returns, behind the apply lock; then Beat is told.

    Both get all managed schedules; ``write`` also gets who is at work, and the time. Raises Refused where the database
    belongs to another environment than ``environment``, or than this process names where that is None.
    """
    at, actor = now(), who()
    with database_errors(using), transaction.atomic(using=using, durable=True):
        take(using, actor, at)
        require_no_other(using, environment)
        managed = [candidate for candidate in candidates(using) if candidate.set is not None]
        names = choose(managed)
        lock_rows(using, row_ids(using, names))
        observed = replace(_with_removals(using, observe_names(using, names)), standing=tuple(read_standing(using)))
        forget_ended(using, at)
        result = write(observed, managed, actor, at)
        bump(using, at)
    return result


def row_ids(using: str, names: Collection[str]) -> set[int]:
    """Return the ids of the rows with these names, and with names that the database takes for them."""
    rows = rows_of(PeriodicTask, using)
    return {pk for batch in batches(sorted(names)) for pk in rows.filter(name__in=batch).values_list("pk", flat=True)}


def observe_names(using: str, names: Collection[str]) -> Observed:
    """Read the ledger's entries of these names with their rows, and all pauses."""
    entries = rows_of(ManagedSchedule, using)
    ids = {
        pk
        for batch in batches(sorted(names))
        for pk, name in entries.filter(name__in=batch).values_list("pk", "name")
        # The database may take other names for these.
        if name in names
    }
    return observe_entries(using, ids)


def _with_removals(using: str, observed: Observed) -> Observed:
    entries = with_removals(using, observed.ledger.values())
    return replace(observed, ledger={managed.name: managed for managed in entries})


def name_for_database(using: str, name: str) -> str | None:
    """Return the managed name that this database takes for one with ``name``, None without."""
    found: str | None = rows_of(ManagedSchedule, using).filter(name=name).values_list("name", flat=True).first()
    return found


def write_pauses(using: str, pauses: Sequence[Paused], rows: Iterable[Row]) -> None:
    """Write pauses in place of those with the same names, and disable their rows."""
    delete_pauses(using, [pause.name for pause in pauses])
    insert(using, Pause, [pause_columns(pause) for pause in pauses])
    tasks = rows_of(PeriodicTask, using).filter(enabled=True)
    for batch in batches(sorted(row.id for row in rows)):
        tasks.filter(pk__in=batch).update(enabled=False)


def delete_pauses(using: str, names: Collection[str]) -> None:
    """Delete the pauses of schedules."""
    for batch in batches(sorted(names)):
        rows_of(Pause, using).filter(name__in=batch).delete()


def enable_rows(using: str, rows: Sequence[Row], at: datetime) -> None:
    """Enable rows, and set the last run of those that would otherwise fire for a slot in the past."""
    moved = []
    for row in rows:
        last_run = row.spec and guard(replace(row.spec, enabled=True), row, at)
        if last_run is not None:
            moved.append(PeriodicTask(pk=row.id, last_run_at=last_run, date_changed=at))
    tasks = rows_of(PeriodicTask, using)
    tasks.bulk_update(moved, ["last_run_at", "date_changed"], batch_size=BATCH // 2)
    for batch in batches(sorted(row.id for row in rows)):
        tasks.filter(pk__in=batch).update(enabled=True)


def enable_rows_to_catch_up(using: str, rows: Sequence[Row], at: datetime) -> None:
    """Enable rows so that the ticks of the time in which they were disabled count as missed.

    Beat lets a row that somebody else has enabled count from now. The time of the last apply tells it that this edit is
    ours.
    """
    for batch in batches(sorted(row.id for row in rows)):
        rows_of(PeriodicTask, using).filter(pk__in=batch).update(enabled=True)
    for batch in batches(sorted(row.name for row in rows)):
        rows_of(ManagedSchedule, using).filter(name__in=batch).update(applied_at=at)


def enabled_again(using: str, names: Collection[str]) -> dict[str, int]:
    """Return the ids of paused rows that are enabled although their pause lasts, by name."""
    lasts = Exists(rows_of(Pause, using).filter(name=OuterRef("name")))
    rows = rows_of(PeriodicTask, using).filter(lasts, enabled=True)
    found: dict[str, int] = {}
    for batch in batches(sorted(names)):
        found.update(rows.filter(name__in=batch).values_list("name", "pk"))
    return found


def disable_again(using: str, ids: Collection[int]) -> None:
    """Disable rows, and tell Beat, in a transaction of its own."""
    with transaction.atomic(using=using, durable=True):
        for batch in batches(sorted(ids)):
            rows_of(PeriodicTask, using).filter(pk__in=batch).update(enabled=False)
        bump(using, now())


def record_selected(
    using: str,
    verb: str,
    sets: Mapping[str, str],
    actor: str,
    at: datetime,
    documents: Mapping[str, Mapping[str, Any]],
    reason: str | None = None,
) -> None:
    """Write one audit record for each set; ``documents`` say what was done to each schedule, ``sets`` its set."""
    by_set: dict[str, list[dict[str, Any]]] = {}
    for name, document in documents.items():
        by_set.setdefault(sets[name], []).append({"kind": verb, "name": name, **document})
    for set_name, changes in by_set.items():
        packed = audit.packed(changes)
        audit.record(using, verb, set_name, actor, at, {verb: len(changes)}, changes=packed, reason=reason)
