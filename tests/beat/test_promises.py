"""The promises of the claim: no tick twice, none lost, whoever believes to lead and wherever a Beat dies."""

from __future__ import annotations

import time
from collections import Counter
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from amqp.exceptions import MessageNacked
from django.db import OperationalError, connections
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks

from schedsync.beat.claims import Claims
from schedsync.beat.message import Message
from schedsync.beat.scan import Scan
from schedsync.models import Beat as BeatRow
from schedsync.models import Claim, Lease, ManagedSchedule
from tests.beat.ours import Beat, locked, row
from tests.beat.test_like_stock import TIMINGS, make
from tests.conftest import NOW

MINUTE = timedelta(minutes=1)


class Died(BaseException):
    """What ends a Beat in the middle, as SIGKILL does."""


@pytest.fixture
def forced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every Beat believe that it leads."""
    monkeypatch.setattr("django.conf.settings.SCHEDSYNC_LEADER", None, raising=False)


@pytest.fixture
def minutely(using: str, clock: Any) -> PeriodicTask:
    return make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE})


def ledger(using: str, **columns: Any) -> None:
    known = {"set": "default", "applied": "{}", "applied_at": NOW}
    made = PeriodicTask.objects.using(using).get(name="x")
    ManagedSchedule.objects.using(using).create(name="x", row_id=made.pk, **known, **columns)


def ticks(*beats: Beat) -> list[str]:
    return sorted(f"{message.tick:%H:%M}" for beat in beats for _, message in beat.scheduler.sent)


def test_two_that_believe_they_lead_claim_no_tick_twice(
    using: str, clock: Any, minutely: PeriodicTask, forced: None
) -> None:
    one, two = Beat(clock), Beat(clock)
    for _ in range(10):
        for beat in (one, two, two, one):
            beat.settle()
        clock.shift(MINUTE)

    assert ticks(one, two) == [f"10:{minute:02}" for minute in range(10)]


def test_one_of_two_stands_by_and_takes_over_without_sending_twice(
    using: str, clock: Any, minutely: PeriodicTask
) -> None:
    one, two = Beat(clock), Beat(clock)
    one.settle()
    two.settle()
    clock.shift(MINUTE)
    one.settle()
    assert (len(one.scheduler.sent), len(two.scheduler.sent)) == (2, 0)

    one.scheduler.close()
    two.scheduler.leadership._next = 0
    two.settle()
    clock.shift(MINUTE)
    two.settle()

    assert ticks(one, two) == ["10:00", "10:01", "10:02"]
    assert Lease.objects.using(using).get().epoch == 2


def test_a_holder_that_lost_its_lease_unknowingly_claims_nothing(
    using: str, clock: Any, minutely: PeriodicTask
) -> None:
    one = Beat(clock)
    one.settle()
    Lease.objects.using(using).update(holder=None)
    two = Beat(clock)
    two.settle()
    clock.shift(MINUTE)

    one.step()

    assert ticks(one) == ["10:00"]
    assert one.scheduler.leadership.epoch is None


def died(beat: Beat, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a Beat die at a place of its batch."""

    def die(*args: Any, **kwargs: Any) -> None:
        raise Died

    original = Claims.claim

    def claim_and_die(*args: Any) -> None:
        original(*args)
        raise Died

    with monkeypatch.context() as patch:
        if where == "before claim":
            patch.setattr(Claims, "claim", die)
        elif where == "after claim":
            patch.setattr(Claims, "claim", claim_and_die)
        else:
            patch.setattr(Claims, "confirm", die)
        with pytest.raises(Died):
            beat.settle()


@pytest.mark.parametrize("once", [False, True], ids=["at least once", "at most once"])
@pytest.mark.parametrize(
    ("where", "sent"), [("before claim", (1, 1)), ("after claim", (1, 0)), ("before confirm", (2, 1))]
)
def test_a_death_loses_no_tick(
    using: str,
    clock: Any,
    minutely: PeriodicTask,
    monkeypatch: pytest.MonkeyPatch,
    where: str,
    sent: tuple[int, int],
    once: bool,
) -> None:
    ledger(using, delivery="at_most_once" if once else "at_least_once")
    one = Beat(clock)
    died(one, where, monkeypatch)
    Lease.objects.using(using).update(holder=None)
    two = Beat(clock)
    two.settle()

    found = Counter(message.task_id for _, message in one.scheduler.sent + two.scheduler.sent)
    assert list(found.values()) == [sent[once]] * bool(sent[once])
    assert (row(using, "x").last_run_at, row(using, "x").total_run_count) == (NOW, 1)
    assert not Claim.objects.using(using).filter(confirmed=False).exists()


def test_the_claims_of_deleted_rows_are_forgotten_by_the_next_leader(
    using: str, clock: Any, minutely: PeriodicTask
) -> None:
    make(using, "y", {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE})
    one = Beat(clock)
    one.settle()
    assert Claim.objects.using(using).count() == 2
    minutely.delete(using=using)
    one.scheduler.close()
    Beat(clock).settle()

    assert Claim.objects.using(using).get().row_id == row(using, "y").pk


def test_a_broker_that_is_down_delays_ticks_and_loses_none(using: str, clock: Any, minutely: PeriodicTask) -> None:
    make(using, "y", {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE})
    beat = Beat(clock)
    beat.scheduler.dies_at = 1
    beat.step()
    clock.shift(30)
    beat.step()
    assert len(beat.scheduler.sent) == 1

    beat.scheduler.dies_at = None
    beat.tried_again()

    assert sorted((message.name, f"{message.tick:%H:%M}") for _, message in beat.scheduler.sent) == [
        ("x", "10:00"),
        ("y", "10:00"),
    ]
    assert not Claim.objects.using(using).filter(confirmed=False).exists()


@pytest.mark.parametrize(
    ("said", "found"),
    [({}, ["10:00"]), ({"delivery": "at_most_once"}, []), ({"starting_deadline": 20}, [])],
    ids=["default", "at most once", "deadline"],
)
def test_what_the_broker_may_have_is_sent_again_as_the_schedule_says(
    using: str, clock: Any, minutely: PeriodicTask, said: dict[str, Any], found: list[str]
) -> None:
    ledger(using, **said)
    beat = Beat(clock)
    beat.scheduler.dies_at = 0
    beat.step()
    clock.shift(30)
    beat.scheduler.dies_at = None
    beat.settle()

    assert ticks(beat) == found
    assert not Claim.objects.using(using).filter(confirmed=False).exists()
    clock.shift(30)
    beat.settle()
    assert ticks(beat) == [*found, "10:01"]


def test_what_another_has_adopted_comes_back_into_the_agenda(
    using: str, clock: Any, minutely: PeriodicTask, forced: None
) -> None:
    one, two = Beat(clock), Beat(clock)
    one.scheduler.dies_at = 0
    one.step()
    Claim.objects.using(using).update(claimed_at=NOW - timedelta(days=9999))
    two.scheduler._dispatch._next_adoption = 0.0
    two.settle()
    one.scheduler.dies_at = None
    one.settle()
    clock.shift(MINUTE)
    one.settle()

    assert ticks(one, two) == ["10:00", "10:01"]


def test_a_schedule_that_was_committed_within_a_scan_is_found_by_the_next(
    using: str, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = Beat(clock)
    beat.settle()
    original = beat.scheduler.roster._reload_timings

    def reload_and_commit() -> None:
        original()
        make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE})

    with monkeypatch.context() as patch:
        patch.setattr(beat.scheduler.roster, "_reload_timings", reload_and_commit)
        beat.step()
    beat.settle()

    assert ticks(beat) == ["10:00"]


def test_a_scan_that_fails_in_the_middle_loses_no_edit(using: str, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    made = make(using, "x", {"interval": {"every": 5, "period": "minutes"}})
    beat = Beat(clock)
    beat.settle()
    IntervalSchedule.objects.using(using).update(every=1)

    def fail(*_: Any, **__: Any) -> None:
        raise OperationalError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(Scan, "look", fail)
        beat.step()
    beat.scheduler.leadership.hurry()
    beat.settle()

    assert beat.scheduler.roster.schedules[made.pk].timing.microseconds == 60 * 10**6


def test_a_message_that_cannot_be_sent_holds_up_no_other(using: str, clock: Any, minutely: PeriodicTask) -> None:
    make(using, "y", {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE})
    beat = Beat(clock)
    beat.scheduler.fails_at = lambda message: TypeError("not JSON") if message.name == "x" else None
    beat.settle()

    assert [message.name for _, message in beat.scheduler.sent] == ["y"]
    assert row(using, "x").total_run_count == 1


def test_an_edit_just_before_a_tick_is_honoured(using: str, clock: Any, minutely: PeriodicTask) -> None:
    beat = Beat(clock)
    beat.settle()
    clock.shift(MINUTE)
    beat.scheduler.reloader.reset()
    beat.scheduler.reloader.poll()
    # Committed after Beat has looked for changes, and before it claims.
    PeriodicTask.objects.using(using).filter(pk=minutely.pk).update(enabled=False)

    beat.scheduler.step()

    assert ticks(beat) == ["10:00"]


@pytest.mark.parametrize("edit", ["arguments", "timing"])
def test_any_edit_that_is_committed_before_the_claim_is_honoured(
    using: str, clock: Any, minutely: PeriodicTask, edit: str
) -> None:
    nightly = CrontabSchedule.objects.using(using).create(minute="0", hour="3")
    beat = Beat(clock)
    beat.settle()
    clock.shift(MINUTE)
    beat.scheduler.reloader.reset()
    beat.scheduler.reloader.poll()
    columns: Any = {"kwargs": '{"a": 1}'} if edit == "arguments" else {"crontab": nightly}
    PeriodicTask.objects.using(using).filter(pk=minutely.pk).update(**columns)

    beat.scheduler.step()
    beat.settle()

    sent = [(f"{message.tick:%H:%M}", message.kwargs) for _, message in beat.scheduler.sent]
    assert sent == [("10:00", {}), ("10:01", {"a": 1})][: 2 if edit == "arguments" else 1]


def test_a_moved_last_run_is_honoured(using: str, clock: Any, minutely: PeriodicTask) -> None:
    beat = Beat(clock)
    beat.settle()
    clock.shift(MINUTE)
    PeriodicTask.objects.using(using).filter(pk=minutely.pk).update(last_run_at=NOW + timedelta(seconds=90))

    beat.settle()
    clock.shift(MINUTE)
    beat.settle()

    assert ticks(beat) == ["10:00", "10:02"]


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({}, ["13:30"]),
        ({"missed_runs": "none"}, []),
        ({"missed_runs": "all"}, ["10:00", "10:30", "11:00", "11:30", "12:00", "12:30", "13:00", "13:30"]),
        ({"missed_runs": "all", "starting_deadline": 3600}, ["12:30", "13:00", "13:30"][1:]),
        ({"starting_deadline": 60}, []),
        ({"starting_deadline": 900}, ["13:30"]),
        ({"missed_runs": "none", "starting_deadline": 900}, ["13:30"]),
    ],
)
@pytest.mark.parametrize("kind", ["crontab", "interval"])
def test_what_was_missed(using: str, clock: Any, kind: str, said: dict[str, Any], found: list[str]) -> None:
    timing = {"crontab": {"minute": "*/30"}} if kind == "crontab" else {"interval": {"every": 30, "period": "minutes"}}
    make(using, "x", {**timing, "last_run_at": NOW - timedelta(minutes=30)})
    ledger(using, **said)
    clock.move_to(NOW + timedelta(hours=3, minutes=35))
    beat = Beat(clock)
    beat.settle()

    assert ticks(beat) == found
    clock.shift(timedelta(minutes=25))
    beat.settle()
    assert ticks(beat) == [*found, "14:00"]


@pytest.mark.parametrize(
    ("solar", "ran", "back", "tick"),
    [
        (("dusk_astronomical", 52.52, 13.405), (2026, 5, 10), (2026, 5, 27), "05-16"),
        (("sunset", 78.2, 15.6), (2026, 10, 20), (2026, 12, 10), "10-26"),
    ],
    ids=["summer nights", "polar night"],
)
def test_an_event_of_the_sun_that_is_absent_when_beat_is_back_is_sent_once(
    using: str, clock: Any, solar: tuple[Any, ...], ran: tuple[int, ...], back: tuple[int, ...], tick: str
) -> None:
    place = dict(zip(("event", "latitude", "longitude"), solar, strict=True))
    make(using, "x", {"solar": place, "last_run_at": datetime(*ran, tzinfo=timezone.utc)})  # type: ignore[misc, arg-type]
    clock.move_to(datetime(*back, tzinfo=timezone.utc))  # type: ignore[misc, arg-type]
    beat = Beat(clock)
    beat.settle()

    assert [f"{message.tick:%m-%d}" for _, message in beat.scheduler.sent] == [tick]


def test_every_change_is_found_whoever_made_it(using: str, clock: Any, minutely: PeriodicTask) -> None:
    other = make(using, "y", TIMINGS["each minute"])
    shared = IntervalSchedule.objects.using(using).create(every=1, period="hours")
    hourly = PeriodicTask.objects.using(using).create(name="z", task="t", interval=shared)
    beat = Beat(clock)
    beat.step()
    tasks = PeriodicTask.objects.using(using)

    def reloaded(statement: str) -> Any:
        with connections[using].cursor() as cursor:
            cursor.execute(statement)
        return beat.scheduler.reloader.load()

    true = "true" if using == "postgresql" else "1"
    false = "false" if using == "postgresql" else "0"
    table = "django_celery_beat_periodictask"
    assert reloaded("SELECT 1").changed == frozenset()
    assert reloaded(f"UPDATE {table} SET queue = 'q' WHERE name = 'x'").changed == {minutely.pk}
    assert reloaded(f"UPDATE {table} SET queue = NULL, exchange = 'q' WHERE name = 'x'").changed == {minutely.pk}
    assert reloaded("UPDATE django_celery_beat_intervalschedule SET every = 2").changed == {hourly.pk}
    assert beat.scheduler.roster.schedules[hourly.pk].timing.microseconds == 7200 * 10**6
    assert reloaded(f"UPDATE {table} SET enabled = {false} WHERE name = 'y'").gone == {other.pk}
    assert reloaded(f"UPDATE {table} SET enabled = {true} WHERE name = 'y'").changed == {other.pk}
    assert reloaded(f"UPDATE {table} SET last_run_at = NULL").changed == {minutely.pk, other.pk}
    tasks.filter(pk=other.pk)._raw_delete(using)
    assert reloaded("SELECT 1").gone == {other.pk}


def test_an_equal_or_an_earlier_time_in_the_change_row_is_a_change_too(using: str, clock: Any) -> None:
    made = make(using, "x", TIMINGS["quarters"])
    beat = Beat(clock)
    beat.step()
    PeriodicTask.objects.using(using).filter(pk=made.pk).update(queue="q")
    PeriodicTasks.objects.using(using).update(last_update=NOW - timedelta(days=1))
    beat.scheduler.reloader._next_poll = 0

    beat.scheduler.step()

    assert beat.scheduler.roster.schedules[made.pk].options[0] == "q"


def test_a_row_that_would_stop_stock_beat_stops_nothing(
    using: str, clock: Any, minutely: PeriodicTask, caplog: pytest.LogCaptureFixture
) -> None:
    PeriodicTask.objects.using(using).bulk_create([PeriodicTask(name="no schedule", task="t")])
    make(using, "bad headers", TIMINGS["each minute"])
    make(using, "bad crontab", {"crontab": {"minute": "*/"}})
    make(using, "bad zone", TIMINGS["berlin"])
    tasks = PeriodicTask.objects.using(using)
    tasks.filter(name="bad headers").update(headers="[]")
    with connections[using].cursor() as cursor:
        cursor.execute("UPDATE django_celery_beat_crontabschedule SET timezone = 'Mars/Base' WHERE minute = '5'")
    beat = Beat(clock)
    beat.settle()

    assert ticks(beat) == ["10:00"]
    assert sorted(record.schedule for record in caplog.records if hasattr(record, "schedule")) == [
        "bad crontab",
        "bad headers",
        "bad zone",
        "no schedule",
    ]


def test_a_row_that_was_mended_by_its_schedule_runs(using: str, clock: Any) -> None:
    broken = make(using, "x", {"crontab": {"minute": "*/"}, "last_run_at": NOW - MINUTE})
    beat = Beat(clock)
    beat.settle()
    assert ticks(beat) == []
    CrontabSchedule.objects.using(using).filter(pk=broken.crontab_id).update(minute="*")

    beat.settle()

    assert ticks(beat) == ["10:00"]


def test_a_second_scheduler_is_noticed(
    using: str, clock: Any, minutely: PeriodicTask, caplog: pytest.LogCaptureFixture
) -> None:
    beat = Beat(clock)
    beat.settle()
    clock.shift(MINUTE)
    PeriodicTask.objects.using(using).filter(pk=minutely.pk).update(
        last_run_at=NOW + MINUTE + timedelta(milliseconds=3), total_run_count=2
    )

    beat.settle()

    assert "another scheduler runs beside this Beat, and sends x too" in caplog.text
    assert ticks(beat) == ["10:00"]


@pytest.mark.parametrize("when", ["before a look", "before a claim"])
def test_a_second_scheduler_in_step_with_this_one_is_noticed(
    using: str, clock: Any, minutely: PeriodicTask, when: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Stock Beat writes a count of its own, which is the same where both run every tick."""
    beat = Beat(clock)
    beat.settle()
    for minutes in (1, 2):
        last = beat.scheduler.roster.schedules[minutely.pk]
        columns = {"last_run_at": last.last_run + timedelta(milliseconds=3), "total_run_count": last.count}
        if when == "before a look":
            # As it does, with the rest of the row.
            columns["date_changed"] = last.last_run + timedelta(milliseconds=5)
        else:
            beat.scheduler.reloader.load()
        PeriodicTask.objects.using(using).filter(pk=minutely.pk).update(**columns)
        if when == "before a look":
            clock.shift(timedelta(seconds=1))
            beat.settle()
        clock.move_to(NOW + minutes * MINUTE)
        beat.settle()
        assert ("another scheduler" in caplog.text) is (minutes == 2)

    assert ticks(beat) == ["10:00", "10:01", "10:02"]


def test_an_apply_that_moves_a_last_run_is_no_second_scheduler(
    using: str, clock: Any, minutely: PeriodicTask, caplog: pytest.LogCaptureFixture
) -> None:
    beat = Beat(clock)
    beat.settle()
    for minutes in (1, 2, 3):
        at = NOW + minutes * MINUTE - timedelta(seconds=20)
        clock.move_to(at)
        PeriodicTask.objects.using(using).filter(pk=minutely.pk).update(last_run_at=at, date_changed=at)
        clock.move_to(NOW + minutes * MINUTE)
        beat.settle()

    assert ticks(beat) == ["10:00", "10:01", "10:02", "10:03"]
    assert "another scheduler" not in caplog.text


def test_others_of_ours_are_no_second_scheduler_without_an_election(
    using: str, clock: Any, minutely: PeriodicTask, forced: None, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    one, two = Beat(clock), Beat(clock)
    one.settle()
    two.settle()
    clock.shift(MINUTE)
    one.settle()
    clock.shift(MINUTE)
    # Between the claim of one and its confirmation the other one looks.
    original = one.scheduler._claims.confirm
    monkeypatch.setattr(one.scheduler._claims, "confirm", lambda *found: (two.scheduler.step(), original(*found))[1])
    one.settle()
    two.settle()

    assert "another scheduler" not in caplog.text
    assert ticks(one, two) == ["10:00", "10:01", "10:02"]


def test_a_row_that_somebody_has_locked_holds_up_no_other(using: str, clock: Any, minutely: PeriodicTask) -> None:
    if using == "default":
        pytest.skip("SQLite locks the whole file")
    make(using, "y", {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE})
    make(using, "ended", {**TIMINGS["each minute"], "expires": NOW - MINUTE})
    ended = row(using, "ended").pk
    beat = Beat(clock)
    with locked(using, minutely.pk), locked(using, ended):
        for _ in range(3):
            beat.settle()
            clock.shift(MINUTE)
        assert (row(using, "x").total_run_count, row(using, "y").total_run_count) == (0, 3)
        assert row(using, "ended").enabled
    beat.tried_again()
    beat.scheduler.reloader.load()
    beat.settle()

    sent = sorted(f"{message.name} {message.tick:%H:%M}" for _, message in beat.scheduler.sent)
    assert sent == ["x 10:00", "x 10:03", *(f"y 10:0{minute}" for minute in range(4))]
    assert not row(using, "ended").enabled
    assert not Claim.objects.using(using).filter(confirmed=False).exists()


def test_what_is_sent_and_locked_is_not_sent_again_by_who_leads_anew(
    using: str, clock: Any, minutely: PeriodicTask
) -> None:
    if using == "default":
        pytest.skip("SQLite locks the whole file")
    beat = Beat(clock)
    with locked(using, minutely.pk):
        beat.settle()
        assert row(using, "x").total_run_count == 0
        beat.scheduler.leadership.lose("tried")
        beat.scheduler.leadership.hurry()
        beat.settle()
        assert Lease.objects.using(using).get().epoch == 2
    beat.tried_again()

    assert ticks(beat) == ["10:00"]
    assert (row(using, "x").last_run_at, row(using, "x").total_run_count) == (NOW, 1)
    assert not Claim.objects.using(using).filter(confirmed=False).exists()


def test_a_batch_that_takes_longer_than_the_lease_keeps_it(
    using: str, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A busy machine may lose two seconds between two messages.
    for name, seconds in {"LEASE": 3, "RENEW": 0.5, "RETRY": 0.2}.items():
        monkeypatch.setattr(f"django.conf.settings.SCHEDSYNC_{name}", seconds, raising=False)
    for number in range(12):
        make(using, f"x{number}", {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE})
    one, two = Beat(clock), Beat(clock)
    send = one.scheduler.apply_async

    def slowly(message: Any, **options: Any) -> None:
        time.sleep(0.3)
        two.step()
        send(message, **options)

    monkeypatch.setattr(one.scheduler, "apply_async", slowly)
    one.settle()

    assert (len(one.scheduler.sent), len(two.scheduler.sent)) == (12, 0)
    assert Lease.objects.using(using).get().epoch == 1
    assert BeatRow.objects.using(using).get(pk=one.scheduler.holder).leads


def test_a_lease_that_is_lost_in_the_middle_of_a_batch_ends_it(
    using: str, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in "xyz":
        make(using, name, {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE})
    one, two = Beat(clock), Beat(clock)
    send = one.scheduler.apply_async

    def lose(message: Any, **options: Any) -> None:
        send(message, **options)
        Lease.objects.using(using).update(holder=None)
        two.scheduler.leadership.hurry()
        two.step()
        one.scheduler.leadership._next = 0.0

    monkeypatch.setattr(one.scheduler, "apply_async", lose)
    one.settle()
    two.settle()

    assert len(one.scheduler.sent) == 1
    assert Counter(ticks(one, two)) == {"10:00": 4}
    assert not Claim.objects.using(using).filter(confirmed=False).exists()


@pytest.mark.parametrize("once", [False, True], ids=["at least once", "at most once"])
def test_what_the_broker_refuses_for_now_holds_up_no_other_and_is_sent_later(
    using: str, clock: Any, minutely: PeriodicTask, once: bool, caplog: Any
) -> None:
    ledger(using, delivery="at_most_once" if once else "at_least_once")
    make(using, "y", {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE})
    beat = Beat(clock)

    def full(message: Message) -> Exception | None:
        return MessageNacked() if message.name == "x" and message.options.get("queue") is None else None

    beat.scheduler.fails_at = full
    for _ in range(3):
        beat.settle()
        clock.shift(MINUTE)
    PeriodicTask.objects.using(using).filter(name="x").update(queue="another")
    beat.scheduler.reloader.load()
    beat.tried_again()

    sent = [f"{message.name} {message.tick:%H:%M} {message.options.get('queue')}" for _, message in beat.scheduler.sent]
    assert sorted(sent) == [
        "x 10:00 another", "x 10:03 another", *(f"y 10:0{minute} None" for minute in range(4)),
    ]  # fmt: skip
    assert caplog.text.count("the broker refuses `x`") == 1


def test_a_message_at_which_each_connection_breaks_holds_up_no_other(
    using: str, clock: Any, minutely: PeriodicTask
) -> None:
    for name in ("x2", "y"):
        make(using, name, {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE})
    beat = Beat(clock)
    beat.scheduler.fails_at = lambda message: OSError("broken pipe") if message.name.startswith("x") else None
    for _ in range(4):
        beat.step()
    assert [message.name for _, message in beat.scheduler.sent] == ["y"]

    # It is known by now.
    clock.shift(MINUTE)
    beat.tried_again()
    assert [message.name for _, message in beat.scheduler.sent] == ["y", "y"]


def test_what_was_disabled_while_the_broker_was_away_is_not_sent(
    using: str, clock: Any, minutely: PeriodicTask
) -> None:
    beat = Beat(clock)
    beat.scheduler.dies_at = 0
    beat.step()
    # As the admin does: what stands for a last run is the time of the edit then.
    PeriodicTask.objects.using(using).update(enabled=False, last_run_at=None)
    beat.step()
    beat.scheduler.dies_at = None
    beat.tried_again()

    assert ticks(beat) == []
    assert row(using, "x").last_run_at is None
    assert not Claim.objects.using(using).filter(confirmed=False).exists()


def test_missed_ticks_are_told_when_they_are_passed_over_and_once(
    using: str, clock: Any, minutely: PeriodicTask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    clock.shift(5 * MINUTE)
    beat = Beat(clock)
    with monkeypatch.context() as patch:
        patch.setattr(beat.scheduler.sender, "ready", lambda: False)
        for _ in range(3):
            beat.step()
    assert "passed over" not in caplog.text
    beat.settle()

    assert ticks(beat) == ["10:05"]
    assert caplog.text.count("5 ticks are passed over as missed: x\n") == 1


def test_the_schedules_whose_ticks_were_missed_are_named(
    using: str, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"x{number:02}" for number in range(23)]
    for name in names:
        make(using, name, {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE})
    clock.shift(2 * MINUTE)
    Beat(clock).settle()

    (record,) = [record for record in caplog.records if "passed over" in record.getMessage()]
    assert record.getMessage() == f"46 ticks are passed over as missed: {', '.join(names[:20])} and 3 more"
    assert (record.passed, record.schedules) == (46, names)  # type: ignore[attr-defined]


def test_after_a_clock_that_was_ahead_disabling_and_enabling_helps(
    using: str, clock: Any, minutely: PeriodicTask
) -> None:
    clock.shift(timedelta(days=1))
    ahead = Beat(clock)
    ahead.settle()
    ahead.scheduler.close()
    clock.move_to(NOW)
    # The database's own clock was never ahead, and this test's stands still in the past of it.
    Claim.objects.using(using).update(tick=NOW + timedelta(days=36525))
    for enabled in (False, True):
        task = row(using, "x")
        task.enabled = enabled
        task.save(using=using)
    PeriodicTask.objects.using(using).update(date_changed=NOW)
    beat = Beat(clock)
    sent = beat.run(timedelta(minutes=2, seconds=1))

    assert [f"{at:%H:%M}" for at, _ in sent] == ["10:01", "10:02"]


def test_a_row_that_vanishes_between_look_and_reading_is_forgotten(
    using: str, clock: Any, minutely: PeriodicTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    beat = Beat(clock)
    beat.settle()
    tasks = PeriodicTask.objects.using(using)
    tasks.update(queue="q")
    original = Scan.look

    def look_and_disable(scan: Scan) -> Any:
        found = original(scan)
        tasks.update(enabled=False)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(Scan, "look", look_and_disable)
        assert beat.scheduler.reloader.load().gone == {minutely.pk}
    assert len(beat.scheduler.roster) == 0
    tasks.update(enabled=True)
    beat.settle()
    clock.shift(MINUTE)
    beat.settle()

    assert ticks(beat) == ["10:00", "10:01"]


def test_the_cost_of_a_batch_is_a_fixed_number_of_statements(using: str, clock: Any) -> None:
    for number in range(40):
        make(using, f"x{number}", {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE})
    beat = Beat(clock)
    beat.settle()
    counts = {}
    for _ in range(2):
        beat.news()
        clock.shift(MINUTE)
        beat.scheduler.reloader._next_poll = 10**12
        with CaptureQueriesContext(connections[using]) as queries:
            beat.scheduler.step()
        counts[len(beat.news())] = len(queries)
        PeriodicTask.objects.using(using).filter(name__startswith="x1").update(enabled=False)
        beat.settle()

    assert list(counts) == [40, 29]
    assert counts[40] == counts[29] <= 16
