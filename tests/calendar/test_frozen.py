"""Whether an instant lies in a window of a freeze, and when the next apply is possible."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schedsync.calendar.frozen import frozen, never_ending
from schedsync.core.freeze import Freeze
from tests.calendar.test_slots import CRONTABS, INSTANTS, cron

HOUR = timedelta(hours=1)


def freeze(crontab: str, hours: float, zone: str = "UTC", *environments: str) -> Freeze:
    return Freeze(cron(crontab, zone), hours * HOUR, "quarter end", environments)


def utc(*numbers: int) -> datetime:
    return datetime(*numbers, tzinfo=timezone.utc)  # type: ignore[arg-type,misc]


def ending(at: datetime, *freezes: Freeze, environment: str | None = None) -> datetime | None:
    """Return when the next apply is possible: ``at`` itself where nothing is frozen, None for never."""
    window = frozen(freezes, environment, at)
    return at if window is None else window.until


WEEKEND = freeze("0 16 * * 5", 64, "Europe/Berlin")


@pytest.mark.parametrize(
    ("at", "until"),
    [
        (utc(2026, 11, 27, 14, 59, 59), utc(2026, 11, 27, 14, 59, 59)),
        (utc(2026, 11, 27, 15), utc(2026, 11, 30, 7)),
        (utc(2026, 11, 30, 6, 59, 59), utc(2026, 11, 30, 7)),
        (utc(2026, 11, 30, 7), utc(2026, 11, 30, 7)),
        # The clock is set forward on 29 March 2026, and back on 25 October: 64 elapsed hours all the same.
        (utc(2026, 3, 28), utc(2026, 3, 30, 7)),
        (utc(2026, 10, 24), utc(2026, 10, 26, 6)),
    ],
)
def test_a_window_holds_from_its_slot_for_its_duration(at: datetime, until: datetime) -> None:
    assert ending(at, WEEKEND) == until


@pytest.mark.parametrize(
    ("at", "until"),
    [
        # 02:30 does not exist on 29 March: the window begins at 03:30.
        (utc(2026, 3, 29, 1, 29), utc(2026, 3, 29, 1, 29)),
        (utc(2026, 3, 29, 1, 31), utc(2026, 3, 29, 2, 30)),
        # 02:30 comes twice on 25 October: the window begins at the first one.
        (utc(2026, 10, 25, 0, 31), utc(2026, 10, 25, 1, 30)),
        (utc(2026, 10, 25, 1, 31), utc(2026, 10, 25, 1, 31)),
    ],
)
def test_a_beginning_that_daylight_saving_skips_or_repeats_is_that_of_a_schedule(at: datetime, until: datetime) -> None:
    assert ending(at, freeze("30 2 * * *", 1, "Europe/Berlin")) == until


def test_windows_that_overlap_or_follow_one_another_are_followed_to_their_end() -> None:
    at = utc(2026, 11, 28, 12)
    overlapping = freeze("0 0 30 11 *", 24)
    following = freeze("0 0 1 12 *", 48)

    assert ending(at, WEEKEND, overlapping, following) == utc(2026, 12, 3)
    assert ending(at, WEEKEND, following) == utc(2026, 11, 30, 7)
    window = frozen([overlapping, WEEKEND, following], None, at)
    assert window is not None
    assert window.freeze is WEEKEND


def test_a_window_holds_the_environments_that_it_names_and_an_apply_that_names_none() -> None:
    at, until = utc(2026, 11, 28), utc(2026, 11, 28, 2)
    production = freeze("0 0 * * *", 2, "UTC", "production")

    assert ending(at, production, environment="production") == until
    assert ending(at, production, environment="staging") == at
    assert ending(at, production) == until
    assert ending(at, freeze("0 0 * * *", 2), environment="staging") == until


@pytest.mark.parametrize(
    "freezes",
    [
        (freeze("* * * * *", 1 / 60),),
        (freeze("0 0 * * *", 24),),
        (freeze("0 0 * * *", 12), freeze("0 12 * * *", 12)),
        (freeze("0 0 1 * *", 31 * 24),),
        (freeze("0 0 1 1 *", 366 * 24),),
        (freeze("0 0 29 2 *", 1), freeze("0 0 * * *", 24)),
    ],
)
def test_windows_without_a_gap_never_end(freezes: tuple[Freeze, ...]) -> None:
    at = utc(2026, 11, 28, 12)

    assert never_ending(freezes, None, at) in freezes
    assert ending(next_window(freezes, at), *freezes) is None


def next_window(freezes: tuple[Freeze, ...], at: datetime) -> datetime:
    while frozen(freezes, None, at) is None:
        at += timedelta(days=1)
    return at


def test_a_gap_of_a_minute_is_an_end() -> None:
    freezes = [freeze("0 0 * * *", 24 - 1 / 60)]

    assert never_ending(freezes, None, utc(2026, 11, 28, 12)) is None
    assert ending(utc(2026, 11, 28, 12), *freezes) == utc(2026, 11, 28, 23, 59)


def test_windows_that_never_open_are_of_their_environments() -> None:
    freezes = [freeze("0 0 * * *", 24, "UTC", "production")]

    assert never_ending(freezes, "staging", utc(2026, 11, 28)) is None
    assert never_ending(freezes, "production", utc(2026, 11, 28)) is freezes[0]


@settings(max_examples=150, deadline=None)
@given(CRONTABS, INSTANTS, st.integers(1, 40 * 60))
def test_an_end_is_the_first_instant_that_no_window_contains(timing: object, at: datetime, minutes: int) -> None:
    freezes = [Freeze(timing, timedelta(minutes=minutes), "r")]  # type: ignore[arg-type]
    window = frozen(freezes, None, at)

    if window is not None and window.until is not None:
        assert frozen(freezes, None, window.until) is None
        assert frozen(freezes, None, window.until - timedelta(microseconds=1)) is not None
        middle = at + (window.until - at) / 2
        assert frozen(freezes, None, middle) is not None
