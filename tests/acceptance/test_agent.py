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
from tests.forges.git_host import GitHubHost
from tests.forges.servers import REPOSITORY
from tests.git.remotes import Origin
from tests.monitors.servers import CANARY, serving

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
        made.environment["SHOP_RESULTS"] = settings.BROKERS["redis"]
        yield made


@pytest.fixture
def github(running: Shop, tmp_path: Path) -> Iterator[GitHubHost]:
    """A forge with the repository, and an agent's token for it."""
    host = GitHubHost(root=tmp_path)
    with serving(host):
        running.environment.update(SCHEDSYNC_GITHUB_URL=host.url, SCHEDSYNC_GITHUB_TOKEN=CANARY)
        yield host


def test_a_push_reaches_the_worker_an_edit_is_seen_and_a_bad_push_is_told_and_undone(
    running: Shop, github: GitHubHost, tmp_path: Path
) -> None:
    origin = Origin(tmp_path / f"{REPOSITORY}.git")
    push(origin, SCHEDULES)
    with contextlib.ExitStack() as stack:
        stack.enter_context(running.process("worker", "--pool", "solo", "--loglevel", "warning"))
        for name in ("one", "two"):
            stack.enter_context(running.process("beat", "--pidfile=", name=name))
        with running.agent(f"{github.url}/{REPOSITORY}.git"):
            running.wait_until("worker", "first report", 1)

            pushed_at = time.monotonic()
            push(origin, SCHEDULES.replace("first", "second"))
            running.wait_until("worker", "second report", 1)
            print(f"the first changed run came {time.monotonic() - pushed_at:.1f} s after the push")

            edited = running.python(str(EXAMPLE / "edit_in_admin.py"), "report", "queue", "sams")
            assert edited.returncode == 0, edited.stderr
            running.wait_until("agent", "edited by others, and left so: report", 1)

            broken = push(origin, SCHEDULES.replace("every: 1s, kwargs", "every: 1 parsec, kwargs"))
            running.wait_until("agent", f"commit {broken[:12]} is not applied", 1)
            assert re.search(r"; schedules/shop\.yaml:4:\d+: SS123 ", running.log("agent"))
            assert told(github, broken, "failure").startswith("schedules/shop.yaml:4:")
            running.wait_for("worker", "invoices of default", 2)

        seen = running.log("worker").count("second report")
        with running.agent(f"{github.url}/{REPOSITORY}.git", "--heal", name="healer"):
            running.wait_until("healer", "undone edits by others: report", 1)
            # The edit had moved it to a queue that this worker does not read.
            running.wait_until("worker", "second report", seen + 1)

        raising = SCHEDULES + "  refunds: {task: shop.tasks.refunds, every: 1s}\n"
        rollback = '[rollout]\nwatch = "5m"\non_failure = "rollback"\n'
        with running.agent(f"{github.url}/{REPOSITORY}.git", name="undoer"):
            failing = push(origin, raising, rollback)
            why = "first run failed: refunds: ValueError: no refund today"
            running.wait_until("undoer", f"commit {failing[:12]}: {why}; rolled back", 1)
            assert told(github, failing, "failure").endswith("; First runs: failed; rolled back")
    ticks = re.findall(r"invoices of default, for (\S+)", running.log("worker"))

    assert len(set(ticks)) == len(ticks)
    assert running.log("undoer").count(why) == 1
    assert "refunds" not in running.run("list").stdout


def told(github: GitHubHost, commit: str, state: str) -> str:
    """Wait until the last status of a commit is in a state; returns its description."""
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if (found := github.states(commit)) and found[0][0] == state:
            return found[0][1]
        time.sleep(0.1)
    raise AssertionError(github.statuses)


def push(origin: Origin, text: str, configuration: str = "") -> str:
    """Push the schedules; returns the commit's id."""
    return origin.commit({"schedules/shop.yaml": text, "schedsync.toml": configuration})
