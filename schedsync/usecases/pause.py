"""What an operator does to one schedule, now: pause and resume. Git does not overrule either."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Exists
from django_celery_beat.models import PeriodicTask

from schedsync.core.observed import Managed, Observed, Paused, Row
from schedsync.database.actor import who
from schedsync.database.clock import now
from schedsync.database.faults import database_errors
from schedsync.database.lock_wait import wait_for_lock
from schedsync.database.pauses import enable_row, operate, why_done
from schedsync.database.transaction import Waiting
from schedsync.database.write import bump
from schedsync.errors import Failed, NotConfirmed, WrongUsage
from schedsync.models import Pause


def pause(using: str, name: str, reason: str, span: timedelta | None, waiting: Waiting) -> Paused:
    """Stop a managed schedule; ``span`` is for how long, None until it is resumed. Returns the pause.

    A second pause of the same schedule replaces the first. Raises WrongUsage where the name is not managed,
    NotConfirmed where something enables the row again, Locked where another apply holds the lock for too long.
    """
    if not reason.strip():
        raise WrongUsage("a pause has a reason", hint="give `--reason TEXT`")

    def write(row: Row, observed: Observed, at: datetime) -> Paused:
        until = None if span is None else at + span
        before = observed.pauses.get(name)
        held = before.was_held if before else _is_held(row, observed.ledger[name])
        values = {"reason": reason, "who": who(), "since": at, "until": until, "held": held}
        Pause.objects.using(using).update_or_create(name=name, defaults=values)
        PeriodicTask.objects.using(using).filter(pk=row.id, enabled=True).update(enabled=False)
        return Paused(name, reason, who(), at, until, held)

    paused = wait_for_lock(lambda: operate(using, "pause", name, write), waiting.lock, waiting.sleep)
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


def resume(using: str, name: str, waiting: Waiting) -> bool:
    """Let a paused or held schedule run again; returns whether it does, or Git has it disabled.

    Nothing fires for a slot of the past. Raises Failed where it is neither paused nor held, Locked where another apply
    holds the lock for too long.
    """

    def write(row: Row, observed: Observed, at: datetime) -> bool:
        wanted = observed.ledger[name].spec.enabled
        ended, _ = Pause.objects.using(using).filter(name=name).delete()
        stopped = row.spec is None or not row.spec.enabled
        done = why_done(row, at, paused=bool(ended))
        if not ended and (done or not (wanted and stopped)):
            hint = done or (None if wanted else "Git has it disabled; enable it in the files")
            raise Failed(f"`{name}` is neither paused nor held", hint=hint)
        runs = wanted and not done
        if runs and stopped:
            enable_row(using, row, at)
        return runs

    return wait_for_lock(lambda: operate(using, "resume", name, write), waiting.lock, waiting.sleep)
