"""A running Beat obeys what is applied, without a restart: on each database, with a real broker and worker."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.acceptance.shop import EXAMPLE, Shop, shop

HEARTBEAT = """
version: 1
schedules:
  heartbeat: {task: shop.tasks.heartbeat, every: 1s, expires_after: 30s}
  nightly: {task: shop.tasks.report, crontab: "30 2 * * *", kwargs: {kind: nightly}}
"""
PLACES = [("default", "files"), ("postgresql", "redis"), ("mariadb", "rabbitmq")]


@pytest.fixture(params=PLACES, ids=lambda place: "-".join(place))
def running(request: pytest.FixtureRequest, tmp_path: Path, django_db_blocker: Any) -> Iterator[Shop]:
    alias, kind = request.param
    broker = "filesystem://" if kind == "files" else settings.BROKERS.get(kind)
    if alias not in settings.DATABASES or broker is None:
        pytest.skip(f"no {alias} or no {kind} on this machine")
    with django_db_blocker.unblock(), shop(alias, broker, tmp_path) as made:
        yield made


def test_from_yaml_to_a_running_beat_and_back_from_drift(running: Shop) -> None:
    running.write(HEARTBEAT)
    with running.process("worker", "--pool", "solo", "--loglevel", "warning"), running.beat() as beat:
        assert running.run("validate").returncode == 0
        applied = running.run("apply", "--yes", "--format", "json")
        assert applied.returncode == 0, applied.stderr
        running.wait_for("worker", "heartbeat", 3)

        running.write(
            HEARTBEAT.replace(
                "shop.tasks.heartbeat, every: 1s", "shop.tasks.lights, kwargs: {state: bright}, every: 1s"
            )
        )
        changed = running.run("apply", "--yes", "--format", "json")
        assert json.loads(changed.stdout)["verification"]["confirmed"], changed.stderr
        running.wait_for("worker", "lights bright", 3)
        assert beat.poll() is None

        assert running.python(str(EXAMPLE / "edit_in_admin.py"), "nightly", "queue", "sams").returncode == 0
        drift = running.run("drift")
        assert (drift.returncode, "by sam at" in drift.stdout) == (2, True)
        assert running.run("apply", "--yes").returncode == 0
        assert running.run("drift").returncode == 0

        paused = running.run("pause", "heartbeat", "--reason", "3 a.m.", "--for", "1h")
        assert paused.returncode == 0, paused.stderr
        seen = running.log("worker").count("lights bright")
        assert running.run("apply", "--yes").returncode == 0
        assert running.log("worker").count("lights bright") <= seen + 1
        assert running.run("resume", "heartbeat").returncode == 0
        running.wait_for("worker", "lights bright", 2)
        assert running.run("doctor").returncode == 0

    for file in (running.root / "schedules").iterdir():
        file.unlink()
    refused = running.run("apply", "--yes")
    assert (refused.returncode, "hint: --allow-empty" in refused.stderr) == (3, True)


def test_a_database_that_is_not_there_says_so(tmp_path: Path) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    values = {
        "postgresql": {"ENGINE": "django.db.backends.postgresql", "NAME": "x", "HOST": "127.0.0.1", "PORT": port},
        "mariadb": {"ENGINE": "django.db.backends.mysql", "NAME": "x", "HOST": "127.0.0.1", "PORT": port},
        "sqlite": {"ENGINE": "django.db.backends.sqlite3", "NAME": "/nowhere/at/all.sqlite3"},
    }
    for kind, database in values.items():
        if kind != "sqlite" and kind not in settings.DATABASES:
            continue
        environment = {
            **os.environ,
            "PYTHONPATH": f"{EXAMPLE}{os.pathsep}{Path(__file__).parents[2]}",
            "SHOP_DATA": str(tmp_path),
            "SHOP_DATABASES": json.dumps({"default": database}),
        }
        made = Shop(tmp_path, environment)
        made.write(HEARTBEAT)
        for words in (["plan"], ["apply", "--yes"], ["drift"], ["doctor"], ["pause", "x", "--reason", "y"]):
            done = made.run(*words, "--settings", "shop.settings")
            assert (done.returncode, "Traceback" in done.stderr) == (69, False), done.stderr
            assert "database `default` cannot be reached" in done.stderr
