"""A Beat whose clock was ahead has run ticks of the future: its successor is not silent until then."""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from django_celery_beat.models import PeriodicTask

from schedsync.database.clock import DatabaseNow
from schedsync.models import Claim, Lease, ManagedSchedule
from tests.beat.ours import Beat, row
from tests.beat.test_like_stock import make

AHEAD = timedelta(seconds=120)
OFTEN = {"interval": {"every": 10, "period": "seconds"}}
ALWAYS = {"crontab": {"minute": "*"}}


def now() -> datetime:
    return datetime.now(timezone.utc)


def ran_early(using: str, timing: dict[str, Any], tick: datetime, *, confirmed: bool = True) -> PeriodicTask:
    """Make a schedule whose tick of the future was claimed by another Beat, and sent."""
    Lease.objects.using(using).update_or_create(pk=1, defaults={"epoch": 5})
    made = make(using, "x", {**timing, "last_run_at": tick, "total_run_count": 9})
    Claim.objects.using(using).create(
        row_id=made.pk, tick=tick, batch=uuid.uuid4(), epoch=5, claimed_at=DatabaseNow(), confirmed=confirmed
    )
    return made


def test_a_schedule_that_would_be_silent_counts_from_now(using: str, caplog: pytest.LogCaptureFixture) -> None:
    tick = now() + AHEAD
    ran_early(using, OFTEN, tick)
    beat = Beat(None)
    beat.step()
    after = row(using, "x")

    assert after.last_run_at is not None
    assert now() - timedelta(seconds=15) < after.last_run_at <= now()
    assert (tick - after.last_run_at) % timedelta(seconds=10) == timedelta(0)
    assert after.total_run_count == 9
    assert "has run 1 schedule for ticks of the future, to be counted from now on: x" in caplog.text
    beat.step_until(lambda: bool(beat.scheduler.sent))
    (sent_at, message) = beat.scheduler.sent[0]
    assert message.tick <= sent_at < tick - timedelta(seconds=60)
    assert "another scheduler" not in caplog.text


def test_a_crontab_too(using: str) -> None:
    tick = (now() + timedelta(minutes=5)).replace(second=0, microsecond=0)
    ran_early(using, ALWAYS, tick)
    beat = Beat(None)
    beat.step()

    last_run = row(using, "x").last_run_at
    assert last_run is not None
    assert last_run <= now()
    assert not Claim.objects.using(using).filter(tick=tick).exists()


def test_if_one_tick_was_sent_early_it_is_not_sent_again(using: str) -> None:
    at = (now() + timedelta(minutes=2)).replace(second=0, microsecond=0)
    ran_early(using, {"crontab": {"minute": str(at.minute), "hour": str(at.hour)}}, at)
    beat = Beat(None)
    beat.settle()

    assert row(using, "x").last_run_at == at
    assert Claim.objects.using(using).get().tick == at
    assert beat.scheduler.roster.agenda.next_at() == at + timedelta(days=1)


def test_a_schedule_with_at_most_one_delivery_stays_silent(using: str) -> None:
    tick = now() + AHEAD
    made = ran_early(using, OFTEN, tick)
    known = {"set": "s", "applied": "{}", "applied_at": now(), "delivery": "at_most_once"}
    ManagedSchedule.objects.using(using).create(name="x", row_id=made.pk, **known)
    beat = Beat(None)
    beat.settle()

    assert Claim.objects.using(using).get().tick == tick
    assert beat.scheduler.sent == []


def test_a_tick_of_the_future_that_was_not_confirmed_waits_until_it_is_due(using: str) -> None:
    tick = now() + AHEAD
    ran_early(using, OFTEN, tick, confirmed=False)
    beat = Beat(None)
    beat.step()
    beat.step()

    assert [message for _, message in beat.scheduler.sent if message.tick > now()] == []
    last_run = row(using, "x").last_run_at
    assert last_run is not None
    assert last_run <= now()


def test_a_beat_whose_own_clock_is_wrong_leaves_the_runs_alone(using: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schedsync.beat.clock_check.database_time", lambda _using: now() - AHEAD)
    tick = now() + AHEAD
    ran_early(using, OFTEN, tick)
    beat = Beat(None)
    beat.settle()

    assert beat.scheduler.leadership.leads
    assert Claim.objects.using(using).get().tick == tick


def test_what_is_ahead_by_less_than_a_lease_is_left_alone(using: str) -> None:
    tick = now() + timedelta(seconds=14)
    ran_early(using, {"interval": {"every": 5, "period": "seconds"}}, tick)
    beat = Beat(None)
    beat.step()

    assert Claim.objects.using(using).get().tick == tick
