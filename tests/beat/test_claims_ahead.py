"""Claims ahead: the next batch is claimed while this one is sent, and no promise suffers."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from schedsync.beat import dispatch
from schedsync.beat.claims import Batch
from schedsync.beat.message import Message
from schedsync.beat.outbox import Waiting
from schedsync.models import Claim, Lease, ManagedSchedule
from tests.beat.ours import Beat
from tests.beat.test_full_pause import paused
from tests.conftest import NOW

BATCH, COUNT = 10, 35
MINUTE = timedelta(minutes=1)


@pytest.fixture
def beat(using: str, clock: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Beat]:
    """A Beat with more schedules due at once than fit into a batch."""
    if using == "default":
        pytest.skip("nothing is claimed ahead on SQLite")
    monkeypatch.setattr(dispatch, "BATCH", BATCH)
    crontab = CrontabSchedule.objects.using(using).create(minute="*")
    rows = [
        PeriodicTask(name=f"s{number:02}", task="t", crontab=crontab, last_run_at=NOW - MINUTE)
        for number in range(COUNT)
    ]
    PeriodicTask.objects.using(using).bulk_create(rows)
    made = Beat(clock)
    yield made
    made.scheduler._dispatch._ahead.rest()


def sent(beat: Beat) -> Counter[str]:
    return Counter(message.name for _, message in beat.scheduler.sent)


def ahead(beat: Beat) -> set[str]:
    """Return the names of the schedules whose ticks are claimed ahead."""
    waits = beat.scheduler._dispatch.outbox._claimed[Waiting.AHEAD]
    return {tick.loaded.name for claimed in waits for tick in claimed.ticks if isinstance(tick, Message)}


def step(beat: Beat) -> set[str]:
    """Take one step, and return what is claimed ahead after it."""
    beat.scheduler.step()
    return ahead(beat)


def test_the_next_batch_is_claimed_when_this_one_is_sent(beat: Beat, using: str) -> None:
    claimed = step(beat)
    unconfirmed = Claim.objects.using(using).filter(confirmed=False)
    names = PeriodicTask.objects.using(using).filter(pk__in=unconfirmed.values("row_id"))
    assert sum(sent(beat).values()) == len(claimed) == BATCH
    assert claimed == set(names.values_list("name", flat=True))
    assert claimed.isdisjoint(sent(beat))
    assert step(beat).isdisjoint(sent(beat))
    assert sum(sent(beat).values()) == 2 * BATCH

    beat.settle()
    assert sent(beat) == Counter(f"s{number:02}" for number in range(COUNT))
    assert not unconfirmed.exists()


def test_the_connection_is_given_back_after_the_last_batch(beat: Beat) -> None:
    step(beat)
    assert beat.scheduler._dispatch._ahead._thread is not None
    beat.settle()
    assert beat.scheduler._dispatch._ahead._thread is None


def test_few_ticks_are_not_claimed_ahead(beat: Beat, using: str) -> None:
    PeriodicTask.objects.using(using).filter(name__gte="s04").delete()

    def due_now(message: Message) -> None:
        # While this one is sent, more fall due.
        if message.name == "s00":
            beat.clock.shift(MINUTE)

    beat.scheduler.fails_at = due_now
    assert step(beat) == set()
    assert beat.scheduler._dispatch._ahead._thread is None


def test_what_is_sent_at_most_once_is_never_claimed_ahead(beat: Beat, using: str) -> None:
    known = {"set": "default", "applied": "{}", "applied_at": NOW, "delivery": "at_most_once"}
    rows = PeriodicTask.objects.using(using).filter(name__gte="s05", name__lt="s25")
    ManagedSchedule.objects.using(using).bulk_create(
        [ManagedSchedule(name=row.name, row_id=row.pk, **known) for row in rows]
    )
    once = {row.name for row in rows}
    beat.scheduler.reloader.reset()
    for _ in range(COUNT):
        assert once.isdisjoint(step(beat))
    assert sent(beat) == Counter(f"s{number:02}" for number in range(COUNT))


def test_a_pause_lets_nothing_of_what_is_claimed_ahead_be_sent(beat: Beat, using: str) -> None:
    claimed = step(beat)
    assert claimed
    paused(using)
    beat.scheduler._full_pause._next_look = 0.0
    beat.settle()
    assert sum(sent(beat).values()) == BATCH
    assert not Claim.objects.using(using).filter(confirmed=False).exists()


@pytest.mark.parametrize("columns", [{"enabled": False}, {"kwargs": '{"new": 1}'}, {"args": "no JSON"}], ids=str)
def test_an_edit_of_what_is_claimed_ahead_is_seen(beat: Beat, using: str, columns: dict[str, Any]) -> None:
    name = min(step(beat))
    PeriodicTask.objects.using(using).filter(name=name).update(**columns)
    beat.settle()
    later = [message for _, message in beat.scheduler.sent if message.name == name]
    assert [message.kwargs for message in later] == ([{"new": 1}] if "kwargs" in columns else [])
    assert len(sent(beat)) == (COUNT if later else COUNT - 1)


def test_a_claim_ahead_after_the_lease_is_lost_claims_nothing(
    beat: Beat, using: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(claim: Callable[[], Batch]) -> Any:
        def as_another_beat_leads() -> Batch:
            Lease.objects.using(using).update(holder=uuid.uuid4(), epoch=99, expires_at=NOW + MINUTE)
            return claim()

        return SimpleNamespace(result=as_another_beat_leads)

    monkeypatch.setattr(beat.scheduler._dispatch._ahead, "start", start)
    assert step(beat) == set()
    assert not beat.scheduler.leadership.leads
    assert sum(sent(beat).values()) == BATCH
    Lease.objects.using(using).update(expires_at=NOW - MINUTE)
    heir = Beat(beat.clock)
    heir.settle()
    assert sent(beat) + sent(heir) == Counter(f"s{number:02}" for number in range(COUNT))


def test_the_next_leader_sends_what_was_claimed_ahead(beat: Beat, using: str) -> None:
    step(beat)
    Lease.objects.using(using).update(expires_at=NOW - MINUTE)
    heir = Beat(beat.clock)
    heir.settle()
    assert sent(beat) + sent(heir) == Counter(f"s{number:02}" for number in range(COUNT))
    beat.settle()
    assert sum(sent(beat).values()) == BATCH
