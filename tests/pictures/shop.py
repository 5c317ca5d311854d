"""The project of the pictures: the example shop with the schedules of this repository, at a fixed instant.

The commands are the real ones, on a real database. Only Python's clock and the dates of the commits are set, so that
the same output has the same instants on each day.
"""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from tests.guides.project import in_terminal

ROOT = Path(__file__).parents[2]
PICTURES = ROOT / "docs/images"
NOW = "2026-11-27T10:00+00:00"
COLUMNS = 100

#: The rows as Beat leaves them.
LAST_RUNS = """
from datetime import datetime, timezone

from django_celery_beat.models import PeriodicTask

PeriodicTask.objects.update(last_run_at=datetime(2026, 11, 27, 9, 58, tzinfo=timezone.utc))
PeriodicTask.objects.filter(name="nightly-report").update(
    last_run_at=datetime(2026, 11, 27, 1, 30, tzinfo=timezone.utc)
)
"""

#: A stop, a slip that makes a report of the month a daily one, an hour that moves, and a new schedule: file, text, and
#: what takes its place.
CHANGES = (
    ("shop.yaml", "    solar:", "    enabled: false\n    disabled_reason: closed for works\n    solar:"),
    ("finance/reports.yaml", ", day_of_month: 1}", "}"),
    ("finance/reports.yaml", '"30 2 * * mon-fri"', '"30 3 * * mon-fri"'),
    (
        "finance/reports.yaml",
        "  monthly-report:",
        '  weekly-report:\n    <<: *finance\n    task: shop.tasks.report\n    crontab: "0 6 * * mon"\n'
        "    kwargs: {kind: weekly}\n  monthly-report:",
    ),
)
MISTAKES = (
    ("shop.yaml", "    every:", "    evry:"),
    ("shop.yaml", "expires_after: 10m", "expires_after: 20m"),
    ("finance/reports.yaml", '"30 3 * * mon-fri"', '"30 25 * * mon-fri"'),
    ("finance/reports.yaml", "  timezone: Europe/Berlin", "  timezone: Europe/Berlim"),
)


class Shop:
    """The project in a directory of its own; its schedules are applied."""

    def __init__(self, base: Path) -> None:
        self.root = base / "shop"
        self._home = base / "home"
        self._home.mkdir()
        shutil.copytree(ROOT / "examples/shop", self.root, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copytree(ROOT / "schedules", self.root / "schedules")
        shutil.copy(ROOT / "schedsync.toml", self.root)
        self.done("git init --quiet --initial-branch main")
        self.commit("Begin")
        self.manage("migrate --verbosity 0")
        self.manage("schedsync apply --yes --settle 0")
        (base / "code.py").write_text(LAST_RUNS)
        self.manage("shell --verbosity 0 < ../code.py")

    def edit(self, changes: tuple[tuple[str, str, str], ...]) -> None:
        """Change the files of the schedules."""
        for name, before, after in changes:
            file = self.root / "schedules" / name
            text = file.read_text()
            assert text.count(before) == 1, (name, before)
            file.write_text(text.replace(before, after))

    def commit(self, message: str) -> None:
        """Commit all files."""
        self.done(f"git add --all && git commit --quiet --message '{message}'")

    def manage(self, words: str) -> None:
        """Run a command of the project that has to succeed."""
        self.done(_at_now(f"python manage.py {words}"))

    def done(self, command: str) -> None:
        """Run a command of the shell that has to succeed."""
        code, output = in_terminal(["bash", "-c", command], self.root, self._environment)
        assert code == 0, output

    def shows(self, command: str) -> str:
        """Return what a terminal shows after a command: the command, and its output with colours."""
        # A busy machine would show a line of progress on stderr if that were a terminal.
        without_progress = f"{_at_now(command)} 2>../stderr; cat ../stderr"
        _, output = in_terminal(["bash", "-c", without_progress], self.root, self._environment)
        return f"$ {command}\n{output}"

    @property
    def _environment(self) -> dict[str, str]:
        who = {"NAME": "Kim", "EMAIL": "kim@example.org", "DATE": NOW}
        return {
            "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "HOME": str(self._home),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "COLUMNS": str(COLUMNS),
            "GIT_CONFIG_NOSYSTEM": "1",
            "SHOP_DATA": str(self.root.parent / "data"),
            **{f"GIT_{role}_{key}": value for role in ("AUTHOR", "COMMITTER") for key, value in who.items()},
        }


def _at_now(command: str) -> str:
    return command.replace("python ", f"python -m tests.pictures.clock {NOW} ", 1)


def pictures(base: Path) -> dict[str, str]:
    """Return what the terminal shows in each picture, by the name of its file."""
    shop = Shop(base)
    shop.edit(CHANGES)
    shop.commit("Report each week")
    shown = {
        "plan": shop.shows("python manage.py schedsync plan"),
        "forecast": shop.shows("python manage.py schedsync forecast"),
        "timeline": shop.shows("python manage.py schedsync forecast --timeline"),
    }
    shop.edit(MISTAKES)
    return {**shown, "validate": shop.shows("python manage.py schedsync validate")}
