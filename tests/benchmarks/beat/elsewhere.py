"""Our dispatch on other databases, on RabbitMQ, and with tools that hook Celery: each in a new interpreter."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from tests.benchmarks.beat.dispatch import Dispatch, best, dispatch
from tests.benchmarks.beat.tables import fill
from tests.ecosystem.installed import NotInstalled, installed
from tests.servers import Missing, Services, _mariadb, _rabbitmq

#: What was measured; or, as text, why it was not.
Result = Dispatch | str


def measured_elsewhere(size: int) -> dict[str, Result]:
    """Return the results by the name of the environment."""
    measurements: dict[str, Callable[[int], Dispatch]] = {
        "MariaDB and Redis": _on_mariadb,
        "SQLite and Redis": _on_sqlite,
        "PostgreSQL and RabbitMQ, confirmed": _on_rabbitmq,
        "PostgreSQL and Redis, with Sentry and OpenTelemetry": _with_hooks,
        "PostgreSQL and Redis, with both, and Sentry's check-ins": partial(_with_hooks, monitors="monitors"),
    }
    results: dict[str, Result] = {}
    for name, measure in measurements.items():
        try:
            results[name] = measure(size)
        except (Missing, NotInstalled) as reason:
            results[name] = f"not measured: {reason}"
        print(f"{size:>7,} {name}: {results[name]}", file=sys.stderr, flush=True)
    return results


def _on_mariadb(size: int) -> Dispatch:
    with _base() as base, _mariadb(base, services := Services()):
        database = services.databases["mariadb"]
        _create(database)
        return best([_alone(size, database)])


def _create(database: Mapping[str, Any]) -> None:
    import pymysql

    with pymysql.connect(host=database["HOST"], port=int(database["PORT"]), user=database["USER"]) as connection:
        connection.cursor().execute(f"CREATE DATABASE {database['NAME']} CHARACTER SET utf8mb4")


def _on_sqlite(size: int) -> Dispatch:
    with _base() as base:
        database = {"ENGINE": "django.db.backends.sqlite3", "NAME": str(base / "db"), "OPTIONS": {"timeout": 20}}
        return best([_alone(size, database)])


def _on_rabbitmq(size: int) -> Dispatch:
    with _base() as base, _rabbitmq(base, services := Services()):
        before = os.environ["BENCH_BROKER"]
        os.environ["BENCH_BROKER"] = services.brokers["rabbitmq"]
        try:
            fill(size)
            # The bare loop waits for confirms too; ours always does.
            return dispatch(size, 1, confirm_publish=True)
        finally:
            os.environ["BENCH_BROKER"] = before


def _with_hooks(size: int, monitors: str = "") -> Dispatch:
    database = json.loads(os.environ["SCHEDSYNC_TEST_DATABASES"])["default"]
    return best([_alone(size, database, str(installed()), monitors)])


@contextlib.contextmanager
def _base() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="schedsync-bench-") as name:
        base = Path(name)
        # MariaDB and RabbitMQ run as users of their own.
        base.chmod(0o755)
        yield base


def _alone(size: int, database: Mapping[str, object], *hooks: str) -> dict[str, Any]:
    environment = {**os.environ, "SCHEDSYNC_TEST_DATABASES": json.dumps({"default": database})}
    root = Path(__file__).parents[3]
    environment["PYTHONPATH"] = str(root)
    done = subprocess.run(
        [sys.executable, "-m", "tests.benchmarks.beat.alone", str(size), *hooks],
        env=environment, stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures
