"""Instants as people type them."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest

from schedsync.calendar.clock_times import clock_time, span_of
from schedsync.core.timing import TimingError, instant_text

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 11, 28, 1, 30, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "at"),
    [
        ("2026-11-27T02:00+01:00", "2026-11-27T01:00:00Z"),
        ("2026-11-27T02:00Z", "2026-11-27T02:00:00Z"),
        ("2026-11-27 02:00", "2026-11-27T01:00:00Z"),
        ("2026-11-27T02:00:07", "2026-11-27T01:00:07Z"),
        ("2026-11-27", "2026-11-26T23:00:00Z"),
        ("02:00", "2026-11-28T01:00:00Z"),
        ("02:30", "2026-11-28T01:30:00Z"),
        ("02:31", "2026-11-27T01:31:00Z"),
        # 02:30 comes twice on that day, and 02:30 on 29 March does not exist.
        ("2026-10-25 02:30", "2026-10-25T00:30:00Z"),
        ("2026-03-29 02:30", "2026-03-29T01:30:00Z"),
    ],
)
def test_a_time_without_an_offset_is_one_of_the_zone(text: str, at: str) -> None:
    assert instant_text(span_of(clock_time(text), BERLIN, NOW).start) == at
    assert (clock_time(text).at is None) == (not text.endswith(("Z", "+01:00")))


@pytest.mark.parametrize(
    "text", ["", "yesterday", "25:00", "2026-02-30", "2:0", "2026-11-27T", "0001-01-01", "02:00:99"]
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(TimingError):
        clock_time(text)
