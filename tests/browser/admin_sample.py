"""A database as a team has it on a bad morning, and a server for its admin: for tests and pictures in a browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import git
from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.staticfiles.handlers import StaticFilesHandler
from django.db import connections
from django.test import Client, override_settings
from django.test.testcases import LiveServerThread
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from schedsync.core.journal_data import micros, packed
from schedsync.database.clock import DatabaseNow, database_time
from schedsync.models import Beat, BeatReport, Claim, JournalSegment, ManagedSchedule, SendFailure
from tests.conftest import NOW, Project

HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
FIRST = """\
  nightly-report:
    task: shop.tasks.nightly_report
    crontab: "30 2 * * mon-fri"
    timezone: Europe/Berlin
    queue: reports
    kwargs: {kind: full, api_token: s3cret}
    owner: team-data
    runbook: https://example.org/runbooks/nightly
    labels: {tier: gold}
    description: Totals of the day, for the morning's mail.
  rates: {task: shop.tasks.rates, crontab: "*/15 * * * *", owner: team-fx, missed_runs: none}
  invoices: {task: shop.tasks.invoices, crontab: "0 6 1 * *", queue: billing, owner: team-billing}
  heartbeat: {task: shop.tasks.ping, every: 30s, owner: team-sre}
  digest: {task: shop.tasks.digest, crontab: "0 7 * * mon", timezone: Europe/Berlin, owner: team-mail}
  cleanup: {task: shop.tasks.cleanup, crontab: "0 4 * * sun"}
  launch: {task: shop.tasks.launch, at: 2026-12-24T18:00:00+01:00, owner: team-shop}
"""
SECOND = (
    FIRST
    + """\
  "sync-{tenant}":
    task: shop.tasks.sync_tenant
    crontab: "H * * * *"
    queue: sync
    kwargs: {tenant: "{tenant}"}
    owner: team-sync
    for_each: {tenant: [acme, globex, hooli, initech, umbrella]}
"""
)
THIRD = SECOND.replace('"30 2 * * mon-fri"', '"30 2 * * *"')
#: What a strict site sends: nothing but its own files.
POLICY = "default-src 'self'"


def strict(get_response: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A middleware that lets the browser use nothing but files of the site."""

    def answer(request: Any) -> Any:
        response = get_response(request)
        response["Content-Security-Policy"] = POLICY
        return response

    return answer


def bad_morning(project: Project, clock: Any, monkeypatch: Any) -> None:
    """Write three commits, applied by three people, and then what goes wrong until NOW."""
    with git.Repo.init(project.root, initial_branch="main") as repository:
        repository.create_remote("origin", "https://github.com/acme/shop.git")
        for text, who, ago in ((FIRST, "jo", 21 * 24), (SECOND, "maria", 49), (THIRD, "ben", 16)):
            clock.move_to(NOW - ago * HOUR)
            monkeypatch.setenv("SCHEDSYNC_ACTOR", who)
            project.schedules(text)
            repository.git.add("schedules")
            repository.git.execute(["git", "-c", "user.name=s", "-c", "user.email=s@example.org", "commit", "-m", who])
            assert project.apply().code == 0
    using, rows = project.using, PeriodicTask.objects.using(project.using)
    clock.move_to(NOW - HOUR)
    monkeypatch.setenv("SCHEDSYNC_ACTOR", "jo")
    pause = ["pause", "sync-*", "--for", "6h", "--reason", "INC-42 database overloaded", "--settle", "0"]
    assert project.command(*pause, "--database", using).code == 0
    clock.move_to(NOW)
    rows.filter(name="digest").update(enabled=False, date_changed=NOW - 5 * HOUR)
    rows.filter(name="invoices").update(queue="billing-slow", date_changed=NOW - 3 * HOUR)
    rows.create(name="tmp-backfill", task="shop.tasks.backfill", crontab=CrontabSchedule.objects.using(using).first())
    _runs(using)
    _beats(using)


def _runs(using: str) -> None:
    rows = {row.name: row for row in PeriodicTask.objects.using(using).all()}
    last = {"nightly-report": NOW - 8.5 * HOUR, "heartbeat": NOW - timedelta(seconds=12), "cleanup": NOW - 30 * HOUR,
            "rates": NOW - 40 * MINUTE, "invoices": NOW - 22 * 24 * HOUR, "digest": NOW - 7 * 24 * HOUR}  # fmt: skip
    for name, at in last.items():
        PeriodicTask.objects.using(using).filter(name=name).update(last_run_at=at, total_run_count=20)
        Claim.objects.using(using).create(
            row_id=rows[name].pk, tick=at, batch=uuid4(), epoch=4, confirmed=True,
            claimed_at=at + timedelta(seconds=0.03),
        )  # fmt: skip
    SendFailure.objects.using(using).create(
        row_id=rows["rates"].pk, tick=NOW - 25 * MINUTE, failed_at=NOW - 25 * MINUTE, reason="queue `fx` is full"
    )
    for days in range(4):
        at = NOW - 8.5 * HOUR - timedelta(days=days)
        JournalSegment.objects.using(using).create(
            beat=UUID(int=1), name="beat-0:17", epoch=4, first=at, last=at, written_at=at,
            data=packed({"dropped": 0, "notes": []}, [[rows["nightly-report"].pk], [micros(at)], [30]]),
        )  # fmt: skip
    JournalSegment.objects.using(using).create(
        beat=UUID(int=1), name="beat-0:17", epoch=4, turn="begin", written_at=NOW - 200 * HOUR, data=packed({"age": 0})
    )
    ManagedSchedule.objects.using(using).filter(name="digest").update(applied_at=NOW - 49 * HOUR)


def _beats(using: str) -> None:
    now, there = DatabaseNow(), database_time(using)
    for number, leads in enumerate((True, False)):
        beat = Beat.objects.using(using).create(
            id=UUID(int=number + 1), host=f"beat-{number}", pid=17 + number, election="database",
            started_at=now, seen_at=now, leads=leads, leads_since=NOW - 200 * HOUR if leads else None,
            epoch=4 if leads else 0, loaded=1000, loaded_at=now, schedules=13,
        )  # fmt: skip
        BeatReport.objects.using(using).create(
            beat=beat.pk, name=f"beat-{number}:{17 + number}", clock_ahead=0.02,
            last_tick=there - timedelta(seconds=12) if leads else None, last_late=0.03 if leads else None,
        )  # fmt: skip


@contextmanager
def served(using: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Serve the admin with a strict policy; yields its address, and the cookie of a user who may do everything."""
    user = get_user_model().objects.db_manager(using).create_superuser("ann", "ann@example.org", "x")
    client = Client()
    client.force_login(user)
    session = client.cookies[settings.SESSION_COOKIE_NAME].value
    connections[using].inc_thread_sharing()
    middleware = [*settings.MIDDLEWARE, f"{__name__}.strict"]
    with override_settings(MIDDLEWARE=middleware, ALLOWED_HOSTS=["localhost"]):
        thread = LiveServerThread("localhost", StaticFilesHandler, connections_override={using: connections[using]})
        thread.daemon = True
        thread.start()
        thread.is_ready.wait()
        if thread.error:
            raise thread.error
        url = f"http://localhost:{thread.port}"
        try:
            yield url, {"name": settings.SESSION_COOKIE_NAME, "value": session, "url": url}
        finally:
            thread.terminate()
            connections[using].dec_thread_sharing()
