"""An edit in the admin, through its real form, is drift that names the person."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.test import Client
from django_celery_beat.models import PeriodicTask

from tests.conftest import Project


@pytest.fixture(autouse=True)
def warn(settings: Any) -> None:
    settings.SCHEDSYNC_ADMIN = "warn"


def edit(name: str, **values: str) -> None:
    sam = get_user_model().objects.create_superuser("sam", "sam@example.org", "x")
    client = Client()
    client.force_login(sam)
    row = PeriodicTask.objects.get(name=name)
    url = f"/admin/django_celery_beat/periodictask/{row.pk}/change/"
    form = client.get(url).context["adminform"].form
    given = {key: value for key, value in form.initial.items() if value is not None and value is not False}
    answer = client.post(url, {**given, "regtask": "", "crontab_translation": "", **values})
    assert answer.status_code == 302


def test_drift_names_who_edited_a_row_in_the_admin(project: Project) -> None:
    project.schedules("  one: {task: t, every: 1m}\n")
    project.apply()
    edit("one", queue="elsewhere")
    drift = project.drift("--format", "json")
    answer = json.loads(drift.out)

    assert drift.code == 2
    assert [(one["name"], one["cause"], one["by"]["user"]) for one in answer["changes"]] == [("one", "drift", "sam")]
    assert "by sam at" in project.drift().out
    assert "| `one` | `by sam at" in project.drift("--format", "markdown").out
    project.apply()
    assert project.drift().code == 0


def test_a_schedule_that_was_disabled_in_the_admin_is_held_by_name(project: Project) -> None:
    project.schedules("  one: {task: t, every: 1m}\n")
    project.apply()
    edit("one", enabled="")
    PeriodicTask.objects.update(enabled=False)

    drift = project.drift()
    assert "one: disabled by sam since" in drift.out
    assert drift.out.splitlines()[0] == "Drift in set default: 1 held by a human"
    assert "puts back" not in drift.out
    assert "1 held by a human" in project.drift("--format", "markdown").out
    assert "one: disabled by sam since" in project.plan().out
