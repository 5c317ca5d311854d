"""``import settings`` in a project of its own: the files, the patch, and the rows that Beat has written."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import git
import pytest

from tests.conftest import Done, Project
from tests.usecases import beat_settings
from tests.usecases.init_project import MANAGE

SETTINGS = """\
from datetime import timedelta

from celery.schedules import crontab

import shop

SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = ["django_celery_beat", "schedsync"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CELERY_TIMEZONE = "Europe/Berlin"
CELERY_BEAT_SCHEDULE = {
    # Reports
    "nightly": {
        "task": "shop.report",
        "schedule": crontab(minute=0, hour=2),
        "args": (1,),
        "options": {"queue": "reports", "expires": 240},  # seconds
    },
    "often": {"task": "shop.poll", "schedule": timedelta(seconds=30)},
}
CELERY_BEAT_SCHEDULE["hourly"] = {"task": "shop.poll", "schedule": 3600.0}
"""
APP = """\
from celery import Celery
from celery.schedules import crontab

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")


@app.task(name="shop.week")
def week():
    pass


@app.on_after_finalize.connect
def add(sender, **kwargs):
    sender.add_periodic_task(crontab(minute=0, hour=5, day_of_week=0), week.s(), name="sunday")
"""
PATCHED = SETTINGS.replace(SETTINGS[SETTINGS.index('    "nightly"') : SETTINGS.index("}\nCELERY_BEAT_SCHEDULE[")], "")


def run(project: Project, *words: str) -> Done:
    environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True, text=True, check=False, cwd=project.root,
        env={**environment, "DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def schedsync(project: Project, *words: str) -> Done:
    return run(project, "-m", "schedsync", *words)


def imported(project: Project, *words: str) -> Done:
    return schedsync(project, "import", "settings", *words)


def compared(project: Project) -> Done:
    return schedsync(project, "forecast", "schedules", "--compare", "settings", "--from", "2026-11-23T10:00:00Z")


@pytest.fixture
def shop(files: Project) -> Iterator[Project]:
    """A repository with a project whose schedules are in the settings, in an assignment, and in its app."""
    files.write(SETTINGS, "settings.py")
    files.write("from shop.app import app\n", "shop/__init__.py")
    files.write(APP, "shop/app.py")
    (files.root / "schedules").rmdir()
    with git.Repo.init(files.root, initial_branch="main"):
        yield files


def test_settings_become_files_and_a_patch(shop: Project) -> None:
    done = imported(shop, "--no-database", "--out", "schedules")

    assert (done.code, done.out) == (0, "")
    assert done.err == (
        f"took 4 of 4 entries of CELERY_BEAT_SCHEDULE: {Path('schedules/schedules.yaml')} (4)\n"
        "wrote schedsync-settings.patch, which deletes 2 entries from settings.py (2)\n"
        "to delete by hand, or an apply is refused:\n"
        "  `hourly`: settings.py:23 (an assignment)\n"
        "  `sunday`: shop/app.py:15 (`add_periodic_task`)\n"
        "next:\n"
        "  schedsync forecast schedules --compare settings\n"
        "  git apply schedsync-settings.patch && rm schedsync-settings.patch\n"
        "  schedsync plan schedules\n"
    )
    assert (shop.root / "schedules/schedules.yaml").read_text() == (
        """\
version: 1

defaults:
  # Takes over the rows that exist. Remove this line once it is applied.
  adopt: true
  timezone: Europe/Berlin

schedules:
  hourly:
    task: shop.poll
    every: 1h

  nightly:
    task: shop.report
    crontab: "0 2 * * *"
    args: [1]
    queue: reports
    expires_after: 4m

  often:
    task: shop.poll
    every: 30s

  sunday:
    task: shop.week
    crontab: "0 5 * * sun"
"""
    )
    same = compared(shop)
    assert (same.code, same.out.splitlines()[0]) == (0, "Compared 30 days: 87,152 runs, none differs.")

    subprocess.run(["git", "apply", "schedsync-settings.patch"], cwd=shop.root, check=True)
    assert (shop.root / "settings.py").read_text() == PATCHED
    assert "    # Reports\n}\n" in PATCHED
    (shop.root / "schedsync-settings.patch").unlink()
    again = imported(shop, "--no-database")
    assert "took 2 of 2 entries" in again.err
    assert not (shop.root / "schedsync-settings.patch").exists()


def test_a_patch_that_exists_is_never_touched(shop: Project) -> None:
    first = imported(shop, "--no-database", "nightly")
    again = imported(shop, "--no-database", "nightly")
    other = imported(shop, "--no-database", "often", "--out", "schedules")

    assert (first.code, again.code) == (0, 0)
    assert first.err.splitlines()[-4:] == [
        "next: save it below schedules/, then:",
        "  schedsync forecast nightly --compare settings",
        "  git apply schedsync-settings.patch && rm schedsync-settings.patch",
        "  schedsync plan",
    ]
    assert (other.code, other.err) == (
        64,
        "error: `schedsync-settings.patch` exists already\n"
        "  hint: give another name to `--patch`, or move the file away; nothing was written\n",
    )
    assert not (shop.root / "schedules").exists()
    named = imported(shop, "--no-database", "often", "--out", "schedules", "--patch", "patches/often.patch")
    assert (named.code, "\n  git apply patches/often.patch && rm patches/often.patch\n" in named.err) == (0, True)


@pytest.mark.parametrize("out", ["schedules", "./x/../schedules", "."])
def test_a_patch_is_no_file_of_the_import(shop: Project, out: str) -> None:
    patch = f"{Path(out).name}/schedules.yaml".lstrip("/")
    done = imported(shop, "--no-database", "--out", out, "--patch", patch)

    assert (done.code, done.err) == (
        64, f"error: `{Path(patch)}` is also a file of `--out`\n  hint: give it another name; nothing was written\n",
    )  # fmt: skip
    assert not (shop.root / patch).exists()


def test_a_patch_is_for_the_root_of_the_repository(shop: Project) -> None:
    (shop.root / "backend").mkdir()
    for name in ("settings.py", "shop"):
        (shop.root / name).rename(shop.root / "backend" / name)
    inner = Project(shop.root / "backend", shop.command)
    done = imported(inner, "--no-database", "--out", "schedules")

    assert "from backend/settings.py (2)" in done.err
    subprocess.run(["git", "apply", "schedsync-settings.patch"], cwd=inner.root, check=True)
    assert (inner.root / "settings.py").read_text() == PATCHED


def test_a_patch_for_a_file_outside_the_working_directory_says_how_to_apply_it(shop: Project) -> None:
    (shop.root / "ops").mkdir()
    inner = Project(shop.root / "ops", shop.command)
    done = imported(inner, "--no-database", "--pythonpath", "..", "--out", "schedules")

    command = done.err.splitlines()[-2].strip()
    assert command.split()[:3] == ["git", "-C", str(shop.root)]
    subprocess.run(command, shell=True, check=True, cwd=inner.root)
    assert (shop.root / "settings.py").read_text() == PATCHED
    assert not (inner.root / "schedsync-settings.patch").exists()


def test_the_next_steps_can_be_copied(shop: Project) -> None:
    shop.write(MANAGE, "manage.py")
    words = ("import", "settings", "--no-database", "--settings", "settings", "--out", "my files")
    done = run(shop, "manage.py", "schedsync", *words, "--patch", "my.patch")
    steps = [line.strip() for line in done.err.split("next:\n")[1].splitlines()]

    assert steps == [
        "python manage.py schedsync --settings settings forecast 'my files' --compare settings",
        "git apply my.patch && rm my.patch",
        "python manage.py schedsync --settings settings plan 'my files'",
    ]
    results = [run(shop, *shlex.split(steps[0])[1:]), run(shop, "-c", f"import os; os.system({steps[1]!r})")]
    assert [result.code for result in results] == [0, 0], results
    assert (shop.root / "settings.py").read_text() == PATCHED


def test_an_entry_in_two_dictionaries_is_named_with_both_places(shop: Project) -> None:
    text = 'DEV = {"beat_schedule": {"often": {"task": "shop.poll", "schedule": 5}}}\n'
    shop.write(SETTINGS + text, "settings.py")
    done = imported(shop, "--no-database")

    assert "deletes 1 entry from settings.py (1)\n" in done.err
    assert "  `often`: settings.py:21, settings.py:24\n" in done.err


def test_an_entry_that_cannot_be_cut_out_hides_no_other(shop: Project) -> None:
    entries = '"often": {"task": "shop.poll", "schedule": 30}, "x": lambda a, b: a, "nightly": {"task": "shop.report"}'
    text = f"JOBS = {{'beat_schedule': {{{entries}}}}}\n"
    start, end = SETTINGS.index("CELERY_BEAT_SCHEDULE"), SETTINGS.index("CELERY_BEAT_SCHEDULE[")
    take = "CELERY_BEAT_SCHEDULE = {k: {'schedule': 30, **v} for k, v in JOBS['beat_schedule'].items() if k != 'x'}\n"
    shop.write(SETTINGS[:start] + text + take + SETTINGS[end:], "settings.py")
    done = imported(shop, "--no-database")

    assert "took 4 of 4 entries" in done.err
    assert "deletes 1 entry from settings.py (1)\n" in done.err
    assert "  `nightly`: settings.py:13\n" in done.err


def test_files_that_the_settings_read_and_run_are_patched_too(shop: Project) -> None:
    start = SETTINGS.index("CELERY_BEAT_SCHEDULE")
    run_it = "from pathlib import Path\n\nexec(Path(__file__).with_name('beat.py').read_text())\n"
    (shop.root / "settings.py").unlink()
    shop.write(SETTINGS[:start] + run_it, "settings/__init__.py")
    shop.write(SETTINGS[start:], "settings/beat.py")
    done = imported(shop, "--no-database")

    assert "deletes 2 entries from settings/beat.py (2)\n" in done.err
    assert "  `hourly`: settings/beat.py:11 (an assignment)\n" in done.err


def test_a_project_without_entries_says_so(shop: Project) -> None:
    shop.write(SETTINGS[: SETTINGS.index("CELERY_BEAT_SCHEDULE")], "settings.py")
    shop.write(APP[: APP.index("@app.on_after")], "shop/app.py")
    done = imported(shop, "--no-database", "--out", "schedules")
    wrong = imported(shop, "--no-database", "x-*")

    assert (done.code, done.err) == (0, "CELERY_BEAT_SCHEDULE has no entries\n")
    assert list(shop.root.glob("*.patch")) + list(shop.root.glob("schedules")) == []
    assert (wrong.code, "no entry has the name `x-*`" in wrong.err) == (64, True)


def test_a_database_that_is_not_migrated_is_not_available(shop: Project) -> None:
    done = imported(shop, "--out", "schedules")

    assert (done.code, (shop.root / "schedules").exists()) == (69, False), done.err


@pytest.mark.parametrize("project", ["SENTRY", "READ_THE_DOCS", "SUPERSET", "SALEOR"])
def test_settings_of_known_projects_are_imported_without_a_difference(shop: Project, project: str) -> None:
    source = Path(beat_settings.__file__).read_text(encoding="utf-8")
    shop.write(source, "beat_settings.py")
    text = SETTINGS[: SETTINGS.index("CELERY_BEAT_SCHEDULE")]
    shop.write(f"{text}from beat_settings import {project} as CELERY_BEAT_SCHEDULE\n", "settings.py")
    shop.write(APP[: APP.index("@app.on_after")], "shop/app.py")
    count = len(getattr(beat_settings, project))
    done = imported(shop, "--no-database", "--fold", "--out", "schedules")
    same = compared(shop)

    assert f"took {count} of {count} entries" in done.err
    assert (same.code, same.out.splitlines()[0].endswith(" runs, none differs.")) == (0, True), same.out


ROWS = """\
import json, sys
import django
django.setup()
from django_celery_beat.models import PeriodicTask
print(json.dumps(list(PeriodicTask.objects.order_by("pk").values()), default=str))
"""
BEAT = """\
import django
django.setup()
from celery import current_app
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler
current_app.loader.import_default_modules()
current_app.finalize(auto=True)
DatabaseScheduler(app=current_app, lazy=False).close()
PeriodicTask.objects.filter(name="often").update(enabled=False, description="stopped by jo")
"""


def rows(project: Project) -> Any:
    return json.loads(run(project, "-c", ROWS).out)


def test_rows_of_stock_beat_are_taken_over_and_keep_what_the_settings_do_not_say(shop: Project) -> None:
    assert run(shop, "-m", "django", "migrate", "-v", "0").code == 0
    assert run(shop, "-c", BEAT).code == 0
    before = rows(shop)
    done = imported(shop, "--out", "schedules")
    subprocess.run(["git", "apply", "schedsync-settings.patch"], cwd=shop.root, check=True)
    shop.write(PATCHED[: PATCHED.index('CELERY_BEAT_SCHEDULE["hourly"]')], "settings.py")
    shop.write(APP[: APP.index("@app.on_after")], "shop/app.py")
    plan = schedsync(shop, "plan", "schedules", "--exit-code")
    applied = schedsync(shop, "apply", "schedules", "--yes", "--settle", "0")

    assert "disabled, because the row is: `often`\n" in done.err
    assert (plan.code, applied.code) == (2, 0), plan.out + applied.err
    changed = [
        (old["name"], key, new[key])
        for old, new in zip(before, rows(shop), strict=True)
        for key in old
        if old[key] != new[key] and key != "date_changed"
    ]
    assert changed == [("nightly", "expire_seconds", 240)]
    managed = imported(shop)
    assert managed.err == "CELERY_BEAT_SCHEDULE has no entries\n"


def test_entries_that_a_set_manages_are_left_out(shop: Project) -> None:
    assert run(shop, "-m", "django", "migrate", "-v", "0").code == 0
    shop.schedules("  often: {task: shop.poll, every: 30s}\n")
    assert schedsync(shop, "apply", "schedules", "--yes", "--settle", "0", "--allow-dual-writer").code == 0
    done = imported(shop, "--out", "new")

    assert "took 3 of 4 entries" in done.err
    assert "  `often`: set `default` manages it already: compare both, then delete the entry\n" in done.err
    assert "deletes 1 entry from settings.py (1)\n" in done.err
