"""Every row of the table of surprise runs: with ``edit_may_fire: false`` nothing fires for a slot of the past, with
``true`` what the plan foretold is what Beat sends, at the minute foretold."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django_celery_beat.models import PeriodicTask

from tests.conftest import NOW, Project
from tests.integration.beat import Beat, minutes

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Surprise:
    """What was there, what the files say now, and what stock Beat does when nobody guards the edit."""

    name: str
    before: str
    after: str
    fires: str
    foretold: str
    then: str
    ran: datetime | None = None
    changed: datetime | None = None
    keep: str | None = None


def at(hour: int, minute: int = 0, day: int = 23) -> datetime:
    return datetime(2026, 11, day, hour, minute, tzinfo=timezone.utc)


SURPRISES = [
    Surprise(
        "an hour's minute moves into the past",
        'crontab: "0 9 * * *"', 'crontab: "30 9 * * *"',
        fires="23 10:00", foretold="fires_at_once", then="24 09:30", ran=at(9),
    ),
    Surprise(
        "a plain hour moves to the night",
        'crontab: "0 20 * * *"', 'crontab: "0 2 * * *"',
        fires="24 00:00", foretold="fires_late", then="24 02:00", ran=at(20, day=22),
    ),
    Surprise(
        "an interval becomes shorter than the time since its last run",
        "every: 1d", "every: 1h",
        fires="23 10:00", foretold="fires_at_once", then="23 11:00", ran=at(4),
    ),
    Surprise(
        "a disabled schedule without a last run is enabled",
        'crontab: "0 9 * * *", enabled: false', 'crontab: "0 9 * * *"',
        fires="23 10:00", foretold="fires_at_once", then="24 09:00", changed=at(8),
    ),
    Surprise(
        "a disabled schedule is enabled with a start of the past",
        'every: 6h, enabled: false, start_at: "2026-11-01T00:00:00Z"', 'every: 6h, start_at: "2026-11-01T00:00:00Z"',
        fires="23 10:00", foretold="fires_at_once", then="23 16:00", changed=at(8),
    ),
]  # fmt: skip


def _prepare(project: Project, surprise: Surprise, may_fire: bool) -> Beat:
    project.schedules(f"  job: {{task: t, {surprise.before}}}\n")
    assert project.apply().code == 0
    PeriodicTask.objects.update(last_run_at=surprise.ran, date_changed=surprise.changed or surprise.ran or NOW)
    project.schedules(f"  job: {{task: t, {surprise.after}, edit_may_fire: {str(may_fire).lower()}}}\n")


@pytest.mark.parametrize("surprise", SURPRISES, ids=lambda surprise: surprise.name)
def test_an_edit_does_not_fire_for_a_slot_of_the_past(project: Project, clock: Any, surprise: Surprise) -> None:
    beat = Beat(clock, step=300)
    _prepare(project, surprise, may_fire=False)
    assert project.apply().code == 0

    sent = beat.run(30 * HOUR)

    assert minutes(sent)[0] == surprise.then


@pytest.mark.parametrize("surprise", SURPRISES, ids=lambda surprise: surprise.name)
def test_beat_sends_what_the_plan_foretold(project: Project, clock: Any, surprise: Surprise) -> None:
    beat = Beat(clock, step=60)
    _prepare(project, surprise, may_fire=True)
    change = json.loads(project.plan("--format", "json").out)["changes"][0]
    foretold = {one["code"]: one.get("at") for one in change["consequences"]}
    assert project.apply().code == 0

    sent = beat.run(15 * HOUR)

    assert foretold[surprise.foretold] == f"2026-11-{surprise.fires.replace(' ', 'T')}:00Z"
    first = sent[0][0]
    told = datetime.fromisoformat(foretold[surprise.foretold].replace("Z", "+00:00"))
    assert timedelta() <= first - told <= timedelta(minutes=6 if surprise.foretold == "fires_late" else 1)


def test_a_shared_interval_row_is_never_edited_in_place(project: Project, clock: Any) -> None:
    project.schedules("  one: {task: t, every: 1d}\n  other: {task: t, every: 1d}\n")
    project.apply()
    PeriodicTask.objects.update(last_run_at=at(4))
    beat = Beat(clock)
    project.schedules("  one: {task: t, every: 1h}\n  other: {task: t, every: 1d}\n")
    project.apply()

    assert beat.run(timedelta(minutes=5)) == []
    assert PeriodicTask.objects.get(name="other").interval.every == 1


@pytest.mark.parametrize(("may_fire", "expected"), [(False, ["23 14:00"]), (True, ["23 10:00", "23 14:00"])])
def test_a_schedule_created_with_a_start_of_the_past(
    project: Project, clock: Any, may_fire: bool, expected: list[str]
) -> None:
    beat = Beat(clock, step=60)
    flag = str(may_fire).lower()
    project.schedules(f'  job: {{task: t, every: 4h, start_at: "2026-11-01T00:00:00Z", edit_may_fire: {flag}}}\n')
    plan = json.loads(project.plan("--format", "json").out)
    project.apply()

    sent = beat.run(5 * HOUR)

    assert minutes(sent) == expected
    assert ("fires_at_once" in {one["code"] for one in plan["changes"][0]["consequences"]}) is may_fire


def test_a_crontab_with_a_start_ahead_waits_for_its_first_slot(project: Project, clock: Any) -> None:
    beat = Beat(clock, step=60)
    project.schedules('  job: {task: t, crontab: "0 * * * *", start_at: "2026-11-23T12:30:00Z"}\n')
    project.apply()

    assert minutes(beat.run(4 * HOUR)) == ["23 13:00"]


def test_a_start_that_is_a_slot_is_not_missed(project: Project, clock: Any) -> None:
    beat = Beat(clock, step=60)
    project.schedules('  job: {task: t, crontab: "0 12 * * *", start_at: "2026-11-23T12:00:00Z"}\n')
    project.apply()
    sent = beat.run(4 * HOUR)

    assert len(sent) == 1
    assert timedelta() <= sent[0][0] - at(12) <= timedelta(minutes=6)


def test_an_interval_with_a_start_ahead_begins_at_its_start(project: Project, clock: Any) -> None:
    beat = Beat(clock, step=60)
    project.schedules('  job: {task: t, every: 2h, start_at: "2026-11-23T12:30:00Z"}\n')
    project.apply()

    assert minutes(beat.run(5 * HOUR)) == ["23 12:30", "23 14:30"]


@pytest.mark.parametrize("enabled", [True, False])
def test_a_clocked_time_of_the_past_is_never_written(project: Project, clock: Any, enabled: bool) -> None:
    project.schedules(f'  job: {{task: t, at: "2026-11-23T09:00:00Z", enabled: {str(enabled).lower()}}}\n')
    done = project.apply()

    assert done.code == 0
    assert "warning  SS160  `job` is completed" in done.out
    assert not PeriodicTask.objects.exists()


def test_a_clocked_time_ahead_runs_once(project: Project, clock: Any) -> None:
    beat = Beat(clock, step=60)
    project.schedules('  job: {task: t, at: "2026-11-23T12:34:00Z"}\n')
    plan = json.loads(project.plan("--format", "json").out)
    project.apply()

    assert plan["changes"][0]["consequences"][0]["at"] == "2026-11-23T12:34:00Z"
    assert minutes(beat.run(6 * HOUR)) == ["23 12:34"]
    assert project.drift().code == 0
    assert project.plan("--exit-code").code == 0


def test_a_created_schedule_waits_for_its_next_slot(project: Project, clock: Any) -> None:
    beat = Beat(clock, step=60)
    project.schedules('  job: {task: t, crontab: "*/20 * * * *"}\n')
    project.apply()

    assert minutes(beat.run(timedelta(minutes=50))) == ["23 10:20", "23 10:40"]


def test_applying_often_starves_nothing(project: Project, clock: Any) -> None:
    beat = Beat(clock)
    sent = []
    for number in range(6):
        project.schedules(f"  job: {{task: t, every: 10m, kwargs: {{n: {number}}}}}\n")
        assert project.apply().code == 0
        sent += beat.run(timedelta(minutes=5))

    assert minutes(sent) == ["23 10:10", "23 10:20"]


def test_a_run_missed_while_beat_was_down_survives_an_edit_of_arguments(project: Project, clock: Any) -> None:
    project.schedules('  job: {task: t, crontab: "0 9 * * *"}\n')
    project.apply()
    PeriodicTask.objects.update(last_run_at=at(9, day=22))
    project.schedules('  job: {task: t, crontab: "0 9 * * *", kwargs: {n: 1}}\n')
    project.apply()
    beat = Beat(clock)

    assert minutes(beat.run(timedelta(minutes=5))) == ["23 10:00"]


def test_an_edit_of_arguments_keeps_the_phase_of_an_interval(project: Project, clock: Any) -> None:
    project.schedules("  job: {task: t, every: 4h}\n")
    project.apply()
    PeriodicTask.objects.update(last_run_at=at(9))
    project.schedules("  job: {task: t, every: 4h, queue: other}\n")
    project.apply()
    beat = Beat(clock, step=60)

    assert minutes(beat.run(4 * HOUR)) == ["23 13:00"]


def test_a_longer_interval_is_counted_from_the_last_run(project: Project, clock: Any) -> None:
    project.schedules("  job: {task: t, every: 4h}\n")
    project.apply()
    PeriodicTask.objects.update(last_run_at=at(9))
    project.schedules("  job: {task: t, every: 6h}\n")
    plan = json.loads(project.plan("--format", "json").out)
    project.apply()
    beat = Beat(clock, step=60)

    assert plan["changes"][0]["consequences"] == [
        {
            "code": "next_run_moves",
            "message": "next run moves from Mon 23 Nov 13:00 to Mon 23 Nov 15:00 UTC",
            "at": "2026-11-23T15:00:00Z",
        },
        {"code": "frequency", "message": "runs 4 times a day instead of 6"},
    ]
    assert minutes(beat.run(6 * HOUR)) == ["23 15:00"]


def test_a_next_run_that_moves_within_its_second_is_not_told(project: Project, clock: Any) -> None:
    project.schedules("  job: {task: t, every: 1h}\n")
    project.apply()
    PeriodicTask.objects.update(last_run_at=at(9) + timedelta(minutes=30, microseconds=200_000))
    project.schedules('  job: {task: t, crontab: "30 * * * *"}\n')
    plan = json.loads(project.plan("--format", "json").out)

    assert plan["changes"][0]["consequences"] == []


def test_a_renamed_schedule_does_not_run_again_for_a_slot_it_ran_for(project: Project, clock: Any) -> None:
    project.schedules('  old: {task: t, crontab: "*/10 * * * *"}\n')
    project.apply()
    beat = Beat(clock, step=60)
    assert minutes(beat.run(timedelta(minutes=12)))[-1] == "23 10:10"
    project.schedules('  new: {task: t, crontab: "*/10 * * * *", renamed_from: old}\n')
    assert project.apply().code == 0

    assert minutes(beat.run(timedelta(minutes=6))) == []
    assert minutes(beat.run(timedelta(minutes=5))) == ["23 10:20"]


def test_a_resumed_schedule_goes_on_with_its_next_slot(project: Project, clock: Any) -> None:
    project.schedules('  job: {task: t, crontab: "0 * * * *"}\n')
    project.apply()
    beat = Beat(clock, step=60)
    project.command("pause", "job", "--reason", "noise", "--database", project.using)
    assert beat.run(3 * HOUR + timedelta(minutes=30)) == []
    project.command("resume", "job", "--database", project.using)

    assert minutes(beat.run(timedelta(minutes=45))) == ["23 14:00"]


def test_a_deadline_of_beat_is_part_of_the_forecast(project: Project, clock: Any) -> None:
    from celery import current_app

    project.schedules('  job: {task: t, crontab: "0 9 * * *"}\n')
    project.apply()
    PeriodicTask.objects.update(last_run_at=at(9))
    project.schedules('  job: {task: t, crontab: "30 9 * * *", edit_may_fire: true}\n')
    current_app.conf.beat_cron_starting_deadline = 300
    try:
        plan = json.loads(project.plan("--format", "json").out)
    finally:
        current_app.conf.beat_cron_starting_deadline = None

    assert [one["code"] for one in plan["changes"][0]["consequences"]] == ["next_run_moves"]
