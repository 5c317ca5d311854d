"""The port of the metrics: its address, a port that is taken, and its end."""

from __future__ import annotations

import logging
import socket
import sys
import time
from collections.abc import Callable, Iterator
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from django.core import checks
from django.core.exceptions import ImproperlyConfigured
from django.test import override_settings
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.core import Metric as Family
from prometheus_client.registry import Collector

from schedsync.monitoring.server import MetricsServer
from schedsync.monitoring.settings import Address, metrics_address, parse_address
from schedsync.usecases.system_checks import check_settings
from tests.monitoring.scraped import Scrape
from tests.servers import free_port


class One(Collector):
    def collect(self) -> Iterator[Family]:
        yield GaugeMetricFamily("one", "One.", value=1)


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; only a busy machine needs long."""
    end = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def servers() -> Iterator[list[MetricsServer]]:
    made: list[MetricsServer] = []
    yield made
    for server in made:
        server.close()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9808", Address("127.0.0.1", 9808)),
        ("[::1]:9808", Address("::1", 9808)),
        ("[::]:9808", Address("::", 9808)),
        (":9808", Address("", 9808)),
        ("beat-0.internal:1", Address("beat-0.internal", 1)),
    ],
)
def test_an_address_is_read_and_written_alike(text: str, address: Address) -> None:
    assert (parse_address(text), str(address)) == (address, text)


@pytest.mark.parametrize(
    "text", ["9808", "host", "host:", "host:0", "host:65536", "::1:9808", "[::1]", "a b:1", "[x]:1"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    assert parse_address(text) is None
    with override_settings(SCHEDSYNC_METRICS_ADDRESS=text), pytest.raises(ImproperlyConfigured, match="host:port"):
        metrics_address()


def test_the_address_comes_from_the_setting_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert metrics_address() is None
    monkeypatch.setenv("SCHEDSYNC_METRICS_ADDRESS", ":1")
    assert metrics_address() == Address("", 1)
    with override_settings(SCHEDSYNC_METRICS_ADDRESS=":2"):
        assert metrics_address() == Address("", 2)


@override_settings(SCHEDSYNC_METRICS_ADDRESS=":1")
def test_without_prometheus_client_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)

    with pytest.raises(ImproperlyConfigured, match=r"install `schedsync\[metrics\]`"):
        metrics_address()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", ""])
def test_it_serves_its_collector_and_the_process(host: str, servers: list[MetricsServer]) -> None:
    if host == "::1" and not has_ipv6():
        pytest.skip("no IPv6 on this machine")
    server = MetricsServer(Address(host, free_port()), One())
    servers.append(server)
    server.open()
    until(lambda: server._server is not None)
    found = scraped(server.address)

    assert found.value("one") == 1
    assert found.value("process_start_time_seconds") > 0


def has_ipv6() -> bool:
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def scraped(address: Address) -> Scrape:
    local = Address(address.host or "127.0.0.1", address.port)
    with urlopen(f"http://{local}/metrics", timeout=60) as answer:
        return Scrape(answer.read().decode())


def test_a_port_that_is_taken_is_logged_once_and_tried_again(
    servers: list[MetricsServer], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("schedsync.monitoring.server.RETRY", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        server = MetricsServer(Address("127.0.0.1", taken.getsockname()[1]), One())
        servers.append(server)
        for _ in range(3):
            server.open()
            assert server._opening is not None
            server._opening.join()
        assert server._server is None
    until(lambda: server.open() is None and server._server is not None)
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]

    assert len(errors) == 1
    assert errors[0].startswith(f"the metrics are not served on {server.address}: ")
    assert "give this Beat another SCHEDSYNC_METRICS_ADDRESS" in errors[0]
    assert scraped(server.address).value("one") == 1


def test_the_port_is_free_after_the_end() -> None:
    server = MetricsServer(Address("127.0.0.1", free_port()), One())
    server.open()
    until(lambda: server._server is not None)
    server.close()

    with pytest.raises(URLError):
        scraped(server.address)
    socket.create_server(("127.0.0.1", server.address.port)).close()


@override_settings(SCHEDSYNC_METRICS_ADDRESS="nowhere", SCHEDSYNC_METRICS_SCHEDULES="nightly-*")
def test_a_system_check_names_settings_that_cannot_be_used() -> None:
    found = [message for message in check_settings() if message.id == "schedsync.SS309"]

    assert [str(message.msg).split()[0] for message in found] == [
        "SCHEDSYNC_METRICS_ADDRESS",
        "SCHEDSYNC_METRICS_SCHEDULES",
    ]
    assert {message.level for message in found} == {checks.WARNING}


@override_settings(SCHEDSYNC_METRICS_TOKEN="a long secret")
def test_a_system_check_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    (found,) = [message for message in check_settings() if message.id == "schedsync.SS309"]

    assert found.msg == "SCHEDSYNC_METRICS_TOKEN needs prometheus-client: install `schedsync[metrics]`"
