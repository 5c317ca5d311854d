from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
import time_machine
from django.apps import apps
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.db import connections
from django.test.utils import setup_databases, teardown_databases
from django_celery_beat.models import PeriodicTask, PeriodicTasks

from schedsync.cli import run
from schedsync.database.schedule_rows import TIMING_MODELS
from schedsync.models import ApplyLock
from tests import router
from tests.beat import beats

DATABASES = ("default", "postgresql", "mariadb")
#: Whether each test that is about any database runs on all of them: it takes a third longer.
ALL_DATABASES = os.environ.get("SCHEDSYNC_ALL_DATABASES") == "1"
#: What is tested here differs from server to server; elsewhere SQLite and one of the servers are enough.
OF_TABLES = (
    "tests/database/", "tests/cases/", "tests/faults/",
    *(f"tests/beat/test_{name}" for name in (
        "claim", "failed_runs", "promises", "rows", "sending", "session_locks", "standing_by",
    )),
)  # fmt: skip
NOW = datetime(2026, 11, 23, 10, 0, tzinfo=timezone.utc)


def pytest_configure(config: pytest.Config) -> None:
    os.environ.pop("SCHEDSYNC_ENVIRONMENT", None)
    os.environ.pop("SCHEDSYNC_COMMIT", None)
    # What `history` would record of the job that runs these tests.
    for name in ("SCHEDSYNC_ACTOR", "SCHEDSYNC_PULL_REQUEST", "GITHUB_REF"):
        os.environ.pop(name, None)
    os.environ.pop("NO_COLOR", None)


def _databases_of(metafunc: pytest.Metafunc) -> tuple[str, ...]:
    """Return where a test runs that is about any database: in the rooms of the tables everywhere, else on two."""
    nodeid = metafunc.definition.nodeid
    if ALL_DATABASES or nodeid.startswith(OF_TABLES):
        return DATABASES
    # The same one each time, so that a failure is found again.
    server = DATABASES[1:][zlib.crc32(nodeid.encode()) % 2]
    return (DATABASES[0], server)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "using" in metafunc.fixturenames:
        marker = metafunc.definition.get_closest_marker("one_database")
        aliases = _databases_of(metafunc) if marker is None else marker.args or DATABASES[:1]
        metafunc.parametrize("using", aliases, indirect=True)


@pytest.fixture(scope="session")
def test_databases(django_test_environment: None, django_db_blocker: Any) -> Iterator[None]:
    """All databases, migrated once."""
    with django_db_blocker.unblock():
        made = setup_databases(verbosity=0, interactive=False)
        yield
        _end_other_sessions()
        teardown_databases(made, verbosity=0)


def _end_other_sessions() -> None:
    """End what a thread of a test has left open: PostgreSQL drops no database that somebody uses."""
    for alias in settings.DATABASES:
        connection = connections[alias]
        if connection.vendor == "postgresql":
            connection.close()
            with connection.cursor() as cursor:
                cursor.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )


@pytest.fixture
def using(request: pytest.FixtureRequest, test_databases: None, django_db_blocker: Any) -> Iterator[str]:
    """The database that a test is about: each of the three in its turn, with real commits, emptied afterwards."""
    alias = request.param
    if alias not in settings.DATABASES:
        pytest.skip(f"no {alias} on this machine")
    router.current = alias
    with django_db_blocker.unblock():
        yield alias
        empty(alias)
    router.current = "default"


def empty(alias: str) -> None:
    """Delete every row that a test can have left."""
    connections[alias].close()
    ours = [model for model in apps.get_app_config("schedsync").get_models() if model is not ApplyLock]
    for model in (LogEntry, PeriodicTask, *TIMING_MODELS.values(), PeriodicTasks, *ours):
        model._default_manager.using(alias).all()._raw_delete(alias)
    get_user_model()._default_manager.using(alias).all().delete()
    Session.objects.using(alias).all().delete()


@dataclass(frozen=True)
class Done:
    """What a command line did: its exit code, what it wrote on stdout, and on stderr."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Project:
    """A directory of schedules, and the command line that works on it."""

    root: Path
    command: Callable[..., Done]
    using: str = "default"

    def write(self, text: str, name: str = "schedules/shop.yaml") -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def schedules(self, schedules: str, name: str = "schedules/shop.yaml") -> Path:
        return self.write(f"version: 1\nschedules:\n{schedules}", name)

    def validate(self, *words: str) -> Done:
        return self.command("validate", "schedules", *words)

    def plan(self, *words: str) -> Done:
        return self.command("plan", "schedules", "--database", self.using, *words)

    def apply(self, *words: str) -> Done:
        return self.command("apply", "schedules", "--database", self.using, "--yes", "--settle", "0", *words)

    def drift(self, *words: str) -> Done:
        return self.command("drift", "schedules", "--database", self.using, *words)


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Callable[..., Done]:
    """The command line, run in this process as the console script runs it."""

    def call(*words: str) -> Done:
        capsys.readouterr()
        code = run(words)
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return call


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: Callable[..., Done]) -> Project:
    """A directory of schedules for what needs no database."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "schedules").mkdir()
    return Project(tmp_path, command)


@pytest.fixture
def project(using: str, files: Project) -> Project:
    """A directory of schedules, and a database."""
    return Project(files.root, files.command, using)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A frozen clock, at a Monday morning in winter; for Beat it is the database's clock too."""
    monkeypatch.setattr("schedsync.beat.clock_check.database_time", lambda _using: datetime.now(timezone.utc))
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller
    beats.close_all()


@pytest.fixture
def missing() -> Mapping[str, str]:
    found: Mapping[str, str] = settings.MISSING
    return found
