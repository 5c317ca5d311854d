"""Writes to one paused or held schedule, each in one transaction behind the apply lock; and pauses during an apply."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from django.db import transaction
from django_celery_beat.models import PeriodicTask

from schedsync.calendar.stock_beat import guard
from schedsync.core.change import Rename
from schedsync.core.finding import did_you_mean
from schedsync.core.observed import Observed, Paused, Row
from schedsync.core.schedule import completed_at
from schedsync.core.timing import Clocked
from schedsync.database import audit
from schedsync.database.actor import who
from schedsync.database.bounded import bounded
from schedsync.database.bulk import BATCH, batches, insert
from schedsync.database.clock import now
from schedsync.database.environment import require_no_other
from schedsync.database.faults import database_errors
from schedsync.database.ledger import names_given_up
from schedsync.database.lock import lock_rows, take
from schedsync.database.notify import bump
from schedsync.database.observe import observe
from schedsync.database.standing import end_standing, forget_ended
from schedsync.database.write_request import WriteRequest
from schedsync.errors import Failed, WrongUsage
from schedsync.models import ManagedSchedule, Pause

T = TypeVar("T")


def pauses_over(using: str) -> list[str]:
    """Return the names of the schedules whose pause has reached its end, the earliest end first."""
    over = Pause.objects.using(using).filter(until__lte=now()).order_by("until", "name")
    return list(over.values_list("name", flat=True))


def end_pause(using: str, name: str, limit: timedelta) -> None:
    """End a pause that has reached its end, in a transaction that the server ends after ``limit`` without a statement.

    The row stays disabled where Git has it disabled, and where a human had disabled it before the pause. If the
    schedule no longer exists, only the pause is deleted. Raises Locked while an apply is running, or somebody has
    locked the row.
    """
    is_managed = ManagedSchedule.objects.using(using).filter(name=name).exists()
    if is_managed and PeriodicTask.objects.using(using).filter(name=name).exists():
        change_schedule(using, "resume", name, partial(_end, using, name), limit)
    else:
        Pause.objects.using(using).filter(name=name, until__lte=now()).delete()


def _end(using: str, name: str, row: Row, observed: Observed, at: datetime) -> None:
    paused = observed.pauses.get(name)
    if paused is None or not paused.ended(at):
        return
    Pause.objects.using(using).filter(name=name).delete()
    forget_ended(using, at)
    stopped = row.spec is None or not row.spec.enabled
    if stopped and not paused.was_held and observed.ledger[name].was_enabled and not why_done(row, at, paused=True):
        enable_row(using, row, at)


def why_done(row: Row, at: datetime, *, paused: bool) -> str | None:
    """Return why a row must not be enabled, as text for a hint: it has no run left, or Beat would stop at it."""
    if row.spec is None or row.problems:
        return "its row is broken; `schedsync apply` writes it again"
    if completed_at(row.spec, at):
        return "its time has passed"
    if not row.spec.one_off or (isinstance(row.spec.timing, Clocked) and row.spec.timing.at > at):
        return None
    if row.spec.start_at is not None and row.spec.start_at > at:
        return None
    return "it runs once, and has run" if row.total_run_count or not paused else None


def enable_row(using: str, row: Row, at: datetime) -> None:
    """Enable a row, and set its last run where it would otherwise fire for a slot in the past."""
    columns: dict[str, object] = {"enabled": True}
    if row.spec is not None and (last_run := guard(replace(row.spec, enabled=True), row, at)):
        columns |= {"last_run_at": last_run, "date_changed": at}
    PeriodicTask.objects.using(using).filter(pk=row.id).update(**columns)


def enable_to_catch_up(using: str, row: Row, at: datetime) -> None:
    """Enable a row so that the ticks of the time in which it was disabled count as missed.

    Beat lets a row that somebody else has enabled count from now. The time of the last apply tells it that this edit is
    ours.
    """
    PeriodicTask.objects.using(using).filter(pk=row.id).update(enabled=True)
    ManagedSchedule.objects.using(using).filter(name=row.name).update(applied_at=at)


def change_schedule(
    using: str,
    verb: str,
    name: str,
    write: Callable[[Row, Observed, datetime], T],
    limit: timedelta | None = None,
    environment: str | None = None,
) -> T:
    """Call ``write`` for one managed schedule behind the apply lock, record it, and tell Beat; returns its result.

    Raises Refused where the database belongs to another environment than ``environment``, or than this process names
    where that is None. With ``limit`` the server ends the transaction if we send no statement for that long.
    """
    at, actor = now(), who()
    begun = transaction.atomic(using=using, durable=True) if limit is None else bounded(using, limit)
    with database_errors(using), begun:
        take(using, actor, at)
        require_no_other(using, environment)
        set_name = _set_of(using, name)
        observed = observe(using, set_name, only=name)
        row = observed.rows.get(name)
        if row is None:
            raise Failed(f"`{name}` is managed, but its row is gone", hint="`schedsync apply` makes it again")
        lock_rows(using, {row.id})
        result = write(row, observed, at)
        packed = audit.packed([{"kind": verb, "name": name}])
        audit.record(using, verb, set_name, actor, at, {verb: 1}, changes=packed)
        bump(using, at)
    return result


def _set_of(using: str, name: str) -> str:
    rows = ManagedSchedule.objects.using(using)
    # The database may take other names for this one.
    sets = dict(rows.filter(name=name).values_list("name", "set"))
    if name in sets:
        return str(sets[name])
    if sets:
        other = next(iter(sets))
        raise WrongUsage(
            f"`{name}` is not managed; `{other}` is, which this database takes for one name with it",
            hint=f"give `{other}`",
        )
    names = rows.values_list("name", flat=True)[:10_000]
    hint = did_you_mean(name, names) or "only schedules that a set manages can be paused or resumed"
    raise WrongUsage(f"`{name}` is not managed", hint=hint)


def follow_changes(request: WriteRequest, observed: Observed) -> None:
    """Rename pauses with their schedules, and delete those that are over or have lost their schedule.

    Schedules that come under a standing pause get theirs.
    """
    end_standing(request.using, [pause for pause in observed.standing if pause.ended(request.now)])
    renamed = {change.old_name: change.name for change in request.changes if isinstance(change, Rename)}
    over = names_given_up(request) | _names_over(request, observed)
    moving = {old: new for old, new in renamed.items() if old in observed.pauses and old not in over}
    pauses = Pause.objects.using(request.using)
    moved = list(pauses.filter(name__in=list(moving))) if moving else []
    new = {pause.name for pause in request.joined}
    for batch in batches(sorted((over & observed.pauses.keys()) | moving.keys() | set(moving.values()) | new)):
        pauses.filter(name__in=batch).delete()
    for pause in moved:
        pause.pk, pause.name = None, moving[pause.name]
    pauses.bulk_create(moved, batch_size=BATCH)
    insert(request.using, Pause, [pause_columns(pause) for pause in request.joined])


def pause_columns(pause: Paused) -> dict[str, object]:
    """Return the columns of a pause."""
    return {
        "name": pause.name,
        "reason": pause.reason,
        "who": pause.who,
        "since": pause.since,
        "until": pause.until,
        "held": pause.was_held,
    }


def _names_over(request: WriteRequest, observed: Observed) -> set[str]:
    """Return the names whose pause has ended, and whose row is by now as it was before the pause."""
    ended = [pause for pause in observed.pauses.values() if pause.ended(request.now)]
    return {pause.name for pause in ended if pause.was_held or _is_as_applied(pause, request, observed)}


def _is_as_applied(pause: Paused, request: WriteRequest, observed: Observed) -> bool:
    """Say whether a row, after this request, has the ``enabled`` of the files; true where nothing can be compared."""
    change = next((change for change in request.changes if change.name == pause.name), None)
    if change is not None:
        return change.after is not None and change.ledger is not None and change.after.enabled == change.ledger.enabled
    row, managed = observed.rows.get(pause.name), observed.ledger.get(pause.name)
    return row is None or row.spec is None or managed is None or row.spec.enabled == managed.was_enabled
