"""The computed slots are those of Celery's own schedule objects: days on which the clock changes included."""

from __future__ import annotations

from collections import Counter
from datetime import date, datetime, timedelta, timezone
from itertools import islice, takewhile
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from schedsync.calendar.load import Steady, load_of
from schedsync.calendar.slots import crontab_slots, interval_slots, runs, runs_a_day, shortest_gap
from schedsync.calendar.stock_beat import next_slot, slots
from schedsync.calendar.window import Window, shape_of
from schedsync.calendar.zones import clock_changes
from schedsync.core.location import Location
from schedsync.core.schedule import Schedule, Spec
from schedsync.core.timing import Clocked, Crontab, Interval, Timing, crontab, solar

ZONES = (
    "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Sao_Paulo", "Africa/Cairo",
    "America/Nuuk", "Antarctica/Casey", "Asia/Kathmandu", "Pacific/Apia", "Africa/Casablanca", "Asia/Beirut",
)  # fmt: skip
NAMES = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


def cron(text: str, zone: str = "UTC") -> Crontab:
    return crontab(dict(zip(NAMES, text.split(), strict=True)), zone)


def some(first: int, last: int) -> st.SearchStrategy[str]:
    numbers = st.lists(st.integers(first, last), min_size=1, max_size=4, unique=True)
    return st.one_of(st.just("*"), st.integers(2, (last - first) // 2).map("*/{}".format),
                     numbers.map(lambda chosen: ",".join(map(str, chosen))))  # fmt: skip


CRONTABS = st.builds(
    cron,
    st.tuples(some(0, 59), some(0, 23), st.one_of(st.just("*"), some(1, 28)), st.one_of(st.just("*"), some(1, 12)),
              st.one_of(st.just("*"), some(0, 6))).map(" ".join),
    st.sampled_from(ZONES),
)  # fmt: skip
#: Instants of many years, most of them near a change of the clock.
INSTANTS = st.one_of(
    st.datetimes(datetime(1995, 1, 1), datetime(2037, 1, 1), timezones=st.just(timezone.utc)),
    st.builds(
        lambda zone, year, which, minutes: _near(zone, year, which) + timedelta(minutes=minutes),
        st.sampled_from(ZONES), st.integers(2005, 2036), st.integers(0, 1), st.integers(-3000, 1500),
    ),
)  # fmt: skip


def _near(zone: str, year: int, which: int) -> datetime:
    changes = clock_changes(ZoneInfo(zone), date(year, 1, 1))
    return changes[which % len(changes)].at if changes else datetime(year, 3, 29, 1, tzinfo=timezone.utc)


def stepped(timing: Timing, after: datetime, count: int) -> list[datetime]:
    """What Celery's own object says, slot by slot."""
    found = []
    for _ in range(count):
        after = next_slot(timing, after)
        found.append(after)
    return found


@example(cron("15,45 2 * * *", "Europe/Berlin"), datetime(2027, 3, 27, 12, tzinfo=timezone.utc))
@example(cron("*/15 * * * *", "Europe/Berlin"), datetime(2026, 10, 25, 0, 40, tzinfo=timezone.utc))
@example(cron("10 0 * * *", "Africa/Cairo"), datetime(2027, 4, 28, 12, tzinfo=timezone.utc))
@example(cron("0 12 30 12 *", "Pacific/Apia"), datetime(2011, 12, 28, tzinfo=timezone.utc))
@example(cron("0 0 29 2 1"), datetime(2026, 1, 1, tzinfo=timezone.utc))
@settings(deadline=None)
@given(CRONTABS, INSTANTS)
def test_a_crontabs_slots_are_celerys(timing: Crontab, after: datetime) -> None:
    assume(not _comes_again(timing, after))

    assert list(islice(crontab_slots(timing, after), 30)) == stepped(timing, after, 30)


def _comes_again(timing: Timing, at: datetime) -> bool:
    """Say whether an instant lies in the second of two like hours: Celery's next slot is then in the first."""
    return isinstance(timing, Crontab) and bool(at.astimezone(ZoneInfo(timing.timezone)).fold)


def test_within_an_hour_that_comes_again_the_next_slot_lies_behind_it() -> None:
    after = datetime(2026, 10, 25, 1, 10, tzinfo=timezone.utc)
    found = next(crontab_slots(cron("*/15 * * * *", "Europe/Berlin"), after))

    assert found == datetime(2026, 10, 25, 2, 0, tzinfo=timezone.utc)


@given(st.integers(10**5, 40 * 86400 * 10**6), INSTANTS)
def test_an_intervals_slots_are_celerys(microseconds: int, after: datetime) -> None:
    timing = Interval(microseconds)

    assert list(islice(interval_slots(timing, after), 5)) == stepped(timing, after, 5)


def schedule(name: str, timing: Timing, **fields: object) -> Schedule:
    return Schedule(name, Spec("t", timing, **fields), Location("a.yaml", 1, 1))  # type: ignore[arg-type]


TIMINGS = st.one_of(CRONTABS, st.integers(20 * 10**6, 86400 * 10**6).map(Interval))


@example([cron("1 */2 * * *", "Europe/Berlin")], datetime(2005, 3, 27, 1, 1, tzinfo=timezone.utc))
@settings(deadline=None)
@given(st.lists(TIMINGS, min_size=1, max_size=4), INSTANTS)
def test_the_load_counts_what_celery_would_start(timings: list[Timing], start: datetime) -> None:
    start = start.replace(second=0, microsecond=0)
    assume(not any(_comes_again(timing, start) for timing in timings))
    schedules = [schedule(str(number), timing, queue=f"q{number % 2}") for number, timing in enumerate(timings)]
    end = start + timedelta(days=3)

    last_runs = {each.name: start for each in schedules}
    load = load_of(schedules, Window.of(start, minutes=3 * 1440, last_runs=last_runs), slots)
    unknown = load_of(schedules, Window.of(start, minutes=3 * 1440), slots)

    expected: Counter[int] = Counter()
    for timing in timings:
        # A day before, as Beat would: a time that the clock skipped just before the start runs after it.
        after = start if isinstance(timing, Interval) else start - timedelta(days=1)
        celerys = iter(lambda state=[after], timing=timing: _step(state, timing), None)
        within = (slot for slot in takewhile(lambda slot: slot < end, celerys) if slot >= start)
        expected.update((slot - start) // timedelta(minutes=1) for slot in within)
    assert {index: count for index, count in enumerate(load.total) if count} == dict(expected)
    assert (load.in_all(), load.first_day()) == (unknown.in_all(), unknown.first_day())
    assert [load.in_all(queue) for queue in load.queues] == [unknown.in_all(queue) for queue in unknown.queues]


def _step(state: list[datetime], timing: Timing) -> datetime:
    state[0] = next_slot(timing, state[0])
    return state[0]


START = datetime(2026, 11, 23, tzinfo=timezone.utc)
instants = st.one_of(
    st.none(), st.timedeltas(timedelta(days=-2), timedelta(days=5)).map(lambda ahead: START + ahead),
    st.integers(-2 * 1440, 5 * 1440).map(lambda minutes: START + timedelta(minutes=minutes)),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(
    timing=st.one_of(
        st.sampled_from([cron("* * * * *"), cron("*/7 5 * * *", "Europe/Berlin"), cron("3 0 * * mon")]),
        st.integers(10**7, 2 * 86400 * 10**6).map(Interval),
    ),
    start_at=instants, expires_at=instants, one_off=st.booleans(),
)  # fmt: skip
def test_a_load_begins_and_ends_with_its_schedule(
    timing: Timing, start_at: datetime | None, expires_at: datetime | None, one_off: bool
) -> None:
    since = START + timedelta(hours=5, seconds=7)
    window = Window.of(START, since, minutes=3 * 1440, last_runs={"x": since})
    made = schedule("x", timing, start_at=start_at, expires_at=expires_at, one_off=one_off)

    load = load_of([made], window, slots)

    shape = shape_of(made, window)
    after = window.since - timedelta(microseconds=1) if isinstance(timing, Crontab) else shape.base or START
    all_runs = runs(made.spec, window.since - timedelta(microseconds=1), slots(timing, after))
    expected = Counter(
        (run - START) // timedelta(minutes=1) for run in takewhile(lambda run: run < window.end, all_runs)
    )
    assert {index: count for index, count in enumerate(load.total) if count} == dict(expected)


def test_the_worst_minutes_name_who_starts_in_them() -> None:
    load = load_of(
        [
            schedule("hourly", cron("0 * * * *")),
            schedule("noon", cron("0 12 * * *"), queue="reports"),
            schedule("tick", Interval(3600 * 10**6)),
            schedule("launch", Clocked(datetime(2026, 11, 23, 12, 0, 30, tzinfo=timezone.utc)), one_off=True),
            schedule("off", cron("0 12 * * *"), enabled=False),
            schedule("later", cron("0 12 * * *"), start_at=datetime(2026, 11, 23, 12, 1, tzinfo=timezone.utc)),
            schedule("ended", cron("0 12 * * *"), expires_at=datetime(2026, 11, 23, 12, tzinfo=timezone.utc)),
            schedule("unknown", Interval(3600 * 10**6)),
        ],
        Window.of(START, last_runs={"tick": START}),
        slots,
    )

    worst = load.peaks(1, slots)[0]

    assert (worst.at.isoformat(), worst.starts, worst.names) == (
        "2026-11-23T12:00:00+00:00", 4, ("hourly", "launch", "noon", "tick"),
    )  # fmt: skip
    assert sorted(load.queues) == ["(default)", "reports"]
    assert sum(load.queues["reports"]) == 7


@settings(max_examples=50, deadline=None)
@given(st.lists(CRONTABS, min_size=1, max_size=3, unique=True), INSTANTS)
def test_who_starts_in_a_minute_is_who_is_counted_there(timings: list[Timing], start: datetime) -> None:
    window = Window.of(start.replace(second=0, microsecond=0), minutes=1440)
    load = load_of([schedule(f"s{number}", timing) for number, timing in enumerate(timings)], window, slots)

    assert [len(load.starting(index, slots)) for index in range(1440)] == list(load.total)


def test_what_starts_in_every_minute_is_steady_and_no_peak() -> None:
    second = 10**6
    later, earlier = START + timedelta(days=1), START + timedelta(days=3)
    steady = [
        schedule("b", Interval(5 * second)),
        schedule("a", cron("* * * * *"), queue="reports"),
        schedule("c", Interval(45 * second), start_at=START),
    ]
    others = [
        schedule("two-minutes", Interval(120 * second), start_at=later),
        schedule("mornings", cron("* 0-11 * * *")),
        schedule("later", cron("* * * * *"), start_at=later),
        schedule("ended", Interval(60 * second), expires_at=earlier),
        schedule("once", Interval(second), one_off=True),
        schedule("off", cron("* * * * *"), enabled=False),
    ]
    window = Window.of(START)

    load = load_of([*steady, *others], window, slots)

    assert load.steady == Steady(12 + 1 + 1, ("a", "b", "c"))
    assert load.besides_steady == load_of(others, window, slots).total
    assert load_of(others, window, slots).steady == Steady(0, ())


def test_an_hour_that_comes_twice_is_no_steady_load() -> None:
    berlin = schedule("berlin", cron("* * * * *", "Europe/Berlin"))
    autumn = datetime(2026, 10, 24, tzinfo=timezone.utc)

    assert load_of([berlin], Window.of(START), slots).steady == Steady(1, ("berlin",))
    assert load_of([berlin], Window.of(autumn), slots).steady == Steady(0, ())


def test_no_minute_is_made_up_for_intervals_that_never_ran() -> None:
    hour = Interval(3600 * 10**6)
    ahead = START + timedelta(hours=7)
    schedules = [
        *(schedule(f"sync-{number}", hour, queue="sync") for number in range(18)),
        schedule("once", hour, one_off=True),
        schedule("steady", Interval(30 * 10**6)),
        schedule("starts", hour, start_at=ahead),
        schedule("nightly", cron("0 7 * * *")),
    ]
    window = Window.of(START)

    load = load_of(schedules, window, slots)

    assert (load.peaks(1, slots)[0].at, load.worst) == (ahead, 4)
    busiest = {each.name: load.busiest(shape_of(each, window), slots) for each in schedules[18:]}
    assert (busiest["once"], busiest["starts"], busiest["nightly"]) == (None, (ahead, 3), (ahead, 3))
    assert load.busiest(shape_of(schedules[0], window), slots) is None
    assert {queue: (each.a_day, each.in_all, len(each.names)) for queue, each in load.unplaced.items()} == {
        "sync": (18 * 23, 18 * 167, 18), "(default)": (1, 1, 1),
    }  # fmt: skip
    assert load.in_all("sync") == 18 * 167


@pytest.mark.parametrize(
    ("timing", "rate", "gap"),
    [
        (cron("0 2 * * *"), 1.0, timedelta(days=1)),
        (cron("*/2 * * * *"), 720.0, timedelta(minutes=2)),
        (cron("30 2 * * 1-5"), 5 / 7, timedelta(days=1)),
        (cron("0,10 0 1 * *"), 24 / 365.25, timedelta(minutes=10)),
        (Interval(15 * 10**6), 5760.0, timedelta(seconds=15)),
        (solar("sunset", 52, 13), 1.0, timedelta(days=1)),
        (Clocked(START), 0.0, None),
    ],
)
def test_a_timing_knows_how_often_it_runs(timing: Timing, rate: float, gap: timedelta | None) -> None:
    assert runs_a_day(timing) == pytest.approx(rate, rel=1e-3)
    assert shortest_gap(timing) == gap


def test_what_has_few_slots_tells_them_too() -> None:
    noons = list(islice(slots(solar("solar_noon", 52.5, 13.4), START), 3))

    assert [f"{noon:%d %H}" for noon in noons] == ["23 10", "24 10", "25 10"]
    assert (list(slots(Clocked(START), START - timedelta(hours=1))), list(slots(Clocked(START), START))) == (
        [START],
        [],
    )
    assert next_slot(Clocked(START), START - timedelta(hours=1)) == START
