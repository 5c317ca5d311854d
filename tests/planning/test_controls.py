"""Which schedules break a control, and which changes are refused for it."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from schedsync.core.change import Adopt, Change, Create, Delete, FieldChange, Rename, Update
from schedsync.core.controls import Controls, InvalidControl, controls_document, controls_from
from schedsync.core.schedule import Spec
from schedsync.core.timing import Clocked, Interval, Solar, Timing, crontab
from schedsync.planning.controls import refused_changes, violations

MINUTE = Interval(60_000_000)
SHOP = Controls(allowed_tasks=("shop.*", "ping"), allowed_queues=("default", "reports-?"))


def broken(spec: Spec, controls: Controls) -> list[tuple[str, str]]:
    return [(each.code, each.key) for each in violations(spec, controls)]


@pytest.mark.parametrize("task", ["shop.report", "shop.", "ping"])
def test_a_task_that_a_pattern_matches_is_allowed(task: str) -> None:
    assert broken(Spec(task, MINUTE), SHOP) == []


@pytest.mark.parametrize("task", ["os.system", "Shop.report", "xshop.report", "pings", "celery.chain", ""])
def test_any_other_task_is_not(task: str) -> None:
    assert broken(Spec(task, MINUTE), SHOP) == [("task_not_allowed", "task")]


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ('{"task":"os.system"}', [("task_not_allowed", "headers")]),
        ('{"task":["shop.x"]}', [("task_not_allowed", "headers")]),
        ('{"task":null}', [("task_not_allowed", "headers")]),
        ('{"task":"shop.other"}', []),
        ('{"x":"\\"task\\""}', []),
        ('{"x":{"task":"os.system"}}', []),
    ],
)
def test_the_header_that_replaces_the_task_is_held_too(headers: str, expected: list[tuple[str, str]]) -> None:
    assert broken(Spec("shop.x", MINUTE, headers=headers), SHOP) == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, []),
        ({"queue": "default"}, []),
        ({"queue": "reports-1"}, []),
        ({"queue": "reports-12"}, [("queue_not_allowed", "queue")]),
        (
            {"exchange": "x", "routing_key": "y"},
            [("queue_not_allowed", "exchange"), ("queue_not_allowed", "routing_key")],
        ),
    ],
)
def test_queues_are_held_and_so_are_the_fields_that_reach_any_queue(
    fields: dict[str, str], expected: list[tuple[str, str]]
) -> None:
    assert broken(Spec("shop.x", MINUTE, **fields), SHOP) == expected  # type: ignore[arg-type]


def test_an_empty_list_allows_nothing_and_a_star_allows_all() -> None:
    spec = Spec("shop.x", MINUTE, queue="q", exchange="x", routing_key="y")

    assert broken(spec, Controls(allowed_tasks=())) == [("task_not_allowed", "task")]
    assert broken(spec, Controls(allowed_tasks=("*",), allowed_queues=("*",))) == []


@pytest.mark.parametrize(
    ("timing", "key"),
    [
        (Interval(299_999_999), "every"),
        (crontab({"minute": "0,4"}, "UTC"), "crontab"),
        (crontab({"minute": "58,0", "hour": "23,0"}, "UTC"), "crontab"),
        (Interval(300_000_000), None),
        (crontab({"minute": "*/5"}, "UTC"), None),
        (Clocked(datetime(2027, 1, 1, tzinfo=timezone.utc)), None),
        (Solar("sunset", "52.520000", "13.405000"), None),
    ],
)
def test_no_schedule_starts_more_often_than_allowed(timing: Timing, key: str | None) -> None:
    controls = Controls(minimum_period=timedelta(minutes=5))

    assert broken(Spec("t", timing), controls) == ([("too_often", key)] if key else [])
    assert broken(Spec("t", timing, one_off=True), controls) == []


def changes(after: Spec) -> list[Change]:
    disabled = FieldChange("enabled", True, False)
    return [
        Create(name="create", after=after),
        Update(name="update", after=after, fields=(FieldChange("args", [], [1]),)),
        Update(name="disable and edit", after=after, fields=(FieldChange("args", [], [1]), disabled)),
        Update(name="disable", after=after, fields=(disabled,)),
        Rename(name="rename", old_name="x", after=after),
        Adopt(name="adopt", after=after),
        Delete(name="delete"),
    ]


def test_what_a_change_writes_is_refused_but_never_a_stop() -> None:
    refused = list(refused_changes(changes(Spec("os.system", MINUTE, enabled=False)), [Controls(), SHOP]))

    assert [each.schedule for each in refused] == ["create", "update", "disable and edit", "rename", "adopt"]
    assert refused[0].code == "task_not_allowed"
    assert refused[0].message == ("`create` runs the task `os.system`; SCHEDSYNC_ALLOWED_TASKS allows `shop.*`, `ping`")
    assert refused[0].override == (
        "edit the schedule, or change SCHEDSYNC_ALLOWED_TASKS in Django's settings; no flag lifts it"
    )


def test_the_files_can_only_narrow() -> None:
    layers = [SHOP, Controls(allowed_tasks=("os.*", "ping"), in_files=True)]
    created = [Create(name=task, after=Spec(task, MINUTE)) for task in ("ping", "os.system", "shop.x")]

    assert [(each.schedule, each.override.split(",")[1]) for each in refused_changes(created, layers)] == [
        ("os.system", " or change SCHEDSYNC_ALLOWED_TASKS in Django's settings; no flag lifts it"),
        ("shop.x", " or edit `[safety] allowed_tasks`"),
    ]


@pytest.mark.parametrize("value", [60, 60.0, "60s", "1m", timedelta(minutes=1)])
def test_a_period_is_seconds_or_a_duration(value: object) -> None:
    controls = controls_from({"minimum_period": value})

    assert controls == Controls(minimum_period=timedelta(minutes=1))
    assert controls_from(controls_document(controls)) == controls


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("allowed_tasks", "shop.*"),
        ("allowed_tasks", ["shop.*", 3]),
        ("allowed_tasks", {"shop.*": 1}),
        ("allowed_queues", True),
        ("allowed_queues", [" "]),
        ("minimum_period", 0),
        ("minimum_period", -1),
        ("minimum_period", True),
        ("minimum_period", "often"),
        ("minimum_period", float("nan")),
        ("minimum_period", float("inf")),
        ("minimum_period", "999999999999999999d"),
        ("minimum_period", ["1m"]),
    ],
)
def test_a_value_that_is_no_control_is_an_error(key: str, value: object) -> None:
    with pytest.raises(InvalidControl) as caught:
        controls_from({key: value})

    assert caught.value.key == key
