"""A team moves in: rows of many hands and entries of the settings come into Git, and not one run changes."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db import connections

from tests.acceptance import typed_rows
from tests.acceptance.shop import Shop, database

HERE = Path(__file__).parent
DATABASES = ("default", "postgresql", "mariadb")
#: The columns that Beat writes whenever it runs a row.
OF_RUNS = {"last_run_at", "total_run_count", "date_changed"}
#: The entries of market/market/settings.py.
ENTRIES = {
    "archive-orders", "digest", "fetch-rates", "hourly-health", "purge-carts", "quarterly-audit", "sitemap",
    "thumbnails",
}  # fmt: skip
Tables = dict[str, list[dict[str, Any]]]


@dataclass(frozen=True)
class Market(Shop):
    """The project of market/ in a Git repository of its own, with its database."""

    alias: str = "default"
    database: str = ""

    def manage(self, *words: str) -> subprocess.CompletedProcess[str]:
        return self.python("manage.py", *words)

    def schedsync(self, *words: str) -> str:
        """Run a command that succeeds; returns what it wrote on both streams."""
        done = self.manage("schedsync", *words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout + done.stderr

    def git(self, *words: str) -> None:
        command = ["git", "-c", "user.name=Anna", "-c", "user.email=anna@example.org", *words]
        done = subprocess.run(command, cwd=self.root, env=self.environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def run_beat(self) -> None:
        """Run stock Beat until it has read the schedules and has sent what was due."""
        with self.process("beat", "--loglevel", "debug", "--pidfile="):
            self.wait_until("beat", "beat: Waking up", 2)

    def tables(self) -> Tables:
        """Return every column of every row of django-celery-beat, as the database has it."""
        connection = connections.create_connection(self.alias)
        connection.settings_dict = {**connection.settings_dict, "NAME": self.database}
        try:
            with connection.cursor() as cursor:
                tables = [
                    name
                    for name in connection.introspection.table_names(cursor)
                    if name.startswith("django_celery_beat_")
                ]
                return {name: _rows(cursor, name) for name in tables}
        finally:
            connection.close()


def _rows(cursor: Any, table: str) -> list[dict[str, Any]]:
    cursor.execute(f"SELECT * FROM {table} ORDER BY 1")
    columns = [column[0] for column in cursor.description]
    return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]


@pytest.fixture(params=DATABASES)
def market(request: pytest.FixtureRequest, tmp_path: Path, django_db_blocker: Any) -> Iterator[Market]:
    if request.param not in settings.DATABASES:
        pytest.skip(f"no {request.param} on this machine")
    shutil.copytree(HERE / "market", tmp_path / "project", ignore=shutil.ignore_patterns("__pycache__"))
    with django_db_blocker.unblock(), database(request.param, tmp_path) as values:
        environment = {name: value for name, value in os.environ.items() if not name.startswith(("SCHEDSYNC", "DJANGO"))}
        environment |= {
            "DJANGO_SETTINGS_MODULE": "market.settings", "MARKET_DATABASE": json.dumps(values),
            "PYTHONPATH": str(tmp_path / "project"), "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        made = Market(tmp_path / "project", environment, "market", request.param, str(values["NAME"]))
        (made.root / ".gitignore").write_text("*.log\n__pycache__/\n")
        assert made.manage("migrate", "--verbosity", "0").returncode == 0
        made.git("init", "--quiet", "--initial-branch", "main")
        made.git("add", "--all")
        made.git("commit", "--quiet", "--message", "Keep schedules in the admin")
        yield made


def test_show(market: Market) -> None:
    typed = market.python(str(HERE / "typed_rows.py"))
    assert typed.returncode == 0, typed.stderr
    print("refused", typed.stdout)
    market.run_beat()
    before = market.tables()
    print({k: len(v) for k, v in before.items()})
    print(market.log("beat")[-3000:])
    for r in before["django_celery_beat_periodictask"]:
        print(r)
    print(market.schedsync("import", "settings", "--out", "schedules/settings"))
    done = market.manage("schedsync", "import", "database", "--fold", "--out", "schedules")
    print(done.stdout, done.stderr)
    shutil.copytree(market.root, "/tmp/h/accept15-try", dirs_exist_ok=True)
