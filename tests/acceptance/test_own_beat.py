"""Our own Beat with real brokers and workers: two of them, a task that runs once per tick, and why it ran."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.acceptance.shop import Shop, shop

SCHEDULES = """
version: 1
schedules:
  invoices: {task: shop.tasks.invoices, every: 1s, missed_runs: all}
  nightly: {task: shop.tasks.report, crontab: "30 2 * * *", kwargs: {kind: nightly}}
"""
BROKEN = "  broken: {task: failing.fail, every: 1s}\n"
FAILING = """
from celery import shared_task

@shared_task
def fail():
    raise ValueError("the shop is closed")
"""
ROLLOUT = '[rollout]\nwatch = "2m"\non_failure = "rollback"\n'
#: The workers keep results in files, which `apply --watch` reads.
RESULTS = """
from shop.settings import *

CELERY_RESULT_BACKEND = "file://{root}/results"
CELERY_TASK_IGNORE_RESULT = False
CELERY_IMPORTS = ["failing"]
"""
PLACES = [("postgresql", "redis"), ("mariadb", "rabbitmq")]


@pytest.fixture(params=PLACES, ids=lambda place: "-".join(place))
def running(request: pytest.FixtureRequest, tmp_path: Path, django_db_blocker: Any) -> Iterator[Shop]:
    alias, kind = request.param
    broker = settings.BROKERS.get(kind)
    if alias not in settings.DATABASES or broker is None:
        pytest.skip(f"no {alias} or no {kind} on this machine")
    with django_db_blocker.unblock(), shop(alias, broker, tmp_path) as made:
        yield made


def ticks(running: Shop) -> list[str]:
    return re.findall(r"invoices of default, for (\S+)", running.log("worker"))


def status(running: Shop) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(running.run("status", "--format", "json").stdout)
    return found


def watches_first_runs(running: Shop) -> None:
    """A first run that raises an error takes its apply back, and is reported once."""
    running.write(ROLLOUT, "schedsync.toml")
    running.write(SCHEDULES.replace("1s,", "2s,") + BROKEN)
    words = ("apply", "--yes", "--settle", "0", "--watch", "--format", "json")
    first, again = running.run(*words), running.run(*words)
    assert (first.returncode, again.returncode) == (6, 0), first.stdout + first.stderr + again.stdout + again.stderr
    found = json.loads(first.stdout)["first_runs"]
    error = next(run["words"] for run in found["runs"] if run["name"] == "broken")
    assert error == "ValueError: the shop is closed"
    assert (found["rollout"]["state"], "first_runs" in json.loads(again.stdout)) == ("rolled_back", False)
    names = json.loads(running.run("list", "--format", "json").stdout)["schedules"]
    assert [each["name"] for each in names] == ["invoices", "nightly"]
    running.write(SCHEDULES.replace("1s,", "3s,"))
    good = running.run(*words)
    assert (good.returncode, json.loads(good.stdout)["first_runs"]["counts"]) == (0, {"good": 1}), good.stderr


def test_two_beats_and_a_worker(running: Shop) -> None:
    running.write(RESULTS.format(root=running.root), "with_results.py")
    running.write(FAILING, "failing.py")
    (running.root / "results").mkdir()
    running.environment["DJANGO_SETTINGS_MODULE"] = "with_results"
    running.write(SCHEDULES)
    with contextlib.ExitStack() as stack:
        stack.enter_context(running.process("worker", "--pool", "solo", "--loglevel", "warning"))
        beats = {}
        for name in ("one", "two"):
            process = stack.enter_context(running.process("beat", "--pidfile=", name=name))
            beats[process.pid] = process
        until = time.monotonic() + 120
        while len(status(running)["beats"]) < 2 and time.monotonic() < until:
            time.sleep(0.2)
        applied = running.run("apply", "--yes", "--wait", "--format", "json")
        assert applied.returncode == 0, applied.stderr
        verification = json.loads(applied.stdout)["verification"]
        assert (len(verification["loaded"]), verification["behind"]) == (2, [])
        running.wait_for("worker", "invoices of default", 3, seconds=120)

        said = status(running)
        leader = next(beat for beat in said["beats"] if beat["leads"])
        assert [beat["loaded"] for beat in said["beats"]] == [said["number"]] * 2
        beats.pop(int(leader["name"].rpartition(":")[2])).send_signal(signal.SIGKILL)
        running.wait_for("worker", "invoices of default", 10, seconds=120)
        assert next(beat["name"] for beat in status(running)["beats"] if beat["leads"]) != leader["name"]

        paused = running.run("pause", "invoices", "--for", "4s", "--reason", "loud", "--settle", "0")
        assert paused.returncode == 0, paused.stderr
        # The pause ends by itself; what was in the queue before is no proof of that.
        until = time.monotonic() + 120
        while "paused no longer: invoices" not in running.log("one") + running.log("two"):
            assert time.monotonic() < until, running.log("one") + running.log("two")
            time.sleep(0.2)
        running.wait_for("worker", "invoices of default", 3, seconds=120)
        assert running.run("drift").returncode == 0
        found = ticks(running)
        if running.environment["SHOP_BROKER"].startswith("redis"):
            watches_first_runs(running)

    assert len(set(found)) == len(found)


@pytest.mark.parametrize("running", PLACES[:1], indirect=True, ids=["-".join(PLACES[0])])
def test_nobody_to_wait_for(running: Shop) -> None:
    running.write(SCHEDULES)
    done = running.run("apply", "--yes", "--wait", "--timeout", "1s", "--settle", "0", "--format", "json")

    assert done.returncode == 6
    assert json.loads(done.stdout)["failure_reason"] == "not_loaded"
    again = running.run("apply", "--yes", "--wait", "--timeout", "1s")
    assert (again.returncode, "no Beat of schedsync's own is running" in again.stderr) == (6, True)
    said = running.run("status")
    assert (said.returncode, said.stdout.startswith("UNKNOWN  no Beat of schedsync's own is running")) == (0, True)
