"""The actions of the list, for a selection of rows that Git manages and of others."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.test import Client
from django_celery_beat.admin import PeriodicTaskAdmin
from django_celery_beat.models import PeriodicTask

from schedsync.models import Pause, SyncRun
from tests.admin.made import OURS, STOCK, TASKS, row, said, user
from tests.conftest import Project

Registered = Callable[..., None]


def act(client: Client, action: str, *names: str, **more: str) -> Any:
    ids = [row(name).pk for name in names]
    return client.post(TASKS, {"action": action, "_selected_action": ids, **more})


def enabled() -> dict[str, bool]:
    return dict(PeriodicTask.objects.values_list("name", "enabled"))


def test_disable_stops_the_unmanaged_rows_and_asks_why_for_the_others(shop: Project) -> None:
    client = user()
    page = act(client, "disable_tasks", "one", "two", "mine")
    after = enabled()
    form = {"ids": page.context["ids"], "reason": "INC-7", "hours": "24"}
    done = client.post(page.context["action"], form)

    assert (page.status_code, page.context["named"]) == (200, "one, two")
    assert after == {"one": True, "two": True, "mine": False}
    assert said(done)[-1] == "Paused: one, two. No apply undoes it."
    assert enabled() == {"one": False, "two": False, "mine": False}
    assert sorted(Pause.objects.values_list("name", "who")) == [("one", "sam"), ("two", "sam")]


@pytest.mark.one_database
def test_enable_offers_to_resume_what_is_paused(shop: Project) -> None:
    shop.command("pause", "one", "--reason", "r", "--settle", "0", "--database", shop.using)
    client = user()
    page = act(client, "enable_tasks", "one")
    assert enabled()["one"] is False
    client.post(page.context["action"], {"ids": page.context["ids"]})

    assert (enabled()["one"], Pause.objects.count()) == (True, 0)


@pytest.mark.one_database
def test_toggle_and_delete_leave_managed_rows_and_name_the_way_out(shop: Project) -> None:
    client = user()
    toggled = act(client, "toggle_tasks", "one", "mine")
    assert enabled() == {"one": True, "two": True, "mine": False}
    asked = act(client, "delete_selected", "one", "mine")
    assert [each.name for each in asked.context["queryset"]] == ["mine"]
    deleted = act(client, "delete_selected", "one", "mine", post="yes")

    assert any(
        "Git manages “one” (schedules/shop.yaml:3): left as before. Pause or resume them" in each
        for each in said(toggled)
    )
    assert any("left as before. Remove them from the files" in each for each in said(deleted))
    assert sorted(enabled()) == ["one", "two"]


@pytest.mark.one_database
def test_delete_of_managed_rows_alone_asks_nothing(shop: Project) -> None:
    answer = act(user(), "delete_selected", "one", post="yes")

    assert (answer.status_code, len(said(answer))) == (302, 1)
    assert "one" in enabled()


@pytest.mark.one_database
@pytest.mark.parametrize(("action", "permission"), [("disable_tasks", OURS[0]), ("run_tasks", OURS[1])])
def test_without_the_permission_managed_rows_are_left(shop: Project, action: str, permission: str) -> None:
    answer = act(user("kim", [each for each in (*STOCK, *OURS) if each != permission]), action, "one")

    assert f"You need the permission {permission}, or change them in Git." in said(answer)[-1]
    assert enabled()["one"] is True


@pytest.mark.one_database
def test_run_asks_and_sends_in_the_name_of_the_user(shop: Project, broker: Any) -> None:
    client = user()
    page = act(client, "run_tasks", "one", "two")
    assert SyncRun.objects.filter(verb="run").count() == 0
    done = client.post(page.context["action"], {"ids": page.context["ids"]})

    assert said(done)[-1].startswith("Sent: one, two")
    assert sorted(SyncRun.objects.filter(verb="run").values_list("who", flat=True)) == ["sam", "sam"]


@pytest.mark.one_database
def test_run_of_a_paused_row_is_refused(shop: Project, broker: Any) -> None:
    shop.command("pause", "one", "--reason", "INC-7", "--settle", "0", "--database", shop.using)
    client = user()
    page = act(client, "run_tasks", "one")
    answer = client.post(page.context["action"], {"ids": page.context["ids"]})

    assert "`one` is paused by" in said(answer)[-1]
    assert SyncRun.objects.filter(verb="run").count() == 0


@pytest.mark.one_database
@pytest.mark.parametrize("mode", ["warn", "off"])
def test_in_the_other_modes_an_action_acts_on_all_rows(shop: Project, settings: Any, mode: str) -> None:
    settings.SCHEDSYNC_ADMIN = mode
    answer = act(user(), "disable_tasks", "one", "mine")

    assert enabled() == {"one": False, "two": True, "mine": False}
    assert any("Git manages “one”" in each for each in said(answer)) == (mode == "warn")


@pytest.mark.one_database
def test_all_rows_of_all_pages_are_one_selection(shop: Project) -> None:
    page = act(user(), "disable_tasks", "one", select_across="1")

    assert (page.context["count"], enabled()) == (2, {"one": True, "two": True, "mine": False})


def note(_admin: Any, _request: Any, queryset: Any) -> None:
    queryset.update(description="noted")


@pytest.mark.one_database
def test_a_list_that_can_be_edited_leaves_managed_rows(shop: Project, registered: Registered) -> None:
    class Own(PeriodicTaskAdmin):  # type: ignore[misc]
        list_display = ("name", "enabled", "queue")
        list_editable = ("enabled", "queue")
        actions = (note,)

    registered(Own)
    client = user()
    page = client.get(TASKS)
    forms = page.context["cl"].formset.forms
    disabled = {form.instance.name: form.fields["queue"].disabled for form in forms}
    sent = {"form-TOTAL_FORMS": "3", "form-INITIAL_FORMS": "3", "_save": "Save"}
    for number, form in enumerate(forms):
        sent |= {f"form-{number}-id": form.instance.pk, f"form-{number}-queue": "evil"}
    answer = client.post(TASKS, sent)
    act(client, "note", "one")

    assert answer.status_code == 302
    assert disabled == {"one": True, "two": True, "mine": False}
    assert dict(PeriodicTask.objects.values_list("name", "queue")) == {"one": None, "two": None, "mine": "evil"}
    assert enabled() == {"one": True, "two": True, "mine": False}
    assert (row("one").description, admin.site.is_registered(PeriodicTask)) == ("noted", True)
