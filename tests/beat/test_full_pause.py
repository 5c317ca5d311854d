"""The pause of everything: no Beat sends, and what fell due meanwhile is not sent afterwards."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

from schedsync.beat.message import Message
from schedsync.database.full_pause import read_full_pause
from schedsync.models import Claim, FullPause, ManagedSchedule
from schedsync.usecases.full_pause import pause_everything, resume_everything
from tests.beat.ours import Beat, NotingScheduler, row
from tests.beat.test_like_stock import TIMINGS, make
from tests.beat.test_promises import Died, forced
from tests.beat.test_tables import without
from tests.conftest import NOW, empty

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
MINUTELY = {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE}

__all__ = ["forced"]


@pytest.fixture
def five(using: str, clock: Any) -> list[PeriodicTask]:
    """Five schedules of each minute: two that never ran, and three that did."""
    return [
        make(using, f"x{number}", {**MINUTELY, "last_run_at": None if number < 2 else NOW - MINUTE})
        for number in range(5)
    ]


def paused(using: str, span: timedelta = HOUR) -> None:
    pause_everything(using, "INC-42", span)


def resumed(using: str, *, catch_up: bool = False) -> list[str]:
    said: list[str] = []
    assert resume_everything(using, catch_up=catch_up, say=said.append) is not None
    return said


def ledger(using: str, name: str, missed_runs: str) -> None:
    ManagedSchedule.objects.using(using).create(
        name=name, row_id=row(using, name).pk, set="default", applied="{}", applied_at=NOW, missed_runs=missed_runs
    )


def sent(beat: Beat) -> list[tuple[str, str]]:
    return sorted((message.name, f"{message.tick:%d %H:%M}") for _, message in beat.news())


def _runs(using: str, clock: Any, *, pause: bool) -> set[tuple[str, datetime]]:
    """Return what is sent from 10:00 to 12:31, perhaps with a pause from 10:30 to 11:30."""
    clock.move_to(NOW)
    for name, values in TIMINGS.items():
        make(using, name, values)
    beat = Beat(clock)
    beat.run(30 * MINUTE)
    if pause:
        paused(using)
    for _ in range(61):
        beat.step() if pause else beat.settle()
        clock.shift(MINUTE)
    beat.run(60 * MINUTE)
    return {(message.name, message.tick) for _, message in beat.scheduler.sent}


def test_each_kind_of_timing_loses_the_ticks_of_the_pause_and_no_other(using: str, clock: Any) -> None:
    without_pause = _runs(using, clock, pause=False)
    empty(using)
    with_pause = _runs(using, clock, pause=True)

    begin, end = NOW + 30 * MINUTE, NOW + 90 * MINUTE
    assert with_pause == {(name, tick) for name, tick in without_pause if not begin <= tick <= end}
    assert {name for name, _ in without_pause} - {name for name, _ in with_pause} == {"noon", "at", "berlin"}
    # Its time was within the pause: it is completed, as after a pause of its own.
    assert (row(using, "at").enabled, row(using, "at").total_run_count) == (False, 0)


def test_what_fell_due_is_not_sent_after_a_restart_or_an_outage_either(using: str, clock: Any) -> None:
    for name in ("quarters", "berlin", "interval", "hours", "at", "noon"):
        make(using, name, TIMINGS[name])
    first = Beat(clock)
    first.run(29 * MINUTE)
    first.news()
    clock.move_to(NOW + 30 * MINUTE)
    paused(using)
    first.step()
    first.scheduler.close()
    # The pause ends at 11:30, while no Beat runs.
    clock.move_to(NOW + 125 * MINUTE)
    second = Beat(clock)
    second.settle()

    assert sent(first) == []
    assert sent(second) == [("hours", "23 11:59"), ("interval", "23 12:05"), ("quarters", "23 12:00")]


def _in_the_middle(using: str, beat: Beat, number: int = 3) -> None:
    """Let the pause begin when some messages of a batch have been sent."""

    before = len(beat.scheduler.sent)

    def pause_at(_message: Message) -> None:
        if len(beat.scheduler.sent) == before + number - 1:
            paused(using)
            beat.scheduler._full_pause._next_look = 0.0

    beat.scheduler.fails_at = pause_at  # type: ignore[assignment]


@pytest.mark.parametrize("catch_up", [False, True])
def test_a_batch_stops_in_the_middle_and_its_unsent_ticks_are_missed(
    using: str, clock: Any, five: list[PeriodicTask], catch_up: bool, caplog: Any
) -> None:
    beat = Beat(clock)
    beat.settle()
    beat.news()
    clock.shift(MINUTE)
    _in_the_middle(using, beat)
    for _ in range(3):
        beat.step()
    first = sent(beat)
    beat.scheduler.fails_at = None

    assert len(first) == 3
    assert "2 claimed ticks are not sent: everything is paused" in caplog.text
    assert not Claim.objects.using(using).filter(confirmed=False).exists()
    resumed(using, catch_up=catch_up)
    beat.scheduler._full_pause._next_look = 0.0
    beat.settle()
    second = sent(beat)
    clock.shift(MINUTE)
    beat.settle()
    everyone = [(f"x{number}", "23 10:02") for number in range(5)]
    left = sorted({name for name, _ in everyone} - {name for name, _ in first})
    assert second == ([(name, "23 10:01") for name in left] if catch_up else [])
    assert sent(beat) == everyone


def test_a_slow_broker_does_not_keep_a_batch_from_stopping_within_two_seconds(using: str) -> None:
    now = datetime.now(timezone.utc)
    for number in range(40):
        made = make(using, f"x{number}", {**TIMINGS["each minute"]})
        PeriodicTask.objects.using(using).filter(pk=made.pk).update(last_run_at=now - MINUTE, date_changed=now - HOUR)
    scheduler = NotingScheduler()
    began: list[float] = []

    def be_slow(_message: Message) -> None:
        if len(scheduler.sent) == 3:
            began.append(time.monotonic())
            paused(using)
        time.sleep(0.2)

    scheduler.fails_at = be_slow  # type: ignore[assignment]
    scheduler.step()
    took = time.monotonic() - began[0]
    scheduler.step()

    assert took < 2
    assert 3 < len(scheduler.sent) < 12
    assert not Claim.objects.using(using).filter(confirmed=False).exists()
    assert PeriodicTask.objects.using(using).filter(total_run_count=1).count() == len(scheduler.sent)


def test_a_new_leader_goes_on_from_ticks_that_were_given_up(using: str, clock: Any, five: list[PeriodicTask]) -> None:
    one = Beat(clock)
    _in_the_middle(using, one, 1)
    one.step()
    one.step()
    resumed(using, catch_up=True)
    one.scheduler.close()
    two = Beat(clock)
    two.settle()

    assert [name for name, _ in sent(two)] == ["x1", "x2", "x3", "x4"][: len(two.scheduler.sent)]
    assert len(one.scheduler.sent) + len(two.scheduler.sent) == 5


@pytest.mark.parametrize("catch_up", [False, True])
def test_ticks_that_a_beat_left_behind_when_it_died_are_missed_too(
    using: str, clock: Any, five: list[PeriodicTask], catch_up: bool
) -> None:
    def die(_message: Message) -> None:
        raise Died

    dead = Beat(clock)
    dead.scheduler.fails_at = die  # type: ignore[assignment]
    with pytest.raises(Died):
        dead.step()
    assert Claim.objects.using(using).filter(confirmed=False).count() == 5
    paused(using)
    resumed(using, catch_up=catch_up)
    clock.shift(timedelta(seconds=20))
    PeriodicTask.objects.using(using).filter(name="x4").update(enabled=False)
    dead.scheduler.close()
    heir = Beat(clock)
    heir.settle()

    expected = ["x0", "x1", "x2", "x3"] if catch_up else []
    assert [name for name, _ in sent(heir)] == expected


def test_a_claim_is_refused_that_was_worked_out_before_the_pause(
    using: str, clock: Any, five: list[PeriodicTask]
) -> None:
    beat = Beat(clock)
    beat.settle()
    beat.news()
    clock.shift(MINUTE)
    paused(using)
    # As if it had looked just before.
    beat.scheduler._full_pause._next_look = 10.0**12
    assert beat.step() > 0
    assert sent(beat) == []
    assert beat.scheduler._full_pause.is_on()


def test_without_an_election_every_beat_stops(using: str, clock: Any, five: list[PeriodicTask], forced: None) -> None:
    beats = [Beat(clock), Beat(clock)]
    for beat in beats:
        beat.settle()
        beat.news()
    paused(using, 10 * MINUTE)
    for _ in range(9):
        clock.shift(MINUTE)
        for beat in beats:
            assert beat.step() > 0
    assert [sent(beat) for beat in beats] == [[], []]
    clock.shift(2 * MINUTE)
    for beat in beats:
        beat.settle()
    assert sorted(sent(beats[0]) + sent(beats[1])) == [(f"x{number}", "23 10:11") for number in range(5)]


@pytest.mark.parametrize(
    ("missed_runs", "expected"),
    [("latest", ["10:10"]), ("none", ["10:10"]), ("all", [f"10:{minute:02}" for minute in range(1, 11)])],
)
def test_catching_up_lets_missed_runs_decide_and_says_how_many_that_are(
    using: str, clock: Any, missed_runs: str, expected: list[str]
) -> None:
    make(using, "x", MINUTELY)
    make(using, "three", {"crontab": {"minute": "3"}, "last_run_at": NOW - MINUTE})
    ledger(using, "x", missed_runs)
    ledger(using, "three", "none")
    beat = Beat(clock)
    beat.settle()
    beat.news()
    paused(using)
    for _ in range(10):
        clock.shift(MINUTE)
        beat.step()
    said = resumed(using, catch_up=True)
    beat.scheduler._full_pause._next_look = 0.0
    beat.settle()

    assert sent(beat) == [("x", f"23 {clock_time}") for clock_time in expected]
    runs = f"{len(expected)} runs are" if len(expected) > 1 else "1 run is"
    assert said == [f"catching up: {runs} sent at once, of 1 schedule"]


def test_catching_up_sends_nothing_of_an_earlier_pause(using: str, clock: Any) -> None:
    make(using, "five", {"crontab": {"minute": "5"}, "last_run_at": NOW - 50 * MINUTE})
    beat = Beat(clock)
    beat.settle()
    paused(using, 10 * MINUTE)
    clock.shift(20 * MINUTE)
    beat.step()
    paused(using, 10 * MINUTE)
    clock.shift(5 * MINUTE)
    said = resumed(using, catch_up=True)
    beat.settle()

    assert (sent(beat), said) == ([], ["catching up: no run was missed"])
    clock.shift(HOUR)
    beat.settle()
    assert sent(beat) == [("five", "23 11:05")]


def test_a_schedule_that_is_made_after_the_pause_is_not_touched_by_it(using: str, clock: Any) -> None:
    paused(using, MINUTE)
    clock.shift(2 * MINUTE)
    beat = Beat(clock)
    beat.settle()
    late = make(using, "late", {"clocked": {"clocked_time": NOW + timedelta(seconds=30)}, "one_off": True})
    PeriodicTask.objects.using(using).filter(pk=late.pk).update(date_changed=NOW + 2 * MINUTE)
    beat.settle()

    assert sent(beat) == [("late", "23 10:00")]


def test_the_log_says_who_paused_and_when_it_is_over(using: str, clock: Any, caplog: Any) -> None:
    make(using, "x", MINUTELY)
    pause_everything(using, "INC-42\nforged line", 10 * MINUTE)
    FullPause.objects.using(using).update(who="jo")
    beat = Beat(clock)
    beat.step()
    beat.step()
    text = "everything is paused by jo until 10:10 UTC: INC-42\\nforged line"
    assert [record.message for record in caplog.records].count(text) == 1
    clock.shift(11 * MINUTE)
    beat.settle()

    assert "the pause of everything is over" in caplog.text
    assert "11 ticks are passed over, due while everything was paused: x" in caplog.text


@pytest.fixture
def unmigrated(using: str) -> Iterator[None]:
    with without(using, FullPause):
        yield


def test_a_beat_works_before_the_table_is_made(
    using: str, clock: Any, five: list[PeriodicTask], unmigrated: None
) -> None:
    beat = Beat(clock)
    beat.settle()

    assert len(sent(beat)) == 5


def test_passing_over_takes_no_statement_for_each_schedule(using: str, clock: Any) -> None:
    counts = []
    for number in (3, 30):
        for index in range(number):
            make(using, f"x{index}", {"crontab": {"minute": "5"}, "last_run_at": NOW - 50 * MINUTE})
        beat = Beat(clock)
        beat.settle()
        paused(using, 10 * MINUTE)
        clock.shift(11 * MINUTE)
        beat.scheduler.reloader._next_poll = 10**12
        with CaptureQueriesContext(connections[using]) as queries:
            beat.scheduler.step()
        counts.append(len(queries))
        assert sent(beat) == []
        beat.scheduler.close()
        empty(using)
        clock.move_to(NOW)

    assert counts[0] == counts[1] < 10


def test_a_row_with_values_that_nobody_can_read_pauses_nothing(using: str, clock: Any) -> None:
    paused(using)
    if connections[using].vendor == "sqlite":
        with connections[using].cursor() as cursor:
            cursor.execute("UPDATE schedsync_fullpause SET until = 'soon', who = x'ff'")
    else:
        FullPause.objects.using(using).update(until=None)
    make(using, "x", MINUTELY)
    beat = Beat(clock)
    beat.settle()

    pause = read_full_pause(using)
    assert pause is not None
    assert pause.until is None
    assert len(sent(beat)) == 1
