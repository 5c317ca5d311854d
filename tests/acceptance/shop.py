"""examples/shop as a user runs it: real processes of Beat and a worker, on a database and a broker of choice."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connections

EXAMPLE = Path(__file__).parents[2] / "examples" / "shop"


@dataclass(frozen=True)
class Shop:
    """A project of its own in an empty directory."""

    root: Path
    environment: dict[str, str]
    app: str = "shop"

    def write(self, text: str, name: str = "schedules/shop.yaml") -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.python("-m", "schedsync", *words)

    def python(self, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *words], cwd=self.root, env=self.environment, capture_output=True, text=True, check=False
        )

    @contextlib.contextmanager
    def process(self, *words: str, name: str | None = None) -> Iterator[subprocess.Popen[bytes]]:
        """Run Celery's worker or a Beat; it is stopped at the end."""
        with self._running(name or words[0], "celery", "--app", self.app, *words) as process:
            yield process

    @contextlib.contextmanager
    def agent(self, remote: Path | str, *words: str, name: str = "agent") -> Iterator[subprocess.Popen[bytes]]:
        """Run an agent that asks a remote every second; it is stopped at the end."""
        often = ("--repository", str(remote), "--directory", str(self.root / "fetched"), "--interval", "1s")
        with self._running(name, "schedsync", "agent", *often, "--settle", "0", *words) as process:
            yield process

    @contextlib.contextmanager
    def _running(self, name: str, module: str, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        with (self.root / f"{name}.log").open("wb") as output:
            process = subprocess.Popen(
                [sys.executable, "-m", module, *words],
                cwd=self.root, env=self.environment, stdout=output, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        try:
            yield process
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()

    @contextlib.contextmanager
    def beat(self) -> Iterator[subprocess.Popen[bytes]]:
        """Run stock Beat, from where it notices a change: what is committed while it starts waits for its full sync."""
        scheduler = "django_celery_beat.schedulers:DatabaseScheduler"
        with self.process("beat", "--loglevel", "debug", "--scheduler", scheduler) as process:
            self.wait_until("beat", "Ticking with max interval", 1)
            yield process

    def log(self, name: str) -> str:
        return (self.root / f"{name}.log").read_text(errors="replace")

    def wait_for(self, name: str, text: str, count: int, seconds: float = 60) -> int:
        """Wait until a log has so many more lines with a text; returns how many there are."""
        return self.wait_until(name, text, self.log(name).count(text) + count, seconds)

    def wait_until(self, name: str, text: str, count: int, seconds: float = 60) -> int:
        """Wait until a log has so many lines with a text in all; returns how many there are."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if (found := self.log(name).count(text)) >= count:
                return found
            time.sleep(0.1)
        logs = "\n".join(f"{path.name}: {self.log(path.stem)[-2000:]}" for path in sorted(self.root.glob("*.log")))
        raise AssertionError(f"no {count} times {text!r} in {name}\n{logs}")


@contextlib.contextmanager
def database(alias: str, root: Path) -> Iterator[dict[str, Any]]:
    """Make an empty database on one of the servers."""
    values = dict(settings.DATABASES[alias])
    if alias == "default":
        yield {**_connection(values), "NAME": str(root / "shop.sqlite3"), "OPTIONS": {"timeout": 20}}
        return
    name = f"shop_{os.getpid()}_{time.time_ns()}"
    _statement(alias, f"CREATE DATABASE {name}")
    try:
        yield {**_connection(values), "NAME": name}
    finally:
        _statement(alias, f"DROP DATABASE {name}" + (" WITH (FORCE)" if alias == "postgresql" else ""))


def _connection(values: dict[str, Any]) -> dict[str, Any]:
    return {key: values[key] for key in ("ENGINE", "USER", "PASSWORD", "HOST", "PORT", "OPTIONS") if values.get(key)}


def _statement(alias: str, sql: str) -> None:
    connection = connections.create_connection(alias)
    if connection.vendor == "mysql":
        connection.settings_dict = {**connection.settings_dict, "NAME": "mysql"}
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql)
    finally:
        connection.close()


@contextlib.contextmanager
def shop(alias: str, broker: str, root: Path) -> Iterator[Shop]:
    """Make the project: an empty database, migrated, and a broker."""
    with database(alias, root) as values:
        environment = {
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "shop.settings",
            "PYTHONPATH": os.pathsep.join([str(EXAMPLE), str(Path(__file__).parents[2])]),
            "PYTHONUNBUFFERED": "1",
            "SHOP_DATA": str(root),
            "SHOP_DATABASES": json.dumps({"default": values}),
            "SHOP_BROKER": broker,
        }
        made = Shop(root, environment)
        _migrate(made, Path(values["NAME"]) if alias == "default" else None)
        yield made


#: The file of a migrated database of SQLite, once one was made: a migration takes seconds.
_tables: list[bytes] = []


def _migrate(made: Shop, file: Path | None) -> None:
    """Make the tables; ``file`` is that of a database of SQLite."""
    if file is not None and _tables:
        file.write_bytes(_tables[0])
        return
    done = made.python(str(EXAMPLE / "manage.py"), "migrate", "--verbosity", "0")
    assert done.returncode == 0, done.stderr
    if file is not None:
        _tables.append(file.read_bytes())
