"""A rollback brings a set back to an earlier state, and holds it there until its files change."""

from __future__ import annotations

import json
import zlib
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

from schedsync.models import ManagedSchedule, Pause, RolledBack, SyncRun
from schedsync.schemas.validator import PLAN, problems
from tests.conftest import NOW, Done, Project

JOB = "  job: {task: t, every: 1m}\n"
BAD = "  job: {task: t, every: 1s, queue: wrong}\n"
FIX = "  job: {task: t, every: 2m}\n"


def back(project: Project, *words: str) -> Done:
    return project.command(
        "rollback", "--database", project.using, "--yes", "--settle", "0", "--reason", "INC-42", *words
    )


def rows(project: Project) -> dict[str, tuple[Any, ...]]:
    fields = ("interval__every", "interval__period", "queue", "enabled")
    tasks = PeriodicTask.objects.using(project.using)
    return {name: values for name, *values in map(list, tasks.values_list("name", *fields))}


def run_of(project: Project, verb: str = "apply") -> str:
    """Return the id of the last run of a verb."""
    return str(SyncRun.objects.using(project.using).filter(verb=verb).order_by("-at").values_list("pk", flat=True)[0])


@pytest.fixture
def shop(project: Project, clock: Any) -> Project:
    """A set with one schedule that was applied, and then broken by a second apply."""
    project.schedules(JOB)
    assert project.apply().code == 0
    clock.move_to(NOW + timedelta(minutes=1))
    project.schedules(BAD)
    assert project.apply().code == 0
    clock.move_to(NOW + timedelta(minutes=2))
    return project


def test_a_bad_deploy_stays_rolled_back_until_its_fix_is_applied(shop: Project, clock: Any) -> None:
    done = back(shop)
    assert (done.code, rows(shop)["job"]) == (0, [1, "minutes", None, True])

    for hour in range(1, 4):
        clock.move_to(NOW + timedelta(hours=hour))
        shop.schedules(BAD + f"  new-{hour}: {{task: t, every: 1h}}\n")
        later = shop.apply()

        assert (later.code, "`job` is rolled back by" in later.out, "INC-42" in later.out) == (0, True, True)
        assert rows(shop)["job"] == [1, "minutes", None, True]
    assert shop.drift().code == 2

    shop.schedules(FIX)
    assert shop.apply("--allow-stops", "1").code == 0
    assert rows(shop)["job"] == [2, "minutes", None, True]
    assert not RolledBack.objects.using(shop.using).exists()
    assert shop.drift().code == 0


def test_an_apply_says_how_to_go_back_and_the_rollback_how_to_go_on(shop: Project) -> None:
    shop.schedules(BAD + "  other: {task: t, every: 1h}\n")
    done = shop.apply()
    assert f"To go back: schedsync rollback {run_of(shop)[:8]}" in done.out

    assert "schedsync rollback --end" in back(shop, run_of(shop)[:8]).out
