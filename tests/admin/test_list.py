"""The list of schedules: its columns and its filter, in a constant number of queries."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

from schedsync.database.clock import now
from schedsync.models import SendFailure
from tests import router
from tests.admin.made import TASKS, row, user
from tests.conftest import NOW, Project

FIVE = "".join(f"  {name}: {{task: t, every: 1m}}\n" for name in ("held", "paused", "drifted", "ok", "gone"))


@pytest.fixture
def five(project: Project) -> Project:
    project.schedules(FIVE)
    assert project.apply().code == 0
    project.command("pause", "paused", "--reason", "r", "--settle", "0", "--database", project.using)
    tasks = PeriodicTask.objects.using(project.using)
    tasks.filter(name="held").update(enabled=False)
    tasks.filter(name="drifted").update(queue="other", date_changed=now() + timedelta(seconds=1))
    tasks.filter(name="gone").delete()
    tasks.create(name="mine", task="t", interval=row("ok").interval)
    return project


def names(client: Client, **query: str) -> list[str]:
    page = client.get(TASKS, query)
    assert page.status_code == 200
    return sorted(each.name for each in page.context["cl"].result_list)


def test_the_filter_chooses_by_what_git_knows_of_a_row(five: Project) -> None:
    client = user()
    chosen = {value: names(client, git=value) for value in ("managed", "unmanaged", "held", "paused", "drifted", "x")}

    assert chosen == {
        "managed": ["drifted", "held", "ok", "paused"],
        "unmanaged": ["mine"],
        "held": ["held"],
        "paused": ["paused"],
        "drifted": ["drifted"],
        "x": ["drifted", "held", "mine", "ok", "paused"],
    }


@pytest.mark.one_database
def test_the_columns_show_state_runs_and_failures(five: Project, clock: Any) -> None:
    ran = NOW - timedelta(seconds=30)
    PeriodicTask.objects.filter(name="ok").update(last_run_at=ran, total_run_count=3)
    SendFailure.objects.create(row_id=row("ok").pk, tick=NOW, failed_at=NOW, reason="no route\n" + "x" * 500)
    page = user().get(TASKS)
    model_admin, rows = page.context["cl"].model_admin, page.context["cl"].result_list
    git = {each.name: model_admin.schedsync_git(each) for each in rows}
    ok = next(each for each in rows if each.name == "ok")

    assert git == {
        "held": "Git: held", "paused": "Git: paused", "drifted": "Git: drifted", "ok": "Git", "mine": None,
    }  # fmt: skip
    assert model_admin.schedsync_next_run(ok) == NOW + timedelta(seconds=30)
    assert model_admin.schedsync_last_run(ok) == ran
    assert model_admin.schedsync_last_failure(ok).startswith("2026-11-23 10:00 UTC: no route xxx")
    assert len(model_admin.schedsync_last_failure(ok)) < 120


def test_the_number_of_queries_does_not_grow(project: Project) -> None:
    project.schedules("  first: {task: t, every: 1m}\n")
    assert project.apply().code == 0
    client = user()
    few = {value: queries(client, value) for value in ("", "managed", "held", "paused")}
    project.schedules("  'many-{n}':\n    task: t\n    every: 1m\n    for_each: {n: {file: n.txt}}\n")
    project.write("".join(f"{n}\n" for n in range(300)), "schedules/n.txt")
    assert project.apply("--allow-stops", "1").code == 0

    assert {value: queries(client, value) for value in few} == few


def queries(client: Client, value: str) -> int:
    client.get(TASKS)
    with CaptureQueriesContext(connections[router.current]) as caught:
        assert client.get(TASKS, {"git": value} if value else {}).status_code == 200
    return len(caught)


@pytest.mark.one_database
def test_the_number_of_queries_does_not_grow_for_an_action(project: Project) -> None:
    counts = []
    for most in (2, 250):
        values = ", ".join(f'"{number}"' for number in range(most))
        project.schedules(f"  'many-{{n}}':\n    task: t\n    every: 1m\n    for_each: {{n: [{values}]}}\n")
        assert project.apply().code == 0
        client = user(f"u{most}")
        ids = list(PeriodicTask.objects.values_list("pk", flat=True))
        with CaptureQueriesContext(connections[router.current]) as caught:
            client.post(TASKS, {"action": "delete_selected", "_selected_action": ids[:1], "select_across": "1"})
        counts.append(len(caught))

    assert counts[0] == counts[1]


@pytest.mark.one_database
def test_a_list_is_shown_although_what_it_shows_cannot_be_read(five: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with connections[five.using].cursor() as cursor:
        cursor.execute("ALTER TABLE schedsync_sendfailure RENAME TO hidden")
        try:
            shown = names(user())
        finally:
            cursor.execute("ALTER TABLE hidden RENAME TO schedsync_sendfailure")

    assert shown == ["drifted", "held", "mine", "ok", "paused"]
