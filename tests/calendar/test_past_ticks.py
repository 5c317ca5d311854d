"""The ticks of a span of the past are those that stepping through the timing finds."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from itertools import takewhile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedsync.calendar.past_ticks import Grid
from schedsync.calendar.ticks import first_tick, tick_after
from schedsync.core.timing import Clocked, Interval, Timing, solar
from tests.calendar.test_slots import CRONTABS, INSTANTS, cron

SECOND = 10**6
NOON = datetime(2026, 3, 2, 12, tzinfo=timezone.utc)
HOUR = timedelta(hours=1)


@settings(max_examples=100, deadline=None)
@given(CRONTABS, INSTANTS, st.timedeltas(timedelta(0), timedelta(days=9)))
def test_slots_of_a_crontab_are_found_from_any_instant(timing: Timing, since: datetime, span: timedelta) -> None:
    ticks = list(Grid(timing, NOON, ran=True).ticks(since, since + span))
    stepped, at = [], tick_after(timing, since - timedelta(microseconds=1))
    while at is not None and at < since + span:
        stepped.append(at)
        at = tick_after(timing, at)

    assert ticks == stepped


@settings(max_examples=100, deadline=None)
@given(
    st.integers(60 * SECOND, 10**11),
    st.timedeltas(timedelta(days=-3), timedelta(days=3)),
    st.timedeltas(timedelta(0), timedelta(days=2)),
)
def test_ticks_of_an_interval_lie_whole_intervals_from_its_last_run(
    microseconds: int, before: timedelta, span: timedelta
) -> None:
    timing, since = Interval(microseconds), NOON + before
    step = timedelta(microseconds=microseconds)
    ticks = list(Grid(timing, NOON, ran=True).ticks(since, since + span))

    assert all(since <= tick < since + span and not (tick - NOON) % step for tick in ticks)
    assert len(ticks) in (span // step, span // step + 1)


@pytest.mark.parametrize("start", [None, NOON + 90 * timedelta(minutes=1)])
def test_an_interval_that_never_ran_begins_where_beat_begins_it(start: datetime | None) -> None:
    timing = Interval(3600 * SECOND)
    ticks = list(Grid(timing, NOON, ran=False, start=start).ticks(NOON - HOUR, NOON + 4 * HOUR))

    assert ticks[0] == first_tick(timing, NOON, start, ran=False)
    assert len(ticks) == 3


@pytest.mark.parametrize("timing", [cron("0 * * * *"), Interval(3600 * SECOND)])
def test_there_are_no_ticks_before_the_start_and_from_the_end_on(timing: Timing) -> None:
    grid = Grid(timing, NOON, ran=True, start=NOON - 2 * HOUR, end=NOON + HOUR)

    assert list(grid.ticks(NOON - 9 * HOUR, NOON + 9 * HOUR)) == [NOON - 2 * HOUR, NOON - HOUR, NOON]


def test_a_clocked_schedule_and_a_one_off_have_one_tick() -> None:
    span = NOON - HOUR, NOON + 3 * HOUR

    assert list(Grid(Clocked(NOON), NOON, ran=False, one_off=True).ticks(*span)) == [NOON]
    assert list(Grid(Clocked(NOON - 2 * HOUR), NOON, ran=False).ticks(*span)) == []
    assert list(Grid(cron("0 * * * *"), NOON, ran=False, one_off=True).ticks(*span)) == [NOON - HOUR]


def test_the_sun_has_its_ticks_too() -> None:
    timing = solar("sunset", 52.5, 13.4)
    ticks = list(Grid(timing, NOON, ran=True).ticks(NOON, NOON + 72 * HOUR))

    assert ticks == list(takewhile(lambda tick: tick < NOON + 72 * HOUR, _suns(timing)))
    assert len(ticks) == 3


def _suns(timing: Timing) -> list[datetime]:
    found, at = [], tick_after(timing, NOON)
    while at is not None and len(found) < 5:
        found.append(at)
        at = tick_after(timing, at)
    return found
