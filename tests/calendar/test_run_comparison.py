"""Compared runs are those that Celery's own schedule objects make, however many an interval has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from time import process_time
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from celery.schedules import crontab, schedule, solar
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schedsync.calendar.run_comparison import MOST_INSTANTS, RunComparison, compare_runs
from schedsync.calendar.run_sets import LAST, common_range, only_in
from schedsync.calendar.window import Window
from schedsync.core.location import Location
from schedsync.core.schedule import Schedule, Spec
from schedsync.core.timing import MICROSECOND, Clocked, Interval
from schedsync.importers.celery_settings import read_beat_schedule
from tests.calendar.test_slots import INSTANTS, ZONES, cron

START = datetime(2026, 11, 23, 10, tzinfo=timezone.utc)
DAYS = 4
#: Descriptions of Celery's objects, from which each call makes new ones.
CRONTABS = st.tuples(
    st.just("crontab"),
    st.sampled_from(["*", "*/7", "0", "5,35", "0-10/3"]),
    st.sampled_from(["*", "*/5", "2", "1-3", "0,12,23"]),
    st.sampled_from(["*", "1-5", "sun,wed"]),
    st.sampled_from(["*", "*/2", "1-15,28-31"]),
    st.sampled_from(ZONES),
)
INTERVALS = st.tuples(st.just("interval"), st.sampled_from([45, 60, 90.5, 300, 3600, 86400, 200_000]))
SUNS = st.tuples(st.just("solar"), st.sampled_from(["sunrise", "solar_noon"]), st.sampled_from([0, 47.5]))
DESCRIPTIONS = st.one_of(CRONTABS, INTERVALS, SUNS)


def celery_object(description: tuple[Any, ...]) -> Any:
    kind, *values = description
    if kind == "interval":
        return schedule(values[0])
    if kind == "solar":
        return solar(values[0], values[1], 9.0)
    minute, hour, weekday, day, zone = values
    made: Any = crontab(minute, hour, weekday, day)
    made.tz = ZoneInfo(zone)
    return made


def stepped(description: tuple[Any, ...], start: datetime, end: datetime) -> Iterator[datetime]:
    """Yield the runs that Celery's own object makes, step by step as Beat asks it."""
    made = celery_object(description)
    # An interval is counted from the start; the others may run at the start.
    last = start if description[0] == "interval" else start - MICROSECOND
    while True:
        seen = last.astimezone(made.tz) if description[0] == "crontab" else last
        made.nowfun = lambda seen=seen: seen
        last = (last + made.remaining_estimate(seen)).astimezone(timezone.utc)
        if last >= end:
            return
        yield last


def imported(descriptions: Mapping[str, tuple[Any, ...]]) -> dict[str, Schedule]:
    entries = {name: {"task": "t", "schedule": celery_object(each)} for name, each in descriptions.items()}
    read = read_beat_schedule(entries, timezone.utc)
    assert read.not_taken == ()
    return {each.name: each for each in read.schedules}


def schedules(**specs: Spec) -> dict[str, Schedule]:
    return {name: Schedule(name, spec, Location("x.yaml", 1, 1)) for name, spec in specs.items()}


def compared(
    files: Mapping[str, Schedule], source: Mapping[str, Schedule], start: datetime = START, days: int = DAYS
) -> RunComparison:
    return compare_runs(files, source, Window.of(start, minutes=days * 1440), MOST_INSTANTS)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    files=st.dictionaries(st.sampled_from("abc"), DESCRIPTIONS, max_size=3),
    source=st.dictionaries(st.sampled_from("abc"), DESCRIPTIONS, max_size=3),
    start=INSTANTS.map(lambda at: at.replace(second=0, microsecond=0)),
)
def test_the_runs_that_differ_are_those_of_a_simulation(
    files: dict[str, tuple[Any, ...]], source: dict[str, tuple[Any, ...]], start: datetime
) -> None:
    result = compared(imported(files), imported(source), start)
    end = start + timedelta(days=DAYS)
    runs = [
        {name: set(stepped(side[name], start, end)) if name in side else set() for name in "abc"}
        for side in (files, source)
    ]
    told = {each.name: (each.files.only.first, each.source.only.first) for each in result.differences}

    assert (result.in_files, result.in_source) == tuple(sum(map(len, side.values())) for side in runs)
    for name in "abc":
        only = tuple(tuple(sorted(mine[name] - other[name])) for mine, other in (runs, runs[::-1]))
        assert told.get(name, ((), ())) == only
        assert (name in told) == (only != ((), ()) or (name in files) != (name in source))


NUMBERS = st.one_of(
    st.builds(range, st.integers(0, 40), st.integers(0, 300), st.integers(1, 30)),
    st.sets(st.integers(0, 300), max_size=20).map(lambda chosen: tuple(sorted(chosen))),
)


@settings(max_examples=500, deadline=None)
@given(one=NUMBERS, other=NUMBERS, most=st.integers(0, 8))
def test_only_one_side_s_runs_are_counted_and_the_first_and_last_listed(one: Any, other: Any, most: int) -> None:
    only = only_in(one, other, most)
    expected = [
        datetime(1970, 1, 1, tzinfo=timezone.utc) + number * MICROSECOND for number in sorted(set(one) - set(other))
    ]
    rest = expected[most:]

    assert only.count == len(expected)
    assert (list(only.first), list(only.last)) == (expected[:most], rest[-LAST:])


@settings(max_examples=500, deadline=None)
@given(
    st.builds(range, st.integers(-50, 50), st.integers(-50, 300), st.integers(1, 60)),
    st.builds(range, st.integers(-50, 50), st.integers(-50, 300), st.integers(1, 60)),
)
def test_two_intervals_meet_where_arithmetic_says(one: range, other: range) -> None:
    assert sorted(common_range(one, other)) == sorted(set(one) & set(other))


def test_equal_timings_do_not_differ_however_they_are_written() -> None:
    files = imported({"a": ("crontab", "*/15", "*", "*", "*", "UTC"), "b": ("interval", 3600)})
    source = imported({"a": ("crontab", "0,15,30,45", "*", "0-6", "*", "UTC"), "b": ("interval", 3600.0)})
    result = compared(files, source, days=30)

    assert (result.in_files, result.in_source) == (30 * 96 + 719, 30 * 96 + 719)
    assert (result.differences, result.later, result.differs) == ([], [], False)


def test_billions_of_runs_take_no_time_and_no_memory() -> None:
    every = {"same": 1, "twice": 1, "shifted": 3, "ends": 1}
    files = schedules(**{name: Spec("t", Interval(step)) for name, step in every.items()})
    source = schedules(
        same=Spec("t", Interval(1)),
        twice=Spec("t", Interval(2)),
        shifted=Spec("t", Interval(7)),
        ends=Spec("t", Interval(1), expires_at=START + timedelta(days=29)),
    )
    began = process_time()
    result = compare_runs(files, source, Window.of(START, minutes=30 * 1440))
    day, month = 86400 * 10**6, 30 * 86400 * 10**6

    assert process_time() - began < 5
    assert {each.name: (each.files.only.count, each.source.only.count) for each in result.differences} == {
        "twice": (month // 2, 0),
        "ends": (day, 0),
        "shifted": ((month - 1) // 3 - (month - 1) // 21, (month - 1) // 7 - (month - 1) // 21),
    }
    ends = next(each.files.only for each in result.differences if each.name == "ends")
    assert ends.first[0] == START + timedelta(days=29)
    assert ends.last[-1] == START + timedelta(days=30) - MICROSECOND


def test_a_comparison_lists_a_bounded_number_of_runs_and_counts_all() -> None:
    names = [f"tenant-{number}" for number in range(20)]
    files = schedules(**{name: Spec("t", cron("* * * * *")) for name in names})
    result = compare_runs(files, {}, Window.of(START, minutes=30 * 1440), MOST_INSTANTS)
    listed = [len(each.files.only.first) for each in result.differences]

    assert result.differing == 20 * 43_200
    assert (sum(listed), listed[0], listed[-1]) == (MOST_INSTANTS, 43_200, 0)
    assert result.differences[-1].files.only.last[-1] == START + timedelta(days=30, minutes=-1)


def test_intervals_are_counted_from_their_last_run_on_both_sides() -> None:
    files = schedules(a=Spec("t", Interval(3600 * 10**6)))
    source = schedules(a=Spec("t", Interval(7200 * 10**6)))
    window = Window.of(START, minutes=240, last_runs={"a": START - timedelta(minutes=10)})
    only = compare_runs(files, source, window, 10).differences[0].files.only

    assert only.first == (START + timedelta(minutes=50), START + timedelta(minutes=170))


@pytest.mark.parametrize(
    ("files", "source", "states", "counts"),
    [
        (Spec("t", cron("0 * * * *"), enabled=False), Spec("t", cron("0 * * * *")), ("disabled", "active"), (0, 96)),
        (Spec("t", cron("0 * * * *")), None, ("active", "absent"), (96, 0)),
        (
            Spec("t", cron("0 * * * *"), expires_at=START - MICROSECOND * 2),
            Spec("t", cron("0 * * * *")),
            ("completed", "active"),
            (0, 96),
        ),
        (
            Spec("t", cron("0 * * * *"), start_at=START + timedelta(days=2)),
            Spec("t", cron("0 * * * *"), expires_at=START + timedelta(days=3)),
            ("active", "active"),
            (24, 48),
        ),
        (Spec("t", cron("0 * * * *"), one_off=True), Spec("t", cron("0 * * * *")), ("active", "active"), (0, 95)),
        (
            Spec("t", Clocked(START + timedelta(days=1)), one_off=True),
            Spec("t", Clocked(START + timedelta(days=9)), one_off=True),
            ("active", "active"),
            (1, 0),
        ),
        (Spec("t", cron("0 0 1 1 *")), None, ("active", "absent"), (0, 0)),
    ],
)
def test_start_end_and_state_count(
    files: Spec, source: Spec | None, states: tuple[str, str], counts: tuple[int, int]
) -> None:
    result = compared(schedules(a=files), schedules(**({} if source is None else {"a": source})))
    difference = result.differences[0]

    assert (difference.files.state, difference.source.state) == states
    assert (difference.files.only.count, difference.source.only.count) == counts
    assert result.differs


def test_a_schedule_that_runs_on_neither_side_is_no_difference() -> None:
    off = Spec("t", cron("0 * * * *"), enabled=False)

    assert not compared(schedules(a=off), {}).differs
    assert not compared({}, schedules(a=off)).differs


def test_timings_that_differ_only_outside_the_window_are_named() -> None:
    result = compared(schedules(a=Spec("t", cron("0 0 1 1 *"))), schedules(a=Spec("t", cron("0 0 2 1 *"))))

    assert (result.differences, result.later, result.differs) == ([], ["a"], False)
