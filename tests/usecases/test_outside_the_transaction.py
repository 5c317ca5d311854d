"""Git and settings may be slow to read: no transaction is open meanwhile, and a set that moved is compared again."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from threading import Event
from typing import Any

import git
import pytest
from django.db import connections
from django_celery_beat.models import PeriodicTask

from schedsync.models import SyncRun
from tests.conftest import Project

SLOW = "sleep 1"
#: Tells the test that Git is asked for the ancestry, and waits until the test goes on.
HAND_OVER = """case "$*" in *merge-base*)
  touch {asked}; tries=0
  while [ -e {asked} ] && [ $tries -lt 600 ]; do sleep 0.05; tries=$((tries + 1)); done
esac"""


@pytest.fixture
def commit(project: Project) -> Callable[[str], str]:
    """A work tree of Git around the schedules; commits one schedule with an interval."""
    repository = git.Repo.init(project.root)
    with repository.config_writer() as config:
        config.set_value("user", "name", "t").set_value("user", "email", "t@example.org")

    def write_and_commit(every: str) -> str:
        project.schedules(f"  one: {{task: t, every: {every}}}\n")
        repository.git.add("schedules")
        return repository.index.commit(every).hexsha

    return write_and_commit


@pytest.fixture
def wrapped_git(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Put a script first on PATH that notes its arguments, does something, and then runs the real Git."""
    real, directory = shutil.which("git"), tmp_path_factory.mktemp("bin")
    log, script = directory / "calls", directory / "git"

    def wrap(before: str) -> Path:
        script.write_text(
            f'#!/bin/sh\necho "$@" >> {log}\n{before.format(asked=directory / "asked")}\nexec {real} "$@"\n'
        )
        script.chmod(0o755)
        monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
        return log

    return wrap


def ancestries(log: Path) -> list[tuple[str, str]]:
    """Return the commits of each question for an ancestry."""
    calls = [line.split() for line in log.read_text().splitlines() if "merge-base" in line]
    return [(words[-2], words[-1]) for words in calls]


@pytest.mark.one_database("postgresql")
def test_no_transaction_is_idle_while_git_answers(
    project: Project, commit: Callable[[str], str], wrapped_git: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    # The test uses a limit of PostgreSQL.
    connection = connections[project.using]
    limit = {"options": "-c idle_in_transaction_session_timeout=700"}
    monkeypatch.setitem(connection.settings_dict, "OPTIONS", connection.settings_dict["OPTIONS"] | limit)
    connection.close()
    old = commit("1m")
    assert project.apply().code == 0
    new = commit("2m")
    log = wrapped_git(SLOW)
    planned, applied = project.plan("--exit-code"), project.apply()

    with connection.cursor() as cursor:
        cursor.execute("SHOW idle_in_transaction_session_timeout")
        assert cursor.fetchone() == ("700ms",)
    assert (planned.code, applied.code) == (2, 0), planned.err + applied.err
    assert ancestries(log) == [(old, new)] * 2
    assert PeriodicTask.objects.using(project.using).get().interval.every == 2


@contextmanager
def applied_meanwhile(using: str, asked: Path, commits: list[str]) -> Iterator[None]:
    """Record an apply of another commit in the audit record, each time that Git is asked; the last one once only."""
    done, left = Event(), list(commits)

    def watch() -> None:
        while not done.is_set():
            if asked.exists():
                if left:
                    SyncRun.objects.using(using).create(
                        verb="apply", set="default", path="schedules", commit=left.pop(0), at=datetime.now(timezone.utc)
                    )
                asked.unlink()
            time.sleep(0.01)
        connections[using].close()

    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(watch)
        try:
            yield
        finally:
            done.set()
            watching.result()


def test_git_is_asked_again_where_the_set_is_applied_meanwhile(
    project: Project, commit: Callable[[str], str], wrapped_git: Callable[[str], Path]
) -> None:
    first = commit("1m")
    assert project.apply().code == 0
    second, third = commit("2m"), commit("3m")
    log = wrapped_git(HAND_OVER)
    with applied_meanwhile(project.using, log.with_name("asked"), [second]):
        planned = project.plan("--exit-code")

    assert planned.code == 2, planned.err
    assert ancestries(log) == [(first, third), (second, third)]


def test_a_set_that_is_applied_again_and_again_is_not_waited_for(
    project: Project, commit: Callable[[str], str], wrapped_git: Callable[[str], Path]
) -> None:
    first = commit("1m")
    assert project.apply().code == 0
    second, third = commit("2m"), commit("3m")
    log = wrapped_git(HAND_OVER)
    with applied_meanwhile(project.using, log.with_name("asked"), [second, first] * 9):
        planned = project.plan("--exit-code")

    assert (planned.code, "the plan is stale" in planned.err) == (4, True)
    assert ancestries(log) == [(first, third), (second, third), (first, third)]


class WatchedSettings(dict[str, object]):
    """Settings that note, each time that they are read, whether a transaction is open."""

    def __init__(self, using: str) -> None:
        super().__init__(other={"task": "t", "schedule": 5})
        self.using, self.reads = using, list[bool]()

    def __iter__(self) -> Iterator[str]:
        self.reads.append(connections[self.using].in_atomic_block)
        return super().__iter__()


def test_no_transaction_is_open_while_the_settings_are_read(project: Project, settings: Any) -> None:
    project.schedules("  one: {task: t, every: 1m}\n")
    settings.CELERY_BEAT_SCHEDULE = watched = WatchedSettings(project.using)
    applied = project.apply()

    assert applied.code == 0, applied.err
    assert watched.reads
    assert not any(watched.reads)
