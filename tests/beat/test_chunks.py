"""Chunks are sent as a whole, to real brokers; if one fails in the middle of a chunk, no tick is lost."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from django_celery_beat.models import PeriodicTask
from kombu import Producer, Queue

from schedsync.beat import sender
from schedsync.beat.chunks import CHUNK, waits_once
from schedsync.beat.outbox import Waiting
from schedsync.models import ManagedSchedule
from tests.beat.test_like_stock import TIMINGS, make
from tests.beat.test_sending import FULL, MINUTE, Broker
from tests.conftest import NOW

SIZE = 25
BROKERS = ["redis", "rabbitmq"]
pytestmark = pytest.mark.one_database


class Crowd:
    """A broker, and ``SIZE`` schedules that are due at once; some may have another queue."""

    def __init__(self, kind: str, using: str, **elsewhere: str) -> None:
        self.broker, self.using = Broker(kind, using), using
        # The first schedule of a broker is not needed here, nor its limit of one message.
        self.broker.row.delete()
        self.queue = f"{self.broker.queue.name}-crowd"
        self.others = {name: f"{self.queue}-{suffix}" for name, suffix in elsewhere.items()}
        queues = [Queue(name) for name in (self.queue, *self.others.values())]
        self.broker.beat.app.conf.task_queues = [self.broker.queue, *queues]
        for number in range(SIZE):
            name = f"s{number:02}"
            queue = self.others.get(name, self.queue)
            make(using, name, {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE, "queue": queue})
        self.broker.beat.reloader.reset()
        self.sent: Counter[str] = Counter()
        self.ids: dict[str, set[str]] = {}

    def work(self) -> None:
        """Step until each schedule has run, and read what has arrived."""
        until = time.monotonic() + 60
        rows = PeriodicTask.objects.using(self.using)
        while rows.filter(total_run_count=0).exists():
            assert time.monotonic() < until, "not all have run"
            self.broker.beat._dispatch.outbox.hurry(Waiting.REFUSED)
            if self.broker.beat.step() > 0:
                time.sleep(0.02)
        self.read()

    def read(self) -> None:
        with self.broker.beat.app.connection_for_read(self.broker.url) as connection:
            channel = connection.channel()
            for queue in (self.queue, *self.others.values()):
                while (message := channel.basic_get(queue, no_ack=True)) is not None:
                    name = message.headers["periodic_task_name"]
                    self.sent[name] += 1
                    self.ids.setdefault(name, set()).add(message.headers["id"])

    @property
    def names(self) -> set[str]:
        return {f"s{number:02}" for number in range(SIZE)}


@pytest.fixture(params=BROKERS)
def crowd(request: pytest.FixtureRequest, using: str, clock: Any) -> Iterator[Crowd]:
    made = Crowd(request.param, using)
    yield made
    made.broker.close()


def test_a_chunk_is_sent_once_and_in_order(crowd: Crowd) -> None:
    beat = crowd.broker.beat
    assert beat.sender.ready()
    # Before 5.7, kombu has no batches for Redis.
    has_batches = hasattr(Producer, "batch") or beat.sender.broker.confirms is not None
    assert waits_once(beat.sender.broker.producer, beat.sender.broker.confirms) == has_batches
    crowd.work()
    assert crowd.sent == Counter(crowd.names)
    assert beat.sender.last_tick == NOW
    assert list(crowd.sent) == sorted(crowd.sent)


@pytest.mark.parametrize("size", [1, 2, 7, SIZE, CHUNK])
@pytest.mark.parametrize("cut_in", [1, 1_500, 9_000, 15_000])
def test_a_connection_that_breaks_within_a_chunk_loses_nothing(
    crowd: Crowd, monkeypatch: pytest.MonkeyPatch, size: int, cut_in: int
) -> None:
    monkeypatch.setattr(sender, "CHUNK", size)
    beat = crowd.broker.beat
    assert beat.sender.ready()
    crowd.broker.proxy.cut_in = cut_in
    crowd.work()
    assert crowd.broker.proxy.cut_in is None
    assert set(crowd.sent) == crowd.names
    assert all(len(ids) == 1 for ids in crowd.ids.values())
    assert max(crowd.sent.values()) <= 2


@pytest.mark.parametrize("cut_in", [1_500, 9_000, 15_000])
def test_at_most_once_is_not_sent_twice(crowd: Crowd, cut_in: int) -> None:
    known = {"set": "default", "applied": "{}", "applied_at": NOW, "delivery": "at_most_once"}
    rows = PeriodicTask.objects.using(crowd.using).filter(name__in=["s03", "s04", "s20"])
    for row in rows:
        ManagedSchedule.objects.using(crowd.using).create(name=row.name, row_id=row.pk, **known)
    assert crowd.broker.beat.sender.ready()
    crowd.broker.proxy.cut_in = cut_in
    crowd.work()
    assert all(crowd.sent[name] <= 1 for name in ("s03", "s04", "s20"))
    assert crowd.names - {"s03", "s04", "s20"} <= set(crowd.sent)
    # Only the one in whose sending the connection broke may be missing.
    assert len(crowd.names - set(crowd.sent)) <= 1


def test_an_answer_of_redis_that_is_an_error_concerns_its_own_message(using: str, clock: Any) -> None:
    import redis

    crowd = Crowd("redis", using, s07="full")
    with redis.Redis.from_url(crowd.broker.url) as client:
        client.set(crowd.others["s07"], "no list")
        crowd.broker.beat.step()
        counts = dict(PeriodicTask.objects.using(using).values_list("name", "total_run_count"))
        assert {name for name, count in counts.items() if not count} == {"s07"}
        client.delete(crowd.others["s07"])
    crowd.work()
    assert set(crowd.sent) == crowd.names
    assert all(len(ids) == 1 for ids in crowd.ids.values())
    crowd.broker.close()


def test_a_queue_of_rabbitmq_that_refuses_costs_no_other_message(using: str, clock: Any) -> None:
    crowd = Crowd("rabbitmq", using, s07="full")
    full = Queue(crowd.others["s07"], queue_arguments=FULL)
    beat = crowd.broker.beat
    beat.app.conf.task_queues = [*(queue for queue in beat.app.conf.task_queues if queue.name != full.name), full]
    with beat.app.connection_for_write(crowd.broker.url) as connection, connection.Producer() as producer:
        producer.publish("fills it", routing_key=full.name, declare=[full(connection)])
    beat.step()
    counts = dict(PeriodicTask.objects.using(using).values_list("name", "total_run_count"))
    assert {name for name, count in counts.items() if not count} == {"s07"}
    with beat.app.connection_for_write(crowd.broker.url) as connection:
        full(connection).purge()
    crowd.work()
    # Nothing else was sent again: a broker that answers is believed.
    assert crowd.sent == Counter(crowd.names)
    crowd.broker.close()


def test_an_exchange_that_is_missing_concerns_its_own_message(using: str, clock: Any) -> None:
    crowd = Crowd("rabbitmq", using)
    PeriodicTask.objects.using(using).filter(name="s07").update(queue=None, exchange="nowhere", routing_key="x")
    crowd.work()
    assert set(crowd.sent) == crowd.names - {"s07"}
    assert all(len(ids) == 1 for ids in crowd.ids.values())
    crowd.broker.close()


def test_a_message_that_cannot_be_made_does_not_stop_its_chunk(crowd: Crowd) -> None:
    PeriodicTask.objects.using(crowd.using).filter(name="s07").update(priority=3)
    beat = crowd.broker.beat
    publish = beat._dispatch.publish

    def refuse(message: Any, producer: Any) -> Any:
        if message.name == "s07":
            raise ValueError("not this one")
        return publish(message, producer)

    beat._dispatch.publish = refuse
    crowd.work()
    assert crowd.sent == Counter(crowd.names - {"s07"})
