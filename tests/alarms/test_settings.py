"""SCHEDSYNC_NOTIFY: a list, a mapping or a text of the environment; no error shows a URL."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from schedsync.alarms.settings import SecretUrl, notify_problems, notify_setting
from schedsync.core.alarm import DEFAULT_KINDS, Kind, QuietHours
from tests.alarms.http_service import CANARY

URL = f"slack://{CANARY}/x"


def put(monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    monkeypatch.setattr("django.conf.settings.SCHEDSYNC_NOTIFY", value, raising=False)


def read(monkeypatch: pytest.MonkeyPatch, value: Any) -> Any:
    put(monkeypatch, value)
    return notify_setting()


@pytest.mark.parametrize("value", [None, [], "", {}])
def test_without_services_nothing_is_sent(monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    assert read(monkeypatch, value) is None


def test_a_list_of_urls_gets_the_defaults(monkeypatch: pytest.MonkeyPatch) -> None:
    found = read(monkeypatch, [URL, "mailto://x", URL])

    assert [service.name for service in found.services] == ["slack://…", "mailto://…", "slack://… (2)"]
    assert [service.url for service in found.services] == [URL, "mailto://x", URL]
    assert (found.rules.kinds, found.rules.quiet_hours, found.most_per_hour) == (DEFAULT_KINDS, None, 20)
    assert found.rules.remind_after == timedelta(hours=24)


def test_a_mapping_sets_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    value = {
        "urls": [URL], "kinds": ["drift", "overdue"], "quiet_hours": "22:00-07:00 Europe/Berlin",
        "remind_after": "12h", "most_per_hour": 5,
    }  # fmt: skip
    found = read(monkeypatch, value)

    assert found.rules.kinds == {Kind.DRIFT, Kind.OVERDUE}
    assert found.rules.quiet_hours == QuietHours(1320, 420, "Europe/Berlin")
    assert (found.rules.remind_after, found.most_per_hour) == (timedelta(hours=12), 5)
    assert read(monkeypatch, {"urls": [URL], "kinds": "all"}).rules.kinds == set(Kind)


def test_the_environment_variable_has_urls_or_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCHEDSYNC_NOTIFY", f" {URL}\n mailto://x ")
    found = notify_setting()

    assert found is not None
    assert [service.url for service in found.services] == [URL, "mailto://x"]
    monkeypatch.setenv("SCHEDSYNC_NOTIFY", json.dumps({"urls": [URL], "kinds": ["drift"]}))
    found = notify_setting()
    assert found is not None
    assert found.rules.kinds == {Kind.DRIFT}


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (7, "give a list of URLs, or a mapping with `urls`"),
        ({"kinds": ["drift"]}, "`urls` is a list with at least one URL of Apprise"),
        ([URL, CANARY], "entry 2 of `urls` is no URL, such as `slack://…`"),
        ([f"slack://{CANARY}\n"], "entry 1 of `urls` is no URL, such as `slack://…`"),
        ([f"{URL}{'x' * 2000}"], "entry 1 of `urls` is no URL, such as `slack://…`"),
        ([URL] * 21, "`urls` takes at most 20"),
        ({"urls": [URL], "kind": ["drift"]}, "unknown key `kind`: did you mean `kinds`?"),
        ({URL: "#alarms"}, "unknown key"),
        ({"urls": [URL], "kinds": ["drfit"]}, "`kinds` has an unknown kind; did you mean `drift`?"),
        ({"urls": [URL], "kinds": "drift"}, '`kinds` is a list of kinds, or "all"'),
        ({"urls": [URL], "quiet_hours": "22-7"}, "`quiet_hours`: write quiet hours as `22:00-07:00 Europe/Berlin`"),
        ({"urls": [URL], "quiet_hours": 22}, "`quiet_hours`: write quiet hours as `22:00-07:00 Europe/Berlin`"),
        ({"urls": [URL], "remind_after": "1m"}, "`remind_after` is a duration from `1h` to `14d`, such as `24h`"),
        ({"urls": [URL], "remind_after": None}, "`remind_after` is a duration from `1h` to `14d`, such as `24h`"),
        ({"urls": [URL], "most_per_hour": 0}, "`most_per_hour` is a whole number from 1 to 1000"),
        ({"urls": [URL], "most_per_hour": True}, "`most_per_hour` is a whole number from 1 to 1000"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named_without_a_url(
    monkeypatch: pytest.MonkeyPatch, value: Any, reason: str
) -> None:
    put(monkeypatch, value)
    with pytest.raises(ImproperlyConfigured) as caught:
        notify_setting()

    assert str(caught.value) == f"SCHEDSYNC_NOTIFY cannot be used: {reason}"
    assert CANARY not in str(caught.value)
    (finding,) = notify_problems()
    assert (finding.code, finding.severity) == ("SS314", "warning")


@pytest.mark.parametrize("text", [f"[{CANARY}", "{" * 5000, "slack://" + "x" * 70_000])
def test_a_variable_that_cannot_be_read_is_not_quoted(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("SCHEDSYNC_NOTIFY", text)
    with pytest.raises(ImproperlyConfigured) as caught:
        notify_setting()

    assert CANARY not in f"{caught.value} {caught.value.__cause__}"


def test_without_apprise_the_setting_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schedsync.alarms.settings.find_spec", lambda _name: None)
    put(monkeypatch, [URL])
    with pytest.raises(ImproperlyConfigured, match=r"needs Apprise: install `schedsync\[notify\]`"):
        notify_setting()


def test_a_url_is_shown_by_its_scheme_only(monkeypatch: pytest.MonkeyPatch) -> None:
    assert CANARY not in repr(read(monkeypatch, [URL]))
    assert repr(SecretUrl(URL, "slack://…")) == "slack://…"


def test_beat_does_not_import_apprise() -> None:
    code = "import django; django.setup(); import schedsync.beat, sys; sys.exit('apprise' in sys.modules)"
    environment = {"DJANGO_SETTINGS_MODULE": "tests.settings", "PATH": ""}

    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
