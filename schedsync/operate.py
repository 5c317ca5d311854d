"""What an operator does to one schedule, now: pause and resume. Git does not overrule either."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar

from django.db import transaction
from django.db.models import Exists
from django_celery_beat.models import PeriodicTask

from schedsync.apply import Waiting, now
from schedsync.core.change import Managed, Observed, Paused
from schedsync.core.finding import did_you_mean
from schedsync.core.schedule import Row, completed_at
from schedsync.core.timing import Clocked
from schedsync.errors import Failed, NotConfirmed, WrongUsage
from schedsync.forecast import guard
from schedsync.lock import database_errors, take
from schedsync.models import ManagedSchedule, Pause, SyncRun
from schedsync.observe import observe
from schedsync.surroundings import who
from schedsync.transactions import bounded
from schedsync.writing import bump, lock_rows

T = TypeVar("T")


def pause(using: str, name: str, reason: str, span: timedelta | None, waiting: Waiting) -> Paused:
    """Stop a managed schedule; ``span`` is for how long, None until it is resumed. Returns the pause.

    A second pause of the same schedule replaces the first. Raises WrongUsage where the name is not managed,
    NotConfirmed where something enables the row again.
    """
    if not reason.strip():
        raise WrongUsage("a pause has a reason", hint="give `--reason TEXT`; whoever looks at it later will ask")

    def write(row: Row, observed: Observed, at: datetime) -> Paused:
        until = None if span is None else at + span
        before = observed.pauses.get(name)
        held = before.held if before else _is_held(row, observed.ledger[name])
        values = {"reason": reason, "who": who(), "since": at, "until": until, "held": held}
        Pause.objects.using(using).update_or_create(name=name, defaults=values)
        PeriodicTask.objects.using(using).filter(pk=row.id, enabled=True).update(enabled=False)
        return Paused(name, reason, who(), at, until, held)

    paused = _operate(using, "pause", name, write)
    _hold(using, name, waiting)
    return paused


def _is_held(row: Row, managed: Managed) -> bool:
    return managed.spec.enabled and row.spec is not None and not row.spec.enabled


def _hold(using: str, name: str, waiting: Waiting) -> None:
    """Read back after a poll of Beat, which can undo the pause with a stale row just as it can an apply.

    A pause that has ended meanwhile, by its time or by somebody's `resume`, is not undone but over.
    """
    if waiting.settle > 0:
        waiting.say(f"paused; waiting {waiting.settle:g} s for a poll of Beat, to see that it holds")
        waiting.sleep(waiting.settle)
    lasts = Exists(Pause.objects.using(using).filter(name=name))
    undone = PeriodicTask.objects.using(using).filter(lasts, name=name, enabled=True)
    with database_errors(using):
        if not undone.exists():
            return
        with transaction.atomic(using=using, durable=True):
            undone.update(enabled=False)
            bump(using, now())
        if undone.exists():
            raise NotConfirmed([name])


def resume(using: str, name: str) -> bool:
    """Let a paused or held schedule run again; returns whether it does, or Git has it disabled.

    Nothing fires for a slot of the past. Raises Failed where it is neither paused nor held.
    """

    def write(row: Row, observed: Observed, at: datetime) -> bool:
        wanted = observed.ledger[name].spec.enabled
        ended, _ = Pause.objects.using(using).filter(name=name).delete()
        stopped = row.spec is None or not row.spec.enabled
        done = _why_done(row, at, paused=bool(ended))
        if not ended and (done or not (wanted and stopped)):
            hint = done or (None if wanted else "Git has it disabled; enable it in the files")
            raise Failed(f"`{name}` is neither paused nor held", hint=hint)
        runs = wanted and not done
        if runs and stopped:
            _enable(using, row, at)
        return runs

    return _operate(using, "resume", name, write)


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
        _operate(using, "resume", name, partial(_end, using, name), limit)
    else:
        Pause.objects.using(using).filter(name=name, until__lte=now()).delete()


def _end(using: str, name: str, row: Row, observed: Observed, at: datetime) -> None:
    paused = observed.pauses.get(name)
    if paused is None or not paused.ended(at):
        return
    Pause.objects.using(using).filter(name=name).delete()
    stopped = row.spec is None or not row.spec.enabled
    if stopped and not paused.held and observed.ledger[name].spec.enabled and not _why_done(row, at, paused=True):
        _enable(using, row, at)


def _why_done(row: Row, at: datetime, *, paused: bool) -> str | None:
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


def _enable(using: str, row: Row, at: datetime) -> None:
    columns: dict[str, object] = {"enabled": True}
    if row.spec is not None and (last_run := guard(replace(row.spec, enabled=True), row, at)):
        columns |= {"last_run_at": last_run, "date_changed": at}
    PeriodicTask.objects.using(using).filter(pk=row.id).update(**columns)


def _operate(
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
