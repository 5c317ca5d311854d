"""Rows that were enabled again count from now, and a run that somebody's save undid is written again."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.contrib import admin
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django_celery_beat.admin import PeriodicTaskAdmin
from django_celery_beat.models import PeriodicTask

from schedsync.models import Claim, ManagedSchedule
from tests.beat.ours import Beat, locked, row
from tests.beat.test_like_stock import TIMINGS, make
from tests.beat.test_promises import ledger, ticks
from tests.conftest import NOW, Project

MINUTE = timedelta(minutes=1)


def in_bulk(using: str, *, enabled: bool) -> None:
    """Use the admin's action."""
    page = PeriodicTaskAdmin(PeriodicTask, admin.site)
    page.message_user = lambda *_, **__: None  # type: ignore[method-assign, assignment]
    action = page.enable_tasks if enabled else page.disable_tasks
    action(None, PeriodicTask.objects.using(using).filter(name="x"))


def by_form(using: str, *, enabled: bool) -> None:
    task = row(using, "x")
    task.enabled = enabled
    task.save(using=using)


def in_sql(using: str, *, enabled: bool) -> None:
    PeriodicTask.objects.using(using).filter(name="x").update(enabled=enabled)


WAYS = pytest.mark.parametrize(
    ("disable", "enable"),
    [
        (in_bulk, in_bulk),
        (by_form, in_bulk),
        (in_bulk, by_form),
        (by_form, by_form),
        (in_sql, in_sql),
        (in_sql, by_form),
    ],
)
MISSED = pytest.mark.parametrize("missed_runs", ["latest", "all"])


def ran(using: str, **columns: Any) -> PeriodicTask:
    """Make a schedule that was made long ago, and has run since."""
    made = make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE, **columns})
    PeriodicTask.objects.using(using).update(date_changed=NOW - timedelta(days=30), total_run_count=9)
    return made


@MISSED
@WAYS
@pytest.mark.parametrize("start", [None, NOW - timedelta(days=40)], ids=["", "with a start"])
def test_a_schedule_that_is_enabled_again_counts_from_now(
    using: str,
    clock: Any,
    missed_runs: str,
    disable: Callable[..., None],
    enable: Callable[..., None],
    start: Any,
) -> None:
    ran(using, start_time=start)
    ledger(using, missed_runs=missed_runs)
    ManagedSchedule.objects.using(using).update(applied_at=NOW - timedelta(days=30))
    beat = Beat(clock)
    beat.settle()
    disable(using, enabled=False)
    beat.settle()
    clock.shift(24 * 60 * MINUTE + timedelta(seconds=30))
    beat.settle()
    enable(using, enabled=True)
    beat.settle()
    assert ticks(beat) == ["10:00"]

    beat.run(2 * MINUTE)
    assert ticks(beat) == ["10:00", "10:01", "10:02"]


@pytest.mark.parametrize("may_fire", [False, True])
def test_an_apply_that_enables_decides_itself_whether_it_may_fire(project: Project, clock: Any, may_fire: bool) -> None:
    text = "  x: {{task: t, crontab: '0 * * * *', edit_may_fire: {}{}}}\n"
    project.schedules(text.format(str(may_fire).lower(), ", enabled: false, disabled_reason: r"))
    assert project.apply().code == 0
    rows = PeriodicTask.objects.using(project.using)
    rows.update(last_run_at=NOW - timedelta(hours=3), total_run_count=3, date_changed=NOW - timedelta(days=3))
    beat = Beat(clock)
    beat.settle()
    clock.shift(30 * MINUTE)
    beat.settle()
    project.schedules(text.format(str(may_fire).lower(), ""))
    assert project.apply().code == 0
    beat.settle()

    assert ticks(beat) == (["10:00"] if may_fire else [])


@MISSED
def test_a_schedule_that_was_enabled_in_bulk_while_no_beat_ran_counts_from_the_start_of_beat(
    using: str, clock: Any, missed_runs: str
) -> None:
    ran(using)
    ledger(using, missed_runs=missed_runs)
    first = Beat(clock)
    first.settle()
    first.scheduler.close()
    in_bulk(using, enabled=False)
    clock.shift(24 * 60 * MINUTE + timedelta(seconds=30))
    in_bulk(using, enabled=True)
    beat = Beat(clock)
    beat.settle()
    assert ticks(beat) == []

    beat.run(MINUTE)
    assert ticks(beat) == ["10:01"]


def test_a_standby_notes_what_was_enabled_while_nobody_led(using: str, clock: Any) -> None:
    ran(using)
    leader, standby = Beat(clock), Beat(clock)
    leader.settle()
    by_form(using, enabled=False)
    standby.settle()
    leader.scheduler.leadership.epoch = None
    clock.shift(60 * MINUTE + timedelta(seconds=30))
    standby.settle()
    in_bulk(using, enabled=True)
    standby.settle()
    assert ticks(leader, standby) == ["10:00"]
    leader.scheduler.close()
    standby.scheduler.leadership.hurry()
    standby.settle()
    assert ticks(standby) == []

    standby.run(MINUTE)
    assert ticks(standby) == ["11:01"]


def test_a_locked_row_that_was_enabled_again_sends_nothing_until_it_is_corrected(using: str, clock: Any) -> None:
    if using == "default":
        pytest.skip("SQLite locks the whole file")
    made = ran(using)
    beat = Beat(clock)
    beat.settle()
    in_bulk(using, enabled=False)
    beat.settle()
    clock.shift(60 * MINUTE + timedelta(seconds=30))
    in_bulk(using, enabled=True)
    with locked(using, made.pk):
        beat.settle()
    beat.settle()
    beat.settle()
    assert ticks(beat) == ["10:00"]

    beat.run(MINUTE)
    assert ticks(beat) == ["10:00", "11:01"]


def test_what_was_claimed_is_passed_over_in_one_step(using: str, clock: Any) -> None:
    """Also where each missed tick is to be sent: a last run may be set back by hand."""
    ran(using, last_run_at=NOW - timedelta(days=24))
    ledger(using, missed_runs="all")
    Claim.objects.using(using).create(
        row_id=row(using, "x").pk, tick=NOW, batch="6f1f5f5e-2f3b-5d0c-9c1a-5a1b6d2b8f10", epoch=0, claimed_at=NOW,
        confirmed=True,
    )  # fmt: skip
    beat = Beat(clock)
    clock.shift(2 * MINUTE)
    with CaptureQueriesContext(connections[using]) as captured:
        beat.settle()

    assert ticks(beat) == ["10:01", "10:02"]
    assert len(captured) < 200


def test_a_save_that_undoes_a_run_is_seen_and_the_run_is_written_again(
    project: Project, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    using = project.using
    ran(using)
    beat = Beat(clock)
    for minutes in range(3):
        clock.move_to(NOW + minutes * MINUTE)
        beat.settle()
        if minutes == 0:
            stale = row(using, "x")
    clock.shift(2 * MINUTE - timedelta(seconds=1))
    beat.settle()
    stale.description = "edited"
    stale.save(using=using)
    before = [(found.last_run_at, found.total_run_count) for found in [row(using, "x")]]
    beat.settle()
    after = row(using, "x")
    done = project.command("status", "--database", using, "--format", "json")

    assert before == [(NOW, 10)]
    assert (after.last_run_at, after.total_run_count, after.description) == (NOW + 3 * MINUTE, 13, "edited")
    assert json.loads(done.out)["overdue"] == []
    assert ticks(beat) == ["10:00", "10:01", "10:02", "10:03"]
    assert "passed over" not in caplog.text
