"""Small sets from public bug reports, each with the right answer; every file here is one, and is named by a test."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from itertools import takewhile
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from schedsync.calendar.slots import crontab_slots
from schedsync.config import read_config
from schedsync.core.crontab import FIELDS, FIELDS_BY_NAME, CrontabError, Field, expand, split
from schedsync.core.finding import Finding
from schedsync.core.schedule import Desired
from schedsync.core.timing import Crontab, zone_of
from schedsync.files.line_breaks import each_line
from schedsync.files.schedule_set import read_set, resolve_set
from schedsync.render.timing_words import timing_words
from tests.conftest import Done, Project
from tests.review.conftest import checkout  # noqa: F401
from tests.review.repository import Checkout

CASES = Path(__file__).parent
#: What `validate` says of each file: line and column, severity, code, message, hint.
SAID: dict[str, list[str]] = {
    "hour-only": [
        "3:36 warning SS223 runs 60 times a day: its minute is left open"
        " -> if that is not meant, set `minute: 0`: `0 9 * * *`",
        "4:31 warning SS223 runs 1,440 times a day, on each of its days: its minute and its hour are left open"
        " -> if that is not meant, set `hour: 0`, `minute: 0`: `0 0 1 * *`",
        "5:30 warning SS223 runs 31 times a year: its day of month is left open"
        " -> if that is not meant, set `day_of_month: 1`: `0 0 1 1 *`",
    ],
    "solar-never": [
        "3:26 warning SS224 `sunrise` does not happen at latitude 90, at least for a year -> check the latitude",
        "4:29 warning SS224 latitude -74.006, longitude 40.7128 is in Antarctica; the two look swapped"
        " -> write `latitude: 40.7128, longitude: -74.006`",
    ],
    "every-float": [
        "3:23 error SS121 `every` takes text, not `30.0` -> write `30s` for seconds, `30m` for minutes",
        "4:42 error SS121 `expires_after` takes text, not `15.0` -> write `15s` for seconds, `15m` for minutes",
    ],
    "negative-day": [
        "3:30 error SS131 day_of_month: `-1` is not a day of month -> `-1` often means the last day, which Celery does "
        "not know; for the last day of the month, write `28-31` and let the task look at the date",
    ],
    "hint-step-zero": ["3:30 error SS131 hour: the step `0` is not within 1-23 -> "],
    "degrees-comma": ["5:59 error SS111 a key must be text, not `4` -> write 13.4 with a point"],
    "rename-swap": [
        f"{line}:3 error SS146 `{new}` is renamed from `{old}`, which is still defined in the set -> to swap names, "
        f"use two applies: rename each schedule to a free name, such as `{new}-new: {{renamed_from: {old}}}`, and then "
        "to its new name"
        for line, new, old in ((3, "a", "c"), (4, "c", "a"))
    ],
    "neg-holds-dst": [
        "4:30 info SS202 2027-10-31 02:00 to 03:00 occurs twice in Europe/Belgrade: nothing runs the second time"
        " -> if it must run in both of these hours, set `timezone: UTC` or use `every`",
    ],
    "dow-step-text": [
        "3:25 warning SS204 every 2 days does not divide the week: the last step lasts 1"
        " -> use `every: 2d` for an even period, or name the days",
    ],
    "nel-location": [],
    "use-tz-off-apply": [],
    "holds-notags": [],
    "holds-removed": [],
    "holds-weekday-wrap": [],
}  # fmt: skip


def desired(case: str) -> Desired:
    found, _ = resolve_set(read_set(read_config(str(CASES / f"{case}.yaml"))), None)
    return found


def findings_of(text: str) -> list[Finding]:
    """Read a set without lint."""
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "shop.yaml"
        path.write_text(text, encoding="utf-8", newline="")
        return resolve_set(read_set(read_config(str(path))), None)[1]


def said_of(command: Callable[..., Done], path: Path) -> list[str]:
    document = json.loads(command("validate", str(path), "--format", "json").out)
    return [
        "{location[line]}:{location[column]} {severity} {code} {message} -> {remedy}".format(
            **finding, remedy=finding["hint"] or ""
        )
        for finding in document["findings"]
    ]


def test_every_file_has_its_answer() -> None:
    assert sorted(SAID) == sorted(path.stem for path in CASES.glob("*.yaml"))


@pytest.mark.parametrize("case", SAID)
def test_validate_says_what_is_right(command: Callable[..., Done], clock: Any, case: str) -> None:
    assert said_of(command, CASES / f"{case}.yaml") == SAID[case]


# Crontabs that are open by accident


@pytest.mark.parametrize(
    ("crontab", "said"),
    [
        ("* 9,21 * * *", "runs 120 times a day: its minute is left open"),
        ("* */2 * * *", "runs 720 times a day: its minute is left open"),
        ("0 * 1 * *", "runs 24 times a day, on each of its days: its hour is left open"),
        ("* * * * sun", "runs 1,440 times a day, on each of its days: its minute and its hour are left open"),
        ("0 9 * 12 *", "runs 31 times a year: its day of month is left open"),
        ("* * * 2 *", "runs 40,680 times a year: its minute and its hour and its day of month are left open"),
        *((span, None) for span in ("* 9-17 * * mon-fri", "* 22-5 * * *", "0 * * * mon-fri", "0 0 * 6-8 *")),
        *((meant, None) for meant in ("* * * * *", "*/5 * 1 * *", "*/15 9 * * *", "30 2 * * mon", "0 0 1 1 *")),
    ],
)
def test_an_open_field_below_a_narrow_one_is_found(files: Project, crontab: str, said: str | None) -> None:
    files.schedules(f'  a: {{task: t, crontab: "{crontab}"}}\n')
    found = [line.split("warning  SS223  a: ")[1] for line in files.validate().out.splitlines() if "SS223" in line]

    assert found == ([said] if said else [])


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        (
            'crontab: "0 3 * * *"',
            "crontab: {hour: 3}",
            "runs 60 times as often: 60 times a day instead of once a day (SS222)",
        ),
        ("every: 10h", "every: 1h", "runs 10 times as often: 24 times a day instead of 2.4 (SS222)"),
        ("every: 9h", "every: 1h", None),
        ("every: 1h", "every: 10h", None),
    ],
)
def test_a_tenfold_frequency_is_an_alarm_in_a_review(
    checkout: Checkout,  # noqa: F811
    before: str,
    after: str,
    said: str | None,
) -> None:
    checkout.schedules(f"  rates: {{task: t, {before}, expires_after: 1m}}\n")
    checkout.commit()
    checkout.branch()
    checkout.schedules(f"  rates: {{task: t, {after}, expires_after: 1m}}\n")
    checkout.commit()
    [change] = checkout.json("main")["environments"][0]["changes"]
    alarms = [one["message"] for one in change["consequences"] if one["code"] == "more_often"]
    in_the_open = checkout.review("main", "--format", "markdown").out.partition("<details>")[0]

    assert alarms == ([said] if said else [])
    assert ("([SS222](" in in_the_open) is (said is not None)


# The sun


def test_a_forecast_shows_no_run_of_an_event_that_never_happens(command: Callable[..., Done], clock: Any) -> None:
    done = command("forecast", str(CASES / "solar-never.yaml"), "--format", "json")
    pole = next(one for one in json.loads(done.out)["schedules"] if one["name"] == "pole")

    assert (pole["runs"], pole["frequency"]) == ([], "never")


@pytest.mark.parametrize(
    ("event", "latitude", "longitude"),
    [
        ("dusk_astronomical", 60.17, 24.94),
        ("sunset", 69.65, 18.96),
        ("sunrise", 78.22, 15.65),
        ("sunrise", 74.5, 19.0),
        ("sunset", 77.47, -69.23),
        ("sunset", -77.85, 166.67),
        ("dawn_civil", -54.8, -68.3),
        ("solar_noon", 90, 0),
    ],
)
def test_events_that_are_absent_for_some_weeks_are_normal(
    files: Project, event: str, latitude: float, longitude: float
) -> None:
    files.schedules(f"  a: {{task: t, solar: {{event: {event}, latitude: {latitude}, longitude: {longitude}}}}}\n")
    runs = files.command("forecast", "schedules", "--format", "json", "--count", "3").out

    assert "SS224" not in files.validate().out
    assert len(json.loads(runs)["schedules"][0]["runs"]) == 3


@pytest.mark.parametrize(
    ("latitude", "longitude"), [(-74.006, 40.7128), (-118.24, 34.05), (-77.04, -12.05), (72.88, 19.08), (85.32, 27.72)]
)
def test_swapped_coordinates_are_found(files: Project, latitude: float, longitude: float) -> None:
    files.schedules(f"  a: {{task: t, solar: {{event: sunset, latitude: {latitude}, longitude: {longitude}}}}}\n")
    found = files.validate()

    assert re.search("SS224 .*look swapped|perhaps latitude and longitude are swapped", found.out)


# Hints

_PROPOSALS = re.compile(r"write `([^`]+)`|did you mean `([^`]+)`|, `([^`]+)` for")


def proposals(hint: str | None) -> list[str]:
    return [next(filter(None, match.groups())) for match in _PROPOSALS.finditer(hint or "")]


PARTS = st.text(st.sampled_from("0123456789*/-,HLW#? ().") | st.sampled_from("monsujanfrtueyl"), max_size=9)
NUMBERS = st.integers(-2, 62).map(str)
STEPS = st.one_of(PARTS, NUMBERS, st.tuples(NUMBERS, st.sampled_from("/-,"), NUMBERS).map("".join))


@given(st.sampled_from(FIELDS), STEPS, st.sampled_from(["", "name"]))
@example(FIELDS_BY_NAME["hour"], "7/0", "")
@example(FIELDS_BY_NAME["hour"], "7/30", "")
@example(FIELDS_BY_NAME["day_of_week"], "7/2", "")
@example(FIELDS_BY_NAME["day_of_week"], "mon/2", "")
@example(FIELDS_BY_NAME["minute"], "50-10", "")
@example(FIELDS_BY_NAME["minute"], "H(5-9)/60", "name")
@example(FIELDS_BY_NAME["day_of_month"], "-1", "")
@example(FIELDS_BY_NAME["month_of_year"], "janu", "")
def test_no_hint_of_a_crontab_field_proposes_what_is_refused(field: Field, text: str, seed: str) -> None:
    try:
        expand(text, field, seed)
    except CrontabError as error:
        for proposal in proposals(error.hint):
            assert expand(proposal, field, seed)
        if error.hint and "white space" in error.hint:
            assert any(expand(part.strip(), field, seed) for part in text.split(",") if part.strip() != part)


@given(st.sampled_from(["@hourl", "@Daily", "@ yearly", "@reboot", "@"]) | st.text("@adeilny", max_size=8))
def test_no_hint_of_an_alias_proposes_what_is_refused(text: str) -> None:
    try:
        split(text)
    except CrontabError as error:
        for proposal in proposals(error.hint):
            assert split(proposal)


UNITS = st.sampled_from(["us", "s", "m", "h", "d", " h"])


@given(
    st.sampled_from(["every", "expires_after", "starting_deadline"]),
    st.one_of(
        st.integers(-3, 2**40).map(str),
        st.floats(-2, 1e12, allow_nan=False).map(str),
        st.tuples(st.decimals(0, 5000, places=3).map(str), st.sampled_from(["us", "s", "m", "h", "d", " h"])).map(
            "".join
        ),
        st.sampled_from(["true", "null", "[]", "1e400", "'30'", "0.0", "-0.0", "36525.5d"]),
    ),
)
def test_no_hint_of_a_duration_proposes_what_is_refused(key: str, value: str) -> None:
    def findings(said: str) -> list[Finding]:
        other = "" if key == "every" else "every: 1h, "
        return findings_of(f"version: 1\nschedules:\n  a: {{task: t, {other}{key}: {said}}}\n")

    for finding in findings(value):
        for proposal in proposals(finding.hint):
            assert findings(proposal) == []


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("every: 90", "write `90s` for seconds, `90m` for minutes"),
        ('every: "30.0"', "write `30s` for seconds, `30m` for minutes"),
        ("every: 0.5", "write `500000us` for seconds"),
        ("every: 1.5h", "write `90m`"),
        ("every: 0", None),
        ("every: true", None),
        ("every: 1h, starting_deadline: 60.0", "write `60s` for seconds, `60m` for minutes"),
        ("every: 1h, expires_after: 1.5", "whole seconds: write `2s`"),
        ("every: 1h, expires_after: 1.5m", "write `90s`"),
        ("every: 1h, monitor: {grace: 5}", "write `5m` for minutes"),
        ("every: 1h, monitor: {max_runtime: 0.5}", None),
        ("every: 1h, monitor: {grace: 1.5m}", None),
        ("solar: {event: sunset, latitude: 91, longitude: 0}", "perhaps latitude and longitude are swapped"),
        ("solar: {event: sunset, longitude: 0, latitude: -33,5}", "write -33.5 with a point"),
        ("solar: {event: sunset, longitude: 0, latitude: '52,5'}", "write 52.5 with a point"),
        ("every: 1h, kwargs: {password: 12,34}", "quote it"),
    ],
)
def test_a_number_in_the_wrong_form_gets_the_text_to_write(value: str, hint: str | None) -> None:
    assert {one.hint for one in findings_of(f"version: 1\nschedules:\n  a: {{task: t, {value}}}\n")} == {hint}


# Words


def test_the_words_of_a_step_of_weekdays_name_the_days() -> None:
    words = timing_words(desired("dow-step-text").schedules["a"].spec.timing)

    assert words == "Tue, Thu, Sat and Sun 12:00"


# Line numbers


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029"])
@pytest.mark.parametrize("form", ["{}", "'{}'", '"{}"', "|\n      {}"], ids=["plain", "single", "double", "block"])
def test_only_line_feeds_and_carriage_returns_break_a_line(character: str, form: str) -> None:
    value = form.format(f"x{character}y")
    text = f"version: 1\nschedules:\n  a:\n    task: t\n    every: 1h\n    description: {value}\n    unknown: 1\n"
    [finding] = findings_of(text)
    place = finding.location
    assert place is not None
    lines = list(each_line(text))

    assert finding.code == "SS120"
    assert lines[place.line - 1][place.column - 1 :] == "unknown: 1"


@pytest.mark.parametrize("character", ["\x85", "\u2028", "\u2029"])
def test_an_ignore_comment_after_such_a_character_is_about_its_own_line(files: Project, character: str) -> None:
    files.schedules(
        f"  a: {{task: t, every: 1h}}  # x{character}y\n"
        '  b: {task: t, crontab: "* 9 * * *"} # schedsync: ignore[SS223]\n'
    )

    assert "SS223" not in files.validate().out


def test_the_text_keeps_its_character() -> None:
    assert desired("nel-location").schedules["a"].spec.description == "x\x85y"


# What holds


def local_runs(name: str, first: datetime, days: int) -> list[datetime]:
    timing = desired("neg-holds-dst").schedules[name].spec.timing
    assert isinstance(timing, Crontab)
    zone = zone_of(timing)
    start, end = first.replace(tzinfo=zone), first.replace(tzinfo=zone) + timedelta(days=days)
    slots = crontab_slots(timing, start.astimezone(timezone.utc) - timedelta(minutes=1))
    return [slot.astimezone(zone) for slot in takewhile(lambda slot: slot < end, slots)]


@pytest.mark.parametrize("day", [datetime(2027, 3, 13), datetime(2027, 11, 6)])
def test_a_step_of_hours_keeps_its_local_hours_over_a_change_of_the_clock(day: datetime) -> None:
    found = local_runs("every-four-hours", day, 3)

    assert [(run.hour, run.minute) for run in found] == [(hour, 20) for hour in range(0, 24, 4)] * 3


@pytest.mark.parametrize(("day", "runs"), [(datetime(2027, 3, 28), 23), (datetime(2027, 10, 31), 24)])
def test_an_hourly_crontab_runs_once_in_each_hour_of_the_clock(day: datetime, runs: int) -> None:
    found = local_runs("hourly", day, 1)

    assert (len(found), {run.minute for run in found}) == (runs, {55})
    assert len({run.hour for run in found}) == runs


def test_a_weekly_crontab_stays_at_noon() -> None:
    found = local_runs("weekly", datetime(2027, 3, 1), 60)

    assert {(run.isoweekday(), run.hour, run.minute, run.tzinfo) for run in found} == {
        (7, 12, 0, ZoneInfo("Europe/Berlin"))
    }
    assert len(found) == 8


def test_scalars_are_those_of_yaml_1_2() -> None:
    kwargs = json.loads(desired("holds-notags").schedules["a"].spec.kwargs)

    assert kwargs == {"n": "4", "t": "1:10", "o": 15, "no": "no"}


def test_ranges_of_weekdays_wrap_round() -> None:
    days = {name: one.spec.timing.day_of_week for name, one in desired("holds-weekday-wrap").schedules.items()}  # type: ignore[union-attr]

    assert days == {"a": "0,3,5", "b": "0,6"}
