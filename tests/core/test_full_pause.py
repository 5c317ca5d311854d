"""The pause of everything as users read it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from schedsync.core.full_pause import FullyPaused

NOW = datetime(2026, 11, 23, 10, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(("seconds", "clock"), [(600, "10:10"), (80.5, "10:01:20")])
def test_the_end_has_seconds_where_it_needs_them(seconds: float, clock: str) -> None:
    pause = FullyPaused("jo", "INC-42", NOW, NOW + timedelta(seconds=seconds))

    assert pause.text(NOW) == f"everything is paused by jo until {clock} UTC: INC-42"
