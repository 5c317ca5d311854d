"""Beat's tables and ours in one database, those of the admin in another."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from schedsync.models import Pause
from tests import router
from tests.admin.made import TASKS, change_url, operation_url, row, said, stock_form, user
from tests.conftest import Project, empty

ELSEWHERE = ("admin", "auth", "contenttypes", "sessions")


@pytest.fixture
def apart(shop: Project) -> Iterator[Project]:
    router.elsewhere.update(dict.fromkeys(ELSEWHERE, "default"))
    yield shop
    router.elsewhere.clear()
    empty("default")


@pytest.mark.one_database("postgresql", "mariadb")
def test_the_admin_works_across_databases(apart: Project) -> None:
    client = user()
    listed = client.get(TASKS, {"git": "managed"})
    forged = client.post(change_url("one"), stock_form("one", task="evil"))
    paused = client.post(operation_url("pause", "one"), {"ids": row("one").pk, "reason": "r", "hours": ""})
    opened = client.post(operation_url("break-glass", "two"), {"ids": row("two").pk, "reason": "r"})
    done = client.post(
        TASKS, {"action": "delete_selected", "_selected_action": [row("one").pk, row("mine").pk], "post": "yes"}
    )

    assert sorted(each.name for each in listed.context["cl"].result_list) == ["one", "two"]
    assert "Git manages it" in said(forged)[0]
    assert "Paused: one" in said(paused)[-1]
    assert "Open for editing" in said(opened)[-1]
    assert "Open for editing</b> by sam" in client.get(change_url("two")).content.decode()
    assert any("Git manages “one”" in each for each in said(done))
    assert Pause.objects.using(apart.using).get().who == "sam"
