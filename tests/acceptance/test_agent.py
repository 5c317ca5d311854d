"""From a push to a run, with real processes: a bare repository, an agent, two Beats and a worker."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from tests.acceptance.shop import EXAMPLE, Shop, shop
from tests.git.remotes import Origin

SCHEDULES = """version: 1
schedules:
  invoices: {task: shop.tasks.invoices, every: 1s, missed_runs: all}
  report: {task: shop.tasks.report, every: 1s, kwargs: {kind: first}}
"""


@pytest.fixture
def running(tmp_path: Path, django_db_blocker: Any) -> Iterator[Shop]:
    if "postgresql" not in settings.DATABASES or "redis" not in settings.BROKERS:
        pytest.skip("no PostgreSQL or no Redis on this machine")
    with django_db_blocker.unblock(), shop("postgresql", settings.BROKERS["redis"], tmp_path) as made:
        yield made


def test_a_push_reaches_the_worker_an_edit_is_seen_and_a_broken_push_changes_nothing(
    running: Shop, tmp_path: Path
) -> None:
    origin = Origin(tmp_path / "origin.git")
    push(origin, SCHEDULES)
    with contextlib.ExitStack() as stack:
        stack.enter_context(running.process("worker", "--pool", "solo", "--loglevel", "warning"))
        for name in ("one", "two"):
            stack.enter_context(running.process("beat", "--pidfile=", name=name))
        with running.agent(origin.root):
            running.wait_until("worker", "first report", 1)

            pushed_at = time.monotonic()
            push(origin, SCHEDULES.replace("first", "second"))
            running.wait_until("worker", "second report", 1)
            print(f"the first changed run came {time.monotonic() - pushed_at:.1f} s after the push")

            edited = running.python(str(EXAMPLE / "edit_in_admin.py"), "report", "queue", "sams")
            assert edited.returncode == 0, edited.stderr
            running.wait_until("agent", "edited by others, and left so: report", 1)

            broken = push(origin, SCHEDULES.replace("every: 1s, kwargs", "every: 1 parsec, kwargs"))
            running.wait_until("agent", f"commit {broken} is not applied", 1)
            assert re.search(r"; schedules/shop\.yaml:4:\d+: SS123 ", running.log("agent"))
            running.wait_for("worker", "invoices of default", 2)

        seen = running.log("worker").count("second report")
        with running.agent(origin.root, "--heal", name="healer"):
            running.wait_until("healer", "undone edits by others: report", 1)
            # The edit had moved it to a queue that this worker does not read.
            running.wait_until("worker", "second report", seen + 1)
    ticks = re.findall(r"invoices of default, for (\S+)", running.log("worker"))

    assert len(set(ticks)) == len(ticks)


def push(origin: Origin, text: str) -> str:
    """Push the schedules; returns the beginning of the commit's id, as logs have it."""
    return origin.commit({"schedules/shop.yaml": text})[:12]
