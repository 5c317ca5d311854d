"""The view: who may read the metrics, and in which format."""

from __future__ import annotations

import sys
from typing import Any

import django
import pytest
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.exceptions import ImproperlyConfigured
from django.db import connections
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


@pytest.mark.skipif(django.VERSION < (5, 1), reason="Django has no LoginRequiredMiddleware")
@override_settings(SCHEDSYNC_METRICS_TOKEN=TOKEN)
def test_the_token_is_enough_where_each_view_needs_a_login(using: str) -> None:
    needs_login = [*settings.MIDDLEWARE, "django.contrib.auth.middleware.LoginRequiredMiddleware"]
    with override_settings(MIDDLEWARE=needs_login):
        answers = [Client().get("/metrics/", headers=headers).status_code for headers in (BEARER, {})]
        other = Client().get("/admin/").status_code

    assert answers == [200, 403]
    assert other == 302


@override_settings(SCHEDSYNC_METRICS_TOKEN=TOKEN)
def test_a_database_that_is_away_is_a_metric_with_atomic_requests_too(
    using: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections[using].close()
    away = {"ATOMIC_REQUESTS": True, "NAME": "/nowhere/at/all", "HOST": "127.0.0.1", "PORT": "1"}
    for name, value in away.items():
        monkeypatch.setitem(connections[using].settings_dict, name, value)
    answer = Client().get("/metrics/", headers=BEARER)
    monkeypatch.undo()
    connections[using].close()

    assert answer.status_code == 200
    assert Scrape(answer.content.decode()).value("schedsync_database_up") == 0


@override_settings(SCHEDSYNC_METRICS_TOKEN=TOKEN)
def test_nothing_is_posted(using: str) -> None:
    assert Client().post("/metrics/", headers=BEARER).status_code == 405


@override_settings(SCHEDSYNC_METRICS_TOKEN=TOKEN)
def test_without_prometheus_client_it_says_what_to_install(using: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)

    with pytest.raises(ImproperlyConfigured, match=r"install `schedsync\[metrics\]`"):
        Client().get("/metrics/", headers=BEARER)
