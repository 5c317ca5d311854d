"""No secret of a schedule, of the settings or of a remote leaves by a page, a metric, a service, a log or a record."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.apps import apps
from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.test import Client
from django_celery_beat.models import PeriodicTask

from schedsync.agent.hook import hook_secret
from schedsync.agent.metrics import metrics_of
from schedsync.agent.reports import Reports
from schedsync.agent.server import serving
from schedsync.agent.state import State
from schedsync.git.mirror import open_mirror
from schedsync.git.remote import Remote
from schedsync.models import AppliedFiles, ManagedSchedule, SyncRun
from schedsync.usecases.agent import Kept, Turn, Turns
from tests.admin.made import STOCK, TASKS, change_url, user
from tests.admin.visitors import PAGE, named
from tests.agent.test_server import ask, free
from tests.alarms.http_service import CANARY as OF_APPRISE
from tests.alarms.http_service import Service, service
from tests.beat.ours import Beat
from tests.conftest import NOW, Done, Project
from tests.git.remotes import Origin
from tests.monitoring.scraped import scrape
from tests.monitors.servers import CANARY as OF_MONITORS
from tests.monitors.servers import HealthchecksServer, SentryServer
from tests.monitors.servers import serving as served
from tests.usecases.test_canary import CANARY, PLACES, WRONG
from tests.usecases.test_run import App, app

__all__ = ["app"]
pytestmark = pytest.mark.one_database

OF_HOOK, OF_REMOTE, OF_BROKER = "canary-of-the-hook-1", "canary-of-the-remote-1", "canary-of-the-broker-1"
SECRETS = (CANARY, OF_APPRISE, OF_MONITORS, OF_HOOK, OF_REMOTE, OF_BROKER)
#: What the tables must know to apply, to compare and to roll back.
KNOWING = (ManagedSchedule, AppliedFiles, SyncRun, PeriodicTask)
FILES = "version: 1\nschedules:\n"


def leaky(every: str) -> str:
    """Return a schedule for each place where a secret can be; all of them have monitors."""
    names = {place: place.replace(" ", "-") for place in PLACES}
    return "".join(
        f"  {names[place]}:\n    task: t\n    every: {every}\n    monitor: true\n    {fields}\n"
        for place, fields in PLACES.items()
    )


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, settings: Any) -> Iterator[tuple[Service, HealthchecksServer, SentryServer]]:
    """Services that get alarms and monitors, whose keys are secrets too."""
    with service() as inbox, served(HealthchecksServer()) as healthchecks, served(SentryServer()) as sentry:
        settings.SCHEDSYNC_NOTIFY = [inbox.url]
        settings.SCHEDSYNC_MONITORS = {
            "healthchecks": {"url": healthchecks.url, "key": OF_MONITORS, "ping_key": OF_MONITORS},
            "sentry": {"url": sentry.url, "token": OF_MONITORS, "organization": "acme", "project": "shop"},
        }
        settings.SCHEDSYNC_HOOK_SECRET = OF_HOOK
        yield inbox, healthchecks, sentry  # type: ignore[misc]


@pytest.fixture
def shop(project: Project, app: App, told: Any, clock: Any, caplog: pytest.LogCaptureFixture) -> Iterator[Project]:
    """A set that is full of secrets, applied twice, and then edited by somebody; nothing of it is in the log."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, logger="django.db.backends")
    project.schedules(leaky("1h"))
    assert project.apply().code == 0
    project.schedules(leaky("2h").replace(CANARY, f"{CANARY}-2"))
    assert project.apply().code == 0
    spoiled = {"args": f'["password={CANARY}"]', "kwargs": f'{{"token": "{CANARY}"}}', "queue": "q"}
    PeriodicTask.objects.exclude(name="headers").update(**spoiled)
    yield project
    clean(caplog.text, "the log")


def clean(text: str, where: str) -> None:
    found = [secret for secret in SECRETS if secret in text]
    assert not found, (where, [text[max(text.find(secret) - 200, 0) :][:300] for secret in found])


def shown(client: Client, address: str) -> None:
    answer = client.get(address, follow=True)
    assert answer.status_code == 200, address
    clean(answer.content.decode(), address)


VERBS = (
    ("status",), ("list",), ("doctor",), ("why", "kwargs"), ("why", "login"), ("history",), ("history", "kwargs"),
    ("drift", "schedules"), ("plan", "schedules"),
)  # fmt: skip


def test_no_page_and_no_verb_shows_a_secret(shop: Project) -> None:
    assert shop.command("pause", "login", "--reason", "INC-41", "--settle", "0").code == 0
    ours = ("view_managedschedule", "pause_schedules", "run_schedules", "break_glass")
    for name, may in (("sam", ours), ("jo", ours[:1])):
        staff = user(name, STOCK + tuple(f"schedsync.{each}" for each in may))
        shown(staff, PAGE)
        shown(staff, f"{PAGE}?q=login")
        shown(staff, TASKS)
        for place in PLACES:
            row = place.replace(" ", "-")
            shown(staff, named(row))
            shown(staff, change_url(row))
            shown(staff, change_url(row).replace("change", "history"))
    boss = user("ann")
    get_user_model().objects.filter(username="ann").update(is_superuser=True)
    for model in apps.get_app_config("schedsync").get_models():
        table = f"/admin/schedsync/{model._meta.model_name}/"
        shown(boss, table)
        for key in [*model._default_manager.values_list("pk", flat=True)][:2]:
            shown(boss, f"{table}{quote(key)}/change/")
    for words in VERBS:
        for format_ in ("text", "json"):
            done: Done = shop.command(*words, "--format", format_)
            assert done.code in (0, 1, 2, 3), done
            clean(done.out + done.err, f"{words} {format_}")


def test_no_metric_record_or_service_gets_a_secret(shop: Project, told: Any) -> None:
    inbox, healthchecks, sentry = told
    assert shop.drift().code == 2
    assert shop.apply().code == 0
    shop.schedules("  one: {task: t, every: 1m}\n")
    assert shop.apply().code == 3
    assert shop.command("doctor", "--notify").code == 0
    healthchecks.faults, sentry.faults = [500, "<html>", None, 403], [429, "[]", None, 400]
    shop.schedules(leaky("3h"))
    shop.apply()

    assert (len(inbox.got) >= 3, len(healthchecks.bodies) > 9, len(sentry.bodies) > 9) == (True, True, True)
    clean(repr(inbox.got) + repr(healthchecks.bodies + sentry.bodies), "the services")
    clean(repr(healthchecks.asked + sentry.asked), "the addresses of the services")
    clean(scrape(shop.using).text, "the metrics")
    for model in apps.get_app_config("schedsync").get_models():
        if model not in KNOWING:
            clean(unpacked(model), model.__name__)


def unpacked(model: Any) -> str:
    """Return all rows of a table as text; what is packed in a column is unpacked."""
    text = ""
    for values in model._default_manager.values():
        for value in values.values():
            data = bytes(value) if isinstance(value, (bytes, memoryview)) else None
            try:
                text += repr(value) if data is None else repr(zlib.decompress(data))
            except zlib.error:
                text += repr(data)
    return text


def test_beat_logs_no_secret(shop: Project, clock: Any, told: Any) -> None:
    conf: Any = current_app.conf
    conf.broker_url = f"redis://:{OF_BROKER}@127.0.0.1:1/0"
    beat = Beat(clock)
    beat.settle()
    for hours, error in enumerate((TypeError, OSError, KeyError), 1):
        failure = error(f"cannot send {{'password': '{CANARY}'}}")
        failure.__cause__ = OSError(f"redis://:{OF_BROKER}@127.0.0.1:1/0")
        beat.scheduler.fails_at = lambda _message, failure=failure: failure
        clock.move_to(NOW + timedelta(hours=4 * hours))
        beat.settle()
        beat.tried_again()
    beat.scheduler._alarms._clerk.work(beat.scheduler._alarms.sight())  # type: ignore[union-attr]
    beat.scheduler.close()

    clean(repr(told[0].got), "the alarms")
    assert shop.command("status").code == 2
    for model in apps.get_app_config("schedsync").get_models():
        if model not in KNOWING:
            clean(unpacked(model), model.__name__)


def test_the_agent_shows_no_secret(shop: Project, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    state, reports = State(), Reports()
    secret = hook_secret()
    assert secret is not None
    origin = Origin(tmp_path / "origin.git")

    def turn(turns: Turns) -> Turn:
        done = turns.turn()
        reports.add(done)
        state.turned(done)
        return done

    with open_mirror(Remote(str(origin.root)), tmp_path / "mirror") as mirror:
        turns = Turns(Kept(shop.using, settle=0, lock_seconds=0), mirror)
        for text in (leaky("4h"), *(f"  wrong:\n    task: t\n    every: 1h\n    {each}\n" for each in WRONG.values())):
            origin.commit({"schedules/shop.yaml": FILES + text})
            turn(turns)
        PeriodicTask.objects.update(kwargs=f'{{"token": "{CANARY}"}}')
        turn(turns)
    gone = f"http://robot:{OF_REMOTE}@127.0.0.1:{free()}/{OF_REMOTE}.git"
    with open_mirror(Remote(gone.replace(f"/{OF_REMOTE}", "/shop")), tmp_path / "other") as mirror:
        away = turn(Turns(Kept(shop.using, settle=0, lock_seconds=0), mirror))
    assert away.fetch_problem is not None or away.problem is not None
    with serving(f"127.0.0.1:{free()}", (state,), secret, metrics_of(shop.using, (state,))) as port:
        for path in ("/live", "/ready", "/metrics", "/x"):
            clean(ask(port, "GET", path)[1], path)
        clean(ask(port, "POST", "/hook", b"{}", X_Gitlab_Token="wrong")[1], "/hook")
    assert "is not applied" in caplog.text


def test_an_address_of_a_database_shows_no_password(using: str, command: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from django.db import connections

    pytest.importorskip("psycopg")
    away = {
        **connections.databases["default"], "ENGINE": "django.db.backends.postgresql", "NAME": "x", "USER": "u",
        "PASSWORD": CANARY, "HOST": "127.0.0.1", "PORT": str(free()),
    }  # fmt: skip
    monkeypatch.setitem(connections.databases, "away", away)
    for verb in ("status", "list", "doctor", "history"):
        done = command(verb, "--database", "away")
        assert done.code in (1, 69), done
        clean(done.out + done.err, verb)
