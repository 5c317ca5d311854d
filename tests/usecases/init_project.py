"""A Django project with stock Beat, schedules in its settings and rows that people have typed into the admin."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.conftest import Done, Project

DATABASE = "shop/db.sqlite3"
MANAGE = """\
import os, sys
from django.core.management import execute_from_command_line
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")
execute_from_command_line(sys.argv)
"""
SETTINGS = """\
from pathlib import Path

from celery.schedules import crontab

SECRET_KEY = "x"
USE_TZ = True
TIME_ZONE = "Europe/Berlin"
INSTALLED_APPS = ["django_celery_beat", "schedsync"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": Path(__file__).with_name("db.sqlite3")}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CELERY_TIMEZONE = "Europe/Berlin"
CELERY_BEAT_SCHEDULE = {
    "nightly": {"task": "shop.reports.tasks.nightly", "schedule": crontab(minute=30, hour=2), "args": (1,)},
    "sync-rates": {"task": "shop.rates.tasks.sync", "schedule": 900.0, "options": {"queue": "rates"}},
    "unseen": {"task": "shop.rates.tasks.check", "schedule": crontab(minute=5)},
}
"""
PACKAGE = "from shop.celery import app\n"
APP = """\
from celery import Celery

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")
"""
#: Stock Beat starts with two of the entries, then people type rows, and Beat runs some of them.
ROWS = """\
import datetime as dt
import django
django.setup()
from celery import current_app
from django.utils import timezone
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler
current_app.conf.beat_schedule.pop("unseen")
DatabaseScheduler(app=current_app, lazy=False).close()
hours = IntervalSchedule.objects.create(every=60, period="minutes")
nights = CrontabSchedule.objects.create(minute="0", hour="*/6", timezone="Europe/Berlin")
past = ClockedSchedule.objects.create(clocked_time=timezone.now() - dt.timedelta(days=9))
future = ClockedSchedule.objects.create(clocked_time=timezone.now() + dt.timedelta(days=9))
now = timezone.now()
for number in range(22):
    PeriodicTask.objects.create(
        name=f"report {number:02} {{a}}", task="shop.reports.tasks.make", crontab=nights,
        kwargs='{ "number" :%d }' % number, last_run_at=now - dt.timedelta(hours=3), enabled=number % 7 > 0)
PeriodicTask.objects.create(name="crm", task="shop.crm.tasks.push", interval=hours, last_run_at=now,
    kwargs='{"token": "sk_live_4f9c2d71e8aa77b2c3"}')
PeriodicTask.objects.create(name="black friday", task="shop.crm.tasks.push", clocked=past, one_off=True)
PeriodicTask.objects.create(name="launch", task="shop.crm.tasks.push", clocked=future, one_off=True)
"""
DUMP = """\
import json
import django
django.setup()
from django.apps import apps
print(json.dumps({model.__name__: list(model.objects.order_by("pk").values())
    for model in apps.get_app_config("django_celery_beat").get_models()}, default=str))
"""


def run(project: Project, *words: str) -> Done:
    """Run Python in the project's directory, as its user does."""
    environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        [sys.executable, *words],
        capture_output=True, text=True, check=False, cwd=project.root,
        env={**environment, "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"},
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def manage(project: Project, *words: str) -> Done:
    """Run ``manage.py`` of the project."""
    return run(project, "manage.py", *words)


def script(project: Project, text: str) -> str:
    """Run a script with the project's settings, and return what it prints."""
    head = "import os\nos.environ['DJANGO_SETTINGS_MODULE'] = 'shop.settings'\n"
    done = run(project, "-c", head + text)
    assert done.code == 0, done.err
    return done.out


def tables(project: Project) -> Any:
    """Return the rows of all tables of django-celery-beat."""
    return json.loads(script(project, DUMP))


def write_project(project: Project, settings: str = SETTINGS) -> None:
    """Write the project, without its rows."""
    for name, text in {
        "manage.py": MANAGE, "shop/settings.py": settings, "shop/__init__.py": PACKAGE, "shop/celery.py": APP,
        ".gitignore": "*.sqlite3\n",
    }.items():  # fmt: skip
        project.write(text, name)


def shell(project: Project, line: str) -> None:
    """Run a line that a user has copied, in a shell; ``python`` is the one of this process."""
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "PYTHONPATH": ""}
    environment.pop("DJANGO_SETTINGS_MODULE", None)
    done = subprocess.run(
        ["bash", "-ec", line], capture_output=True, text=True, check=False, cwd=project.root, env=environment
    )
    assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"
