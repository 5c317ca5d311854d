"""Ticks in hand, claimed and not confirmed yet, while the schedule, the lease or the Beat changes."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from amqp.exceptions import MessageNacked
from django.db import OperationalError, connections
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import ClockedSchedule, PeriodicTask

from schedsync.beat.claims import Claims
from schedsync.beat.message import Message
from schedsync.beat.outbox import Waiting
from schedsync.models import Claim, Lease
from tests.beat.ours import Beat, locked, row
from tests.beat.test_like_stock import TIMINGS, make
from tests.beat.test_promises import MINUTE, Died, forced, ledger, minutely, ticks
from tests.conftest import NOW

__all__ = ["forced", "minutely"]


def dies(_: Message) -> Exception | None:
    raise Died


def refuses(_: Message) -> Exception | None:
    return MessageNacked()


@pytest.mark.parametrize("missed", ["latest", "all"])
def test_without_an_election_no_later_tick_takes_the_place_of_one_whose_beat_died(
    using: str, clock: Any, minutely: PeriodicTask, forced: None, missed: str
) -> None:
    ledger(using, missed_runs=missed)
    one, two = Beat(clock), Beat(clock)
    one.scheduler.fails_at = dies
    with pytest.raises(Died):
        one.settle()
    for _ in range(3):
        two.settle()
        clock.shift(MINUTE)
    assert ticks(two) == []

    Claim.objects.using(using).update(claimed_at=NOW - timedelta(hours=1))
    two.scheduler._dispatch._next_adoption = 0.0
    two.settle()
    assert ticks(two) == (["10:00", "10:01", "10:02", "10:03"] if missed == "all" else ["10:00", "10:03"])


def test_without_an_election_none_of_all_ticks_is_lost_while_the_broker_refuses(
    using: str, clock: Any, minutely: PeriodicTask, forced: None
) -> None:
    ledger(using, missed_runs="all")
    one, two = Beat(clock), Beat(clock)
    for beat in (one, two):
        beat.scheduler.fails_at = refuses
        beat.settle()
    for _ in range(2):
        clock.shift(MINUTE)
        for beat in (one, two):
            beat.settle()
            beat.tried_again()
    for beat in (one, two, one):
        beat.scheduler.fails_at = None
        beat.tried_again()

    assert ticks(one, two) == ["10:00", "10:01", "10:02"]


def test_without_an_election_a_one_off_whose_row_is_locked_runs_once(
    using: str, clock: Any, minutely: PeriodicTask, forced: None
) -> None:
    if using == "default":
        pytest.skip("SQLite locks the whole file")
    PeriodicTask.objects.using(using).update(one_off=True)
    one, two = Beat(clock), Beat(clock)
    with locked(using, minutely.pk):
        for _ in range(2):
            one.settle()
            two.settle()
            clock.shift(MINUTE)
    for beat in (one, two, one):
        beat.tried_again()

    assert ticks(one, two) == ["10:00"]
    assert not row(using, "x").enabled


@pytest.mark.parametrize("when", ["before it is sent", "before it is confirmed"])
def test_a_clocked_schedule_that_is_moved_on_runs_at_its_new_instant(using: str, clock: Any, when: str) -> None:
    make(using, "x", {"clocked": {"clocked_time": NOW}, "one_off": True})
    later = ClockedSchedule.objects.using(using).create(clocked_time=NOW + timedelta(hours=1))

    def move(_: Message | None = None) -> None:
        found = row(using, "x")
        found.clocked = later
        found.save(using=using)

    beat = Beat(clock)
    if when == "before it is sent":
        beat.scheduler.fails_at = refuses
        beat.settle()
        move()
        beat.step()
        beat.scheduler.fails_at = None
        beat.tried_again()
    else:
        beat.scheduler.fails_at = move
        beat.settle()
        beat.scheduler.fails_at = None
    assert (row(using, "x").enabled, row(using, "x").total_run_count) == (True, 0)
    clock.shift(timedelta(hours=1))
    beat.settle()

    assert ticks(beat) == (["11:00"] if when == "before it is sent" else ["10:00", "11:00"])
    assert not row(using, "x").enabled


def test_what_was_missed_and_is_not_to_be_made_up_for_is_not_adopted_either(
    using: str, clock: Any, minutely: PeriodicTask
) -> None:
    ledger(using, missed_runs="none")
    one = Beat(clock)
    one.scheduler.fails_at = dies
    with pytest.raises(Died):
        one.settle()
    clock.shift(timedelta(hours=5))
    Lease.objects.using(using).update(expires_at=NOW)
    two = Beat(clock)
    two.settle()

    assert ticks(two) == ["15:00"]
    assert not Claim.objects.using(using).filter(confirmed=False).exists()


def test_what_was_never_sent_is_not_forgotten_where_something_else_cannot_be_confirmed(
    using: str, clock: Any, minutely: PeriodicTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    ledger(using, delivery="at_most_once")
    make(using, "y", {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE})
    beat = Beat(clock)
    beat.scheduler.fails_at = refuses
    beat.settle()
    beat.scheduler.fails_at = None
    PeriodicTask.objects.using(using).filter(name="y").update(enabled=False)
    beat.step()
    with monkeypatch.context() as patch:

        def fail(*_: Any) -> None:
            raise OperationalError("deadlock")

        patch.setattr(Claims, "confirm", fail)
        beat.scheduler._dispatch.outbox.hurry(Waiting.REFUSED)
        beat.step()
    beat.scheduler.leadership.hurry()
    beat.settle()

    assert [message.name for _, message in beat.scheduler.sent] == ["x"]


def test_what_is_sent_is_confirmed_before_the_lease_is_given_back(
    using: str, clock: Any, minutely: PeriodicTask
) -> None:
    if using == "default":
        pytest.skip("SQLite locks the whole file")
    one, two = Beat(clock), Beat(clock)
    with locked(using, minutely.pk):
        one.settle()
        two.settle()
    one.scheduler.close()
    two.scheduler.leadership.hurry()
    two.settle()

    assert two.scheduler.leadership.leads
    assert ticks(one, two) == ["10:00"]


def test_who_had_locked_a_row_and_changed_it_is_obeyed_at_once(using: str, clock: Any, minutely: PeriodicTask) -> None:
    """As an apply does; the next look for locked rows alone would come a second later."""
    if using == "default":
        pytest.skip("SQLite locks the whole file")
    beat = Beat(clock)
    with locked(using, minutely.pk):
        beat.settle()
    PeriodicTask.objects.using(using).update(queue="q")
    beat.settle()
    assert row(using, "x").total_run_count == 1
    clock.shift(MINUTE)
    beat.settle()

    assert [(f"{message.tick:%H:%M}", message.options.get("queue")) for _, message in beat.scheduler.sent] == [
        ("10:00", None),
        ("10:01", "q"),
    ]


def sent(*beats: Beat) -> list[tuple[str, Any, dict[str, Any], Any]]:
    """Return what was sent: the tick, the arguments, and the queue."""
    messages = [message for beat in beats for _, message in beat.scheduler.sent]
    return [
        (f"{message.tick:%H:%M}", message.args, message.kwargs, message.options.get("queue")) for message in messages
    ]


def test_a_message_has_the_arguments_of_the_row_as_it_was_claimed(
    using: str, clock: Any, minutely: PeriodicTask
) -> None:
    PeriodicTask.objects.using(using).update(args="[1]", kwargs='{"a": 1}', headers='{"h": 1}')

    def edit(_: Message) -> None:
        PeriodicTask.objects.using(using).update(args="[2]", kwargs='{"a": 2}', headers='{"h": 2}', queue="q")

    beat = Beat(clock)
    beat.scheduler.fails_at = edit
    beat.settle()
    clock.shift(MINUTE)
    beat.settle()

    assert sent(beat) == [("10:00", [1], {"a": 1}, None), ("10:01", [2], {"a": 2}, "q")]
    assert [message.headers["h"] for _, message in beat.scheduler.sent] == [1, 2]


def test_an_adopted_tick_is_sent_with_the_arguments_of_its_row(using: str, clock: Any, minutely: PeriodicTask) -> None:
    PeriodicTask.objects.using(using).update(args="[1]", kwargs='{"a": 1}')
    one = Beat(clock)
    one.scheduler.fails_at = dies
    with pytest.raises(Died):
        one.settle()
    Lease.objects.using(using).update(expires_at=NOW - MINUTE)
    two = Beat(clock)
    two.settle()

    assert sent(two) == [("10:00", [1], {"a": 1}, None)]
    assert not Claim.objects.using(using).filter(confirmed=False).exists()


@pytest.mark.parametrize(
    ("columns", "found"),
    [
        ({"kwargs": '{"a": 2}', "queue": "q"}, [("10:00", [], {"a": 2}, "q")]),
        ({"enabled": False}, []),
        ({"kwargs": "{"}, []),
    ],
    ids=["edited", "disabled", "broken"],
)
def test_an_adopted_tick_waits_while_its_row_differs_from_what_is_loaded(
    using: str, clock: Any, minutely: PeriodicTask, forced: None, columns: dict[str, Any], found: list[Any]
) -> None:
    one, two = Beat(clock), Beat(clock)
    one.scheduler.fails_at = dies
    with pytest.raises(Died):
        one.settle()
    two.settle()
    Claim.objects.using(using).update(claimed_at=NOW - timedelta(hours=1))
    # Committed after Beat has looked for changes, and before it adopts.
    two.scheduler.reloader._next_poll = float("inf")
    PeriodicTask.objects.using(using).update(**columns)
    two.scheduler._dispatch._next_adoption = 0.0
    two.scheduler.step()
    assert sent(two) == []
    two.settle()

    assert sent(two) == found
    assert not Claim.objects.using(using).filter(confirmed=False).exists()


def test_a_refused_tick_has_the_arguments_of_what_is_loaded_when_it_is_sent(
    using: str, clock: Any, minutely: PeriodicTask
) -> None:
    beat = Beat(clock)
    beat.scheduler.fails_at = refuses
    beat.settle()
    beat.scheduler.fails_at = None
    PeriodicTask.objects.using(using).update(kwargs='{"a": 2}', queue="q")
    beat.tried_again()

    assert sent(beat) == [("10:00", [], {"a": 2}, "q")]


def test_the_statements_that_read_what_waits_do_not_grow_with_it(using: str, clock: Any) -> None:
    counts: list[int] = []
    beat = Beat(clock)
    for size in (2, 40):
        for number in range(size):
            make(using, f"{size} {number}", {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE})
        beat.scheduler.fails_at = refuses
        beat.settle()
        beat.scheduler.fails_at = None
        PeriodicTask.objects.using(using).update(kwargs='{"a": 2}')
        beat.step()
        beat.scheduler._dispatch.outbox.hurry(Waiting.REFUSED)
        with CaptureQueriesContext(connections[using]) as statements:
            beat.scheduler._dispatch._send_waiting()
        counts.append(len(statements))
    assert len(beat.scheduler.sent) == 42
    assert counts[0] == counts[1]
