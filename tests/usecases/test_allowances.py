"""An entry of ``[[safety.allow]]`` lifts a refusal until a time, and the plan says so."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django_celery_beat.models import PeriodicTask

from schedsync.core.allowance import Allowance
from schedsync.core.refusal import Limits, Refusal
from schedsync.planning.allowances import lift
from schedsync.schemas.validator import CONFIG, schema_text
from tests.conftest import NOW, Project

SIX = "".join(f"  job-{number}: {{task: t, every: 1m}}\n" for number in range(6))
ENTRY = json.loads(schema_text(CONFIG))["properties"]["safety"]["properties"]["allow"]["items"]
LIFTABLE = ENTRY["properties"]["rule"]["enum"]
FOUR = "".join(SIX.splitlines(keepends=True)[:4])


def allow(rule: str, until: object, **more: object) -> str:
    lines = [f'rule = "{rule}"', f"until = {until}", 'reason = "the old shop closes"']
    lines += [f"{key} = {value}" for key, value in more.items()]
    return "[[safety.allow]]\n" + "\n".join(lines) + "\n"


@pytest.fixture
def shop(project: Project, clock: Any) -> Project:
    """A set of six schedules that is applied, and files that hold four of them."""
    project.write("", "schedsync.toml")
    project.schedules(SIX)
    assert project.apply().code == 0
    project.schedules(FOUR)
    return project


def test_an_entry_lifts_its_rule_and_the_plan_says_which_and_until_when(shop: Project) -> None:
    assert shop.apply().code == 3
    shop.write(allow("too_many_stops", "2026-11-23", limit=2), "schedsync.toml")
    document = json.loads(shop.plan("--format", "json").out)

    assert document["refusals"] == []
    assert [(each["severity"], each["message"]) for each in document["findings"] if each["code"] == "SS170"] == [
        (
            "warning",
            "`[[safety.allow]]` lifts `too_many_stops` up to 2 until Tue 24 Nov 2026 00:00 UTC: the old shop closes; "
            "without it, an apply would be refused: 2 schedules would stop, 1 of 6 managed "
            "may (max_stop_percent: 30): job-4, job-5",
        )
    ]
    assert shop.apply().code == 0
    assert PeriodicTask.objects.using(shop.using).count() == 4
    assert "SS170" not in shop.plan().out


def test_more_stops_than_the_entry_allows_are_refused(shop: Project) -> None:
    shop.write(allow("too_many_stops", "2026-11-24", limit=1), "schedsync.toml")
    done = shop.apply()

    assert done.code == 3
    assert "1 of 6 managed may (max_stop_percent: 30): job-4, job-5; `[[safety.allow]]` allows 1" in done.err
    assert 'or in Git `[[safety.allow]]` with `rule = "too_many_stops"`' in done.err


@pytest.mark.parametrize("until", ["2026-11-22", "2026-11-23T10:00:00Z", "'2026-11-23T11:00:00+01:00'"])
def test_an_entry_that_has_ended_lifts_nothing_and_can_go(shop: Project, until: str) -> None:
    shop.write(allow("too_many_stops", until, limit=9), "schedsync.toml")
    done, shown = shop.apply(), shop.validate()

    assert done.code == 3
    assert "info     SS169  an entry of `[[safety.allow]]` has ended and lifts nothing: `too_many_stops`" in shown.out
    assert (shown.code, "schedsync.toml:1:1: info  SS169  " in shop.plan().out) == (0, True)


@pytest.mark.parametrize("until", ["2026-11-23", "2026-11-23T10:00:01Z", "'2026-11-23T12:00:00+01:00'"])
def test_an_entry_holds_to_its_end(shop: Project, until: str) -> None:
    shop.write(allow("too_many_stops", until, limit=2), "schedsync.toml")

    assert shop.apply().code == 0


def test_an_empty_set_is_allowed_with_all_its_stops(shop: Project) -> None:
    shop.write("version: 1\n")
    shop.write(allow("empty_set", "2026-11-23"), "schedsync.toml")

    assert shop.apply().code == 0
    assert PeriodicTask.objects.using(shop.using).count() == 0


def test_another_rule_is_not_lifted(shop: Project) -> None:
    shop.write(allow("older_commit", "2026-11-23"), "schedsync.toml")

    assert shop.apply().code == 3


def test_a_name_that_is_taken_is_never_lifted(shop: Project) -> None:
    template = PeriodicTask.objects.using(shop.using).get(name="job-0")
    PeriodicTask.objects.using(shop.using).create(name="foreign", task="t", interval=template.interval)
    shop.schedules(SIX + "  foreign: {task: t, every: 1h}\n")
    entries = [allow(rule, "2026-12-24", **({"limit": 99} if rule == "too_many_stops" else {})) for rule in LIFTABLE]
    shop.write("".join(entries), "schedsync.toml")
    done = shop.apply()

    assert (done.code, "  name_taken\n" in done.err) == (3, True)


@pytest.mark.parametrize("rule", LIFTABLE)
def test_each_rule_is_lifted_by_its_own_entry_alone(rule: str) -> None:
    refusals = [Refusal(code, code, "way out", stops=3 if code == "too_many_stops" else None) for code in LIFTABLE]
    entry = Allowance(rule, NOW + timedelta(days=1), "r", 3 if rule == "too_many_stops" else None)
    left, notices = lift(refusals, Limits(allowances=(entry,)), NOW, empty=False)

    assert [refusal.code for refusal in left] == [code for code in LIFTABLE if code != rule]
    assert [notice.code for notice in notices] == ["SS170"]


def test_several_refusals_that_one_entry_lifts_are_one_line() -> None:
    refusals = [Refusal("dual_writer", f"`{name}` is defined twice", "remove it") for name in "abc"]
    entry = Allowance("dual_writer", datetime(2027, 1, 1, tzinfo=timezone.utc), "r")
    left, notices = lift(refusals, Limits(allowances=(entry,)), NOW, empty=False)

    assert left == ()
    assert [notice.message for notice in notices] == [
        "`[[safety.allow]]` lifts `dual_writer` until Fri 1 Jan 2027 00:00 UTC: r; "
        "without it, an apply would be refused: `a` is defined twice (and 2 more)"
    ]
