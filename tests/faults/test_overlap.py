"""``overlap: skip`` with real Beats and workers: runs never overlap, and nothing that dies blocks for long."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from celery import Celery
from django.conf import settings
from django.db import ConnectionHandler

from tests.acceptance.shop import Shop, shop
from tests.faults.arena import PATIENCE, Proxy, proxied, read_sent

#: In seconds.
LIMIT, LONG = 4, 1.2
WORK = f"  x: {{task: work, kwargs: {{seconds: {LONG}}}, every: 1s, overlap: skip, max_runtime: {LIMIT}s}}\n"
WORKER = ("worker", "--concurrency", "2", "--loglevel", "info", "--without-gossip", "--without-mingle")
BEAT = ("beat", "--pidfile=", "--loglevel", "info")


@pytest.fixture
def project(tmp_path: Path, test_databases: None, django_db_blocker: Any) -> Iterator[Shop]:
    """The shop on Redis, and on PostgreSQL where it is there."""
    if "redis" not in settings.BROKERS:
        pytest.skip("no Redis on this machine")
    alias = "postgresql" if "postgresql" in settings.DATABASES else "default"
    with django_db_blocker.unblock(), shop(alias, settings.BROKERS["redis"], tmp_path) as made:
        queue = f"schedsync-{uuid.uuid4()}"
        environment = {
            **made.environment, "DJANGO_SETTINGS_MODULE": "tests.faults.settings", "OVERLAP_QUEUE": queue,
            "OVERLAP_FILE": str(tmp_path / "ran.jsonl"),
        }  # fmt: skip
        yield replace(made, environment=environment, app="tests.faults.overlapping")


def apply(project: Shop, schedules: str = WORK) -> None:
    queue = project.environment["OVERLAP_QUEUE"]
    project.write(f"version: 1\ndefaults: {{queue: {queue}}}\nschedules:\n{schedules}")
    done = project.run("apply", "--yes", "--settle", "0")
    assert done.returncode == 0, done.stderr


@contextlib.contextmanager
def worker(project: Shop, name: str = "w1") -> Iterator[subprocess.Popen[bytes]]:
    words = ("-Q", project.environment["OVERLAP_QUEUE"], "--hostname", f"{name}@%h")
    with project.process(*WORKER, *words, name=name) as process:
        project.wait_until(name, "ready.", 1, PATIENCE)
        yield process


def ran(project: Shop) -> list[dict[str, Any]]:
    return read_sent(Path(project.environment["OVERLAP_FILE"]))


def begun(project: Shop) -> list[dict[str, Any]]:
    return [line for line in ran(project) if line["event"] == "begin"]


def open_runs(project: Shop) -> list[tuple[str, bool, str]]:
    """Return the open runs: id, whether it has started, and the worker without its host."""
    handler = ConnectionHandler(json.loads(project.environment["SHOP_DATABASES"]))
    try:
        with handler["default"].cursor() as cursor:
            cursor.execute("SELECT task_id, started_at, worker FROM schedsync_openrun ORDER BY 1")
            return [(key, started is not None, worker.partition("@")[0]) for key, started, worker in cursor.fetchall()]
    finally:
        handler["default"].close()


def wait_until(project: Shop, condition: Callable[[], object]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        logs = "\n".join(f"{file.name}\n{file.read_text()[-3000:]}" for file in sorted(project.root.glob("*.log")))
        assert time.monotonic() < until, f"it did not happen\n{ran(project)}\n{open_runs(project)}\n{logs}"
        time.sleep(0.05)


def wait_for_runs(project: Shop, count: int) -> None:
    """Wait until this number of further runs have begun."""
    before = len(begun(project))
    wait_until(project, lambda: len(begun(project)) >= before + count)


def check(project: Shop, *, cut: int = 0) -> None:
    """No run begins before the one before it has ended, or its process was killed and its time is over."""
    lines, cut_off = ran(project), 0
    for before, after in pairwise(lines):
        if (before["event"], after["event"]) == ("begin", "begin"):
            cut_off += 1
            # The limit counts from the database's clock, before the task writes down that it began.
            assert after["at"] - before["at"] > LIMIT - 1
    ids = [line["id"] for line in lines if line["event"] == "begin"]
    assert (cut_off, len(set(ids))) == (cut, len(ids)), lines


def kill(process: subprocess.Popen[bytes]) -> None:
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_runs_do_not_overlap_though_workers_and_beats_die(project: Shop) -> None:
    apply(project)
    with (
        worker(project, "w1") as one,
        worker(project, "w2") as two,
        project.process(*BEAT, name="b1") as first,
        project.process(*BEAT, name="b2") as second,
    ):
        wait_for_runs(project, 1)
        # The leader dies while a run is open.
        kill(first if "leading" in project.log("b1") else second)
        wait_for_runs(project, 2)
        # The worker of a run dies in the middle of it.
        kill(one if begun(project)[-1]["parent"] == one.pid else two)
        wait_for_runs(project, 1)
    explained = project.run("why", "x", "--since", "10m", "--no-results").stdout

    check(project, cut=1)
    assert "still running, since" in explained


def test_what_cannot_be_written_is_written_when_the_database_is_back(project: Shop) -> None:
    """The worker loses its database in the middle of a run and Beat does not, and then the other way round."""
    values = json.loads(project.environment["SHOP_DATABASES"])["default"]
    if "postgresql" not in values["ENGINE"]:
        pytest.skip("no PostgreSQL on this machine")
    apply(project, WORK.replace(f"{LIMIT}s", "1h"))
    with (
        cut_off(project, values) as (of_worker, by_worker),
        cut_off(project, values) as (of_beat, by_beat),
        worker(by_worker),
        by_beat.process(*BEAT, name="b1"),
    ):
        wait_for_runs(project, 1)
        of_worker.down()
        project.wait_until("w1", "cannot be written", 1)
        count = len(begun(project))
        project.wait_for("b1", "the last run has not ended", 2)
        assert len(begun(project)) == count
        of_worker.up()
        wait_for_runs(project, 1)
        # The tick of this run is confirmed when the next one is left out.
        project.wait_for("b1", "the last run has not ended", 1)
        of_beat.down()
        project.wait_until("b1", "the database failed", 1)
        wait_until(project, lambda: ran(project)[-1]["event"] == "end")
        count = len(begun(project))
        wait_until(project, lambda: not open_runs(project))
        of_beat.up()
        wait_until(project, lambda: len(begun(project)) > count)

    check(project)


@contextlib.contextmanager
def cut_off(project: Shop, values: dict[str, Any]) -> Iterator[tuple[Proxy, Shop]]:
    """Yield a proxy before the database, and the project as a process sees it that reaches it only through this."""
    proxy, through = proxied(values)
    try:
        environment = {**project.environment, "SHOP_DATABASES": json.dumps({"default": through})}
        yield proxy, replace(project, environment=environment)
    finally:
        proxy.close()


def test_each_way_in_which_a_task_ends_closes_its_run(project: Shop) -> None:
    apply(project, "  x: {task: work, every: 1d}\n")
    with worker(project):
        failed = send(project, "fails")
        opened(project, failed)
        closed(project, failed)
        again = send(project, "retries")
        opened(project, again)
        wait_until(project, lambda: (again, False, "") in open_runs(project))
        closed(project, again)
        lost = send(project, "dies")
        opened(project, lost)
        closed(project, lost)
        late = send(project, "work", seconds=60, time_limit=1)
        opened(project, late)
        closed(project, late)
        stopped = send(project, "work", seconds=60)
        opened(project, stopped)
        app_of(project).control.revoke(stopped, terminate=True, signal="SIGKILL")
        closed(project, stopped)
        for name, options in {"work": {"expires": -1}, "gone": {}}.items():
            waiting = note_sent(project)
            send(project, name, task_id=waiting, **options)
            closed(project, waiting)

    assert open_runs(project) == []


def app_of(project: Shop) -> Celery:
    return Celery(broker=project.environment["SHOP_BROKER"], set_as_current=False)


def send(project: Shop, name: str, seconds: float | None = None, **options: Any) -> str:
    """Send a message as Beat does for a schedule with the key; returns the task's id."""
    sent = app_of(project).send_task(
        name, kwargs={} if seconds is None else {"seconds": seconds}, queue=project.environment["OVERLAP_QUEUE"],
        headers={"schedsync_overlap": "skip", "schedsync_schedule": "x"}, **options,
    )  # fmt: skip
    return str(sent.id)


def note_sent(project: Shop) -> str:
    """Add an open run that waits in its queue; returns its task's id."""
    handler, key = ConnectionHandler(json.loads(project.environment["SHOP_DATABASES"])), str(uuid.uuid4())
    try:
        with handler["default"].cursor() as cursor:
            cursor.execute(f"INSERT INTO schedsync_openrun (task_id, row_id, worker) VALUES ('{key}', 1, '')")
    finally:
        handler["default"].close()
    return key


def opened(project: Shop, key: str) -> None:
    wait_until(project, lambda: (key, True, "w1") in open_runs(project))


def closed(project: Shop, key: str) -> None:
    wait_until(project, lambda: key not in [found for found, *_ in open_runs(project)])
