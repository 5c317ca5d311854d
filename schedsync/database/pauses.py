"""Writes about one paused or held schedule, each in one transaction behind the apply lock."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from django.db import transaction
from django_celery_beat.models import PeriodicTask

from schedsync.calendar.stock_beat import guard
from schedsync.core.finding import did_you_mean
from schedsync.core.observed import Observed, Row
from schedsync.core.schedule import completed_at
from schedsync.core.timing import Clocked
from schedsync.database.actor import who
from schedsync.database.bounded import bounded
from schedsync.database.clock import now
from schedsync.database.faults import database_errors
from schedsync.database.lock import take
from schedsync.database.observe import observe
from schedsync.database.write import bump, lock_rows
from schedsync.errors import Failed, WrongUsage
from schedsync.models import ManagedSchedule, Pause, SyncRun


def pauses_over(using: str) -> list[str]:
    """Return the names whose pause has reached its end, the first one first."""
    over = Pause.objects.using(using).filter(until__lte=now()).order_by("until", "name")
    return list(over.values_list("name", flat=True))


def end_pause(using: str, name: str, limit: timedelta) -> None:
    """End a pause whose time is over, in a transaction that is bounded by ``limit``.

    What Git has disabled, and what a human had disabled before, stays so; of a schedule that is gone only the pause is
    deleted. Raises Locked while an apply is running, or somebody has locked the row.
    """
    is_managed = ManagedSchedule.objects.using(using).filter(name=name).exists()
    if is_managed and PeriodicTask.objects.using(using).filter(name=name).exists():
        operate(using, "resume", name, partial(_end, using, name), limit)
    else:
        Pause.objects.using(using).filter(name=name, until__lte=now()).delete()


def _end(using: str, name: str, row: Row, observed: Observed, at: datetime) -> None:
    paused = observed.pauses.get(name)
    if paused is None or not paused.ended(at):
        return
    Pause.objects.using(using).filter(name=name).delete()
    stopped = row.spec is None or not row.spec.enabled
    if stopped and not paused.held and observed.ledger[name].spec.enabled and not why_done(row, at, paused=True):
        enable_row(using, row, at)


def why_done(row: Row, at: datetime, *, paused: bool) -> str | None:
    """Say why a row must not be enabled: nothing lies ahead of it, or Beat would stop at it."""
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
    """Enable a row, with the guard that keeps it from firing for a slot of the past."""
    columns: dict[str, object] = {"enabled": True}
    if row.spec is not None and (last_run := guard(replace(row.spec, enabled=True), row, at)):
        columns |= {"last_run_at": last_run, "date_changed": at}
    PeriodicTask.objects.using(using).filter(pk=row.id).update(**columns)


def operate(
    using: str,
    verb: str,
    name: str,
    write: Callable[[Row, Observed, datetime], T],
    limit: timedelta | None = None,
) -> T:
    """Run one write behind the apply lock, with its audit record, and tell Beat."""
    at = now()
    begun = transaction.atomic(using=using, durable=True) if limit is None else bounded(using, limit)
    with database_errors(using), begun:
        take(using, who(), at)
        set_name = _set_of(using, name)
        observed = observe(using, set_name, only=name)
        row = observed.rows.get(name)
        if row is None:
            raise Failed(f"`{name}` is managed, but its row is gone", hint="`schedsync apply` makes it again")
        lock_rows(using, {row.id})
        result = write(row, observed, at)
        SyncRun.objects.using(using).create(
            id=uuid.uuid4(), verb=verb, set=set_name, who=who(), at=at, summary=f'{{"{verb}":1}}'
        )
        bump(using, at)
    return result


def _set_of(using: str, name: str) -> str:
    managed: str | None = ManagedSchedule.objects.using(using).filter(name=name).values_list("set", flat=True).first()
    if managed is None:
        names = ManagedSchedule.objects.using(using).values_list("name", flat=True)[:10_000]
        hint = did_you_mean(name, names) or "only what a set manages can be paused or resumed"
        raise WrongUsage(f"`{name}` is not managed", hint=hint)
    return managed


T = TypeVar("T")
