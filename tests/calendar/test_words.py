"""How often a timing runs, in words."""

from __future__ import annotations

import pytest

from schedsync.calendar.words import frequency, times
from schedsync.core.timing import Interval, Timing, crontab

DAILY = crontab({"minute": "0", "hour": "2"}, "UTC")
WEEKLY = crontab({"minute": "0", "hour": "2", "day_of_week": "mon"}, "UTC")
WEEKDAYS = crontab({"minute": "0", "hour": "2", "day_of_week": "mon-fri"}, "UTC")
LEAP_DAYS = crontab({"minute": "0", "hour": "2", "day_of_month": "29", "month_of_year": "2"}, "UTC")
QUARTERS = crontab({"minute": "*/15"}, "UTC")
MINUTES = Interval(5 * 60 * 10**6)


@pytest.mark.parametrize(
    ("timing", "short", "long"),
    [
        (DAILY, "1 a day", "once a day"),
        (WEEKLY, "1 a week", "once a week"),
        (WEEKDAYS, "5 a week", "5 times a week"),
        (LEAP_DAYS, "less than once a year", "less than once a year"),
        (Interval(10**6), "86,400 a day", "86,400 times a day"),
    ],
)
def test_how_often_a_timing_runs(timing: Timing, short: str, long: str) -> None:
    assert (frequency(timing), times(timing)) == (short, long)


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (QUARTERS, MINUTES, "288 times a day instead of 96"),
        (DAILY, QUARTERS, "96 times a day instead of once a day"),
        (QUARTERS, DAILY, "once a day instead of 96 times a day"),
        (WEEKDAYS, DAILY, "once a day instead of 5 times a week"),
        (LEAP_DAYS, WEEKLY, "once a week instead of less than once a year"),
        (QUARTERS, Interval(15 * 60 * 10**6), ""),
    ],
)
def test_how_often_a_timing_runs_instead_of_another(before: Timing, after: Timing, expected: str) -> None:
    assert times(after, before) == expected
