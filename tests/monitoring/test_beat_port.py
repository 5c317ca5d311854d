"""A real Beat with its port: what it serves while it sends, while its database is away, and when it ends."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import pytest
from celery import current_app

from tests.beat.ours import Beat
from tests.faults.arena import Arena, Proxy, arenas_on, everywhere, proxied
from tests.monitoring.scraped import Scrape
from tests.servers import free_port

SCHEDULES = "  x: {task: shop.tasks.heartbeat, every: 1s, missed_runs: all}\n  off: {task: t, every: 1h}\n"


@pytest.fixture(scope="module")
def migrated(tmp_path_factory: pytest.TempPathFactory, django_db_blocker: Any) -> Iterator[list[Arena]]:
    with django_db_blocker.unblock(), arenas_on(tmp_path_factory.mktemp("ports")) as made:
        yield made


@pytest.fixture
def arenas(migrated: list[Arena]) -> list[Arena]:
    def prepare(arena: Arena) -> None:
        arena.clear()
        arena.apply(SCHEDULES)

    everywhere(migrated, prepare)
    return migrated


def scraped(port: int) -> Scrape | None:
    """Scrape a port; None while nobody listens."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            return Scrape(answer.read().decode())
    except (URLError, OSError):
        return None


def value(port: int, name: str) -> Any:
    found = scraped(port)
    return None if found is None else found.value(name)


def served(port: int) -> dict[str, str]:
    """Return the environment of a Beat with this port."""
    return {"SCHEDSYNC_METRICS_ADDRESS": f"127.0.0.1:{port}"}


@contextlib.contextmanager
def through_a_proxy(arena: Arena) -> Iterator[Proxy]:
    proxy, changed = proxied(json.loads(arena.project.environment["SHOP_DATABASES"])["default"])
    arena.environment["SHOP_DATABASES"] = json.dumps({"default": changed})
    try:
        yield proxy
    finally:
        proxy.close()


def test_beat_serves_its_own_counters_and_those_of_its_database(arenas: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        port = free_port()
        with arena.beat(**served(port)) as process:
            arena.wait_until(lambda: (value(port, "schedsync_beat_messages_sent_total") or 0) >= 2)
            found = scraped(port)
            assert found is not None
            (leader,) = found.labels("schedsync_leader_info")

            assert leader["beat"].endswith(f":{process.pid}")
            assert found.value("schedsync_beat_leads", beat=leader["beat"]) == 1
            assert found.value("schedsync_database_up") == found.value("schedsync_beats_alive") == 1
            assert found.value("schedsync_schedules_managed") == 2
            assert found.value("schedsync_beat_reload_seconds_count") >= 1
            assert found.value("schedsync_beat_lag_seconds") is not None

    everywhere(arenas, scenario)


def test_a_port_that_is_taken_stops_no_beat(arenas: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        with socket.create_server(("127.0.0.1", 0)) as taken, arena.beat(**served(taken.getsockname()[1])):
            arena.wait_for(3)
            assert arena.logs().count("the metrics are not served on") == 1

    everywhere(arenas[:1], scenario)


def test_while_the_database_is_away_beat_tells_what_it_knows(arenas: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        port = free_port()
        with through_a_proxy(arena) as proxy, arena.beat(**served(port)):
            arena.wait_until(lambda: (value(port, "schedsync_beat_messages_sent_total") or 0) >= 1)
            proxy.down()
            arena.wait_until(lambda: value(port, "schedsync_database_up") == 0)
            found = scraped(port)
            assert found is not None

            assert found.value("schedsync_beat_messages_sent_total") >= 1
            assert found.value("schedsync_beat_schedules") == 2
            assert found.value("schedsync_schedules_managed") is None
            proxy.up()
            arena.wait_until(lambda: value(port, "schedsync_database_up") == 1)
            # Beat notices the broken connection at its next step, perhaps after the scrape.
            arena.wait_until(lambda: (value(port, "schedsync_beat_lease_losses_total") or 0) >= 1)

    everywhere([arena for arena in arenas if arena.alias != "default"], scenario)


def test_the_end_of_beat_closes_the_port(arenas: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        port = free_port()
        with arena.beat(**served(port)) as process:
            arena.wait_until(lambda: value(port, "schedsync_database_up") == 1)
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            assert scraped(port) is None

    everywhere(arenas[:1], scenario)


@pytest.mark.one_database
def test_the_thread_of_a_scrape_has_the_app_of_its_beat(using: str, clock: Any) -> None:
    beat = Beat(clock)
    apps: list[Any] = []

    def scrapes() -> None:
        beat.scheduler._metrics.own()
        apps.append(current_app._get_current_object())

    thread = threading.Thread(target=scrapes)
    thread.start()
    thread.join()

    assert apps == [beat.scheduler.app]
