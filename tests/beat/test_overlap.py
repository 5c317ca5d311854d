"""``overlap: skip``: no tick is sent while the last run has not ended, and none of these is sent later."""

from __future__ import annotations

import json
import logging
import uuid
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.core.management import call_command
from django.db import OperationalError, connections
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

from schedsync.beat.claims import Claims
from schedsync.core.open_run import PASSED_BY, run_of_reason
from schedsync.core.task_id import task_id
from schedsync.database.open_runs import note_ended, note_started, note_waiting_again
from schedsync.models import Claim, Lease, ManagedSchedule, OpenRun
from schedsync.usecases.full_pause import pause_everything
from schedsync.worker import marks
from tests.beat.ours import Beat, app, locked, row
from tests.beat.test_journal import read, renew
from tests.beat.test_like_stock import TIMINGS, make
from tests.beat.test_promises import MINUTE, died, forced, ledger, ticks
from tests.beat.test_tables import without
from tests.conftest import NOW, Project

HOUR = timedelta(hours=1)
MINUTELY = {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE}

__all__ = ["forced"]


@pytest.fixture(autouse=True)
def tracked() -> Iterator[None]:
    """The application of these tests has called ``track_runs``."""
    marks.mark(app)
    yield
    delattr(app, marks._MARK)


@pytest.fixture
def skipping(using: str, clock: Any) -> PeriodicTask:
    made = make(using, "x", MINUTELY)
    ledger(using, overlap="skip", max_runtime=3600)
    return made


def id_of(minute: int) -> str:
    return task_id("x", NOW + minute * MINUTE)


def started(using: str, minute: int = 0) -> None:
    note_started(using, id_of(minute), "x", "celery@w1")


def ended(using: str, minute: int = 0) -> None:
    note_ended(using, id_of(minute))


def pass_by(clock: Any, beat: Beat, minutes: int = 1) -> None:
    for _ in range(minutes):
        clock.shift(MINUTE)
        beat.settle()


def aged(using: str, **columns: timedelta) -> None:
    """Let the open runs be older."""
    at = datetime.now(timezone.utc) - HOUR  # of a frozen clock that is behind the database's
    for run in OpenRun.objects.using(using):
        for name, span in columns.items():
            value = getattr(run, name) or at
            OpenRun.objects.using(using).filter(pk=run.pk).update(**{name: value - span})


def test_ticks_are_left_out_while_a_run_is_open_and_sent_again_when_it_has_ended(
    using: str, clock: Any, skipping: PeriodicTask, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "schedsync")
    beat = Beat(clock)
    beat.settle()
    pass_by(clock, beat)
    started(using)
    pass_by(clock, beat, 2)
    ended(using)
    pass_by(clock, beat)
    renew(beat)
    left_out = [record for record in read(using, skipping) if record.event.value == "passed_over"]
    runs = [run_of_reason(record.reason) for record in left_out]

    assert ticks(beat) == ["10:00", "10:04"]
    assert [(f"{record.first:%H:%M}", record.last, record.count) for record in left_out] == [
        (f"10:0{minute}", NOW + minute * MINUTE, 1) for minute in (1, 2, 3)
    ]
    assert [(run.task_id, run.started_at is None, run.worker) for run in runs if run] == [
        (id_of(0), True, ""), (id_of(0), False, "celery@w1"), (id_of(0), False, "celery@w1"),
    ]  # fmt: skip
    assert beat.scheduler.sender.counters.passed_over == 3
    assert row(using, "x").total_run_count == 2
    said = [record for record in caplog.records if "the last run has not ended" in record.getMessage()]
    assert {(record.levelname, record.passed, *record.schedules) for record in said} == {("INFO", 1, "x")}  # type: ignore[attr-defined]


def test_a_tick_that_was_left_out_is_sent_by_nobody_later(using: str, clock: Any, skipping: PeriodicTask) -> None:
    """The run ends, and then another Beat begins to lead: it finds nothing missed."""
    one = Beat(clock)
    one.settle()
    started(using)
    pass_by(clock, one, 3)
    ended(using)
    one.scheduler.close()
    clock.shift(timedelta(seconds=20))
    two = Beat(clock)
    two.settle()
    claim = Claim.objects.using(using).get()

    assert ticks(one, two) == ["10:00"]
    assert (claim.tick, claim.confirmed, claim.batch) == (NOW + 3 * MINUTE, True, PASSED_BY)
    assert (row(using, "x").last_run_at, row(using, "x").total_run_count) == (NOW + 3 * MINUTE, 1)
    pass_by(clock, two)
    assert ticks(one, two) == ["10:00", "10:04"]


@pytest.mark.one_database
def test_another_beat_that_takes_over_knows_the_run_too(using: str, clock: Any, skipping: PeriodicTask) -> None:
    one, two = Beat(clock), Beat(clock)
    one.settle()
    two.settle()
    one.scheduler.close()
    two.scheduler.leadership.hurry()
    pass_by(clock, two, 2)
    ended(using)
    pass_by(clock, two)

    assert ticks(one, two) == ["10:00", "10:03"]


@pytest.mark.one_database
def test_without_an_election_each_beat_waits_for_the_run(
    using: str, clock: Any, skipping: PeriodicTask, forced: None
) -> None:
    one, two = Beat(clock), Beat(clock)
    for _ in range(4):
        for beat in (one, two, two, one):
            beat.settle()
        clock.shift(MINUTE)
    ended(using)
    for beat in (one, two):
        beat.settle()

    assert ticks(one, two) == ["10:00", "10:04"]


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("columns", "older", "is_sent"),
    [
        ({}, {"sent_at": timedelta(minutes=59)}, False),
        ({}, {"sent_at": timedelta(minutes=61)}, True),
        ({"expire_seconds": 60}, {"sent_at": timedelta(minutes=2)}, True),
        ({"expire_seconds": 60}, {"sent_at": timedelta(minutes=2), "started_at": timedelta(minutes=59)}, False),
        ({}, {"sent_at": timedelta(hours=9), "started_at": timedelta(minutes=59)}, False),
        ({}, {"started_at": timedelta(minutes=61)}, True),
    ],
    ids=["queued", "queued for too long", "expired", "started, expires", "started", "worker died"],
)
def test_a_run_counts_no_longer_than_its_limit(
    using: str, clock: Any, columns: dict[str, int], older: dict[str, timedelta], is_sent: bool
) -> None:
    make(using, "x", {**MINUTELY, **columns})
    ledger(using, overlap="skip", max_runtime=3600)
    beat = Beat(clock)
    beat.settle()
    if "started_at" in older:
        started(using)
    aged(using, **older)
    pass_by(clock, beat)

    assert ticks(beat) == ["10:00", *(["10:01"] if is_sent else [])]
    # What counts no longer is replaced.
    assert [run.task_id for run in OpenRun.objects.using(using)] == [id_of(1 if is_sent else 0)]


@pytest.mark.one_database
def test_a_retry_keeps_the_run_open(using: str, clock: Any, skipping: PeriodicTask) -> None:
    beat = Beat(clock)
    beat.settle()
    started(using)
    note_waiting_again(using, id_of(0))
    pass_by(clock, beat)
    run = OpenRun.objects.using(using).get()

    assert ticks(beat) == ["10:00"]
    assert (run.started_at, run.worker, run.sent_at is None) == (None, "", False)


@pytest.mark.one_database
def test_a_run_by_hand_counts_from_its_start(using: str, clock: Any, skipping: PeriodicTask) -> None:
    note_started(using, by_hand := str(uuid.uuid4()), "x", "w")
    beat = Beat(clock)
    beat.settle()
    note_ended(using, by_hand)
    pass_by(clock, beat)

    assert ticks(beat) == ["10:01"]


@pytest.mark.one_database
def test_a_run_of_a_schedule_that_is_gone_is_not_noted(using: str, clock: Any) -> None:
    note_started(using, "a", "gone", "w")
    note_ended(using, "a")

    assert not OpenRun.objects.using(using).exists()


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("columns", "known"),
    [
        ({}, {}),
        ({}, {"overlap": None, "max_runtime": 3600}),
        ({}, {"overlap": "skip", "max_runtime": None}),
        ({"one_off": True}, {"overlap": "skip", "max_runtime": 3600}),
    ],
    ids=["no key", "allow", "without a limit", "one-off"],
)
def test_other_schedules_wait_for_nothing(
    using: str, clock: Any, columns: dict[str, Any], known: dict[str, Any]
) -> None:
    """A tick of one that runs once would be lost."""
    make(using, "x", {**MINUTELY, **columns})
    ledger(using, **known)
    note_started(using, "by hand", "x", "w")
    beat = Beat(clock)
    beat.settle()

    assert ticks(beat) == ["10:00"]
    assert [run.task_id for run in OpenRun.objects.using(using)] == ["by hand"]


@pytest.mark.one_database
def test_it_costs_nothing_without_such_schedules_and_a_fixed_number_of_statements_with_them(
    using: str, clock: Any
) -> None:
    for number in range(20):
        make(using, f"s{number}", MINUTELY)
    beat = Beat(clock)
    beat.settle()

    def statements() -> int:
        with CaptureQueriesContext(connections[using]) as queries:
            pass_by(clock, beat)
        return len([query for query in queries if OpenRun._meta.db_table in query["sql"]])

    without_key = statements()
    known = {"set": "default", "applied": "{}", "applied_at": NOW, "overlap": "skip", "max_runtime": 60}
    for made in PeriodicTask.objects.using(using):
        ManagedSchedule.objects.using(using).create(name=made.name, row_id=made.pk, **known)
    # The claim reads and adds, the confirmation notes what was sent; then the claim only reads.
    assert (without_key, statements(), statements()) == (0, 3, 1)


def test_a_message_that_was_given_up_is_no_run(using: str, clock: Any, skipping: PeriodicTask) -> None:
    beat = Beat(clock)
    beat.scheduler.fails_at = lambda message: TypeError("cannot be sent") if message.tick == NOW else None
    beat.settle()
    pass_by(clock, beat)

    assert ticks(beat) == ["10:01"]


@pytest.mark.one_database
def test_a_claimed_tick_that_a_pause_drops_is_no_run(using: str, clock: Any, skipping: PeriodicTask) -> None:
    beat = Beat(clock)
    beat.scheduler.dies_at = 0
    beat.step()
    beat.scheduler.dies_at = None
    pause_everything(using, "INC-42", timedelta(minutes=2))
    beat.scheduler._full_pause._next_look = 0.0
    beat.settle()
    clock.shift(timedelta(minutes=3))
    beat.scheduler._full_pause._next_look = 0.0
    beat.settle()

    assert ticks(beat) == ["10:03"]


@pytest.mark.one_database
def test_a_tick_that_the_next_leader_sends_again_is_one_run(
    using: str, clock: Any, skipping: PeriodicTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first Beat dies after its claim: what was begun there is the run of the message that is sent now."""
    died(Beat(clock), "after claim", monkeypatch)
    Lease.objects.using(using).update(holder=None)
    two = Beat(clock)
    two.settle()
    pass_by(clock, two)

    assert ticks(two) == ["10:00"]
    assert [(run.task_id, run.sent_at is None) for run in OpenRun.objects.using(using)] == [(id_of(0), False)]


@pytest.mark.one_database
@pytest.mark.parametrize("has_ended", [False, True], ids=["running", "ended"])
def test_a_beat_that_cannot_confirm_its_message_knows_the_run_all_the_same(
    using: str, clock: Any, skipping: PeriodicTask, monkeypatch: pytest.MonkeyPatch, has_ended: bool
) -> None:
    """The database is away when the broker has the message, and the task starts, or even ends, before it is back."""
    beat = Beat(clock)
    with monkeypatch.context() as patch:
        patch.setattr(Claims, "confirm", lambda *_: (_ for _ in ()).throw(OperationalError("away")))
        beat.step()
        started(using)
        if has_ended:
            ended(using)
    beat.settle()
    pass_by(clock, beat)

    assert ticks(beat) == ["10:00", *(["10:01"] if has_ended else [])]


@pytest.mark.one_database
def test_all_ticks_that_are_due_are_left_out_together(using: str, clock: Any) -> None:
    """With ``missed_runs: all`` the first run after an outage would have a thousand behind it."""
    task = make(using, "x", {**MINUTELY, "last_run_at": NOW - timedelta(minutes=60)})
    ledger(using, overlap="skip", max_runtime=3600, missed_runs="all")
    beat = Beat(clock)
    beat.settle()
    renew(beat)
    left_out = [record for record in read(using, task) if record.event.value == "passed_over"]

    assert ticks(beat) == ["09:01"]
    assert [(record.first, record.last, record.count) for record in left_out] == [(NOW - 58 * MINUTE, NOW, 59)]
    ended(using, -59)
    pass_by(clock, beat)
    assert ticks(beat) == ["09:01", "10:01"]


@pytest.mark.one_database("postgresql")
def test_a_row_that_is_locked_is_left_out_when_it_is_free(using: str, clock: Any, skipping: PeriodicTask) -> None:
    beat = Beat(clock)
    beat.settle()
    clock.shift(MINUTE)
    with locked(using, skipping.pk):
        beat.settle()
        assert row(using, "x").last_run_at == NOW
    beat.settle()

    assert (ticks(beat), row(using, "x").last_run_at) == (["10:00"], NOW + MINUTE)


@pytest.mark.one_database
def test_the_runs_of_deleted_rows_are_forgotten(using: str, clock: Any, skipping: PeriodicTask) -> None:
    Beat(clock).settle()
    PeriodicTask.objects.using(using).all().delete()
    two = Beat(clock)
    two.scheduler._claims.forget_deleted()

    assert not OpenRun.objects.using(using).exists()


@pytest.mark.one_database
def test_without_tracking_it_has_no_effect_and_is_said_once(
    using: str, clock: Any, skipping: PeriodicTask, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(app, marks._MARK, False)
    beat = Beat(clock)
    beat.settle()
    pass_by(clock, beat, 2)

    assert ticks(beat) == ["10:00", "10:01", "10:02"]
    assert [record.levelname for record in caplog.records if "track_runs" in record.getMessage()] == ["ERROR"]


@pytest.mark.one_database
def test_before_its_table_is_made_it_has_no_effect(using: str, clock: Any, skipping: PeriodicTask) -> None:
    with without(using, OpenRun):
        beat = Beat(clock)
        beat.settle()
        pass_by(clock, beat)

    assert ticks(beat) == ["10:00", "10:01"]


def test_it_is_applied_compared_and_taken_back(project: Project) -> None:
    """The ledger holds both fields, NULL where runs may overlap."""
    text = "  x: {task: t, every: 1m, overlap: skip, max_runtime: 2h}\n"
    project.schedules(text)
    assert project.apply().code == 0
    entry = ManagedSchedule.objects.using(project.using).get()
    unchanged = project.command("drift", "schedules", "--database", project.using)
    project.schedules("  x: {task: t, every: 1m}\n")
    planned = project.command("plan", "schedules", "--database", project.using)
    assert project.apply().code == 0
    after = ManagedSchedule.objects.using(project.using).get()

    assert (entry.overlap, entry.max_runtime, json.loads(entry.applied)["max_runtime"]) == ("skip", 7200, "2h")
    assert unchanged.code == 0, unchanged.out
    assert "overlap" in planned.out
    assert "max_runtime" in planned.out
    assert (after.overlap, after.max_runtime) == (None, None)


def test_a_beat_of_this_version_runs_on_the_tables_of_the_version_before(using: str, clock: Any) -> None:
    """The ledger has no columns for it then; when they are there, Beat reads them within a minute."""
    make(using, "x", MINUTELY)
    call_command("migrate", "schedsync", "0010", database=using, verbosity=0)
    try:
        beat = Beat(clock)
        beat.settle()
        pass_by(clock, beat)
    finally:
        call_command("migrate", "schedsync", database=using, verbosity=0)
    ledger(using, overlap="skip", max_runtime=3600)
    columns, tables = beat.scheduler.roster._scan._columns, beat.scheduler._tables
    columns._next_look = tables._next_look = 0.0
    pass_by(clock, beat, 3)

    assert ticks(beat) == ["10:00", "10:01", "10:02"]
