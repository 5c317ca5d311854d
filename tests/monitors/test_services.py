"""Slugs, settings, and what a service may do to the one that asks."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from schedsync.core.monitor import Monitor
from schedsync.core.timing import Interval, crontab
from schedsync.core.watch import Wanted
from schedsync.errors import WrongUsage
from schedsync.http.client import Budget, Client
from schedsync.monitors.healthchecks import Healthchecks
from schedsync.monitors.pings import ping_url
from schedsync.monitors.sentry import Sentry
from schedsync.monitors.service import ServiceAway, ServiceError
from schedsync.monitors.settings import service_names, services
from schedsync.monitors.slugs import healthchecks_slug, sentry_slug
from tests.monitors.servers import CANARY, HealthchecksServer, SentryServer, Server, serving

HOURLY = Wanted(1, "hourly", "shop", "production", Interval(3_600 * 10**6), Monitor(300, 1_800))


def client(server: Server, seconds: float = 60.0, waited: list[float] | None = None) -> Client:
    name = "Authorization" if isinstance(server, SentryServer) else "X-Api-Key"
    value = f"Bearer {CANARY}" if isinstance(server, SentryServer) else CANARY
    slept: list[float] = [] if waited is None else waited
    return Client(server.url, {name: value}, (CANARY,), Budget(seconds, sleep=slept.append))


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("nightly-report", "nightly-report"),
        ("Nightly Report", "nightly-report"),
        ("a.b/c", "abc"),
        ("x" * 200, "x" * 50),
        ("Größe ü", "groe-u"),
        ("a  - b", "a-b"),
        ("_a-", "a"),
        ("x" * 49 + " y", "x" * 49),
        ("日本", ""),
        ("", ""),
    ],
)
def test_sentry_files_check_ins_under_this_slug(name: str, slug: str) -> None:
    assert sentry_slug(name) == slug


@given(st.text(max_size=200), st.text(max_size=200))
def test_no_two_names_have_one_slug_at_healthchecks(one: str, other: str) -> None:
    slugs = {healthchecks_slug(one, "p-"), healthchecks_slug(other, "p-")}

    assert len(slugs) == len({one, other})
    assert all(re.fullmatch(r"p-[a-z0-9_-]{1,97}", slug) or slug == "p-" for slug in slugs)


@pytest.mark.parametrize(
    "value",
    [
        [],
        {"nagios": {}},
        {"sentry": CANARY},
        {"sentry": {"token": CANARY, "organization": "acme"}},
        {"healthchecks": {"key": ""}},
        {"healthchecks": {"key": f"{CANARY}\r\nX-Other: 1"}},
        {"healthchecks": {"key": CANARY, "url": f"https://me:{CANARY}@example.org"}},
        {"healthchecks": {"key": CANARY, "url": "file:///etc/passwd"}},
        {"healthchecks": {"key": CANARY, "prefix": "A"}},
        {"healthchecks": {"key": CANARY, CANARY: "x"}},
        {"healthchecks": {"key": CANARY, "ping_key": "a/../b"}},
        {"seconds": 0},
        {"seconds": "long"},
    ],
)
def test_settings_that_are_wrong_are_an_error_without_their_values(settings: Any, value: Any) -> None:
    settings.SCHEDSYNC_MONITORS = value
    if value == []:
        assert services() == []
        return
    with pytest.raises(WrongUsage) as caught:
        services()

    assert "SCHEDSYNC_MONITORS" in caught.value.message
    assert CANARY not in caught.value.message


def test_services_have_their_usual_addresses(settings: Any) -> None:
    keys = {"token": CANARY, "organization": "acme", "project": "shop"}
    settings.SCHEDSYNC_MONITORS = {"sentry": keys, "healthchecks": {"key": CANARY}, "seconds": 5}

    assert [service.client.url for service in services()] == ["https://sentry.io", "https://healthchecks.io"]  # type: ignore[attr-defined]
    assert service_names() == ("sentry", "healthchecks")
    assert ping_url("nightly") is None


@pytest.mark.parametrize(
    ("more", "url"),
    [
        ({}, "https://hc-ping.com/pk/p-nightly"),
        ({"url": "https://hc.example.org/"}, "https://hc.example.org/ping/pk/p-nightly"),
        ({"ping_url": "https://ping.example.org"}, "https://ping.example.org/pk/p-nightly"),
    ],
)
def test_runs_ping_the_slug_of_their_schedule(settings: Any, more: dict[str, str], url: str) -> None:
    settings.SCHEDSYNC_MONITORS = {"healthchecks": {"key": CANARY, "ping_key": "pk", "prefix": "p-", **more}}

    assert ping_url("nightly") == url
    assert ping_url("nightly", "start") == f"{url}/start"


def test_a_redirect_is_not_followed(healthchecks: HealthchecksServer) -> None:
    healthchecks.always = 302

    with pytest.raises(ServiceError, match="HTTP 302"):
        list(Healthchecks(client(healthchecks)).listed())
    assert len(healthchecks.asked) == 1


def test_the_wait_that_a_service_asks_for_is_bounded(healthchecks: HealthchecksServer) -> None:
    waited: list[float] = []
    healthchecks.always, healthchecks.retry_after = 429, "7"
    with pytest.raises(ServiceAway, match="HTTP 429"):
        list(Healthchecks(client(healthchecks, waited=waited)).listed())

    assert waited == [7.0, 7.0]


def test_without_time_nothing_is_asked(healthchecks: HealthchecksServer) -> None:
    with pytest.raises(ServiceAway, match="no time was left"):
        list(Healthchecks(client(healthchecks, seconds=0)).listed())

    assert healthchecks.asked == []


def test_an_answer_that_is_too_large_is_an_error(healthchecks: HealthchecksServer, monkeypatch: Any) -> None:
    monkeypatch.setattr("schedsync.http.client._LARGEST_ANSWER", 10)
    healthchecks.always = '{"checks": []}'

    with pytest.raises(ServiceError, match="too large"):
        list(Healthchecks(client(healthchecks)).listed())


def test_an_error_of_a_service_is_short_and_on_one_line(healthchecks: HealthchecksServer) -> None:
    healthchecks.always = 400
    with pytest.raises(ServiceError) as caught:
        Healthchecks(client(healthchecks)).make(HOURLY)

    assert str(caught.value) == 'HTTP 400: {"error": "busy"}'


def test_sentry_lists_all_pages_and_only_its_project(sentry: SentryServer) -> None:
    service = Sentry(client(sentry), "acme", "shop")
    other = Sentry(client(sentry), "acme", "other")
    for number in range(5):
        service.make(HOURLY._replace(name=f"n{number}"))
        other.make(HOURLY._replace(name=f"o{number}"))
    seen = list(service.listed())

    assert [one.slug for one in seen] == ["n0", "n1", "n2", "n3", "n4"]
    assert not any(service.differs(one, HOURLY._replace(name=one.slug)) for one in seen)


def test_sentry_is_not_asked_for_ever(sentry: SentryServer, monkeypatch: Any) -> None:
    monkeypatch.setattr("schedsync.monitors.sentry._MOST_PAGES", 2)
    service = Sentry(client(sentry), "acme", "shop")
    for number in range(5):
        service.make(HOURLY._replace(name=f"n{number}"))

    with pytest.raises(ServiceError, match="more than 200 monitors"):
        list(service.listed())


def test_a_schedule_that_changes_its_kind_of_timing_differs(healthchecks: HealthchecksServer) -> None:
    service = Healthchecks(client(healthchecks))
    remote_id = service.make(HOURLY)
    daily = HOURLY._replace(timing=crontab({"minute": "0", "hour": "3"}, "Europe/Berlin"))
    (before,) = service.listed()
    service.change(remote_id, daily)
    (after,) = service.listed()

    assert (service.differs(before, HOURLY), service.differs(before, daily)) == (False, True)
    assert (service.differs(after, HOURLY), service.differs(after, daily)) == (True, False)


@pytest.mark.parametrize("begin", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "])
def test_a_service_that_sends_byte_by_byte_is_not_waited_for(begin: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schedsync.http.client._LONGEST", 0.3)
    monkeypatch.setattr("schedsync.http.client._TRIES", 1)
    ends = threading.Event()

    def drip(connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65_536)
            connection.sendall(begin)
            while not ends.wait(0.02):
                connection.sendall(b"1")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=lambda: drip(listener.accept()[0]))
        thread.start()
        asked = Client(f"http://127.0.0.1:{listener.getsockname()[1]}", {}, (CANARY,), Budget(60))
        try:
            with pytest.raises(ServiceAway, match="in time"):
                asked.send("GET", "/")
        finally:
            ends.set()
            thread.join()


@pytest.mark.parametrize("before", [0, 150, 190, 195, 199, 19_990])
@pytest.mark.parametrize("key", [CANARY, 'a"b\\c&canary', "canary of a key"])
@pytest.mark.parametrize("is_json", [True, False])
def test_a_key_that_a_service_echoes_is_not_shown_in_part(
    healthchecks: HealthchecksServer, before: int, key: str, is_json: bool
) -> None:
    text = f"{'x' * before}{key} {quote(key, safe='')}"
    healthchecks.answer = lambda *_: (400, {"error": text}, {}) if is_json else (400, text, {})  # type: ignore[method-assign]
    asked = Client(healthchecks.url, {}, (key,), Budget(60))
    with pytest.raises(ServiceError) as caught:
        asked.send("GET", "/")

    assert [part for part in (key[:4], "canary", quote(key, safe="")[:4]) if part in str(caught.value)] == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
def test_no_key_follows_a_redirect(method: str, status: int, healthchecks: HealthchecksServer) -> None:
    with serving(HealthchecksServer()) as elsewhere:
        healthchecks.answer = lambda *_: (status, None, {"Location": f"{elsewhere.url}/api/v3/checks/"})  # type: ignore[method-assign]
        with pytest.raises(ServiceError, match=f"HTTP {status}"):
            client(healthchecks).send(method, "/api/v3/checks/", {} if method != "GET" else None)

        assert elsewhere.asked == []


@pytest.mark.parametrize("after", ["0", "", "-1", "1e9", "99999999999", "Wed, 21 Oct 2026 07:28:00 GMT", "\u00b2"])
@pytest.mark.parametrize("status", [429, 503])
def test_whatever_a_busy_service_asks_for_the_wait_is_short(
    status: int, after: str, healthchecks: HealthchecksServer
) -> None:
    waited: list[float] = []
    healthchecks.faults, healthchecks.always, healthchecks.retry_after = [], status, after
    with pytest.raises(ServiceAway, match=f"HTTP {status}"):
        client(healthchecks, waited=waited).send("GET", "/api/v3/checks/")

    assert sum(waited) <= 1.5


@pytest.mark.parametrize(
    "data",
    ["null", "[]", '{"checks": null}', '{"checks": {}}', '{"checks": [null]}', '{"checks": [{"uuid": 3}]}', "NaN",
     "[" * 9999, '{"checks": [{"uuid": "../../x"}]}', '{"checks": [{"update_url": "https://x/"}]}', "\ufeff{}",
     '{"checks": [{"uuid": ""}]}'],
)  # fmt: skip
def test_nonsense_of_a_service_is_an_error_of_the_service(healthchecks: HealthchecksServer, data: str) -> None:
    healthchecks.always = data
    with pytest.raises(ServiceError):
        list(Healthchecks(client(healthchecks)).listed())


@pytest.mark.parametrize(
    "data",
    ["null", "{}", "[null]", "[3]", '[{"project": null}]', '[{"project": {"slug": "shop"}}]', "true",
     '[{"project": {"slug": "shop"}, "id": 3, "name": "x", "slug": "y"}]',
     '[{"project": {"slug": "shop"}, "id": "", "name": "x", "slug": "y", "config": []}]'],
)  # fmt: skip
def test_nonsense_of_sentry_is_an_error_or_none_of_ours(sentry: SentryServer, data: str) -> None:
    sentry.always = data
    found: list[object] = []
    with contextlib.suppress(ServiceError):
        found = list(Sentry(client(sentry), "acme", "shop").listed())

    assert found == []


@pytest.mark.parametrize(
    ("schedule", "zone", "differs"),
    [
        ("30 2 * * mon-fri", "Europe/Berlin", False),
        ("30 2 * * 1,2,3,4,5", "Europe/Berlin", False),
        ("30 2 * * 1-5", "Europe/Paris", True),
        ("30 2 * * 1-4", "Europe/Berlin", True),
        ("30 2 * *", "Europe/Berlin", True),
        ("nonsense", "Europe/Berlin", True),
        ("30 2 * * 1-5", "Mars/Base", True),
        (None, None, True),
    ],
)
def test_a_check_in_that_spells_a_crontab_in_another_way_changes_nothing(
    sentry: SentryServer, schedule: str | None, zone: str | None, differs: bool
) -> None:
    service = Sentry(client(sentry), "acme", "shop")
    timing = crontab({"minute": "30", "hour": "2", "day_of_week": "1-5"}, "Europe/Berlin")
    nightly = HOURLY._replace(name="nightly", timing=timing)
    sentry.monitors[service.make(nightly)]["config"] |= {"schedule": schedule, "timezone": zone}

    assert [service.differs(seen, nightly) for seen in service.listed()] == [differs]


def test_what_is_gone_can_be_deleted(healthchecks: HealthchecksServer, sentry: SentryServer) -> None:
    Healthchecks(client(healthchecks)).delete("31365bce-8da9-4729-8ff3-aaa71d56b712")
    Sentry(client(sentry), "acme", "shop").delete("31365bce-8da9-4729-8ff3-aaa71d56b712")
