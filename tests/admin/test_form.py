"""The form of a row that Git manages: what it shows, what it refuses, and the ways out."""

from __future__ import annotations

import pytest
from django.test import Client
from django_celery_beat.models import PeriodicTask

from schedsync.models import BreakGlass, ManagedSchedule, Pause, SyncRun
from tests.admin.made import STOCK, TASKS, change_url, filled, row, said, stock_form, user
from tests.conftest import Project

TWO = "  one: {task: t, every: 1m}\n  two: {task: t, every: 2m}\n"


@pytest.fixture
def shop(project: Project) -> Project:
    project.schedules(TWO)
    assert project.apply().code == 0
    PeriodicTask.objects.create(name="mine", task="t", interval=row("one").interval)
    return project


def text(client: Client, url: str) -> str:
    return client.get(url).content.decode()


@pytest.mark.one_database
def test_a_managed_row_is_shown_read_only_with_its_place(shop: Project) -> None:
    page = text(user(), change_url("one"))

    assert "Git manages this schedule: set <b>default</b>" in page
    assert "schedules/shop.yaml:3" in page
    assert 'name="_save"' not in page
    assert 'name="task"' not in page
    for label in ("Pause…", "Run now…", "Break glass…"):
        assert label in page


@pytest.mark.one_database
def test_an_unmanaged_row_looks_as_without_schedsync(shop: Project, settings: object) -> None:
    client = user()
    ours = text(client, change_url("mine"))
    settings.SCHEDSYNC_ADMIN = "off"  # type: ignore[attr-defined]
    stock = text(client, change_url("mine"))

    assert strip(ours) == strip(stock)


def strip(page: str) -> list[str]:
    return [line for line in page.splitlines() if "csrfmiddlewaretoken" not in line]


def test_a_forged_post_changes_nothing_and_says_what_to_do(shop: Project) -> None:
    client = user()
    answer = client.post(change_url("one"), stock_form("one", task="evil"))

    assert answer.status_code == 302
    assert said(answer) == ["“one”: nothing was saved: Git manages it. Change or remove it in Git, or pause it here."]
    assert row("one").task == "t"
    assert shop.drift().code == 0
