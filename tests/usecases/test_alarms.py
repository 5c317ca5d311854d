"""The alarms of the commands: drift and applies that failed, each sent once; and the test of the services."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django_celery_beat.models import PeriodicTask

from schedsync.agent.drift_alarms import tell_left
from schedsync.config import read_config
from schedsync.errors import Unavailable
from schedsync.models import SendFailure, SentAlarm, SyncRun
from schedsync.usecases.agent import Turn
from schedsync.usecases.rollout import look
from schedsync.usecases.target import Target
from tests.alarms.http_service import CANARY, Service, service
from tests.conftest import Project

pytestmark = pytest.mark.one_database

TWO = "  one: {task: t, every: 1m}\n  two: {task: t, every: 2m}\n"


@pytest.fixture
def inbox(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Iterator[Service]:
    """A service that gets the alarms of this process; no secret of it is ever logged or stored."""
    caplog.set_level(logging.DEBUG)
    with service() as served:
        let_notify(monkeypatch, [served.url])
        yield served
    assert CANARY not in caplog.text + repr(list(SentAlarm.objects.values()))


def let_notify(monkeypatch: pytest.MonkeyPatch, value: Any) -> None:
    monkeypatch.setattr("django.conf.settings.SCHEDSYNC_NOTIFY", value, raising=False)


def edit(using: str, **columns: Any) -> None:
    PeriodicTask.objects.using(using).filter(name="one").update(**columns)


def test_drift_is_sent_once_and_its_end_too(project: Project, inbox: Service) -> None:
    project.schedules(TWO)
    assert project.apply().code == 0
    edit(project.using, queue="x")
    assert [project.drift().code, project.drift().code] == [2, 2]
    edit(project.using, queue=None)
    assert [project.drift().code, project.drift().code] == [0, 0]

    assert inbox.titles == ["schedsync: one was changed behind Git's back", "schedsync: one is as in Git again"]
    assert inbox.got[0]["message"] == "- one: edited in the database\nNext: schedsync drift"


def test_what_the_agent_leaves_is_sent_once_and_its_end_too(project: Project, inbox: Service) -> None:
    project.schedules(TWO)
    config = read_config("schedules")
    turn = Turn("a" * 40, held=("one",), target=Target(config, project.using))
    for each in (turn, turn, replace(turn, held=(), problem=Unavailable("gone")), replace(turn, held=())):
        tell_left(each)

    assert inbox.titles == ["schedsync: one was changed behind Git's back", "schedsync: one is as in Git again"]


def test_an_apply_that_is_refused_is_an_alarm_and_one_that_succeeds_ends_it(project: Project, inbox: Service) -> None:
    project.schedules(TWO)
    assert project.apply().code == 0
    project.schedules("  three: {task: t, every: 1m}\n")
    refused = project.apply()
    assert (refused.code, project.apply().code) == (3, 3)
    project.schedules(TWO)
    assert project.apply().code == 0

    assert inbox.titles == ["schedsync: apply of the set default failed", "schedsync: the set default is applied"]
    assert inbox.got[0]["message"].startswith("- default: refused: ")


def test_a_wrong_call_and_a_set_that_was_never_broken_are_no_alarms(project: Project, inbox: Service) -> None:
    project.schedules(TWO)
    assert project.apply("--exact").code == 64
    assert project.apply().code == 0

    assert inbox.got == []


def test_a_service_that_fails_changes_no_exit_code(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    project.schedules(TWO)
    project.apply()
    edit(project.using, queue="x")
    monkeypatch.setattr("schedsync.alarms.tell._WAITS", (0.0,))
    with service(500) as broken:
        let_notify(monkeypatch, [broken.url])
        found = project.drift()
        assert len(broken.got) == 2

    assert found.code == 2
    assert "an alarm did not reach json://…: it answered 500" in found.err
    assert SentAlarm.objects.get().sent_at is None


def test_a_setting_that_cannot_be_used_is_said_and_stops_nothing(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.schedules(TWO)
    let_notify(monkeypatch, [CANARY])

    done = project.apply()
    assert done.code == 0
    assert "no alarm is sent: SCHEDSYNC_NOTIFY cannot be used: entry 1 of `urls` is no URL" in done.err
    assert CANARY not in done.out + done.err


def test_before_the_migration_no_alarm_is_sent(project: Project, inbox: Service, monkeypatch: Any) -> None:
    project.schedules(TWO)
    monkeypatch.setattr("schedsync.alarms.tell.has_table", lambda _using, _model: False)
    done = project.apply()

    assert done.code == 0
    assert "no alarm is sent: run `python manage.py migrate`" in done.err


def test_doctor_sends_a_test_to_each_service(project: Project, inbox: Service, monkeypatch: Any) -> None:
    assert project.command("doctor", "--notify").out == "json://… arrived\n"
    assert inbox.titles == ["schedsync: this is a test, all is well"]

    let_notify(monkeypatch, [inbox.url, f"nosuch://{CANARY}"])
    failed = project.command("doctor", "--notify")
    assert (failed.code, failed.out) == (
        1,
        "json://… arrived\nnosuch://… Apprise does not understand this URL\n",
    )
    assert failed.err == "1 of 2 test alarms arrived\n"
    document = json.loads(project.command("doctor", "--notify", "--format", "json").out)
    assert document["services"] == [
        {"service": "json://…", "arrived": True, "problem": None},
        {"service": "nosuch://…", "arrived": False, "problem": "Apprise does not understand this URL"},
    ]


def test_doctor_says_that_no_service_is_named(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    assert project.command("doctor", "--notify").code == 64
    assert project.command("doctor", "--notify", "--fix").code == 64
    let_notify(monkeypatch, 7)
    done = project.command("doctor", "--notify")
    assert (done.code, "SCHEDSYNC_NOTIFY cannot be used" in done.err) == (64, True)
    assert "SS314" in project.command("doctor").out


def test_beat_does_not_start_with_a_setting_that_cannot_be_used(
    using: str, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.beat.ours import Beat

    let_notify(monkeypatch, 7)
    with pytest.raises(ImproperlyConfigured, match="SCHEDSYNC_NOTIFY"):
        Beat(clock)


def test_a_failed_first_run_is_an_alarm_once(project: Project, inbox: Service) -> None:
    project.write('paths = ["schedules"]\n[rollout]\nwatch = "15m"\n', "schedsync.toml")
    project.schedules(TWO)
    assert project.apply().code == 0
    tick = SyncRun.objects.get().at + timedelta(seconds=1)
    row_id = PeriodicTask.objects.get(name="one").pk
    SendFailure.objects.create(row_id=row_id, tick=tick, failed_at=tick, reason="no JSON", given_up=True)
    assert project.apply("--watch").code == 6
    config = read_config("schedules")
    # A process that ended the rollout may die before it has told anybody.
    look(Target(config, project.using), lambda _message: None)
    SentAlarm.objects.all().delete()
    look(Target(config, project.using), lambda _message: None)

    assert inbox.titles == ["schedsync: a first run after an apply of the set default failed"] * 2
    text = "first run failed: one: the message can never be sent: no JSON"
    assert inbox.got[0]["message"] == f"- default: {text}\nNext: schedsync history"
