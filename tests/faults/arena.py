"""Beats as processes on one database, a proxy that can cut them off, and the offline check of what they sent."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

from django.apps import apps
from django.conf import settings
from django.db import ConnectionHandler

from schedsync.models import ApplyLock
from tests.acceptance.shop import EXAMPLE, Shop, shop

ROOT = Path(__file__).parents[2]
DATABASES = ("default", "postgresql", "mariadb")
#: Seconds to wait for a condition before a test fails: a busy machine may need them, others never do.
PATIENCE = 180.0
#: How the message of a commit begins: others speak of a column of that name.
COMMIT = {"postgresql": b"\x0bCOMMIT", "mariadb": b"\x03COMMIT"}
UPSTREAM = (
    "django_celery_beat_periodictask", "django_celery_beat_intervalschedule", "django_celery_beat_crontabschedule",
    "django_celery_beat_periodictasks",
)  # fmt: skip


def read_sent(file: Path) -> list[dict[str, Any]]:
    """Read what is written down of messages; a line that is being written does not count yet."""
    if not file.exists():
        return []
    whole, _, _ = file.read_text().rpartition("\n")
    return [json.loads(line) for line in whole.splitlines()]


class Proxy:
    """A TCP proxy to a server; it can refuse, break what is open, break after something was said, and keep answers.

    ``cut_in`` is the number of bytes that the server still gets before the connection breaks, ``cut_back_in`` that of
    the client; None for all of them. ``instead`` is called in place of breaking it, with the sockets of client and
    server. ``answer`` changes what the client gets. While the proxy is deaf, nothing is read from clients.
    """

    def __init__(self, target: Callable[[], socket.socket]) -> None:
        self._target = target
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port: int = self._listener.getsockname()[1]
        self.is_up = True
        self.is_mute = False
        self.cut_after: bytes | None = None
        self.is_deaf = False
        self.cut_in: int | None = None
        self.cut_back_in: int | None = None
        self.instead: Callable[[socket.socket, socket.socket], None] | None = None
        self.answer: Callable[[bytes], bytes] | None = None
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            if not self.is_up:
                return
            with self._target() as server:
                pair = {client: server, server: client}
                self._open |= pair.keys()
                while self._copied(client, pair):
                    pass
                self._open -= pair.keys()

    def _copied(self, client: socket.socket, pair: dict[socket.socket, socket.socket]) -> bool:
        deaf = self.is_deaf
        ready, _, _ = select.select([pair[client]] if deaf else list(pair), [], [], 0.05 if deaf else None)
        return all(self._passed(source, client, pair) for source in ready)

    def _passed(self, source: socket.socket, client: socket.socket, pair: dict[socket.socket, socket.socket]) -> bool:
        if source is client and self.is_deaf:
            return True
        data = source.recv(65536)
        if not data:
            return False
        if source is not client:
            if self.is_mute:
                return True
            data = data if self.answer is None else self.answer(data)
        cut = self._bytes_until_cut(len(data), "cut_in" if source is client else "cut_back_in")
        pair[source].sendall(data[:cut])
        if cut is not None:
            if self.instead is None:
                return False
            self.instead(client, pair[client])
            pair[source].sendall(data[cut:])
        if source is client and self.cut_after is not None and self.cut_after in data.upper():
            self.cut_after = None
            # The server has it; its answer finds nobody.
            return False
        return True

    def _bytes_until_cut(self, count: int, name: str) -> int | None:
        """Return how many of these bytes pass before the cut, or None if all do; count them."""
        left: int | None = getattr(self, name)
        is_cut = left is not None and count >= left
        setattr(self, name, None if left is None or is_cut else left - count)
        return left if is_cut else None

    def down(self) -> None:
        self.is_up = False
        for connection in list(self._open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def up(self) -> None:
        self.is_up = True

    def close(self) -> None:
        self.down()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


def proxied(values: dict[str, Any]) -> tuple[Proxy, dict[str, Any]]:
    """Return a proxy before a database server, and the settings that go through it."""
    host, port = values.get("HOST") or "127.0.0.1", values.get("PORT")

    def connect() -> socket.socket:
        if not str(host).startswith("/"):
            return socket.create_connection((host, int(port)))
        result = socket.socket(socket.AF_UNIX)
        result.connect(f"{host}/.s.PGSQL.{port or 5432}")
        return result

    proxy = Proxy(connect)
    return proxy, {**values, "HOST": "127.0.0.1", "PORT": str(proxy.port)}


@dataclass
class Arena:
    """A migrated database, and what runs on it."""

    alias: str
    project: Shop
    environment: dict[str, str] = field(default_factory=dict)
    _number: int = 0

    @property
    def sent_file(self) -> Path:
        return self.project.root / "sent.jsonl"

    def apply(self, schedules: str) -> None:
        self.project.write(f"version: 1\nschedules:\n{schedules}")
        done = self.project.run("apply", "--yes", "--settle", "0")
        assert done.returncode == 0, done.stderr

    def clear(self) -> None:
        """Empty the tables and the logs."""
        ours = [model for model in apps.get_app_config("schedsync").get_models() if model is not ApplyLock]
        for table in (*(model._meta.db_table for model in ours), *UPSTREAM):
            self.sql(f"DELETE FROM {table}")
        for file in (*self.project.root.glob("beat*.log"), *self.project.root.glob("*.jsonl")):
            file.unlink()
        self.environment.clear()

    def sql(self, statement: str) -> list[Any]:
        """Run a statement on a connection of its own."""
        values = json.loads(self.project.environment["SHOP_DATABASES"])["default"]
        handler = ConnectionHandler({"default": values})
        connection = handler["default"]
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return list(cursor.fetchall()) if cursor.description else []
        finally:
            connection.close()

    @contextlib.contextmanager
    def beat(self, **environment: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run a Beat; it is killed at the end if it still runs."""
        process = self.start(**environment)
        try:
            yield process
        finally:
            self.stop(process)

    def start(self, **environment: str) -> subprocess.Popen[bytes]:
        self._number += 1
        variables = {
            **self.project.environment,
            **self.environment,
            "DJANGO_SETTINGS_MODULE": "tests.faults.settings",
            "FAULTS_SENT": str(self.sent_file),
            **environment,
        }
        with (self.project.root / f"beat{self._number}.log").open("wb") as output:
            return subprocess.Popen(
                [sys.executable, "-m", "celery", "-A", "tests.faults.sink", "beat", "--pidfile=", "--loglevel", "info"],
                cwd=self.project.root, env=variables, stdout=output, stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def stop(self, process: subprocess.Popen[bytes]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGCONT)
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def sent(self) -> list[dict[str, Any]]:
        """Read what was sent, by all Beats."""
        return read_sent(self.sent_file)

    def wait_for(self, count: int, *, by: int | None = None, seconds: float = PATIENCE) -> None:
        """Wait until so many more were sent, perhaps by one process."""
        before = self._count(by)
        self.wait_until(lambda: self._count(by) >= before + count, seconds)

    def _count(self, by: int | None) -> int:
        return len([line for line in self.sent() if by in (None, line["pid"])])

    def wait_until_quiet(self, seconds: float) -> None:
        """Wait until nothing has been sent for some seconds."""
        began, count = time.monotonic(), len(self.sent())

        def is_quiet() -> bool:
            nonlocal began, count
            if len(self.sent()) > count:
                began, count = time.monotonic(), len(self.sent())
            return time.monotonic() - began > seconds

        self.wait_until(is_quiet)

    def wait_until(self, condition: Callable[[], bool], seconds: float = PATIENCE) -> None:
        until = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > until:
                raise AssertionError(f"{self.alias}: it did not happen in {seconds:g} s\n{self.logs()}")
            time.sleep(0.05)

    def logs(self) -> str:
        logs = sorted(self.project.root.glob("beat*.log"))
        return "\n".join(f"{log.name}:\n{quiet(log.read_text(errors='replace'))}" for log in logs)

    def leader(self, among: list[subprocess.Popen[bytes]]) -> subprocess.Popen[bytes]:
        """Wait until one of the processes has sent something lately, and return it."""
        seen = len(self.sent())
        self.wait_until(lambda: len(self.sent()) > seen)
        pid = self.sent()[-1]["pid"]
        return next(process for process in among if process.pid == pid)


def quiet(log: str) -> str:
    return "\n".join([line for line in log.splitlines() if "Sending due task" not in line][-25:])


def check(arena: Arena, *, every: float, may_repeat: int = 0) -> None:
    """Account for every tick: none is missing between the first and the last, and none has two ids.

    ``may_repeat`` messages may be repeats under the same id: those that were in flight when holders died.
    """
    ticks: dict[str, Counter[str]] = defaultdict(Counter)
    ids: dict[tuple[str, str], set[str]] = defaultdict(set)
    for line in arena.sent():
        ticks[line["name"]][line["tick"]] += 1
        ids[line["name"], line["tick"]].add(line["id"])
    assert ticks, arena.logs()
    for name, counts in ticks.items():
        found = sorted(datetime.fromisoformat(tick.replace("Z", "+00:00")) for tick in counts)
        gaps = [(later - earlier).total_seconds() for earlier, later in pairwise(found)]
        assert [gap for gap in gaps if abs(gap - every) > 0.001] == [], (arena.alias, name, gaps, arena.logs())
    assert {key: found for key, found in ids.items() if len(found) > 1} == {}
    repeats = sum(count - 1 for counts in ticks.values() for count in counts.values())
    assert repeats <= may_repeat, (arena.alias, repeats, arena.logs())


def everywhere(arenas: list[Arena], scenario: Callable[[Arena], None]) -> None:
    """Run a scenario on all databases at once: most of its time is waiting."""
    with ThreadPoolExecutor(len(arenas)) as pool:
        runs = [pool.submit(scenario, arena) for arena in arenas]
        problems = [error for run in runs if (error := run.exception()) is not None]
    if problems:
        raise problems[0]


@contextlib.contextmanager
def arenas_on(root: Path, broker: str = "memory://") -> Iterator[list[Arena]]:
    """Make an arena on each database that this machine has."""
    with contextlib.ExitStack() as stack:
        made = []
        for alias in DATABASES:
            if alias in settings.DATABASES:
                directory = root / alias
                directory.mkdir()
                project = stack.enter_context(shop(alias, broker, directory))
                project.environment["PYTHONPATH"] = os.pathsep.join([str(EXAMPLE), str(ROOT)])
                made.append(Arena(alias, project))
        yield made
