"""The view: who may read the metrics, and in which format."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.exceptions import ImproperlyConfigured
from django.test import Client, override_settings
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from tests.monitoring.scraped import Scrape

TOKEN = "a long secret"
BEARER = {"Authorization": f"Bearer {TOKEN}"}

pytestmark = pytest.mark.one_database


@override_settings(SCHEDSYNC_METRICS_TOKEN=TOKEN)
def test_with_the_token_the_metrics_are_read(using: str) -> None:
    answer = Client().get("/metrics/", headers=BEARER)

    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain; version=0.0.4")
    assert "no-store" in answer["Cache-Control"]
    assert Scrape(answer.content.decode()).value("schedsync_database_up") == 1


@override_settings(SCHEDSYNC_METRICS_TOKEN=TOKEN)
def test_a_client_that_asks_for_openmetrics_gets_it(using: str) -> None:
    accept = "application/openmetrics-text; version=1.0.0; charset=utf-8"
    answer = Client().get("/metrics/", headers={**BEARER, "Accept": accept})

    assert answer["Content-Type"].startswith("application/openmetrics-text")
    assert {family.name for family in text_string_to_metric_families(answer.content.decode())} >= {
        "schedsync_database_up"
    }


@pytest.mark.parametrize(
    ("token", "headers"),
    [
        (TOKEN, {}),
        (TOKEN, {"Authorization": "Bearer wrong"}),
        (TOKEN, {"Authorization": f"Basic {TOKEN}"}),
        (TOKEN, {"Authorization": TOKEN}),
        (TOKEN, {"Authorization": "Bearer \xe4"}),
        (None, {"Authorization": "Bearer None"}),
        ("", {"Authorization": "Bearer "}),
    ],
)
def test_without_token_and_permission_nothing_is_read(using: str, token: Any, headers: dict[str, str]) -> None:
    with override_settings(SCHEDSYNC_METRICS_TOKEN=token):
        answer = Client().get("/metrics/", headers=headers)

    assert answer.status_code == 403
    assert b"schedsync_database_up" not in answer.content


def test_a_user_needs_the_permission(using: str) -> None:
    user = get_user_model().objects.db_manager(using).create_user("ann")
    client = Client()
    client.force_login(user)
    before = client.get("/metrics/").status_code
    user.user_permissions.add(Permission.objects.db_manager(using).get(codename="view_beat"))
    after = client.get("/metrics/").status_code

    assert (before, after) == (403, 200)


@override_settings(SCHEDSYNC_METRICS_TOKEN=TOKEN)
def test_nothing_is_posted(using: str) -> None:
    assert Client().post("/metrics/", headers=BEARER).status_code == 405


@override_settings(SCHEDSYNC_METRICS_TOKEN=TOKEN)
def test_without_prometheus_client_it_says_what_to_install(using: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)

    with pytest.raises(ImproperlyConfigured, match=r"install `schedsync\[metrics\]`"):
        Client().get("/metrics/", headers=BEARER)
