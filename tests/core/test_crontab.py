from __future__ import annotations

from itertools import pairwise

import pytest
from celery.schedules import crontab as celery_crontab
from hypothesis import assume, given
from hypothesis import strategies as st

from schedsync.core.crontab import FIELDS, FIELDS_BY_NAME, CrontabError, can_fire, canonical, expand, split
from schedsync.core.timing import Crontab, Interval, TimingError, canonical_zone, crontab, duration, instant, solar


@pytest.mark.parametrize(
    ("field", "text", "expected"),
    [
        ("minute", "*/15", "*/15"),
        ("minute", "0,15,30,45", "*/15"),
        ("minute", "0-59", "*"),
        ("minute", "5,3,4", "3-5"),
        ("minute", "1-10/3", "1,4,7,10"),
        ("hour", "22-2", "0-2,22,23"),
        ("hour", "02", "2"),
        ("hour", "2-2", "2"),
        ("day_of_week", "7", "0"),
        ("day_of_week", "5-7", "0,5,6"),
        ("day_of_week", "1-7", "*"),
        ("day_of_week", "0-7", "*"),
        ("day_of_week", "FRI-Mon", "0,1,5,6"),
        ("day_of_week", "monday", "1"),
        ("day_of_week", "sun", "0"),
        ("month_of_year", "NOV-feb", "1,2,11,12"),
        ("month_of_year", "September", "9"),
        ("day_of_month", "*/10", "*/10"),
    ],
)
def test_spellings_of_a_field_have_one_canonical_text(field: str, text: str, expected: str) -> None:
    numbers = expand(text, FIELDS_BY_NAME[field])

    assert canonical(numbers, field) == expected


@pytest.mark.parametrize(
    ("field", "text", "message", "offset"),
    [
        ("minute", "60", "minute: `60` is not within 0-59", 0),
        ("minute", "5,60", "minute: `60` is not within 0-59", 2),
        ("minute", "*/0", "minute: the step `0` is not within 1-59", 2),
        ("minute", "*/60", "minute: the step `60` is not within 1-59", 2),
        ("minute", "30-10", "minute: the range `30-10` is reversed", 0),
        ("minute", "5/10", "minute: a step needs `*` or a range, not `5/10`", 0),
        ("minute", "", "minute: an empty part", 0),
        ("minute", "1,,2", "minute: an empty part", 2),
        ("minute", "-5", "minute: `-5` is not a minute", 0),
        ("hour", "24", "hour: `24` is not within 0-23", 0),
        ("day_of_month", "L", "day_of_month: `L` is not a day of month", 0),
        ("day_of_month", "0", "day_of_month: `0` is not within 1-31", 0),
        ("day_of_week", "8", "day_of_week: `8` is not within 0-7", 0),
        ("day_of_week", "MON#1", "day_of_week: `MON#1` is not a day of week", 0),
        ("day_of_week", "monkey", "day_of_week: `monkey` is not a day of week", 0),
        ("minute", "²", "minute: `²` is not a minute", 0),
    ],
)
def test_what_has_no_single_meaning_is_refused_at_its_place(field: str, text: str, message: str, offset: int) -> None:
    with pytest.raises(CrontabError) as caught:
        expand(text, FIELDS_BY_NAME[field])

    assert (caught.value.message, caught.value.offset) == (message, offset)


@pytest.mark.parametrize("count", [0, 1, 4, 6])
def test_a_crontab_has_five_fields(count: int) -> None:
    with pytest.raises(CrontabError, match="a crontab has 5 fields"):
        split(" ".join(["*"] * count))


def test_an_alias_stands_for_five_fields() -> None:
    assert [text for text, _ in split("@daily")] == ["0", "0", "*", "*", "*"]


def test_a_hash_is_stable_and_spreads() -> None:
    seeds = [f"sync-{number}" for number in range(1000)]
    minutes = [next(iter(expand("H", FIELDS_BY_NAME["minute"], seed))) for seed in seeds]

    assert minutes == [next(iter(expand("H", FIELDS_BY_NAME["minute"], seed))) for seed in seeds]
    assert set(minutes) == set(range(60))


@pytest.mark.parametrize(
    ("text", "step", "low", "high"), [("H/15", 15, 0, 59), ("H(10-20)", 60, 10, 20), ("H(0-29)/10", 10, 0, 29)]
)
def test_a_hash_takes_ranges_and_steps(text: str, step: int, low: int, high: int) -> None:
    numbers = sorted(expand(text, FIELDS_BY_NAME["minute"], "name"))

    assert low <= numbers[0] <= numbers[-1] <= high
    assert {after - before for before, after in pairwise(numbers)} <= {step}


def _field(name: str) -> st.SearchStrategy[str]:
    field = FIELDS_BY_NAME[name]
    number = st.integers(field.first, field.last)
    single = number.map(str)
    span = st.tuples(number, number).map(lambda pair: f"{min(pair)}-{max(pair)}")
    step = st.integers(1, field.last - field.first)
    stepped = st.tuples(st.one_of(st.just("*"), span), step).map(lambda pair: f"{pair[0]}/{pair[1]}")
    return st.lists(st.one_of(st.just("*"), single, span, stepped), min_size=1, max_size=4).map(",".join)


@given(st.tuples(*(_field(field.name) for field in FIELDS)))
def test_canonical_text_means_to_celery_what_was_written(texts: tuple[str, ...]) -> None:
    minute, hour, day, month, weekday = texts
    assume(can_fire(expand(day, FIELDS_BY_NAME["day_of_month"]), expand(month, FIELDS_BY_NAME["month_of_year"])))
    ours = crontab(dict(zip((field.name for field in FIELDS), texts, strict=True)), "UTC")
    celery = celery_crontab(minute, hour, weekday, day, month)
    again = celery_crontab(ours.minute, ours.hour, ours.day_of_week, ours.day_of_month, ours.month_of_year)

    assert again == celery


@given(st.data())
def test_canonical_text_is_its_own_canonical_text_and_fits_the_column(data: st.DataObject) -> None:
    field = data.draw(st.sampled_from(FIELDS))
    numbers = data.draw(st.frozensets(st.integers(field.first, field.last), min_size=1))
    text = canonical(numbers, field.name)

    assert expand(text, field) == numbers
    assert len(text) <= {"minute": 240, "hour": 96, "day_of_month": 124}.get(field.name, 64)


def test_a_day_that_no_month_has_can_never_fire() -> None:
    with pytest.raises(CrontabError, match="can never fire"):
        crontab({"day_of_month": "30", "month_of_year": "2"}, "UTC")
    assert crontab({"day_of_month": "29", "month_of_year": "2"}, "UTC").day_of_month == "29"


@pytest.mark.parametrize("alias", ["Etc/UTC", "Zulu", "GMT", "UTC"])
def test_aliases_of_utc_are_utc(alias: str) -> None:
    assert canonical_zone(alias) == "UTC"


@pytest.mark.parametrize("zone", ["Mars/Olympus", "", "Europe", "../etc/passwd", "/etc/passwd", "localtime"])
def test_unknown_zones_are_refused(zone: str) -> None:
    with pytest.raises(TimingError):
        canonical_zone(zone)


@pytest.mark.parametrize(
    ("text", "every"),
    [
        ("60s", (1, "minutes")),
        ("90s", (90, "seconds")),
        ("3600s", (1, "hours")),
        ("1440m", (1, "days")),
        ("250us", (250, "microseconds")),
        ("48h", (2, "days")),
    ],
)
def test_an_interval_is_said_in_its_longest_period(text: str, every: tuple[int, str]) -> None:
    assert Interval(duration(text)).every == every


@pytest.mark.parametrize("text", ["5", "m", "5 minutes", "-5m", "0.5s", "1e3s", "٥m", "5w", "", "5m\n"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(TimingError, match="is not a duration"):
        duration(text)


@pytest.mark.parametrize(
    ("text", "utc"),
    [
        ("2026-12-24T18:00:00+01:00", "2026-12-24T17:00:00+00:00"),
        ("2026-12-24 18:00Z", "2026-12-24T18:00:00+00:00"),
        ("2026-12-24t18:00:00.5z", "2026-12-24T18:00:00.500000+00:00"),
        ("2026-12-24T18:00:00-0330", "2026-12-24T21:30:00+00:00"),
    ],
)
def test_an_instant_is_read_in_utc(text: str, utc: str) -> None:
    assert instant(text).isoformat() == utc


@pytest.mark.parametrize(
    "text",
    [
        "2026-12-24T18:00:00",
        "2026-02-30T00:00:00Z",
        "2026-12-24",
        "tomorrow",
        "9999-12-31T23:59:59-10:00",
        "0001-01-01T00:00Z",
    ],
)
def test_what_is_no_instant_is_refused(text: str) -> None:
    with pytest.raises(TimingError):
        instant(text)


def test_degrees_are_rounded_as_the_table_rounds_them() -> None:
    assert (solar("sunset", 52.5200004, -0.0000001).latitude, solar("sunset", 0, -0.0000001).longitude) == (
        "52.520000",
        "0.000000",
    )
    with pytest.raises(TimingError, match="latitude"):
        solar("sunset", 90.1, 0)


def test_a_crontab_prints_as_people_write_it() -> None:
    assert str(Crontab("0", "2", "*", "*", "1-5", "Europe/Berlin")) == "0 2 * * 1-5 Europe/Berlin"
