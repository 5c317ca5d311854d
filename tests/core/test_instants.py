"""The text of an instant."""

from __future__ import annotations

from datetime import datetime, timezone
from zoneinfo import ZoneInfo

from schedsync.core.timing import instant_text


def test_the_two_instants_of_a_repeated_hour_have_two_texts() -> None:
    first = datetime(2026, 10, 25, 2, 30, tzinfo=ZoneInfo("Europe/Berlin"))
    texts = [instant_text(first), instant_text(first.replace(fold=1))]

    assert texts == ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]


def test_an_instant_is_written_in_utc() -> None:
    assert instant_text(datetime(2026, 11, 23, 10, 0, 0, 5, tzinfo=timezone.utc)) == "2026-11-23T10:00:00.000005Z"
