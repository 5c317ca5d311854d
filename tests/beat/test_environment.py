"""A Beat in a database that belongs to another environment stands still, also when the database is replaced."""

from __future__ import annotations

import time
import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured
from django_celery_beat.models import PeriodicTask

from schedsync.beat.clock_check import ClockCheck, clock_limit
from schedsync.beat.tables import Tables
from schedsync.database.clock import DatabaseNow
from schedsync.models import Beat as BeatRow
from schedsync.models import BeatReport, EnvironmentBinding, Lease
from tests.beat.ours import Beat, app
from tests.beat.test_like_stock import TIMINGS, make
from tests.beat.test_tables import without
from tests.conftest import NOW


def bind(using: str, environment: str) -> None:
    values = {"environment": environment, "who": "jo", "at": DatabaseNow()}
    EnvironmentBinding.objects.using(using).update_or_create(pk=1, defaults=values)


def due(using: str, *names: str) -> None:
    """Make schedules that are due now."""
    for name in names or ("x",):
        make(using, name, {**TIMINGS["each minute"], "last_run_at": NOW - timedelta(minutes=1)})


def names(monkeypatch: pytest.MonkeyPatch, environment: str) -> None:
    monkeypatch.setattr("django.conf.settings.SCHEDSYNC_ENVIRONMENT", environment, raising=False)


def look_again(beat: Beat) -> None:
    """Let it be time for the checks of the next renewal, and to ask for the lease."""
    beat.scheduler._checks._next = 0.0
    beat.scheduler.leadership.hurry()
    beat.step()


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]


def test_a_beat_that_names_the_environment_sends(using: str, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bind(using, "production")
    due(using)
    names(monkeypatch, "production")
    beat = Beat(clock)
    beat.settle()

    assert [message.name for _, message in beat.scheduler.sent] == ["x"]
    assert BeatReport.objects.using(using).get().environment == "production"


@pytest.mark.parametrize("leader", ["database", None])
@pytest.mark.parametrize("named", ["staging", ""])
def test_a_beat_that_names_another_or_none_stands_still(
    using: str,
    clock: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    leader: str | None,
    named: str,
) -> None:
    monkeypatch.setattr("django.conf.settings.SCHEDSYNC_LEADER", leader, raising=False)
    names(monkeypatch, named)
    bind(using, "production")
    due(using, *[f"s{number:02}" for number in range(25)])
    app.conf.beat_schedule = {"from settings": {"task": "t", "schedule": 60.0}}
    try:
        beat = Beat(clock)
        assert [beat.step() > 0 for _ in range(3)] == [True] * 3
    finally:
        app.conf.beat_schedule = {}

    assert beat.scheduler.sent == []
    assert not Lease.objects.using(using).exclude(holder=None).exists()
    assert PeriodicTask.objects.using(using).filter(last_run_at=NOW - timedelta(minutes=1)).count() == 25
    assert PeriodicTask.objects.using(using).count() == 25
    (error,) = errors(caplog)
    assert error.startswith("stands still: the database belongs to `production`, and this Beat names ")
    assert "It would send 25 schedules, first: s00 at 2026-11-23 10:00:00 UTC; s01 at" in error
    assert error.count(" at 2026") == 20
    assert f"`schedsync ledger bind -e {named or 'NAME'}`" in error
    row = BeatRow.objects.using(using).get()
    assert (row.leads, row.trouble.startswith("stands still: ")) == (False, True)


def test_it_says_it_again_after_an_hour_and_goes_on_when_the_database_is_bound_to_it(
    using: str, clock: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    names(monkeypatch, "staging")
    bind(using, "production")
    due(using)
    beat = Beat(clock)
    beat.step()
    beat.scheduler._checks.environment._next_report = 1e-9
    beat.step()
    assert len(errors(caplog)) == 2
    bind(using, "staging")
    look_again(beat)
    beat.settle()

    assert [message.name for _, message in beat.scheduler.sent] == ["x"]
    assert "stands still no longer: the database belongs to `staging`" in caplog.text
    assert BeatRow.objects.using(using).get().trouble == ""


def test_another_beat_with_the_right_name_can_lead(using: str, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bind(using, "production")
    due(using)
    wrong = Beat(clock)
    wrong.step()
    names(monkeypatch, "production")
    right = Beat(clock)
    right.settle()
    wrong.step()

    assert [message.name for _, message in right.scheduler.sent] == ["x"]
    assert wrong.scheduler.sent == []


@pytest.mark.parametrize("leader", ["database", None])
def test_a_database_that_is_replaced_under_a_running_beat_fires_nothing(
    using: str, clock: Any, monkeypatch: pytest.MonkeyPatch, leader: str | None
) -> None:
    """Between two renewals: only the claim itself can notice it."""
    monkeypatch.setattr("django.conf.settings.SCHEDSYNC_LEADER", leader, raising=False)
    beat = Beat(clock)
    beat.step()
    assert beat.scheduler.leadership.leads
    bind(using, "production")
    due(using)
    for _ in range(3):
        beat.step()

    assert beat.scheduler.sent == []
    assert not beat.scheduler.leadership.leads
    assert not Lease.objects.using(using).exclude(holder=None).exists()


def test_a_leader_gives_the_lease_back_when_the_database_is_bound_elsewhere(using: str, clock: Any) -> None:
    beat = Beat(clock)
    beat.step()
    assert beat.scheduler.leadership.leads
    bind(using, "production")
    look_again(beat)

    assert (beat.scheduler.leadership.leads, Lease.objects.using(using).get().holder) == (False, None)


def test_before_the_migration_a_beat_sends(using: str, clock: Any) -> None:
    due(using)
    with without(using, EnvironmentBinding):
        beat = Beat(clock)
        beat.settle()

    assert [message.name for _, message in beat.scheduler.sent] == ["x"]


def test_another_server_is_only_warned_of_once(
    using: str, clock: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    names(monkeypatch, "production")
    bind(using, "production")
    EnvironmentBinding.objects.using(using).update(server_id="other", host="other")
    due(using)
    beat = Beat(clock)
    beat.settle()
    look_again(beat)

    assert [message.name for _, message in beat.scheduler.sent] == ["x"]
    assert caplog.text.count("was bound to `production` on another server") == int(using != "default")


def other(using: str, ahead: float | None, environment: str | None = None) -> None:
    """Let another Beat be alive, whose clock is ahead by some seconds."""
    times = {"started_at": DatabaseNow(), "seen_at": DatabaseNow()}
    row = BeatRow.objects.using(using).create(id=uuid.uuid4(), host="h", pid=1, election="database", **times)
    BeatReport.objects.using(using).create(beat=row.pk, name="h:1", clock_ahead=ahead, environment=environment)


def wrong_clock(monkeypatch: pytest.MonkeyPatch, clock: Any, seconds: float) -> None:
    """Let the database's time be so many seconds before Python's."""

    def behind(_using: str) -> datetime:
        return datetime.now(timezone.utc) - timedelta(seconds=seconds)

    monkeypatch.setattr("schedsync.beat.clock_check.database_time", behind)


def test_a_wrong_clock_is_said_once_and_once_when_it_is_right_again(
    using: str, clock: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    wrong_clock(monkeypatch, clock, 3)
    beat = Beat(clock)
    beat.step()
    look_again(beat)
    assert errors(caplog) == ["this Beat's clock is 3.0 s ahead of the database's: tasks run too early"]
    assert beat.scheduler.report.clock_ahead == pytest.approx(3, abs=0.5)
    wrong_clock(monkeypatch, clock, 0)
    look_again(beat)

    assert caplog.text.count("clock agrees with the database's again") == 1
    assert beat.scheduler.leadership.leads
    assert BeatRow.objects.using(using).get().trouble == ""


@pytest.mark.parametrize(
    ("ahead", "environment", "leads"),
    [(0.2, None, False), (-4.0, None, False), (-6.0, None, True), (None, None, True)],
)
def test_beyond_the_limit_a_beat_whose_clock_agrees_leads(
    using: str,
    clock: Any,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    ahead: float | None,
    environment: str | None,
    leads: bool,
) -> None:
    beat = Beat(clock)
    beat.step()
    other(using, ahead, environment)
    wrong_clock(monkeypatch, clock, -120)
    look_again(beat)

    assert beat.scheduler.leadership.leads is leads
    lease = Lease.objects.using(using).get()
    assert (lease.holder is not None) is leads
    text = "and no live Beat's clock agrees" if leads else "a Beat whose clock agrees leads instead"
    assert [text in error for error in errors(caplog)] == [False, True]
    assert "120.0 s behind the database's" in errors(caplog)[0]
    trouble = BeatRow.objects.using(using).get(pk=beat.scheduler.holder).trouble
    assert trouble.startswith("this Beat's clock is 120.0 s behind")


def test_a_standby_with_a_wrong_clock_takes_over_when_no_beat_agrees_any_more(
    using: str, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    other(using, 0.0)
    wrong_clock(monkeypatch, clock, 120)
    beat = Beat(clock)
    beat.step()
    assert not beat.scheduler.leadership.leads
    BeatRow.objects.using(using).filter(host="h").update(seen_at=DatabaseNow() - timedelta(minutes=1))
    look_again(beat)
    beat.step()

    assert beat.scheduler.leadership.leads


def test_a_beat_that_stands_still_is_no_better_leader(using: str, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    names(monkeypatch, "production")
    bind(using, "production")
    other(using, 0.0, "staging")
    wrong_clock(monkeypatch, clock, 120)
    beat = Beat(clock)
    beat.step()

    assert beat.scheduler.leadership.leads


def test_a_slow_answer_counts_as_uncertain(using: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def slow(_using: str) -> datetime:
        time.sleep(1.5)
        return datetime.now(timezone.utc)

    check = ClockCheck(using, uuid.uuid4(), "database", timedelta(seconds=15), Tables(using))
    check.measure()
    assert (check.difference, check.agrees) == (pytest.approx(0, abs=0.3), True)
    monkeypatch.setattr("schedsync.beat.clock_check.database_time", slow)
    check.measure()

    assert check.uncertain >= 0.75
    assert check.difference == pytest.approx(0, abs=0.3)


@pytest.mark.parametrize("limit", [0.5, 0, -1, True, "5", float("inf"), float("nan")])
def test_a_clock_limit_that_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, limit: Any) -> None:
    monkeypatch.setattr("django.conf.settings.SCHEDSYNC_CLOCK_LIMIT", limit, raising=False)

    with pytest.raises(ImproperlyConfigured, match="SCHEDSYNC_CLOCK_LIMIT is a number of seconds"):
        clock_limit()


def test_the_clock_limit_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    assert clock_limit() == 5.0
    monkeypatch.setattr("django.conf.settings.SCHEDSYNC_CLOCK_LIMIT", 30, raising=False)

    assert clock_limit() == 30.0
