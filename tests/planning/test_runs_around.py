"""The runs before and after a change, which a reviewer compares."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from schedsync.core.change import Create, Delete, Update
from schedsync.core.observed import Row
from schedsync.core.schedule import Spec
from schedsync.core.timing import Clocked, crontab, interval, solar
from schedsync.planning.consequences import runs_around

#: The clocks of Berlin go forward in the night to Sunday, the 29th of March.
NOW = datetime(2026, 3, 27, 12, tzinfo=timezone.utc)


def _daily(hour: str) -> Spec:
    return Spec("shop.tasks.report", crontab({"minute": "0", "hour": hour}, "Europe/Berlin"))


def _row(spec: Spec) -> Row:
    return Row(1, "report", spec, last_run_at=NOW - timedelta(minutes=1), date_changed=NOW - timedelta(days=1))


def _clocks(runs: tuple[datetime, ...]) -> list[str]:
    return [f"{run:%d %H:%M}" for run in runs]


def test_a_moved_hour_over_a_change_of_the_clocks() -> None:
    before, after = runs_around(Update(name="report", row=_row(_daily("3")), after=_daily("4")), NOW)
    assert _clocks(before) == ["28 02:00", "29 01:00", "30 01:00"]
    assert _clocks(after) == ["28 03:00", "29 02:00", "30 02:00"]


def test_what_comes_has_no_run_before_and_what_goes_none_after() -> None:
    assert runs_around(Create(name="report", after=_daily("3")), NOW)[0] == ()
    assert runs_around(Delete(name="report", row=_row(_daily("3"))), NOW)[1] == ()
    disabled = Spec("shop.tasks.report", _daily("3").timing, enabled=False)
    assert runs_around(Update(name="report", row=_row(_daily("3")), after=disabled), NOW)[1] == ()


def test_runs_end_where_the_schedule_ends() -> None:
    hourly = Spec("shop.tasks.report", interval(1, 3600 * 10**6), expires_at=NOW + timedelta(hours=2, minutes=30))
    assert _clocks(runs_around(Create(name="report", after=hourly), NOW)[1]) == ["27 13:00", "27 14:00"]
    once = Spec("shop.tasks.report", Clocked(NOW + timedelta(hours=5)), one_off=True)
    assert _clocks(runs_around(Create(name="report", after=once), NOW)[1]) == ["27 17:00"]


def test_the_sun_does_not_rise_in_the_polar_night() -> None:
    svalbard = Spec("shop.tasks.report", solar("sunrise", 78.2, 15.6))
    first, *_ = runs_around(Create(name="report", after=svalbard), NOW)[1]
    assert first.date() == datetime(2026, 3, 28).date()
