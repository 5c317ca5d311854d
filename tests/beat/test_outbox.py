"""The outbox gives out claimed ticks when their time has come, loses none, and knows what is in hand."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedsync.beat.claims import Orphan
from schedsync.beat.message import DueTick
from schedsync.beat.outbox import SECONDS, Claimed, Outbox, Waiting
from tests.beat.made import NOON, loaded

ONE, TWO, THREE = (uuid.UUID(int=number) for number in (1, 2, 3))


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def outbox(clock: Clock) -> Outbox:
    return Outbox(clock)


def due_tick(row_id: int, minute: int = 0) -> DueTick:
    return DueTick(loaded(row_id=row_id), NOON + timedelta(minutes=minute))


def claimed(batch: uuid.UUID, *row_ids: int) -> Claimed:
    return Claimed(batch, tuple(due_tick(row_id) for row_id in row_ids))


def taken(outbox: Outbox, waiting: Waiting, most: int | None = None) -> list[tuple[uuid.UUID, list[int]]]:
    with outbox.take(waiting, most) as found:
        return [(part.batch, [tick.row_id for tick in part.ticks]) for part in found]


@pytest.mark.parametrize("waiting", [Waiting.TO_SEND, Waiting.TO_CONFIRM])
def test_ticks_that_wait_for_no_time_are_given_out_at_once_and_in_order(outbox: Outbox, waiting: Waiting) -> None:
    outbox.put(claimed(ONE, 1, 2), waiting)
    outbox.put(claimed(TWO, 3), waiting)
    outbox.put(claimed(THREE, 4), waiting, first=True)

    assert taken(outbox, waiting, most=1) == [(THREE, [4])]
    assert taken(outbox, waiting) == [(ONE, [1, 2]), (TWO, [3])]
    assert taken(outbox, waiting) == []


@pytest.mark.parametrize("waiting", SECONDS)
def test_ticks_that_wait_for_a_time_are_given_out_together_when_the_first_has_waited_for_it(
    outbox: Outbox, clock: Clock, waiting: Waiting
) -> None:
    outbox.put(claimed(ONE, 1), waiting)
    clock.seconds += SECONDS[waiting] - 0.25
    outbox.put(claimed(TWO, 2), waiting)
    assert not outbox.is_time(waiting)
    assert taken(outbox, waiting) == []
    clock.seconds += 0.25

    assert outbox.is_time(waiting)
    assert taken(outbox, waiting) == [(ONE, [1]), (TWO, [2])]
    outbox.put(claimed(THREE, 3), waiting)
    assert taken(outbox, waiting) == []


@pytest.mark.parametrize("waiting", SECONDS)
def test_their_time_can_be_let_come_at_once(outbox: Outbox, waiting: Waiting) -> None:
    outbox.put(claimed(ONE, 1), waiting)
    outbox.hurry(waiting)

    assert taken(outbox, waiting) == [(ONE, [1])]


@pytest.mark.parametrize("waiting", Waiting)
def test_ticks_are_put_back_before_the_others_if_what_takes_them_fails(outbox: Outbox, waiting: Waiting) -> None:
    outbox.put(claimed(ONE, 1), waiting)
    outbox.put(claimed(TWO, 2), waiting)
    outbox.hurry(waiting)
    with pytest.raises(KeyboardInterrupt), outbox.take(waiting, most=1):
        raise KeyboardInterrupt

    assert taken(outbox, waiting) == [(ONE, [1]), (TWO, [2])]


def test_no_ticks_leave_no_trace(outbox: Outbox) -> None:
    for waiting in Waiting:
        outbox.put(Claimed(ONE, ()), waiting)
        assert not outbox.is_time(waiting)

    assert (outbox.held(), outbox.rows_in_hand(), outbox.never_sent()) == ([], set(), set())


def test_it_knows_what_is_in_hand(outbox: Outbox) -> None:
    for row_id, (waiting, batch) in enumerate(zip(Waiting, (ONE, ONE, TWO, TWO, THREE, THREE), strict=True)):
        outbox.put(claimed(batch, row_id), waiting)

    assert outbox.rows_in_hand() == {0, 1, 2, 3, 4, 5}
    assert [held.batch for held in outbox.held()] == [ONE, ONE, TWO, TWO, THREE, THREE]
    assert outbox.never_sent() == {(0, NOON), (1, NOON), (2, NOON), (3, NOON)}


def test_sent_ticks_are_taken_back_under_a_new_batch_and_unsent_ones_are_not(outbox: Outbox) -> None:
    outbox.put(claimed(ONE, 1), Waiting.TO_SEND)
    outbox.put(claimed(ONE, 2, 3), Waiting.TO_CONFIRM)
    outbox.put(claimed(ONE, 4), Waiting.ROW_LOCKED)
    keys = [due_tick(row_id).key for row_id in (1, 2, 4, 5)] + [due_tick(3, minute=1).key]

    assert outbox.take_back(keys, TWO) == {due_tick(2).key, due_tick(4).key}
    assert taken(outbox, Waiting.TO_SEND) == [(ONE, [1])]
    assert taken(outbox, Waiting.TO_CONFIRM) == [(ONE, [3]), (TWO, [2, 4])]
    assert outbox.rows_in_hand() == set()


def test_a_tick_of_which_only_the_row_is_known_can_wait_too(outbox: Outbox) -> None:
    outbox.put(Claimed(ONE, (Orphan(7, NOON),)), Waiting.TO_CONFIRM)

    assert outbox.rows_in_hand() == {7}
    assert outbox.take_back([(7, NOON)], TWO) == {(7, NOON)}


ACTS = st.tuples(st.sampled_from(["put", "first", "take", "fail", "pass"]), st.sampled_from(Waiting), st.integers(1, 3))


@given(st.lists(ACTS, max_size=40))
def test_no_tick_is_lost_and_none_is_given_out_twice(acts: list[tuple[str, Waiting, int]]) -> None:
    clock = Clock()
    outbox, given_out, put = Outbox(clock), [], 0
    for act, waiting, number in acts:
        if act in ("put", "first"):
            outbox.put(claimed(ONE, *range(put, put + number)), waiting, first=act == "first")
            put += number
        elif act == "pass":
            clock.seconds += number
        elif act == "take":
            given_out += [row_id for _, row_ids in taken(outbox, waiting, number) for row_id in row_ids]
        else:
            with pytest.raises(ZeroDivisionError), outbox.take(waiting, number):
                raise ZeroDivisionError

        assert sorted([*given_out, *outbox.rows_in_hand()]) == list(range(put))
