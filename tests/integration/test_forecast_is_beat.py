"""The forecast says of any row when stock Beat will send it next: compared with the real scheduler."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from django_celery_beat.models import PeriodicTask, PeriodicTasks

from schedsync.calendar.stock_beat import RELOAD, next_run
from schedsync.core.observed import Row
from schedsync.core.timing import instant_text
from schedsync.database.observe import observe
from tests.conftest import NOW, Project
from tests.integration.beat import Beat

pytestmark = pytest.mark.one_database
ZONES = ["UTC", "Europe/Berlin", "America/Nuuk", "Antarctica/Casey", "Asia/Kathmandu", "Pacific/Kiritimati"]
TIMINGS = [
    *(f"crontab: '{text}', timezone: {zone}" for zone in ZONES for text in ("20 2 * * *", "5 15 * * *", "0 */6 * * *")),
    "every: 7h",
    "solar: {event: sunset, latitude: 52.52, longitude: 13.405}",
    "at: 2026-11-23T21:17:00Z",
]


def observed(project: Project) -> Row:
    return observe(project.using, "default").rows["job"]


@pytest.mark.parametrize("hours_ago", [None, 5, 30])
@pytest.mark.parametrize("timing", TIMINGS)
def test_beat_sends_when_the_forecast_says(project: Project, clock: Any, timing: str, hours_ago: int | None) -> None:
    beat = Beat(clock, step=300)
    project.schedules(f"  job: {{task: t, {timing}}}\n")
    assert project.apply().code == 0
    if hours_ago is not None:
        PeriodicTask.objects.update(last_run_at=NOW - timedelta(hours=hours_ago))
        PeriodicTasks.update_changed()
    row = observed(project)
    assert row.spec is not None
    foretold = next_run(row.spec, row, NOW, hour=row.hour)
    assert foretold is not None

    sent = beat.run(foretold.at - NOW + timedelta(minutes=11))

    # What is due when the row changes is sent at Beat's next look.
    at_once = foretold.late or foretold.at == NOW
    late = RELOAD + timedelta(seconds=5 + 300) if at_once else timedelta(seconds=2)
    assert [name for _, name in sent][:1] == ["job"]
    assert timedelta(seconds=-1) <= sent[0][0] - foretold.at <= late


def test_a_one_off_that_was_a_recurring_schedule_runs_once_more(project: Project, clock: Any) -> None:
    project.schedules("  job: {task: t, every: 1h}\n")
    project.apply()
    PeriodicTask.objects.update(total_run_count=9, last_run_at=NOW)
    beat = Beat(clock, step=60)
    project.schedules("  job: {task: t, every: 1h, one_off: true}\n")
    assert project.apply().code == 0

    assert [name for _, name in beat.run(timedelta(hours=5))] == ["job"]
    assert not PeriodicTask.objects.get().enabled
    assert project.plan("--exit-code").code == 0
    assert project.drift().code == 0


def test_a_schedule_that_was_deleted_and_comes_back_fires_for_nothing_of_the_past(project: Project, clock: Any) -> None:
    job = "  job: {task: t, crontab: '*/10 * * * *'}\n"
    other = "  other: {task: t, every: 1d}\n"
    project.schedules(job + other)
    project.apply()
    beat = Beat(clock, step=60)
    assert len(beat.run(timedelta(minutes=12))) == 1
    project.schedules(other)
    assert project.apply().code == 0
    project.schedules(job + other)
    assert project.apply().code == 0

    assert beat.run(timedelta(minutes=6)) == []
    assert len(beat.run(timedelta(minutes=4))) == 1


def test_an_expiry_ends_a_schedule_in_the_forecast_as_in_beat(project: Project, clock: Any) -> None:
    project.schedules("  job: {task: t, every: 1h, expires_at: 2026-11-23T12:30:00Z}\n")
    project.apply()
    beat = Beat(clock, step=60)
    row = observed(project)
    assert row.spec is not None
    last = replace(row, last_run_at=NOW + timedelta(hours=2))

    assert len(beat.run(timedelta(hours=5))) == 2
    assert next_run(row.spec, last, NOW + timedelta(hours=2)) is None
    assert project.plan("--exit-code").code == 0


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ("crontab: '0 * * * *'", NOW + timedelta(hours=1)),
        ("crontab: '0 * * * *', start_at: 2026-11-23T12:30:00Z", NOW + timedelta(hours=3)),
        ("every: 2h, start_at: 2026-11-23T12:30:00Z", NOW + timedelta(hours=2, minutes=30)),
        ("every: 2h", NOW + timedelta(hours=2)),
    ],
)
def test_a_start_that_is_taken_back_or_moved_is_obeyed(
    project: Project, clock: Any, after: str, expected: datetime
) -> None:
    project.schedules("  job: {task: t, crontab: '0 * * * *', start_at: 2026-12-24T00:30:00Z}\n")
    project.apply()
    beat = Beat(clock, step=60)
    project.schedules(f"  job: {{task: t, {after}}}\n")
    foretold = json.loads(project.plan("--format", "json").out)["changes"][0]["consequences"]
    assert project.apply().code == 0

    sent = beat.run(timedelta(hours=5))

    assert timedelta(seconds=-1) <= sent[0][0] - expected <= timedelta(minutes=6)
    assert foretold[0]["at"] == instant_text(expected)
