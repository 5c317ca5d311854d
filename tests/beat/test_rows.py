"""Rows that cannot run, or cannot even be read, are named, and the others run."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from celery import schedules
from django.db import connections
from django_celery_beat.models import PeriodicTask, PeriodicTasks

from tests.beat.ours import Beat, row
from tests.beat.test_like_stock import TIMINGS, make
from tests.beat.test_promises import MINUTE, minutely, ticks
from tests.conftest import NOW

__all__ = ["minutely"]
UNREADABLE = {
    "an end that is no date": ("default", "UPDATE {task} SET expires = '2026-02-30 00:00:00' WHERE name = 'bad'"),
    "an end that never comes": ("postgresql", "UPDATE {task} SET expires = 'infinity' WHERE name = 'bad'"),
    "a run before all time": ("postgresql", "UPDATE {task} SET last_run_at = '-infinity' WHERE name = 'bad'"),
    "a place that is nowhere": ("postgresql", "UPDATE {solar} SET latitude = 'NaN'"),
}


@pytest.mark.parametrize(("database", "statement"), UNREADABLE.values(), ids=UNREADABLE)
def test_a_row_that_cannot_be_read_is_named_and_the_others_run(
    using: str, clock: Any, minutely: PeriodicTask, database: str, statement: str, caplog: pytest.LogCaptureFixture
) -> None:
    if using != database:
        pytest.skip("other databases refuse it")
    for name in "yz":
        make(using, name, {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE})
    bad = make(using, "bad", TIMINGS["noon"])
    with connections[using].cursor() as cursor:
        tables = {"task": PeriodicTask._meta.db_table, "solar": bad.solar._meta.db_table}
        cursor.execute(statement.format(**tables))
    beat = Beat(clock)
    beat.settle()
    beat.scheduler.leadership.lose("tried")
    beat.scheduler.leadership.hurry()
    beat.settle()

    assert ticks(beat) == ["10:00"] * 3
    assert list(beat.scheduler.roster.broken) == [bad.pk]
    assert "cannot run" in caplog.text


def test_a_row_whose_next_run_can_no_longer_be_worked_out_is_named_and_the_others_run(
    using: str, clock: Any, minutely: PeriodicTask, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    sunny = make(using, "sunny", {**TIMINGS["noon"], "last_run_at": NOW - timedelta(days=1)})
    beat = Beat(clock)

    def fail(*_: Any) -> None:
        raise RuntimeError("ephem")

    monkeypatch.setattr(schedules.solar, "remaining_estimate", fail)
    clock.shift(timedelta(hours=3, seconds=7))
    beat.settle()

    assert ticks(beat) == ["13:00"]
    assert list(beat.scheduler.roster.broken) == [sunny.pk]
    assert "`sunny` cannot run: its next run cannot be worked out: ephem" in caplog.text


@pytest.mark.one_database
def test_where_the_sun_does_not_rise_the_next_day_on_which_it_does_counts(
    using: str, clock: Any, minutely: PeriodicTask, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before 5.7 Celery adds a span to ephem's kind of date then, which is a TypeError."""
    original: Any = schedules.solar.remaining_estimate

    def old(schedule: Any, last_run_at: Any) -> Any:
        if last_run_at < NOW + timedelta(days=60):
            raise TypeError("unsupported operand")
        return original(schedule, last_run_at)

    monkeypatch.setattr(schedules.solar, "remaining_estimate", old)
    polar = make(using, "polar", {"solar": {"event": "sunrise", "latitude": 78.2, "longitude": 15.6}})
    beat = Beat(clock)
    beat.settle()

    assert ticks(beat) == ["10:00"]
    found = beat.scheduler.roster.schedules[polar.pk].tick
    assert found is not None
    assert f"{found:%Y-%m}" == "2027-02"


def test_a_one_off_that_is_to_run_again_is_read_again(using: str, clock: Any) -> None:
    made = make(using, "x", {"crontab": {"minute": "10"}, "one_off": True, "total_run_count": 1})
    beat = Beat(clock)
    beat.scheduler.roster.reload()
    # On a database that is not asked for row versions nothing but the count has changed.
    PeriodicTask.objects.using(using).filter(pk=made.pk).update(total_run_count=0)
    PeriodicTasks.update_changed()
    sent = beat.run(timedelta(minutes=30))

    assert [f"{at:%H:%M} {name}" for at, name in sent] == ["10:10 x"]
    assert not row(using, "x").enabled


@pytest.mark.one_database
@pytest.mark.parametrize("column", ["args", "kwargs", "headers", "task", "queue"])
def test_a_value_of_another_type_stops_no_other_row(
    using: str, clock: Any, minutely: PeriodicTask, column: str
) -> None:
    make(using, "bad", {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE})
    with connections[using].cursor() as cursor:
        cursor.execute(f"UPDATE {PeriodicTask._meta.db_table} SET {column} = X'5b315d' WHERE name = 'bad'")
    beat = Beat(clock)
    beat.settle()

    assert minutely.name in [message.name for _, message in beat.scheduler.sent]
