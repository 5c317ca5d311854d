"""The two things that an operator does to one schedule at once: pause and resume. No apply undoes either."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.db.models import Exists
from django_celery_beat.models import PeriodicTask

from schedsync.core.observed import Managed, Observed, Paused, Row
from schedsync.core.timing import Clocked
from schedsync.database.actor import who
from schedsync.database.clock import now
from schedsync.database.faults import database_errors
from schedsync.database.lock_wait import wait_for_lock
from schedsync.database.notify import bump
from schedsync.database.pauses import change_schedule, enable_row, enable_to_catch_up, why_done
from schedsync.database.transaction import WaitOptions
from schedsync.errors import Failed, NotConfirmed, WrongUsage
from schedsync.models import Pause
from schedsync.usecases.catch_up import catch_up_of, catch_up_text


def pause(
    using: str, name: str, reason: str, span: timedelta | None, wait: WaitOptions, environment: str | None = None
) -> Paused:
    """Stop a managed schedule for ``span``, or until it is resumed where that is None; returns the pause.

    A second pause of the same schedule replaces the first. Raises WrongUsage where the name is not managed,
    NotConfirmed where another process enables the row again, Locked where another apply holds the lock for too long.
    """
    if not reason.strip():
        raise WrongUsage("a pause needs a reason", hint="give `--reason TEXT`, for the people who see it later")
    actor = who()

    def write(row: Row, observed: Observed, at: datetime) -> Paused:
        until = None if span is None else at + span
        before = observed.pauses.get(name)
        held = before.was_held if before else _is_held(row, observed.ledger[name])
        values = {"reason": reason, "who": actor, "since": at, "until": until, "held": held}
        Pause.objects.using(using).update_or_create(name=name, defaults=values)
        PeriodicTask.objects.using(using).filter(pk=row.id, enabled=True).update(enabled=False)
        return Paused(name, reason, actor, at, until, held)

    change = partial(change_schedule, using, "pause", name, write, environment=environment)
    paused = wait_for_lock(change, wait.lock, wait.sleep)
    _hold(using, name, wait)
    return paused


def _is_held(row: Row, managed: Managed) -> bool:
    return managed.was_enabled and row.spec is not None and not row.spec.enabled


def _hold(using: str, name: str, wait: WaitOptions) -> None:
    """Read back after a poll of Beat, which can undo the pause with a stale row just as it can an apply.

    A pause that has ended meanwhile, by its time or by `resume`, is over, and not undone.
    """
    if wait.settle > 0:
        wait.say(f"paused; waiting {wait.settle:g} s for a poll of Beat, to see that it holds")
        wait.sleep(wait.settle)
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


def resume(using: str, name: str, wait: WaitOptions, environment: str | None = None, *, catch_up: bool = False) -> bool:
    """End the pause or the hold of a schedule; returns whether it runs now: not if Git has it disabled, or it is done.

    It does not fire for a slot in the past; with ``catch_up`` the ticks that fell due meanwhile count as missed.

    Raises Failed where the schedule is neither paused nor held, Locked where another apply holds the lock for too long.
    """

    def write(row: Row, observed: Observed, at: datetime) -> bool:
        wanted = observed.ledger[name].was_enabled
        ended, _ = Pause.objects.using(using).filter(name=name).delete()
        stopped = row.spec is None or not row.spec.enabled
        pause = observed.pauses.get(name)
        done = why_done(row, at, paused=bool(ended))
        if catch_up and pause is not None and _fell_due_in(row, pause, at):
            done = None
        if not ended and (done or not (wanted and stopped)):
            hint = done or (None if wanted else "Git has it disabled; enable it in the files")
            raise Failed(f"`{name}` is neither paused nor held", hint=hint)
        runs = wanted and not done
        if runs and stopped and catch_up:
            wait.say(catch_up_text(catch_up_of(row, at, enabled=True)))
            enable_to_catch_up(using, row, at)
        elif runs and stopped:
            enable_row(using, row, at)
        return runs

    change = partial(change_schedule, using, "resume", name, write, environment=environment)
    return wait_for_lock(change, wait.lock, wait.sleep)


def _fell_due_in(row: Row, pause: Paused, at: datetime) -> bool:
    """Say whether a clocked row's time came during a pause, and its expiry did not."""
    spec = row.spec
    if spec is None or row.problems or not isinstance(spec.timing, Clocked) or row.total_run_count:
        return False
    return pause.since <= spec.timing.at <= at and (spec.expires_at is None or spec.expires_at > at)
