"""How often a timing runs, and an instant, in words."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo
from zoneinfo import ZoneInfo

import pytest

from schedsync.calendar.words import frequency, moment, times
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


NOW = datetime(2026, 11, 27, 1, 30, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("instant", "zone", "expected"),
    [
        (NOW, timezone.utc, "Fri 27 Nov 01:30"),
        (NOW, ZoneInfo("Europe/Berlin"), "Fri 27 Nov 02:30"),
        (NOW - timedelta(hours=2), timezone.utc, "Thu 26 Nov 23:30"),
        (NOW.replace(second=7, microsecond=999_999), timezone.utc, "Fri 27 Nov 01:30:07"),
        (NOW.replace(microsecond=999_999), timezone.utc, "Fri 27 Nov 01:30"),
        (NOW + timedelta(days=300, microseconds=-1), timezone.utc, "Thu 23 Sep 01:29:59"),
        (NOW + timedelta(days=300), timezone.utc, "Thu 23 Sep 2027 01:30"),
        (NOW - timedelta(days=300), timezone.utc, "Sat 31 Jan 2026 01:30"),
        (datetime(2026, 12, 5, tzinfo=timezone.utc), timezone.utc, "Sat 5 Dec 00:00"),
    ],
)
def test_an_instant_has_a_weekday_and_a_year_only_where_it_is_far(
    instant: datetime, zone: tzinfo, expected: str
) -> None:
    assert moment(instant, zone, NOW) == expected


def test_without_a_present_an_instant_has_its_year() -> None:
    assert moment(NOW) == "Fri 27 Nov 2026 01:30"
