"""A schedule that no file defines any more, with `[prune] grace`: disabled at once, and deleted later."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

from schedsync.database import write as writing
from schedsync.models import ManagedSchedule, Pause, Removal
from tests.conftest import Done, Project

GRACE = '[prune]\ngrace = "7d"\n'
KEPT = "".join(f"  kept-{number}: {{task: t, every: 1h}}\n" for number in range(4))
OLD = "  old: {task: t.old, crontab: '0 5 * * *', kwargs: {a: 1}}\n"
RAN = datetime(2026, 11, 20, 5, 0, tzinfo=timezone.utc)
on_two = pytest.mark.one_database("default", "postgresql")


class Shop:
    """A set with a grace, whose schedule `old` was applied and has run."""

    def __init__(self, project: Project) -> None:
        self.project, self.using = project, project.using
        self.configure(GRACE)
        self.define(KEPT + OLD)

    def configure(self, text: str) -> None:
        self.project.write(f'set = "shop"\n{text}', "schedsync.toml")

    def define(self, schedules: str, rest: str = "") -> None:
        self.project.schedules(schedules + rest)

    def call(self, verb: str, *words: str) -> Done:
        return self.project.command(verb, *words, "--database", self.using)

    def plan(self, *words: str) -> Done:
        return self.call("plan", "schedules", "--exit-code", *words)

    def apply(self, *words: str) -> Done:
        return self.call("apply", "schedules", "--yes", "--settle", "0", *words)

    def applied(self, *words: str) -> str:
        done = self.apply(*words)
        assert done.code == 0, done.err + done.out
        return done.out

    def document(self, *words: str) -> Any:
        return json.loads(self.plan("--format", "json", *words).out)

    def drop(self) -> None:
        self.define(KEPT)
        self.applied()

    @property
    def row(self) -> PeriodicTask | None:
        return PeriodicTask.objects.using(self.using).filter(name="old").first()

    @property
    def is_enabled(self) -> bool | None:
        return None if self.row is None else self.row.enabled

    @property
    def removal(self) -> Removal | None:
        return Removal.objects.using(self.using).filter(name="old").first()

    def end_grace(self) -> None:
        """Move the recorded instants as if the schedule had waited long enough."""
        removal = Removal.objects.using(self.using).get(name="old")
        removal.since -= timedelta(days=8)
        removal.until -= timedelta(days=8)
        removal.save(using=self.using)


@pytest.fixture
def shop(project: Project) -> Shop:
    made = Shop(project)
    made.applied()
    PeriodicTask.objects.using(made.using).filter(name="old").update(last_run_at=RAN, total_run_count=3)
    return made


def test_a_dropped_schedule_is_disabled_first_and_deleted_after_the_grace(shop: Shop) -> None:
    shop.define(KEPT)
    document = shop.document()
    [change] = document["changes"]

    assert (change["kind"], change["name"], document["summary"]["update"]) == ("update", "old", 1)
    assert [(field["field"], field["after"]) for field in change["fields"]] == [("enabled", False)]
    assert [each["code"] for each in change["consequences"]] == ["stops", "removing"]
    assert datetime.fromisoformat(change["removing"]["until"].replace("Z", "+00:00")) - datetime.fromisoformat(
        change["removing"]["since"].replace("Z", "+00:00")
    ) == timedelta(days=7)
    assert "1 updated" in shop.applied()
    assert (shop.is_enabled, shop.removal is not None) == (False, True)

    waits = shop.plan()
    assert (waits.code, shop.applied()) == (0, "Nothing to do, nothing was written\n")
    assert "REMOVING" in waits.out
    assert shop.call("drift", "schedules").code == 0

    shop.end_grace()
    document = shop.document()
    assert [(each["kind"], each["name"]) for each in document["changes"]] == [("delete", "old")]
    assert "1 deleted" in shop.applied()
    assert (shop.row, shop.removal) == (None, None)
    assert not ManagedSchedule.objects.using(shop.using).filter(name="old").exists()
    assert shop.plan().code == 0


def test_a_schedule_that_is_put_back_keeps_its_row_and_its_last_run(shop: Shop) -> None:
    before = shop.row
    shop.drop()
    shop.define(KEPT + OLD)
    document = shop.document()

    assert [(each["kind"], each["name"]) for each in document["changes"]] == [("update", "old")]
    assert "put_back" in [each["code"] for each in document["changes"][0]["consequences"]]
    shop.applied()
    after = shop.row
    assert before is not None
    assert after is not None
    assert (after.pk, after.enabled, after.total_run_count) == (before.pk, True, 3)
    assert after.last_run_at is not None
    assert after.last_run_at >= RAN
    assert (shop.removal, shop.plan().code) == (None, 0)
