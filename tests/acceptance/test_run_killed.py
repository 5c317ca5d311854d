"""A run of ticks of the past that is killed in the middle goes on, and loses none; Ctrl-C ends it between two."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from schedsync.core.task_id import task_id
from tests.acceptance.shop import Shop, shop

SINCE = datetime(2026, 11, 20, tzinfo=timezone.utc)
COUNT = 120
SPAN = ("--from", "2026-11-20T00:00Z", "--to", "2026-11-20T02:00Z")


@pytest.fixture(params=["default", "postgresql", "mariadb"])
def project(request: pytest.FixtureRequest, tmp_path: Path, test_databases: None) -> Iterator[tuple[Shop, Any]]:
    """The shop on Redis, with one schedule that runs each minute, and a client of its queue."""
    import redis

    if request.param not in settings.DATABASES or "redis" not in settings.BROKERS:
        pytest.skip(f"no {request.param} or no Redis on this machine")
    with shop(request.param, settings.BROKERS["redis"], tmp_path) as made:
        queue = f"schedsync-{uuid.uuid4()}"
        made.write(
            f"version: 1\nschedules:\n  x: {{task: shop.tasks.heartbeat, crontab: '* * * * *', queue: {queue}}}\n"
        )
        applied = made.run("apply", "--yes", "--settle", "0")
        assert applied.returncode == 0, applied.stderr
        with redis.Redis.from_url(settings.BROKERS["redis"]) as client:
            yield made, lambda: [json.loads(text)["headers"]["id"] for text in client.lrange(queue, 0, -1)]
            client.delete(queue)


def begun(made: Shop, *words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "schedsync", "run", "x", *SPAN, *words], cwd=made.root, env=made.environment, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def wait_for(ids: Any, count: int, process: subprocess.Popen[str]) -> None:
    until = time.monotonic() + 120
    while len(ids()) < count:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "nothing was sent in time"
        time.sleep(0.01)


def wanted() -> set[str]:
    return {task_id("x", SINCE + timedelta(minutes=number)) for number in range(COUNT)}


def test_a_run_that_is_killed_goes_on_and_loses_none(project: tuple[Shop, Any]) -> None:
    made, ids = project
    for number in (1, 2, 3):
        process = begun(made, "--rate", "50/s")
        wait_for(ids, 10 * number, process)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        assert len(set(ids())) < COUNT
    done = begun(made)
    out, err = done.communicate(timeout=300)
    counts = Counter(ids())

    assert (done.returncode, err) == (0, "")
    assert "an earlier call has sent" in out
    assert set(counts) == wanted()
    # Each kill repeats one message at most, under the same id.
    assert sum(counts.values()) - COUNT <= 3
    assert max(counts.values()) <= 2


def test_an_interrupt_ends_it_between_two_messages(project: tuple[Shop, Any]) -> None:
    made, ids = project
    process = begun(made, "--rate", "20/s")
    wait_for(ids, 5, process)
    os.kill(process.pid, signal.SIGINT)
    out, _ = process.communicate(timeout=120)
    sent = len(ids())

    assert process.returncode == 130
    assert f"Sent {sent} ticks" in out
    assert f"Left: {COUNT - sent} ticks, first x of" in out
    assert "To go on: schedsync run x --from 2026-11-20T00:00:00Z --to 2026-11-20T02:00:00Z --rate 20/s" in out
    rest = begun(made)
    rest.communicate(timeout=300)
    assert rest.returncode == 0
    assert Counter(ids()) == dict.fromkeys(wanted(), 1)
