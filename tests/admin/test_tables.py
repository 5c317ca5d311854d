"""The read-only pages of our own tables."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.test import Client

from schedsync.models import Claim, JournalSegment, ManagedSchedule, SyncRun
from tests.admin.made import user
from tests.conftest import NOW, Project

MODELS = [model._meta.model_name for model in apps.get_app_config("schedsync").get_models()]


def root() -> Client:
    client = Client()
    client.force_login(get_user_model().objects.create_superuser("root", "r@example.org", "x"))
    return client


def test_each_table_has_a_list_that_can_be_searched(shop: Project) -> None:
    client = root()
    pages = {name: client.get(f"/admin/schedsync/{name}/", {"q": "one 1"}).status_code for name in MODELS}

    assert set(pages.values()) == {200}, pages


@pytest.mark.one_database
def test_a_row_is_shown_and_nothing_can_be_changed(shop: Project) -> None:
    client, entry = root(), ManagedSchedule.objects.get(name="one")
    url = f"/admin/schedsync/managedschedule/{entry.pk}/"
    page = client.get(f"{url}change/").content.decode()

    assert "shop.yaml" in page
    assert 'name="_save"' not in page
    assert client.post(f"{url}change/", {"name": "x"}).status_code == 403
    assert client.post(f"{url}delete/", {"post": "yes"}).status_code == 403
    assert client.get("/admin/schedsync/managedschedule/add/").status_code == 403
    listed = client.get("/admin/schedsync/managedschedule/?q=one")
    assert [each.name for each in listed.context["cl"].result_list] == ["one"]
    assert "delete_selected" not in listed.content.decode()
    assert LogEntry.objects.count() == 0


@pytest.mark.one_database
def test_keys_of_every_kind_and_binary_columns_are_shown(shop: Project) -> None:
    claim = Claim.objects.create(row_id=7, tick=NOW, batch=SyncRun.objects.get().pk, epoch=1, claimed_at=NOW)
    segment = JournalSegment.objects.create(
        beat=SyncRun.objects.get().pk, name="h:1", epoch=1, written_at=NOW + timedelta(hours=1), data=b"\x00\xff"
    )
    client = root()
    urls = [f"syncrun/{SyncRun.objects.get().pk}", f"claim/{claim.pk}", f"journalsegment/{segment.pk}"]

    assert [client.get(f"/admin/schedsync/{url}/change/").status_code for url in urls] == [200, 200, 200]


@pytest.mark.one_database
def test_a_table_needs_the_permission_to_view_it(shop: Project) -> None:
    client = user("kim", ["schedsync.view_managedschedule"])
    answers: dict[str, Any] = {
        name: client.get(f"/admin/schedsync/{name}/").status_code for name in ("managedschedule", "syncrun")
    }

    assert answers == {"managedschedule": 200, "syncrun": 403}
