"""Beat tells monitoring services what a pause that ends by itself, or a pause of everything, means for monitors."""

from __future__ import annotations

import logging
import threading
import time
from datetime import timedelta
from typing import Any

import pytest
from django.db import DatabaseError
from django_celery_beat.models import PeriodicTask

from schedsync.beat import monitors
from schedsync.beat.monitors import MonitorKeeper
from schedsync.core.watch import Settled
from schedsync.models import FullPause, Monitor
from schedsync.monitors.in_step import bring_into_step
from tests.beat.ours import Beat
from tests.beat.test_tables import without
from tests.conftest import NOW, Project
from tests.monitors.conftest import at_both, at_healthchecks, healthchecks, sentry
from tests.monitors.servers import HealthchecksServer, SentryServer

__all__ = ["at_both", "at_healthchecks", "healthchecks", "sentry"]
pytestmark = pytest.mark.one_database

TWO = "  one: {task: t, every: 1m, monitor: true}\n  two: {task: t, every: 1h, monitor: true}\n"


@pytest.fixture
def shop(project: Project, at_both: SentryServer, clock: Any) -> Project:
    project.schedules(TWO)
    assert project.apply().code == 0
    return project


def muted(at_both: SentryServer, healthchecks: HealthchecksServer) -> tuple[list[str], list[str]]:
    """Return the names of the monitors that are muted, at Sentry and at Healthchecks."""
    of_sentry = sorted(name for name, one in at_both.by_slug().items() if one["isMuted"])
    return of_sentry, sorted(name for name, one in healthchecks.by_slug().items() if one["status"] == "paused")


def waiting(project: Project) -> str:
    lines = project.command("status").out.splitlines()
    return next((line for line in lines if "monitor" in line.lower()), "")


@pytest.mark.one_database("default", "postgresql", "mariadb")
def test_the_end_of_a_pause_is_told_to_the_services(
    shop: Project, clock: Any, at_both: SentryServer, healthchecks: HealthchecksServer
) -> None:
    assert shop.command("pause", "one", "--for", "1h", "--reason", "x", "--settle", "0").code == 0
    beat, keeper = Beat(clock), MonitorKeeper(shop.using)
    beat.settle()
    keeper.work()
    assert muted(at_both, healthchecks) == (["one"], ["one"])
    clock.shift(timedelta(hours=1, minutes=1))
    beat.settle()
    assert muted(at_both, healthchecks) == (["one"], ["one"])
    assert "2" in waiting(shop)
    keeper.work()

    assert muted(at_both, healthchecks) == ([], [])
    assert waiting(shop) == ""
    at_both.asked.clear()
    keeper.work()
    assert at_both.asked == []


def test_a_pause_of_everything_mutes_all_and_its_end_ends_that(
    shop: Project, at_both: SentryServer, healthchecks: HealthchecksServer
) -> None:
    keeper = MonitorKeeper(shop.using)
    PeriodicTask.objects.filter(name="two").update(enabled=False)
    assert shop.command("pause", "--all", "--for", "1h", "--reason", "x").code == 0
    keeper.work()
    there = muted(at_both, healthchecks)
    again = shop.apply()
    shop.command("resume", "--all")
    keeper.work()

    assert there == (["one", "two"], ["one", "two"])
    assert "Monitors" not in again.out
    assert muted(at_both, healthchecks) == (["two"], ["two"])


def test_a_plan_and_a_drift_during_a_pause_of_everything_are_quiet(shop: Project) -> None:
    assert shop.command("pause", "--all", "--for", "1h", "--reason", "x").code == 0
    MonitorKeeper(shop.using).work()

    assert [shop.plan("--exit-code").code, shop.drift().code] == [0, 0]
    assert "onitor" not in shop.plan().out


@pytest.mark.parametrize("fault", [429, 500, None, "<html>"])
def test_a_service_that_is_away_is_asked_again_later_and_says_so_once(
    shop: Project, healthchecks: HealthchecksServer, fault: Any, monkeypatch: Any, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("schedsync.http.client._BACKOFF", 0.0)
    keeper = MonitorKeeper(shop.using)
    PeriodicTask.objects.update(enabled=False)
    healthchecks.always, healthchecks.retry_after = fault, "9999"
    keeper.work()
    keeper.work()
    waits = keeper._wait
    healthchecks.always = 200
    keeper.work()

    assert (waits, keeper._wait) == (120.0, 0.0)
    assert caplog.text.count("monitors wait, and are tried again: healthchecks: ") == 1
    assert [check["status"] for check in healthchecks.monitors.values()] == ["paused", "paused"]
    assert [row.digest != "" for row in Monitor.objects.all()] == [True] * 4


def test_a_beat_that_no_longer_leads_asks_no_service_again(shop: Project, healthchecks: HealthchecksServer) -> None:
    keeper = MonitorKeeper(shop.using)
    PeriodicTask.objects.update(enabled=False)
    healthchecks.always, healthchecks.retry_after = 404, "0"
    keeper.take((1, False))
    keeper.rest()
    keeper.work()
    resting = keeper._due
    keeper.take((1, False))
    leading = keeper._due
    keeper.close()

    assert (resting, keeper._wait, leading is not None) == (None, 60.0, True)


def test_a_service_that_hangs_delays_no_tick_and_not_the_end_of_beat(
    shop: Project, clock: Any, healthchecks: HealthchecksServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(monitors, "CALM", 0.0)
    monkeypatch.setattr(monitors, "_PATIENCE", 0.05)
    asked, go_on = threading.Event(), threading.Event()

    def hangs(_line: str, _body: Any) -> bool:
        asked.set()
        go_on.wait(60)
        return False

    healthchecks.faulty = hangs
    PeriodicTask.objects.filter(name="two").update(enabled=False)
    beat = Beat(clock)
    try:
        beat.settle()
        beat.scheduler._show_life()
        assert asked.wait(60)
        sent = beat.run(timedelta(minutes=3))
        beat.scheduler.close()
    finally:
        go_on.set()
        keeper = beat.scheduler._monitors._keeper
        assert keeper is not None
        assert keeper._thread is not None
        keeper._thread.join()

    assert [name for _, name in sent].count("one") >= 2


def test_only_a_leader_looks_and_only_after_a_change(shop: Project, clock: Any, monkeypatch: Any) -> None:
    sights: list[Any] = []
    monkeypatch.setattr(MonitorKeeper, "take", lambda _keeper, sight: sights.append(sight))
    beat, standby = Beat(clock), Beat(clock)
    beat.settle()
    standby.step()
    standby.scheduler._monitors.step(is_away=False)
    assert sights == []
    FullPause.objects.create(pk=1, who="jo", reason="r", since=NOW, until=NOW + timedelta(hours=1))
    beat.scheduler._full_pause._next_look = 0.0
    beat.step()
    for is_away in (True, False):
        beat.scheduler._monitors.step(is_away=is_away)
    assert [paused for _, paused in sights][-1:] == [True]


def test_tables_that_change_all_the_time_do_not_put_the_look_off(shop: Project, monkeypatch: Any) -> None:
    looks = threading.Event()
    monkeypatch.setattr(monitors, "CALM", 0.2)
    monkeypatch.setattr(MonitorKeeper, "work", lambda _keeper: looks.set())
    keeper = MonitorKeeper(shop.using)
    number, until = 0, time.monotonic() + 60
    while not looks.is_set() and time.monotonic() < until:
        keeper.take((number := number + 1, False))
        time.sleep(0.01)
    keeper.close()

    assert looks.is_set()


def test_what_nobody_can_change_is_looked_at_once(shop: Project, at_both: SentryServer, monkeypatch: Any) -> None:
    """A row that Beat cannot run is enabled, and its monitor is muted."""
    PeriodicTask.objects.filter(name="one").update(args="[")
    shop.command("pause", "two", "--reason", "x", "--settle", "0")
    keeper = MonitorKeeper(shop.using)
    keeper.work()
    reads: list[Any] = []

    def noted(*words: Any, **more: Any) -> Settled:
        reads.append(words)
        return bring_into_step(*words, **more)

    monkeypatch.setattr(monitors, "bring_into_step", noted)
    keeper.work()
    keeper.work()

    assert len(reads) <= 1


def test_without_services_or_tables_nothing_is_done(
    project: Project, settings: Any, clock: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert Beat(clock).scheduler._monitors._keeper is None
    settings.SCHEDSYNC_MONITORS = {"sentry": {"token": "canary-of-a-token"}}
    assert Beat(clock).scheduler._monitors._keeper is None
    assert caplog.text.count("monitors are not muted: `sentry` of SCHEDSYNC_MONITORS has no `organization`") == 1
    assert "canary-of-a-token" not in caplog.text
    settings.SCHEDSYNC_MONITORS = {"healthchecks": {"key": "k", "url": "http://127.0.0.1:1"}}
    caplog.set_level(logging.INFO)
    keeper = MonitorKeeper(project.using)
    with without(project.using, Monitor):
        keeper.work()
    assert keeper._wait == 0.0

    def fails(*_words: Any) -> Any:
        raise DatabaseError("password=canary-of-a-token")

    monkeypatch.setattr(monitors, "owed", fails)
    keeper.work()
    assert caplog.text.count("monitors wait, and are tried again: DatabaseError: ***") == 1
