"""The minutes that stand out of a load, in groups of those in which the same schedules start."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from schedsync.calendar.crowds import Crowd, crowds
from schedsync.calendar.load import Load, load_of
from schedsync.calendar.stock_beat import slots
from schedsync.calendar.window import week_of
from schedsync.core.schedule import Schedule
from schedsync.core.timing import Interval, Timing
from tests.calendar.test_slots import cron, schedule

#: A Monday.
NOW = datetime(2026, 11, 23, 10, 0, 7, tzinfo=timezone.utc)


def load(*schedules: Schedule) -> Load:
    return load_of(schedules, week_of(NOW), slots)


def several(count: int, prefix: str, timing: Timing) -> list[Schedule]:
    return [schedule(f"{prefix}-{number}", timing) for number in range(count)]


def test_minutes_with_the_same_schedules_are_one_crowd() -> None:
    value = load(*several(3, "a", cron("8,38 * * * *")), *several(5, "b", cron("0 2 * * *")))

    nightly, hourly = crowds(value, slots)

    assert (nightly.starts, nightly.names) == (5, tuple(f"b-{number}" for number in range(5)))
    assert nightly.minutes == tuple(datetime(2026, 11, 24 + day, 2, tzinfo=timezone.utc) for day in range(7))
    assert (hourly.starts, hourly.names, len(hourly.minutes)) == (3, ("a-0", "a-1", "a-2"), 2 * 24 * 7)


def test_a_minute_in_which_another_schedule_starts_is_another_crowd() -> None:
    value = load(*several(3, "a", cron("0 2 * * *")), schedule("mondays", cron("0 2 * * 1")))

    assert [(each.starts, len(each.minutes)) for each in crowds(value, slots)] == [(4, 1), (3, 6)]


def test_as_many_starts_of_other_schedules_are_another_crowd() -> None:
    value = load(*several(3, "a", cron("0 2 * * *")), *several(3, "b", cron("0 4 * * *")))

    assert [each.names for each in crowds(value, slots)] == [("a-0", "a-1", "a-2"), ("b-0", "b-1", "b-2")]


def test_steady_load_makes_no_crowd_and_is_in_none() -> None:
    steady = [schedule("heartbeat", Interval(5 * 10**6)), schedule("each-minute", cron("* * * * *"))]
    value = load(*steady, *several(3, "a", cron("0 2 * * *")))

    assert crowds(load(*steady), slots) == []
    assert [(each.starts, each.names) for each in crowds(value, slots)] == [(3, ("a-0", "a-1", "a-2"))]


def test_two_together_and_the_average_do_not_stand_out() -> None:
    spread = [schedule(f"s{number}", cron(f"{number % 60} * * * *")) for number in range(240)]

    assert crowds(load(*several(2, "a", cron("0 2 * * *"))), slots) == []
    assert crowds(load(*spread), slots) == []
    assert [each.starts for each in crowds(load(*spread, *several(9, "a", cron("0 2 * * *"))), slots)] == [13]


def test_only_the_worst_crowds_are_shown() -> None:
    value = load(*(each for hour in range(7) for each in several(3 + hour, f"h{hour}", cron(f"0 {hour} * * *"))))

    assert [each.starts for each in crowds(value, slots)] == [9, 8, 7, 6, 5]
    assert [each.starts for each in crowds(value, slots, most=2)] == [9, 8]


def test_no_schedule_makes_no_crowd() -> None:
    assert crowds(load(), slots) == []


def test_intervals_of_one_phase_are_a_crowd() -> None:
    start = NOW.replace(second=0) + timedelta(hours=1)
    value = load(*(schedule(f"i{number}", Interval(86400 * 10**6), start_at=start) for number in range(3)))

    assert crowds(value, slots) == [
        Crowd(tuple(start + timedelta(days=day) for day in range(7)), 3, ("i0", "i1", "i2")),
    ]
