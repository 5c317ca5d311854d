"""What Beat counts for its metrics, and when it writes that."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from amqp.exceptions import MessageNacked
from django.db import OperationalError

from schedsync.beat.message import Message
from schedsync.core.counters import Counters
from schedsync.models import BeatCounters
from tests.beat.ours import Beat
from tests.beat.test_like_stock import TIMINGS, make
from tests.beat.test_tables import without
from tests.conftest import NOW

DUE = {**TIMINGS["each minute"], "last_run_at": NOW - timedelta(minutes=1)}


def counted(beat: Beat) -> Counters:
    return beat.scheduler.sender.counters


def beat_with(using: str, clock: Any, error: Exception | None) -> Beat:
    """Return a Beat with two messages that are due, the first of which fails once."""
    for name in ("a", "b"):
        make(using, name, DUE)
    beat = Beat(clock)
    failing = [error]

    def fails(message: Message) -> Exception | None:
        return failing.pop() if failing and message.name == "a" else None

    beat.scheduler.fails_at = fails
    return beat


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (None, (2, 0, 0, 0)),
        (MessageNacked(), (1, 1, 0, 0)),
        (ValueError("no message"), (1, 0, 1, 0)),
        (OSError("cut"), (2, 0, 0, 1)),
    ],
    ids=["sent", "refused", "given up", "unsure"],
)
def test_each_message_is_counted_by_its_fate(
    using: str, clock: Any, error: Exception | None, expected: tuple[int, ...]
) -> None:
    beat = beat_with(using, clock, error)
    beat.settle()
    counters = counted(beat)
    if error is not None and expected[3]:
        beat.step_until(lambda: counters.sent == expected[0])

    assert (counters.sent, counters.refused, counters.given_up, counters.unsure) == expected


def test_a_refused_message_counts_as_sent_when_it_is(using: str, clock: Any) -> None:
    beat = beat_with(using, clock, MessageNacked())
    beat.settle()
    beat.tried_again()

    assert (counted(beat).sent, counted(beat).refused) == (2, 1)


def test_what_a_leader_passes_over_is_counted(using: str, clock: Any) -> None:
    make(using, "x", {**DUE, "last_run_at": NOW - timedelta(minutes=7)})
    beat = Beat(clock)
    beat.settle()

    assert (counted(beat).sent, counted(beat).passed_over) == (1, 6)


def test_ticks_are_counted_once_however_often_their_claim_is_tried_again(using: str, clock: Any) -> None:
    made = make(using, "x", {**DUE, "last_run_at": NOW})
    beat = Beat(clock)
    beat.settle()
    clock.shift(timedelta(minutes=7))
    due = beat.scheduler._dispatch._next._due
    for _ in range(3):
        due.note_claimed(due.ticks([made.pk], NOW + timedelta(minutes=7), NOW), ())
    unclaimed = counted(beat).passed_over
    beat.settle()

    assert unclaimed == 0
    assert (counted(beat).sent, counted(beat).passed_over) == (1, 6)


def test_each_loss_of_the_lease_is_counted_once(using: str, clock: Any) -> None:
    beat = Beat(clock)
    beat.settle()
    for _ in range(2):
        beat.scheduler._fail(OperationalError("gone"))
    standing_by = counted(beat).lease_losses

    assert standing_by == 1


def test_each_reload_is_counted_with_its_time(using: str, clock: Any) -> None:
    beat = Beat(clock)
    before = counted(beat).reloads
    beat.step()

    assert counted(beat).reloads == before + 1
    assert counted(beat).reload_seconds > 0


def test_the_counters_are_written_with_the_heartbeat_and_not_in_between(using: str, clock: Any) -> None:
    beat = beat_with(using, clock, None)
    beat.step()
    first = BeatCounters.objects.using(using).get()
    beat.settle()
    between = BeatCounters.objects.using(using).get()
    beat.scheduler.heartbeat._next = 0.0
    beat.step()
    later = BeatCounters.objects.using(using).get()

    assert (first.sent, between.sent, later.sent) == (0, 0, 2)
    assert later.beat == beat.scheduler.holder


def test_the_counters_of_beats_that_have_ended_are_deleted(using: str, clock: Any) -> None:
    Beat(clock).settle()
    BeatCounters.objects.using(using).update(beat="00000000-0000-0000-0000-000000000001")
    Beat(clock).settle()

    assert "00000000-0000-0000-0000-000000000001" not in {
        str(pk) for pk in BeatCounters.objects.using(using).values_list("pk", flat=True)
    }


def test_before_the_migration_nothing_is_written(using: str, clock: Any) -> None:
    make(using, "x", DUE)
    with without(using, BeatCounters):
        beat = Beat(clock)
        beat.settle()
        beat.scheduler.heartbeat._next = 0.0
        beat.step()

        assert (len(beat.news()), counted(beat).sent) == (1, 1)
    assert not BeatCounters.objects.using(using).exists()
