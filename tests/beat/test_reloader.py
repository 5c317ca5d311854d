"""The reloader's own cadence: a poll each second, a scan when something was announced, and one from time to time."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import connections
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask, PeriodicTasks

from schedsync.beat.glance import Glance
from schedsync.beat.reloader import POLL, SCAN, SHARE, Reloader
from schedsync.beat.roster import Roster
from schedsync.models import ApplyLock
from tests.beat.ours import Beat
from tests.beat.test_like_stock import TIMINGS, make
from tests.conftest import NOW


class Clock:
    """Seconds that pass when a test says so, or with each statement."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.statement = 0.0

    def __call__(self) -> float:
        return self.seconds

    def slow(self, execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        """Wrap every statement of a database that takes its time."""
        self.seconds += self.statement
        return execute(sql, params, many, context)


@pytest.fixture
def ticking() -> Clock:
    return Clock()


@pytest.fixture
def task(using: str) -> PeriodicTask:
    return make(using, "x", TIMINGS["quarters"])


@pytest.fixture
def reloader(using: str, task: PeriodicTask, ticking: Clock) -> Reloader:
    """A reloader that has just loaded."""
    made = Reloader(Glance(using, uuid.uuid4()), Roster(using, clock=ticking), ticking)
    assert made.poll() is not None
    return made


def edit(using: str, queue: str) -> None:
    """Edit the schedule without announcing it, as plain SQL does."""
    PeriodicTask.objects.using(using).update(queue=queue)


def announce(using: str) -> None:
    PeriodicTasks.objects.using(using).update(last_update=F("last_update") + timedelta(seconds=1))


def test_within_a_second_it_asks_for_nothing(using: str, reloader: Reloader, ticking: Clock) -> None:
    edit(using, "q")
    announce(using)
    assert reloader.wait == POLL
    ticking.seconds += POLL - 0.25
    with CaptureQueriesContext(connections[using]) as queries:
        assert reloader.poll() is None

    assert len(queries) == 0
    assert reloader.wait == 0.25


def test_a_poll_that_finds_nothing_announced_is_one_statement(using: str, reloader: Reloader, ticking: Clock) -> None:
    for _ in range(4):
        ticking.seconds += POLL
        with CaptureQueriesContext(connections[using]) as queries:
            assert reloader.poll() is None
        assert len(queries) == 1
        assert reloader.wait == POLL


@pytest.mark.parametrize("by", ["stock", "apply"])
def test_an_announced_edit_is_found_by_the_next_poll(
    using: str, reloader: Reloader, task: PeriodicTask, ticking: Clock, by: str
) -> None:
    edit(using, "q")
    if by == "stock":
        announce(using)
    else:
        ApplyLock.objects.using(using).update(number=F("number") + 1)
    number = ApplyLock.objects.using(using).get().number
    ticking.seconds += POLL
    reload = reloader.poll()

    assert reload is not None
    assert reload.changed == {task.pk}
    assert reloader.change_number == number


def test_an_edit_that_nobody_announced_is_found_after_five_seconds(
    using: str, reloader: Reloader, task: PeriodicTask, ticking: Clock
) -> None:
    edit(using, "q")
    found = []
    for _ in range(2 * int(SCAN)):
        ticking.seconds += POLL
        reload = reloader.poll()
        found.append(reload is not None and reload.changed == {task.pk})

    assert found.index(True) == SCAN / POLL - 1
    assert sum(found) == 1


def test_a_scan_that_takes_long_is_made_less_often(
    using: str, reloader: Reloader, task: PeriodicTask, ticking: Clock
) -> None:
    ticking.seconds += SCAN
    with connections[using].execute_wrapper(ticking.slow):
        ticking.statement = 0.1
        began = ticking.seconds
        reload = reloader.poll()
        ticking.statement = 0.0
    assert reload is not None
    assert reload.scanned >= 0.2
    edit(using, "q")
    pause = SHARE * reload.scanned
    ticking.seconds = began + pause - POLL
    assert reloader.poll() is None
    ticking.seconds = began + pause + POLL
    again = reloader.poll()

    assert pause > SCAN
    assert again is not None
    assert again.changed == {task.pk}


def test_in_a_hurry_it_scans_at_once(using: str, reloader: Reloader, task: PeriodicTask) -> None:
    edit(using, "q")
    assert reloader.poll() is None
    reloader.hurry()
    assert reloader.wait == 0
    reload = reloader.poll()

    assert reload is not None
    assert reload.changed == {task.pk}
    assert reloader.poll() is None


def test_a_beat_keeps_up_by_this_cadence_alone(using: str, clock: Any, ticking: Clock) -> None:
    """Nothing resets the reloader here: steps a second apart, an edit that is announced, and one that is not."""
    make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - timedelta(minutes=1)})
    beat = Beat(clock)
    beat.scheduler.reloader._clock = beat.scheduler.roster.clock = ticking
    beat.scheduler.reloader.reset()

    def run(seconds: int) -> None:
        for _ in range(seconds):
            clock.shift(1)
            ticking.seconds += 1
            # A batch in between says to look again at once; without an end that would be a loop.
            assert [beat.scheduler.step() for _ in range(3)][-1] > 0

    run(1)
    edit(using, "plain SQL")
    run(60)
    edit(using, "announced")
    clock.shift(57)
    announce(using)
    run(2)

    sent = [(f"{message.tick:%H:%M}", message.options.get("queue")) for _, message in beat.scheduler.sent]
    assert sent == [("10:00", None), ("10:01", "plain SQL"), ("10:02", "announced")]
    assert datetime.now(timezone.utc) == NOW + timedelta(minutes=2)
