"""The last tick and how many came before it, found without stepping, are those that stepping finds."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from schedsync.calendar.ticks import Due, Lateness, count, due, last_tick, tick_after
from schedsync.core.timing import Clocked, Interval, Timing, solar
from tests.calendar.test_slots import CRONTABS, INSTANTS, cron

NOON = datetime(2026, 3, 2, 12, tzinfo=timezone.utc)
SPANS = st.timedeltas(timedelta(0), timedelta(days=12))
TIMINGS = st.one_of(CRONTABS, st.builds(Interval, st.integers(60_000_000, 10**12)))


def stepped(timing: Timing, tick: datetime, until: datetime) -> Iterator[datetime]:
    at: datetime | None = tick
    while at is not None and at <= until:
        yield at
        at = tick_after(timing, at)


@settings(max_examples=150, deadline=None)
@given(TIMINGS, INSTANTS, SPANS)
@example(cron("30 2 * * *", "Europe/Berlin"), datetime(2026, 3, 28, tzinfo=timezone.utc), timedelta(days=3))
@example(cron("*/7 * * * *", "Europe/Berlin"), datetime(2026, 3, 28, 20, tzinfo=timezone.utc), timedelta(hours=9))
@example(cron("0 2,3 * * *", "Europe/Berlin"), datetime(2026, 10, 24, tzinfo=timezone.utc), timedelta(days=2))
@example(cron("1 0 * * *", "Asia/Beirut"), datetime(2005, 3, 26, tzinfo=timezone.utc), timedelta(days=3))
def test_the_last_tick_is_the_one_that_stepping_finds(timing: Timing, begin: datetime, span: timedelta) -> None:
    first = tick_after(timing, begin)
    assume(first is not None and first <= begin + span)
    assert first is not None
    found = list(stepped(timing, first, begin + span))

    assert last_tick(timing, first, begin + span) == found[-1]
    assert count(timing, first, found[-1]) == len(found) - 1


@pytest.mark.parametrize(
    ("timing", "begin", "until"),
    [
        (solar("sunrise", 69.6, 18.9), datetime(2026, 5, 10), datetime(2026, 8, 3)),
        (solar("sunrise", 69.6, 18.9), datetime(2026, 5, 10), datetime(2026, 7, 10)),
        (solar("dusk_astronomical", 52.52, 13.405), datetime(2026, 5, 10), datetime(2026, 5, 27)),
        (solar("sunset", 78.2, 15.6), datetime(2026, 10, 20), datetime(2026, 12, 10)),
        (solar("sunset", 78.2, 15.6), datetime(2024, 10, 20), datetime(2026, 2, 10)),
        (solar("sunset", 89, 0), datetime(2025, 9, 1), datetime(2027, 7, 1)),
    ],
    ids=["midnight sun", "in the midnight sun", "summer nights", "polar night", "two years", "at the pole"],
)
def test_the_last_event_of_the_sun_is_found_however_long_it_is_absent(
    timing: Timing, begin: datetime, until: datetime
) -> None:
    begin, until = begin.replace(tzinfo=timezone.utc), until.replace(tzinfo=timezone.utc)
    first = tick_after(timing, begin)
    assert first is not None

    assert last_tick(timing, first, until) == list(stepped(timing, first, until))[-1]


@pytest.mark.parametrize(
    ("timing", "tick"),
    [
        (Clocked(NOON), NOON),
        (Interval(10**15), datetime(9999, 12, 1, tzinfo=timezone.utc)),
        (cron("0 12 * * *"), datetime.max.replace(tzinfo=timezone.utc) - timedelta(hours=12)),
    ],
    ids=["clocked", "interval past the last year", "crontab at the end of time"],
)
def test_nothing_comes_after_the_last_tick(timing: Timing, tick: datetime) -> None:
    assert tick_after(timing, tick) is None
    assert due(timing, tick, tick, Lateness(), tick) == Due(tick, 0, None)
