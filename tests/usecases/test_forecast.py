"""What runs next, as Celery's own objects say it, and the load that it makes."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any
from xml.etree import ElementTree

import git
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from schedsync.calendar.stock_beat import next_slot, slots
from schedsync.core.location import Location
from schedsync.core.observed import Observed, Row
from schedsync.core.schedule import Desired, Schedule, Spec
from schedsync.core.timing import Interval, Timing, instant_text
from schedsync.planning.snapshot import snapshot_from
from schedsync.schemas.validator import SCHEMAS, problems
from schedsync.usecases.forecast import Horizon, forecast
from tests.calendar.test_slots import CRONTABS, INSTANTS, _comes_again, cron
from tests.conftest import NOW, Project
from tests.core.made import snapshot_with
from tests.review.conftest import checkout  # noqa: F401
from tests.review.repository import Checkout

SCHEDULES = """\
  nightly: {task: t, crontab: "30 2 * * *", timezone: Europe/Berlin, queue: reports}
  often: {task: t, every: 30s, expires_after: 30s}
  launch: {task: t, at: 2026-11-24T18:00:00Z}
  later: {task: t, crontab: "0 * * * *", start_at: 2026-11-23T20:30:00Z}
  ended: {task: t, crontab: "0 * * * *", expires_at: 2026-11-23T12:00:00Z}
  once: {task: t, every: 1h, one_off: true, start_at: 2026-11-23T11:00:00Z}
  off: {task: t, every: 1h, enabled: false, disabled_reason: broken}
"""


def runs(project: Project, *words: str) -> dict[str, dict[str, Any]]:
    done = project.command("forecast", "--format", "json", *words)
    assert done.code == 0, done
    said = json.loads(done.out)
    assert list(problems(said, SCHEMAS["forecast"])) == []
    return {one["name"]: one for one in said["schedules"]} | {"": said["load"]}


@pytest.fixture
def files_(files: Project, clock: Any) -> Project:
    files.schedules(SCHEDULES)
    return files


def test_the_next_runs_are_told(files_: Project) -> None:
    said = runs(files_, "--count", "2")

    assert {name: one["runs"] for name, one in said.items() if name} == {
        "nightly": ["2026-11-24T01:30:00Z", "2026-11-25T01:30:00Z"],
        "often": ["2026-11-23T10:00:30Z", "2026-11-23T10:01:00Z"],
        "launch": ["2026-11-24T18:00:00Z"],
        "later": ["2026-11-23T21:00:00Z", "2026-11-23T22:00:00Z"],
        "ended": ["2026-11-23T10:00:00Z", "2026-11-23T11:00:00Z"],
        "once": ["2026-11-23T11:00:00Z"],
        "off": [],
    }
    assert (said["nightly"]["timezone"], said["often"]["timezone"]) == ("Europe/Berlin", "UTC")
    assert (said["often"]["counted_from"], said["nightly"]["counted_from"]) == ("2026-11-23T10:00:00Z", None)
    assert (said["off"]["frequency"], said["launch"]["frequency"]) == ("disabled: broken", "once")


def test_a_span_is_told_in_full(files_: Project) -> None:
    said = runs(files_, "--name", "n*", "--from", "2027-03-27", "--until", "3d")

    assert said["nightly"]["runs"] == ["2027-03-27T01:30:00Z", "2027-03-28T01:30:00Z", "2027-03-29T00:30:00Z"]
    assert list(said) == ["nightly", ""]


def test_the_load_counts_a_week_and_names_the_worst(files_: Project) -> None:
    load = runs(files_)[""]
    counted = {queue: sum(counts) for queue, counts in load["queues"].items()}

    assert (load["start"], load["since"]) == ("2026-11-23T00:00:00Z", "2026-11-23T10:00:00Z")
    assert load["minutes"] == 600 + 7 * 1440
    assert counted["reports"] == 7
    assert sum(load["total"][:600]) == 0
    assert load["worst"][0] == {
        "at": "2026-11-23T11:00:00Z", "starts": 4, "names": ["ended", "often", "once"],
    }  # fmt: skip


def test_names_select_schedules(files_: Project) -> None:
    for words in (("later",), ("--name", "later"), ("schedules", "later"), (".", "lat*"), ("la[t]er",)):
        assert sorted(runs(files_, *words)) == ["", "later"]
    assert sorted(runs(files_, "later", "o*", "--name", "often")) == ["", "later", "off", "often", "once"]


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("--name", "nobody"), None),
        (("latter",), "did you mean `later`?"),
        (("later", "nob*"), None),
        (("later", "--compare", "HEAD", "--name", "nobody"), None),
    ],
)
def test_a_name_of_nothing_is_wrong_usage(files_: Project, words: tuple[str, ...], hint: str | None) -> None:
    if "--compare" in words:
        with git.Repo.init(files_.root) as repository:
            repository.git.add(all=True)
            repository.git.execute(["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-m", "x"])
    done = files_.command("forecast", *words)

    assert (done.code, done.out) == (64, "")
    assert "no schedule is named" in done.err
    assert hint is None or hint in done.err


def test_a_path_of_nothing_is_no_name(files_: Project) -> None:
    assert "no such file or directory: `schedules/x.yaml`" in files_.command("forecast", "schedules/x.yaml").err


def test_nothing_runs_before_its_start(files: Project, clock: Any) -> None:
    files.schedules(
        '  a: {task: t, crontab: "0 5 * * *", start_at: 2026-11-24T00:00:00Z}\n'
        '  at-its-start: {task: t, crontab: "0 5 * * *", start_at: 2026-11-24T05:00:00Z}\n'
        '  began: {task: t, crontab: "0 5 * * *", start_at: 2026-11-20T00:00:00Z}\n'
        "  every: {task: t, every: 6h, start_at: 2026-11-24T00:00:00Z}\n"
        "  past: {task: t, at: 2026-11-22T00:00:00Z}\n"
    )
    told = runs(files, "--count", "2")

    at_five = ["2026-11-24T05:00:00Z", "2026-11-25T05:00:00Z"]
    assert {name: each["runs"] for name, each in told.items() if name} == {
        "a": at_five, "at-its-start": at_five, "began": at_five,
        "every": ["2026-11-24T00:00:00Z", "2026-11-24T06:00:00Z"], "past": [],
    }  # fmt: skip
    assert told["every"]["counted_from"] is None


def test_the_first_run_is_that_of_a_review(checkout: Checkout) -> None:  # noqa: F811
    checkout.write("x", "README")
    checkout.commit()
    checkout.schedules('  a: {task: t, crontab: "0 5 * * *", start_at: 2026-11-25T00:00:00Z}\n')
    consequences = checkout.json("HEAD")["environments"][0]["changes"][0]["consequences"]
    told = json.loads(checkout.command("forecast", "--format", "json").out)["schedules"][0]["runs"]

    assert consequences[0]["at"] == told[0] == "2026-11-25T05:00:00Z"


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    timing=st.one_of(
        st.sampled_from(["0 10 * * *", "*/5 * * * *", "30 9,10 * * mon", "* 10-11 * * *"]).map(cron),
        st.integers(90 * 10**6, 86400 * 10**6).map(Interval),
    ),
    start=st.integers(-60, 60).map(lambda minutes: NOW + timedelta(minutes=minutes)),
    start_at=st.none() | st.integers(-60, 3000).map(lambda minutes: NOW + timedelta(minutes=minutes)),
)
def test_the_list_and_the_load_agree(timing: Timing, start: datetime, start_at: datetime | None) -> None:
    schedule = Schedule("a", Spec("t", timing, start_at=start_at), Location("a.yaml", 1, 1))
    week = start + timedelta(days=7) - timedelta(microseconds=1)
    told = forecast(Desired.of([schedule]), Horizon(start, until=week))
    load = told.load

    listed = Counter((run - load.window.start) // timedelta(minutes=1) for run in told.outlooks[0].runs)
    assert start_at is None or all(run >= start_at for run in told.outlooks[0].runs)
    if load.unplaced:
        assert load.in_all() == sum(listed.values())
    else:
        assert {index: count for index, count in enumerate(load.total) if count} == dict(listed)


def test_a_snapshot_s_last_run_invents_no_run_at_a_later_start() -> None:
    hourly, moved = Spec("t", Interval(3600 * 10**6)), Spec("t", cron("0 1 * * *"))
    rows = {
        "hourly": Row(1, "hourly", hourly, last_run_at=NOW - timedelta(minutes=20)),
        "moved": Row(2, "moved", replace(moved, timing=cron("0 2 * * *")), last_run_at=NOW - timedelta(hours=8)),
    }
    snapshot = replace(snapshot_from(snapshot_with({})), observed=Observed(rows=rows))
    desired = [Schedule(name, spec, Location("a.yaml", 1, 1)) for name, spec in (("hourly", hourly), ("moved", moved))]
    later = Horizon(NOW + timedelta(days=2), count=2, now=NOW)
    told = forecast(Desired.of(desired), later, (), snapshot)

    assert {each.name: [instant_text(run) for run in each.runs] for each in told.outlooks} == {
        "hourly": ["2026-11-25T10:40:00Z", "2026-11-25T11:40:00Z"],
        "moved": ["2026-11-26T01:00:00Z", "2026-11-27T01:00:00Z"],
    }
    assert (told.load.unplaced, told.load.peaks(1, slots)[0].at) == ({}, later.start + timedelta(minutes=40))


def test_an_interval_that_never_ran_has_no_worst_minute(files: Project, clock: Any) -> None:
    files.schedules("  'sync-{n}': {task: t, every: 1h, args: ['{n}'], for_each: {n: [1, 2, 3, 4, 5, 6, 7, 8]}}\n")
    load = runs(files)[""]
    text = files.command("forecast", "--count", "1").out

    assert (load["worst"], load["starts_a_day"], sum(load["total"])) == ([], 8 * 23, 0)
    assert load["unplaced"]["(default)"]["starts_a_day"] == 8 * 23
    unknown = "about 191 starts a day in minutes that only the last runs tell (`--against`)"
    assert f"{unknown}: sync-1, sync-2, sync-3, sync-4, sync-5 and 3 more" in text
    assert "at most" not in text


def test_pictures_are_whole_and_load_nothing(files_: Project) -> None:
    svg = files_.command("forecast", "--format", "svg").out
    html = files_.command("forecast", "--format", "html").out
    root = ElementTree.fromstring(svg)

    assert root.tag.endswith("svg")
    assert len(root.findall(".//{http://www.w3.org/2000/svg}rect")) >= 8 * 24
    assert ("http" in svg.replace("http://www.w3.org/2000/svg", ""), "src=" in html, "<script" in html) == (False,) * 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--from", "tomorrow"), "`tomorrow` is not an instant"),
        (("--from", "2027-01-01", "--until", "2026-01-01"), "`--until` is earlier than `--from`"),
        (("--from", "9999-12-31T00:00:00Z"), "not within the years"),
        (("--count", "0"), "0 is not in the range"),
        (("-e", "nowhere"), "unknown environment `nowhere`"),
    ],
)
def test_wrong_usage_is_64(files_: Project, words: tuple[str, ...], message: str) -> None:
    done = files_.command("forecast", *words)

    assert (done.code, message in done.err) == (64, True), done.err


def test_without_an_environment_that_matters_it_asks_for_one(files: Project) -> None:
    files.write('environments = ["staging"]\n', "schedsync.toml")
    files.schedules("  a: {task: t, every: 1h, environments: {staging: {every: 2h}}}\n")

    assert files.command("forecast").code == 64
    assert files.command("forecast", "-e", "staging").code == 0


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.one_of(CRONTABS, st.integers(10**6, 30 * 86400 * 10**6).map(Interval)), INSTANTS)
def test_a_forecast_is_what_celery_s_own_objects_say(timing: Timing, start: datetime) -> None:
    if _comes_again(timing, start):
        return
    schedule = Schedule("a", Spec("t", timing), Location("a.yaml", 1, 1))
    told = forecast(Desired.of([schedule]), Horizon(start, count=5)).outlooks[0].runs
    # A run at the very start counts; an interval is counted from there.
    expected, after = [], start if isinstance(timing, Interval) else start - timedelta(microseconds=1)
    for _ in range(5):
        after = next_slot(timing, after)
        expected.append(after)

    # Where stock Beat loads a row too late, its first run is behind the slot, and the others follow from there.
    late = told[0] != expected[0]
    assert told[0] >= expected[0]
    assert late or list(told) == expected


def test_now_is_the_default(files_: Project) -> None:
    said = runs(files_, "--name", "often", "--until", "1m")

    assert said["often"]["runs"] == [instant_text(NOW + timedelta(seconds=step)) for step in (30, 60)]
    assert NOW.tzinfo == timezone.utc
