from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from schedsync.calendar.stock_beat import Run, celery_schedule, guard, next_run, next_slot
from schedsync.core.observed import Row
from schedsync.core.schedule import Spec
from schedsync.core.timing import Clocked, Interval, crontab, solar
from tests.conftest import NOW


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=timezone.utc)


def cron(text: str, zone: str = "UTC") -> Spec:
    fields = dict(zip(("minute", "hour", "day_of_month", "month_of_year", "day_of_week"), text.split(), strict=True))
    return Spec("t", crontab(fields, zone))


def row(ran: datetime | None = None, changed: datetime = NOW, count: int = 0) -> Row:
    return Row(1, "a", None, last_run_at=ran, date_changed=changed, total_run_count=count)


@pytest.mark.parametrize(
    ("zone", "after", "expected"),
    [
        ("Europe/Berlin", "2026-03-28T12:00", "2026-03-29T01:30"),
        ("Europe/Berlin", "2026-10-24T12:00", "2026-10-25T00:30"),
        ("Europe/Berlin", "2026-10-25T00:30", "2026-10-26T01:30"),
        ("America/New_York", "2026-11-23T00:00", "2026-11-23T07:30"),
        ("Asia/Kathmandu", "2026-11-23T00:00", "2026-11-23T20:45"),
    ],
)
def test_a_slot_follows_the_zone_through_daylight_saving(zone: str, after: str, expected: str) -> None:
    assert next_slot(cron("30 2 * * *", zone).timing, at(after)) == at(expected)


@pytest.mark.parametrize(
    ("hour", "ran", "expected"),
    [
        ("2", "2026-11-22T20:00", "2026-11-24T00:00"),
        ("4", "2026-11-22T20:00", "2026-11-23T10:00"),
        ("2,2", "2026-11-22T20:00", "2026-11-23T10:00"),
        ("*/2", "2026-11-22T20:00", "2026-11-23T10:00"),
    ],
)
def test_beat_loads_a_plain_hour_only_around_it(hour: str, ran: str, expected: str) -> None:
    spec = cron("0 2 * * *" if hour != "4" else "0 4 * * *")

    assert next_run(spec, row(at(ran)), NOW, hour=hour) == Run(at(expected), late=True)


def test_a_row_that_never_ran_counts_from_its_last_change() -> None:
    assert next_run(cron("0 9 * * *"), row(changed=at("2026-11-23T08:00")), NOW) == Run(NOW, late=True)
    assert next_run(cron("0 9 * * *"), row(), NOW) == Run(at("2026-11-24T09:00"))


def test_what_cannot_run_has_no_next_run() -> None:
    done = Spec("t", Interval(60_000_000), one_off=True)
    ends = Spec("t", Interval(3600_000_000), expires_at=NOW + timedelta(minutes=5))

    assert next_run(Spec("t", Interval(60_000_000), enabled=False), None, NOW) is None
    assert next_run(done, row(NOW, count=1), NOW) is None
    assert next_run(ends, None, NOW) is None


def test_a_clocked_time_of_the_past_fires_at_once_and_cannot_be_guarded() -> None:
    spec = Spec("t", Clocked(at("2026-11-23T09:00")), one_off=True)

    assert next_run(spec, None, NOW) == Run(NOW, late=True)
    assert guard(spec, None, NOW) is None


def test_a_guard_is_only_set_where_a_slot_has_passed() -> None:
    assert guard(cron("0 9 * * *"), row(at("2026-11-23T09:00")), NOW) is None
    assert guard(cron("30 9 * * *"), row(at("2026-11-23T09:00")), NOW) == NOW


def test_the_sun_is_computed_by_celery() -> None:
    sunset = next_slot(solar("sunset", 52.52, 13.405), NOW)

    assert at("2026-11-23T14:55") < sunset < at("2026-11-23T15:10")
    with pytest.raises(TypeError):
        celery_schedule(Clocked(NOW))
