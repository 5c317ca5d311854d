"""What the files say, as a document and back."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from schedsync.core.freeze import Freeze
from schedsync.core.location import Location
from schedsync.core.schedule import Desired, People, Schedule, Spec, Template
from schedsync.core.timing import Interval
from schedsync.planning.desired_document import KeptDesired, desired_from, desired_text, freezes_in
from tests.calendar.test_slots import cron, schedule

FULL = Schedule(
    name="sync-acme",
    spec=Spec("shop.sync", cron("8 * * * *", "Europe/Berlin"), kwargs='{"tenant":"acme"}', queue="sync", overlap="skip",
              max_runtime=600, expires_after=60),
    location=Location("schedules/shop.yaml", 12, 3),
    people=People(owner="team-data", labels=(("tier", "gold"),)),
    edit_may_fire=True,
    renamed_from="sync",
    adopt=True,
    adopt_from="old",
    ignore_changes=frozenset({"queue", "enabled"}),
    template=Template("sync-{tenant}"),
)  # fmt: skip
FREEZE = Freeze(cron("0 18 * * 5", "Europe/Berlin"), timedelta(hours=62), "the weekend: no }", ("production",))
PLAIN = schedule("heartbeat", Interval(10**6))
KEPT = KeptDesired(Desired.of([FULL, PLAIN], {"old": Location("schedules/shop.yaml", 1, 1)}), timedelta(days=7),
                   (FREEZE, replace(FREEZE, environments=(), reason="a fair")))  # fmt: skip


def test_a_document_is_read_back_as_it_was() -> None:
    document = json.loads(desired_text(KEPT))

    assert desired_from(document) == KEPT


def test_a_schedule_without_more_than_its_spec_is_short() -> None:
    assert [sorted(each) for each in json.loads(desired_text(KeptDesired(Desired.of([PLAIN]))))["schedules"]] == [
        ["at", "name", "spec"]
    ]


def test_the_freezes_are_read_without_the_schedules() -> None:
    beginning = desired_text(KEPT)[:400]

    assert len(beginning) < len(desired_text(KEPT))
    assert freezes_in(beginning) == KEPT.freezes
    assert freezes_in(desired_text(replace(KEPT, freezes=()))) == ()
    with pytest.raises(ValueError, match="line 1 column"):
        freezes_in(beginning[:100])


def test_each_edit_makes_another_text() -> None:
    edits: list[dict[str, Any]] = [
        {"spec": replace(FULL.spec, queue="other")},
        {"location": Location("schedules/shop.yaml", 13, 3)},
        {"people": People()},
        {"edit_may_fire": False},
        {"template": None},
        {"ignore_changes": frozenset()},
    ]
    others = [
        KeptDesired(Desired.of([replace(FULL, **edit), PLAIN], KEPT.desired.removed), KEPT.grace, KEPT.freezes)
        for edit in edits
    ]
    others += [replace(KEPT, grace=None), replace(KEPT, desired=Desired.of([FULL, PLAIN])), replace(KEPT, freezes=())]

    assert len({desired_text(each) for each in [KEPT, *others]}) == len(others) + 1
    assert desired_text(desired_from(json.loads(desired_text(KEPT)))) == desired_text(KEPT)


@pytest.mark.parametrize(
    "damage",
    [
        {"version": 2},
        {"schedules": [{"name": "a"}]},
        {"schedules": 3},
        {"besides": [[["a"]], None]},
        {
            "schedules": [
                {"name": "a", "at": ["x", 1, 1], "spec": {"task": "t", "timing": {"kind": "crontab", "minute": "61"}}}
            ]
        },
    ],
)
def test_a_document_of_another_form_is_not_read(damage: dict[str, Any]) -> None:
    with pytest.raises((ValueError, KeyError, TypeError)):
        desired_from(json.loads(desired_text(KEPT)) | damage)
