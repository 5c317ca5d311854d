"""What an apply keeps of the files, and the plan that is made of it where there are no files."""

from __future__ import annotations

import shutil
from datetime import datetime, timezone
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

from schedsync.core.applied_files import AppliedFiles
from schedsync.core.origin import recorded_commit
from schedsync.database.audit import last_binding
from schedsync.models import AppliedFiles as Row
from schedsync.models import ManagedSchedule
from schedsync.render.load import maps
from schedsync.usecases import applied_files
from schedsync.usecases.preview import desired_of, last_files, load_kept, preview
from tests.conftest import Done, Project

SHOP = """\
  nightly: {task: t, crontab: "30 2 * * *", queue: reports, owner: team-data}
  heartbeat: {task: t, every: 5s}
"""


def applied(project: Project, *words: str) -> Done:
    done = project.apply(*words)
    assert done.code == 0, done.err
    return done


def kept(project: Project) -> AppliedFiles:
    (only,) = last_files(project.using)
    return only


def changes(project: Project) -> dict[str, str]:
    plan = preview(project.using, kept(project), datetime.now(timezone.utc)).plan
    assert plan is not None
    return {change.name: change.kind for change in plan.changes}


@pytest.fixture
def shop(project: Project) -> Project:
    project.schedules(SHOP)
    applied(project, "--commit", "a" * 40)
    return project


def test_an_apply_keeps_what_the_files_say_and_their_load(shop: Project) -> None:
    files = kept(shop)
    found, load = desired_of(shop.using, files), load_kept(shop.using, files)

    assert (files.set, files.environment, files.commit) == ("default", None, "a" * 40)
    assert recorded_commit(last_binding(shop.using, "default")) == files.commit  # type: ignore[arg-type]
    assert found is not None
    assert load is not None
    schedule = found.desired.schedules["nightly"]
    assert (schedule.location, schedule.people.owner) == (("schedules/shop.yaml", 3, 3), "team-data")
    assert maps.week(load.load).most == 1
    assert load.load.steady.names == ("heartbeat",)


def test_the_preview_is_what_an_apply_would_do(shop: Project) -> None:
    assert changes(shop) == {}
    tasks = PeriodicTask.objects.using(shop.using)
    tasks.filter(name="nightly").update(queue="other")
    tasks.filter(name="heartbeat").delete()
    shutil.rmtree(shop.root / "schedules")

    assert changes(shop) == {"nightly": "update", "heartbeat": "create"}


@pytest.mark.one_database
def test_an_unchanged_apply_of_another_commit_is_noted(shop: Project) -> None:
    (before,) = Row.objects.using(shop.using).values_list("desired", flat=True)
    applied(shop, "--commit", "b" * 40)

    assert kept(shop).commit == "b" * 40
    assert list(Row.objects.using(shop.using).values_list("desired", flat=True)) == [before]


@pytest.mark.one_database
def test_a_line_that_moves_is_kept_by_an_unchanged_apply(shop: Project) -> None:
    shop.schedules("\n" + SHOP)
    applied(shop, "--commit", "b" * 40)
    found = desired_of(shop.using, kept(shop))

    assert found is not None
    assert found.desired.schedules["nightly"].location.line == 4


@pytest.mark.one_database
def test_an_unchanged_apply_of_the_same_commit_costs_one_query(shop: Project) -> None:
    with CaptureQueriesContext(connections[shop.using]) as captured:
        applied(shop, "--commit", "a" * 40)

    about = [query["sql"] for query in captured if "schedsync_appliedfiles" in query["sql"]]
    assert len(about) == 1
    assert about[0].startswith("SELECT")


def test_files_kept_follow_their_set(shop: Project) -> None:
    words = ("--yes", "--database", shop.using)
    renamed = shop.command("ledger", "rename", "default", "store", *words)
    assert (renamed.code, kept(shop).set) == (0, "store")
    released = shop.command("ledger", "release", "--all", *words)

    assert (released.code, last_files(shop.using)) == (0, []), released.err


@pytest.mark.one_database
def test_a_set_without_schedules_keeps_nothing(shop: Project) -> None:
    shop.write("version: 1\nschedules: {}\n")
    applied(shop, "--allow-empty", "--allow-stops", "2")

    assert not ManagedSchedule.objects.using(shop.using).exists()
    assert last_files(shop.using) == []
    applied(shop)
    assert last_files(shop.using) == []


@pytest.mark.one_database
def test_an_apply_that_is_refused_keeps_nothing_new(shop: Project) -> None:
    before = kept(shop)
    shop.schedules("  nightly: {task: t, crontab: '30 2 * * *', enabled: false, disabled_reason: x}\n")
    refused = shop.apply("--commit", "b" * 40)

    assert (refused.code, kept(shop)) == (3, before)


@pytest.mark.one_database
@pytest.mark.parametrize("data", [b"", b"x", b"x\x9c"])
def test_documents_that_cannot_be_read_are_no_crash(shop: Project, data: bytes) -> None:
    Row.objects.using(shop.using).update(desired=data, load=data)
    files = kept(shop)

    assert preview(shop.using, files, datetime.now(timezone.utc)).plan is None
    assert load_kept(shop.using, files) is None


@pytest.mark.one_database
def test_documents_that_are_too_large_are_left_out(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schedsync.database.applied_files.LARGEST", 10)
    monkeypatch.setattr(applied_files, "MOST_OF_LOAD", 0)
    shop.schedules(SHOP + "  new: {task: t, every: 1h}\n")
    applied(shop)

    assert desired_of(shop.using, kept(shop)) is None
    assert load_kept(shop.using, kept(shop)) is None


@pytest.mark.one_database
def test_before_the_migration_nothing_is_kept(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def without(using: str, model: Any) -> bool:
        return model is not Row

    monkeypatch.setattr("schedsync.database.applied_files.has_table", without)
    shop.schedules(SHOP + "  new: {task: t, every: 1h}\n")
    applied(shop)

    assert last_files(shop.using) == []
