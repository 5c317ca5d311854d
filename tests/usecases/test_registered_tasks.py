"""Plan and doctor name a task that the application does not register: Beat would send it, and no worker run it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from celery import current_app

from tests.conftest import Project

MESSAGE = "the application does not register the task `shop.tasks.exprt`"


@pytest.fixture
def tasks() -> Iterator[None]:
    """One task of an application, registered with Celery's current app."""

    def export() -> None: ...

    current_app.task(name="shop.tasks.export", shared=False)(export)
    current_app.finalize(auto=True)
    yield
    current_app.tasks.pop("shop.tasks.export", None)


def found(project: Project, *words: str) -> list[dict[str, Any]]:
    notices = json.loads(project.plan("--format", "json", *words).out)["findings"]
    return [notice for notice in notices if notice["code"] == "SS219"]


def test_plan_warns_of_a_task_that_no_app_registers(project: Project, tasks: None, clock: Any) -> None:
    project.schedules(
        "  good: {task: shop.tasks.export, every: 1h}\n"
        "  bad: {task: shop.tasks.exprt, every: 1h}\n"
        "  'many-{n}': {task: shop.tasks.lost, every: 1h, args: ['{n}'], for_each: {n: [1, 2, 3]}}\n"
        "  known: {task: shop.tasks.elsewhere, every: 1h}  # schedsync: ignore[SS219]\n"
    )
    notices = found(project)

    assert [notice["message"] for notice in notices] == [MESSAGE, MESSAGE.replace("exprt", "lost")]
    assert (notices[0]["severity"], notices[0]["hint"]) == ("warning", "did you mean `shop.tasks.export`?")
    assert MESSAGE in project.plan().out
    assert project.plan().code == 0


def test_the_configuration_decides_whether_plan_warns(project: Project, tasks: None, clock: Any) -> None:
    project.schedules("  bad: {task: shop.tasks.exprt, every: 1h}\n")
    project.write("[lint]\nignore = ['SS219']\n", "schedsync.toml")

    assert found(project) == []


def test_without_a_celery_app_there_is_nothing_to_ask(project: Project, clock: Any) -> None:
    project.schedules("  bad: {task: shop.tasks.exprt, every: 1h}\n")

    assert found(project) == []
    assert "SS219" not in project.command("doctor", "--database", project.using).out


def test_doctor_warns_of_rows_that_send_it(project: Project, tasks: None, clock: Any) -> None:
    project.schedules(
        "  good: {task: shop.tasks.export, every: 1h}\n"
        "  bad: {task: shop.tasks.exprt, every: 1h}\n"
        "  off: {task: shop.tasks.gone, every: 1h, enabled: false, disabled_reason: x}\n"
        "  'many-{n}': {task: shop.tasks.lost, every: 1h, args: ['{n}'], for_each: {n: [1, 2, 3]}}\n"
    )
    applied = project.apply()
    text = project.command("doctor", "--database", project.using).out

    assert applied.code == 0
    assert "warning  SS219  `bad` sends the task `shop.tasks.exprt`, which the application does not register" in text
    assert "warning  SS219  3 rows, such as `many-1`, send the task `shop.tasks.lost`" in text
    assert text.count("SS219") == 2


def test_an_application_that_cannot_be_imported_stops_no_plan(
    project: Project, tasks: None, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(current_app.loader, "import_default_modules", broken)
    project.schedules("  bad: {task: shop.tasks.exprt, every: 1h}\n")

    assert (found(project), project.plan().code) == ([], 0)
