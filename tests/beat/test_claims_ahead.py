"""Claims ahead: the next batch is claimed while this one is sent, and no promise suffers."""

from __future__ import annotations

import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from datetime import timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from django.db import OperationalError, connections
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from schedsync.beat import next_batch
from schedsync.beat.claims import Batch
from schedsync.beat.message import Message
from schedsync.beat.outbox import Waiting
from schedsync.models import Claim, Lease, ManagedSchedule
from tests.beat.ours import Beat
from tests.beat.test_full_pause import paused
from tests.beat.test_in_hand import dies
from tests.beat.test_promises import Died
from tests.conftest import NOW

BATCH, COUNT = 10, 35
MINUTE = timedelta(minutes=1)


@pytest.fixture
def beat(using: str, clock: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Beat]:
    """A Beat with more schedules due at once than fit into a batch."""
    if using == "default":
        pytest.skip("nothing is claimed ahead on SQLite")
    monkeypatch.setattr(next_batch, "BATCH", BATCH)
    crontab = CrontabSchedule.objects.using(using).create(minute="*")
    rows = [
        PeriodicTask(name=f"s{number:02}", task="t", crontab=crontab, last_run_at=NOW - MINUTE)
        for number in range(COUNT)
    ]
    PeriodicTask.objects.using(using).bulk_create(rows)
    made = Beat(clock)
    yield made
    made.scheduler._dispatch._next._ahead.rest()


def sent(beat: Beat) -> Counter[str]:
    return Counter(message.name for _, message in beat.scheduler.sent)


def ahead(beat: Beat) -> set[str]:
    """Return the names of the schedules whose ticks are claimed ahead."""
    waits = beat.scheduler._dispatch.outbox._claimed[Waiting.AHEAD]
    return {tick.loaded.name for claimed in waits for tick in claimed.ticks if isinstance(tick, Message)}


def send_at_most_once(beat: Beat, using: str, first: str, end: str) -> set[str]:
    """Let the schedules from one name to before another be sent at most once; returns their names."""
    known = {"set": "default", "applied": "{}", "applied_at": NOW, "delivery": "at_most_once"}
    rows = PeriodicTask.objects.using(using).filter(name__gte=first, name__lt=end)
    ManagedSchedule.objects.using(using).bulk_create(
        [ManagedSchedule(name=row.name, row_id=row.pk, **known) for row in rows]
    )
    beat.scheduler.reloader.reset()
    return {row.name for row in rows}


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
    assert beat.scheduler._dispatch._next._ahead._thread is not None
    beat.settle()
    assert beat.scheduler._dispatch._next._ahead._thread is None


def test_few_ticks_are_not_claimed_ahead(beat: Beat, using: str) -> None:
    PeriodicTask.objects.using(using).filter(name__gte="s04").delete()

    def due_now(message: Message) -> None:
        # While this one is sent, more fall due.
        if message.name == "s00":
            beat.clock.shift(MINUTE)

    beat.scheduler.fails_at = due_now
    assert step(beat) == set()
    assert beat.scheduler._dispatch._next._ahead._thread is None


def test_what_is_sent_at_most_once_is_never_claimed_ahead(beat: Beat, using: str) -> None:
    once = send_at_most_once(beat, using, "s05", "s25")
    for _ in range(COUNT):
        assert once.isdisjoint(step(beat))
    assert sent(beat) == Counter(f"s{number:02}" for number in range(COUNT))


def test_what_is_sent_at_most_once_does_not_wait_for_all_that_fell_due_after_it(beat: Beat, using: str) -> None:
    once = send_at_most_once(beat, using, "s10", "s13")
    assert len(step(beat)) == BATCH - len(once)
    step(beat)
    assert once <= sent(beat).keys()
    beat.settle()
    assert sent(beat) == Counter(f"s{number:02}" for number in range(COUNT))


def test_an_error_before_a_batch_is_sent_loses_none_of_it(beat: Beat, using: str) -> None:
    send_at_most_once(beat, using, "s00", "s02")
    # When the batch after the first is worked out, this one has ended.
    PeriodicTask.objects.using(using).filter(name="s15").update(expires=NOW)

    def gone(execute: Callable[..., Any], sql: str, *args: Any) -> Any:
        if sql.startswith("UPDATE") and f"SET {connections[using].ops.quote_name('enabled')}" in sql:
            raise OperationalError("the database has gone away")
        return execute(sql, *args)

    with connections[using].execute_wrapper(gone):
        step(beat)
    assert sent(beat) == Counter()
    beat.step_until(lambda: len(sent(beat)) == COUNT - 1)
    assert set(sent(beat).values()) == {1}
    assert "s15" not in sent(beat)


def test_an_error_of_a_claim_ahead_does_not_hide_the_error_before_it(
    beat: Beat, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone() -> Batch:
        raise OperationalError("the database has gone away")

    monkeypatch.setattr(beat.scheduler._dispatch._next._ahead, "start", lambda _: SimpleNamespace(result=gone))
    beat.scheduler.fails_at = dies
    with pytest.raises(Died):
        step(beat)


def test_a_database_without_a_second_connection_is_no_reason_to_lose_the_lease(
    beat: Beat, using: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrapper: Any = type(connections[using])
    connect = wrapper.get_new_connection

    def connect_once(self: Any, parameters: Any) -> Any:
        if threading.current_thread() is not threading.main_thread():
            raise OperationalError("too many connections for this role")
        return connect(self, parameters)

    monkeypatch.setattr(wrapper, "get_new_connection", connect_once)
    assert step(beat) == set()
    assert beat.scheduler.leadership.leads
    epoch = beat.scheduler.leadership.epoch
    beat.settle()
    assert sent(beat) == Counter(f"s{number:02}" for number in range(COUNT))
    assert beat.scheduler.leadership.epoch == epoch


def test_the_lease_is_renewed_while_a_claim_ahead_takes_long(beat: Beat, monkeypatch: pytest.MonkeyPatch) -> None:
    scheduler = beat.scheduler
    claims, may_send = scheduler._claims, scheduler._claims.may_send
    holds_the_lease = threading.Event()

    def slowly() -> bool:
        if threading.current_thread() is not threading.main_thread():
            holds_the_lease.set()
            # Longer than a statement waits for a lock.
            threading.Event().wait(1.5)
        return may_send()

    def renew_soon(message: Message) -> None:
        if message.name == "s05":
            assert holds_the_lease.wait(60)
            scheduler.leadership._next = 0.0

    monkeypatch.setattr(claims, "may_send", slowly)
    scheduler.fails_at = renew_soon
    assert len(step(beat)) == BATCH
    assert sum(sent(beat).values()) == BATCH
    assert scheduler.leadership.leads


@pytest.mark.parametrize("waits_for", ["the end of a pause", "the broker", "nothing"])
def test_the_connection_is_given_back_while_nothing_is_sent(
    beat: Beat, using: str, waits_for: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if waits_for == "nothing":
        # The claim ahead finds that nothing of it is to be sent.
        PeriodicTask.objects.using(using).filter(name__gte="s11").delete()
        beat.scheduler.reloader.reset()
        later = PeriodicTask.objects.using(using).filter(name="s10")
        claims_ahead = beat.scheduler._dispatch._next._ahead
        start = claims_ahead.start
        monkeypatch.setattr(claims_ahead, "start", lambda claim: (later.update(enabled=False), start(claim))[1])
    else:
        step(beat)
        assert beat.scheduler._dispatch._next._ahead._thread is not None
    if waits_for == "the broker":
        beat.scheduler.dies_at = 0
    elif waits_for == "the end of a pause":
        paused(using)
        beat.scheduler._full_pause._next_look = 0.0
    step(beat)
    assert beat.scheduler._dispatch._next._ahead._thread is None


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

    monkeypatch.setattr(beat.scheduler._dispatch._next._ahead, "start", start)
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
