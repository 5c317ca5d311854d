"""What stock Beat sends, ours sends too, at the same minutes; what differs is written down in docs/concepts/beat.md."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    PeriodicTasks,
    SolarSchedule,
)

from tests.beat import ours
from tests.conftest import NOW, empty
from tests.integration import beat as stock

TIMINGS: dict[str, dict[str, Any]] = {
    "each minute": {"crontab": {"minute": "*"}},
    "quarters": {"crontab": {"minute": "*/15"}},
    "plain hour": {"crontab": {"minute": "30", "hour": "12"}},
    "berlin": {"crontab": {"minute": "5", "hour": "12", "timezone": "Europe/Berlin"}},
    "weekday": {"crontab": {"minute": "0", "hour": "*", "day_of_week": "mon"}},
    "not today": {"crontab": {"minute": "0", "hour": "*", "day_of_week": "tue"}},
    "interval": {"interval": {"every": 7, "period": "minutes"}},
    "hours": {"interval": {"every": 2, "period": "hours"}},
    "ran before": {"interval": {"every": 1, "period": "hours"}, "last_run_at": NOW - timedelta(minutes=50)},
    "noon": {"solar": {"event": "solar_noon", "latitude": 52.5, "longitude": 13.4}},
    "once": {"crontab": {"minute": "20"}, "one_off": True},
    "at": {"clocked": {"clocked_time": NOW + timedelta(hours=1)}, "one_off": True},
    "at past": {"clocked": {"clocked_time": NOW - timedelta(hours=1)}, "one_off": True},
    "done": {"crontab": {"minute": "*"}, "one_off": True, "total_run_count": 1},
    "ends": {"crontab": {"minute": "*/10"}, "expires": NOW + timedelta(minutes=45)},
    "starts": {"interval": {"every": 20, "period": "minutes"}, "start_time": NOW + timedelta(minutes=33)},
    "started": {"interval": {"every": 20, "period": "minutes"}, "start_time": NOW - timedelta(days=33)},
    "missed": {"crontab": {"minute": "0", "hour": "9"}, "last_run_at": NOW - timedelta(days=3)},
    "disabled": {"crontab": {"minute": "*"}, "enabled": False},
}
MODELS: dict[str, Any] = {
    "crontab": CrontabSchedule, "interval": IntervalSchedule, "solar": SolarSchedule, "clocked": ClockedSchedule,
}  # fmt: skip


def make(using: str, name: str, values: dict[str, Any]) -> PeriodicTask:
    columns = dict(values)
    for kind, model in MODELS.items():
        if kind in columns:
            columns[kind] = model.objects.using(using).create(**columns[kind])
    made: PeriodicTask = PeriodicTask.objects.using(using).create(name=name, task="t", **columns)
    PeriodicTask.objects.using(using).filter(pk=made.pk).update(
        last_run_at=values.get("last_run_at"), date_changed=NOW - timedelta(minutes=1)
    )
    PeriodicTasks.update_changed()
    return made


@pytest.mark.one_database("default", "postgresql")
def test_the_same_is_sent_at_the_same_minutes(using: str, clock: Any) -> None:
    sent: dict[str, list[tuple[str, str]]] = {}
    for who, module in (("stock", stock), ("ours", ours)):
        clock.move_to(NOW)
        for name, values in TIMINGS.items():
            make(using, name, values)
        found = module.Beat(clock).run(timedelta(hours=2, minutes=31))  # type: ignore[attr-defined]
        sent[who] = sorted({(name, f"{at:%d %H:%M}") for at, name in found})
        empty(using)

    assert sent["ours"] == sent["stock"]


@pytest.mark.parametrize(
    ("values", "left"),
    [
        (TIMINGS["once"], (False, 0, None)),
        (TIMINGS["at past"], (False, 0, None)),
        (TIMINGS["done"], (False, 0, None)),
        (TIMINGS["ends"], (False, 5, None)),
        (TIMINGS["each minute"], (True, 61, NOW + timedelta(hours=1))),
    ],
    ids=["once", "at", "done", "ends", "each minute"],
)
def test_the_row_afterwards(using: str, clock: Any, values: dict[str, Any], left: tuple[Any, ...]) -> None:
    make(using, "x", values)

    ours.Beat(clock).run(timedelta(hours=1, seconds=1))

    row = ours.row(using, "x")
    assert (row.enabled, row.total_run_count, row.last_run_at) == left


def test_a_clocked_schedule_that_is_enabled_again_runs_again(using: str, clock: Any) -> None:
    sent: dict[str, list[str]] = {}
    for who, module in (("stock", stock), ("ours", ours)):
        clock.move_to(NOW)
        make(using, "x", {"clocked": {"clocked_time": NOW}, "one_off": True})
        beat: Any = module.Beat(clock)  # type: ignore[attr-defined]
        first = beat.run(timedelta(minutes=12))
        done = ours.row(using, "x")
        assert not done.enabled
        done.enabled = True
        done.save(using=using)
        again = beat.run(timedelta(minutes=12))
        sent[who] = [name for _, name in [*first, *again]]
        assert not ours.row(using, "x").enabled
        empty(using)

    assert sent == {"stock": ["x", "x"], "ours": ["x", "x"]}


def test_only_the_run_is_written(using: str, clock: Any) -> None:
    made = make(using, "x", TIMINGS["each minute"])
    before = PeriodicTask.objects.using(using).filter(pk=made.pk).values().get()

    ours.Beat(clock).run(timedelta(minutes=2))

    after = PeriodicTask.objects.using(using).filter(pk=made.pk).values().get()
    assert {name for name in after if after[name] != before[name]} == {"last_run_at", "total_run_count"}


def test_an_interval_keeps_its_grid_however_late_a_run_is_sent(using: str, clock: Any) -> None:
    make(using, "x", {"interval": {"every": 10, "period": "minutes"}, "last_run_at": NOW - timedelta(minutes=5)})
    beat = ours.Beat(clock)
    beat.run(timedelta(minutes=4))
    clock.move_to(NOW + timedelta(minutes=8))

    sent = beat.run(timedelta(minutes=30))

    assert [f"{at:%H:%M}" for at, _ in sent] == ["10:08", "10:15", "10:25", "10:35"]
    assert ours.row(using, "x").last_run_at == datetime(2026, 11, 23, 10, 35, tzinfo=timezone.utc)
