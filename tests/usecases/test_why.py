"""``schedsync why`` on real rows: what a Beat, an apply, a pause and a human left behind."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django_celery_beat.models import PeriodicTask

from schedsync.core.task_id import task_id
from tests.beat.ours import Beat
from tests.conftest import NOW, Project

SCHEDULES = "  nightly: {task: t, crontab: '0 2 * * *', timezone: Europe/Berlin}\n  often: {task: t, every: 10m}\n"
DAY, HOUR, MINUTE = timedelta(days=1), timedelta(hours=1), timedelta(minutes=1)


def why(project: Project, name: str, *words: str) -> dict[str, Any]:
    done = project.command("why", name, "--database", project.using, "--format", "json", *words)
    assert done.code == 0, done.out
    found: dict[str, Any] = json.loads(done.out)
    return found


def test_it_says_which_beat_sent_the_last_tick(project: Project, clock: Any) -> None:
    project.schedules(SCHEDULES)
    assert project.apply().code == 0
    beat = Beat(clock)
    beat.settle()
    beat.run(17 * HOUR)
    found = why(project, "nightly")

    tick = "2026-11-24T01:00:00Z"
    assert (found["answer"]["verdict"], found["answer"]["tick"]) == ("sent", tick)
    assert found["answer"]["task_id"] == task_id("nightly", NOW + 15 * HOUR)
    assert {evidence["kind"] for evidence in found["answer"]["evidence"]} == {"seen"}
    assert found["next"]["tick"] == "2026-11-25T01:00:00Z"
    text = project.command("why", "nightly", "--database", project.using)
    assert text.out.startswith("nightly was sent for Tue 24 Nov 02:00 Europe/Berlin (01:00 UTC) by ")
    print(text.out)
    print(project.command("why", "often", "--database", project.using, "--since", "2h").out)
    print(project.command("why", "often", "--database", project.using, "--at", "12:00").out)
    assert 0
