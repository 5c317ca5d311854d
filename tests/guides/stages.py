"""The project as each guide finds it: the schedules that a team has before it reads the page."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Callable

from tests.guides.project import Project

#: Rows as people leave them in the admin over the years.
ROWS = """
import datetime

from django.utils import timezone
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask


def crontab(text, zone="Europe/Berlin"):
    fields = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
    return CrontabSchedule.objects.create(**dict(zip(fields, text.split())), timezone=zone)


def row(name, task, **values):
    PeriodicTask.objects.create(name=name, task=f"shop.tasks.{task}", **values)


quarter = IntervalSchedule.objects.create(every=15, period="minutes")
row("nightly-report", "nightly_report", crontab=crontab("30 2 * * 1-5"), kwargs='{"kind":"full"}', queue="reports")
row("billing-close", "close_billing", crontab=crontab("30 4 1 * *"), expires=None, priority=3)
for tenant in ("acme", "globex", "initech"):
    row(f"sync-{tenant}", "sync_tenant", interval=quarter, kwargs='{"tenant": "%s"}' % tenant, expire_seconds=600)
row("search-rebuild", "rebuild_search", crontab=crontab("15 5 * * 0"), kwargs='{ "full": true }', queue="search")
hour = IntervalSchedule.objects.create(every=3600, period="seconds")
row("search-refresh", "rebuild_search", interval=hour, queue="search")
row("celery.backend_cleanup", "cleanup", crontab=crontab("0 4 * * *"))
past = ClockedSchedule.objects.create(clocked_time=timezone.make_aware(datetime.datetime(2024, 11, 29)))
row("black friday", "heartbeat", clocked=past, one_off=True, enabled=False)
"""

ENTRIES = """
from datetime import timedelta

from celery.schedules import crontab

CELERY_BEAT_SCHEDULE = {
    "nightly-report": {
        "task": "shop.tasks.nightly_report",
        "schedule": crontab(minute=30, hour=2, day_of_week="mon-fri"),
        "kwargs": {"kind": "full"},
    },
    "sync-acme": {
        "task": "shop.tasks.sync_tenant",
        "schedule": timedelta(minutes=15),
        "args": ("acme",),
        "options": {"queue": "sync", "expires": 240},
    },
    "heartbeat": {"task": "shop.tasks.heartbeat", "schedule": 30.0},
}
"""

COMPUTED = """
CELERY_BEAT_SCHEDULE["billing-close"] = {
    "task": "shop.tasks.close_billing",
    "schedule": crontab(minute=30, hour=4, day_of_month=1),
}
"""

CRONTAB = """PATH=/usr/local/bin:/usr/bin:/bin
# m h dom mon dow command
*/15 * * * * cd /srv/shop && ./manage.py clearsessions
@reboot /srv/shop/bin/warm-cache
30 2 * * 1-5 /srv/shop/bin/report --full
0 6 1,15 * fri /srv/shop/bin/payday
"""

BASE = """version: 1
schedules:
  nightly-report:
    task: shop.tasks.nightly_report
    crontab: "30 2 * * mon-fri"
    timezone: Europe/Berlin
  search-rebuild:
    task: shop.tasks.rebuild_search
    crontab: "15 5 * * sun"
    timezone: Europe/Berlin
  search-refresh:
    task: shop.tasks.rebuild_search
    every: 1h
"""


#: The file of a database with all tables and no row of a project, once one was made: a migration takes seconds.
_tables: list[bytes] = []


def installed(project: Project) -> None:
    """Let schedsync be installed, migrated and committed."""
    project.write("shop/settings.py", '\nINSTALLED_APPS += ["schedsync"]\n')
    database = project.root.parent / "db.sqlite3"
    if not _tables:
        _do(project, "python manage.py migrate --verbosity 0")
        _tables.append(database.read_bytes())
    database.write_bytes(_tables[0])
    commit(project)


def commit(project: Project) -> None:
    _do(project, "git add --all && git commit --quiet --message Schedules && git push --quiet")


def admin(project: Project) -> None:
    """Let the team have rows of the admin, two of them also in the settings, stock Beat, and CI at GitHub."""
    django(project, ROWS)
    project.write(".github/workflows/tests.yml", "on: push\njobs: {}\n")
    project.write("shop/settings.py", ENTRIES)
    commit(project)


def rows(project: Project) -> None:
    """Let the team have rows of the admin only."""
    installed(project)
    django(project, ROWS)


def settings(project: Project) -> None:
    """Let the settings define schedules; stock Beat has written a row for each of them."""
    installed(project)
    project.write("shop/settings.py", ENTRIES + COMPUTED)
    commit(project)
    beat = "celery --app shop beat --pidfile= --scheduler django_celery_beat.schedulers:DatabaseScheduler"
    assert project.begins(f"{beat} --loglevel DEBUG", "Ticking with max interval")


def cron(project: Project) -> None:
    """Let `crontab -l` print a crontab, and let `crontab FILE` say nothing."""
    program = project.root.parent / "bin/crontab"
    program.write_text(f"#!/bin/sh\n[ \"$1\" != -l ] || cat <<'END'\n{CRONTAB}END\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    installed(project)


def image(project: Project) -> None:
    """Let the project have one schedule, which is not applied yet."""
    installed(project)
    project.write("schedsync.toml", 'set = "shop"\nenvironments = ["production"]\n')
    project.write("schedules/reports.yaml", BASE.partition("  search")[0])
    commit(project)


def one_set(project: Project) -> None:
    """Let a set `shop` manage some schedules in production."""
    installed(project)
    project.write("schedsync.toml", 'set = "shop"\nenvironments = ["production", "staging"]\n')
    project.write("schedules/shop.yaml", BASE)
    commit(project)
    _do(project, "python manage.py schedsync apply -e production --yes --settle 0")


def empty(project: Project) -> None:
    """Let the reader have an empty directory."""
    shutil.rmtree(project.root)
    project.root.mkdir()


def new(project: Project) -> None:
    """Let the project have no schedules, and schedsync installed."""
    installed(project)


def copy(project: Project) -> None:
    """Let the database be a copy of the one of production, where it was bound."""
    one_set(project)
    _do(project, "python manage.py schedsync ledger bind -e production --yes")


def django(project: Project, code: str) -> None:
    """Run code in the project, as in `manage.py shell`."""
    file = project.root.parent / "code.py"
    file.write_text(code)
    _do(project, f"python manage.py shell -v 0 < {file}")


def _do(project: Project, command: str) -> None:
    code, output = project.shell(command)
    assert code == 0, output


#: By the name that a page gives in a comment.
STAGES: dict[str, Callable[[Project], None]] = {
    "admin": admin, "copy": copy, "cron": cron, "empty": empty, "image": image, "new": new, "rows": rows,
    "set": one_set, "settings": settings,
}  # fmt: skip
