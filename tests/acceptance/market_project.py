"""The project in market/, outside this repository: a Git repository, a database, and a user who types commands."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.db import connections

from tests.acceptance import typed_rows
from tests.acceptance.shop import Shop, database

PROJECT = Path(__file__).parent / "market"
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


def tasks_module() -> str:
    """Return the text of a module with all tasks of the rows and of the settings."""
    entries = re.findall(r'"task": "(.*?)"', (PROJECT / "market" / "settings.py").read_text())
    tasks = sorted({*typed_rows.tasks(), *entries})
    functions = (
        f"@shared_task(name={name!r})\ndef {name.replace('.', '_')}(*args, **kwargs):\n    pass\n" for name in tasks
    )
    return "from celery import shared_task\n\n\n" + "\n\n".join(functions)


@contextlib.contextmanager
def market_project(alias: str, directory: Path) -> Iterator[Market]:
    """Make the project, with an empty database on one of the servers."""
    root = directory / "project"
    shutil.copytree(PROJECT, root, ignore=shutil.ignore_patterns("__pycache__"))
    (root / "market" / "tasks.py").write_text(tasks_module())
    (root / ".gitignore").write_text("*.log\n__pycache__/\n")
    with database(alias, directory) as values:
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("SCHEDSYNC", "DJANGO"))}
        environment |= {
            "DJANGO_SETTINGS_MODULE": "market.settings", "MARKET_DATABASE": json.dumps(values),
            "PYTHONPATH": str(root), "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        made = Market(root, environment, "market", alias, str(values["NAME"]))
        migrated = made.manage("migrate", "--verbosity", "0")
        assert migrated.returncode == 0, migrated.stderr
        made.git("init", "--quiet", "--initial-branch", "main")
        made.git("add", "--all")
        made.git("commit", "--quiet", "--message", "Keep schedules in the admin")
        yield made
