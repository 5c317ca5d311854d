"""What arrives at a broker, and what Beat makes of one that is not there."""

from __future__ import annotations

import socket
import threading
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from queue import Empty
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from celery import Celery
from django.conf import settings
from django.db import connections
from django_celery_beat.models import PeriodicTask
from kombu import Queue

import schedsync.beat
from schedsync.beat import Scheduler
from schedsync.beat.listen import PostgresListener, RedisListener, wait
from schedsync.beat.message import Message, Payload
from schedsync.beat.outbox import Waiting
from schedsync.beat.sender import Sender
from schedsync.beat.signals import uninterrupted
from schedsync.database.notify import CHANNEL, notify
from schedsync.models import Claim, ManagedSchedule
from tests.beat import beats
from tests.beat.test_like_stock import TIMINGS, make
from tests.conftest import NOW
from tests.faults.arena import Proxy

MINUTE = timedelta(minutes=1)
#: Nothing listens there.
NOWHERE = "127.0.0.1:1"


def scheduler(broker: str) -> Scheduler:
    app = Celery("sending", broker=broker, set_as_current=False)
    app.conf.update(timezone="UTC", enable_utc=True, result_expires=None, broker_connection_timeout=10)

    @app.task(name="known", shared=False)
    def known(*_: Any, **__: Any) -> None: ...

    app.finalize()
    made = Scheduler(app=app)
    made._finalize.cancel()
    beats.note(made)
    return made


def received(beat: Scheduler, queue: str) -> list[Any]:
    with beat.app.connection_for_read() as connection:
        simple = connection.SimpleQueue(queue)
        found = []
        while True:
            try:
                found.append(simple.get_nowait())
            except Empty:
                return found


@pytest.mark.parametrize("task", ["known", "known elsewhere"])
def test_a_message_says_why_it_was_sent(using: str, clock: Any, task: str) -> None:
    columns = {
        "last_run_at": NOW - MINUTE, "queue": f"{using} {task}", "expire_seconds": 60, "kwargs": '{"tenant": "a"}',
        "args": "[1]", "headers": '{"trace": "1"}',
    }  # fmt: skip
    row = make(using, "x", {**TIMINGS["each minute"], **columns})
    PeriodicTask.objects.using(using).update(task=task)
    known = {"set": "default", "commit": "abc123", "applied": "{}", "applied_at": NOW}
    ManagedSchedule.objects.using(using).create(name="x", row_id=row.pk, **known)
    beat = scheduler("memory://")
    beat.step()
    (message,) = received(beat, columns["queue"])

    assert (message.headers["task"], message.payload[:2]) == (task, [[1], {"tenant": "a"}])
    assert message.headers["id"] == Message(beat.roster.schedules[row.pk], NOW, Payload()).task_id
    assert message.headers["expires"] == (NOW + MINUTE).isoformat()
    ours = {name: value for name, value in message.headers.items() if name.startswith(("schedsync", "periodic", "tr"))}
    assert ours == {
        "schedsync_schedule": "x",
        "schedsync_tick": "2026-11-23T10:00:00Z",
        "schedsync_set": "default",
        "schedsync_commit": "abc123",
        "periodic_task_name": "x",
        "trace": "1",
    }


@pytest.mark.parametrize("broker", [f"amqp://guest:guest@{NOWHERE}//", f"redis://{NOWHERE}/0"])
def test_a_broker_that_is_not_there_is_named_and_claims_nothing(
    using: str, clock: Any, broker: str, caplog: pytest.LogCaptureFixture
) -> None:
    make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE})
    beat = scheduler(broker)

    assert 0 < beat.step() <= 1
    assert beat.leadership.leads
    assert caplog.text.count("the broker cannot be reached, ticks wait for it") == 1
    assert not Claim.objects.using(using).exists()
    beat.step()
    assert caplog.text.count("the broker cannot be reached") == 1
    beat.close()


class Broker:
    """A queue of a real broker, and a scheduler that reaches it through a proxy, with one schedule for that queue."""

    def __init__(self, kind: str, using: str) -> None:
        if kind not in settings.BROKERS:
            pytest.skip(f"no {kind} on this machine")
        self.url = settings.BROKERS[kind]
        parts = urlsplit(self.url)
        self.proxy = Proxy(lambda: socket.create_connection((parts.hostname or "", parts.port or 0)))
        self.queue = Queue(f"schedsync-{uuid.uuid4()}", queue_arguments=FULL if kind == "rabbitmq" else None)
        self.row = make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE, "queue": self.queue.name})
        login = f"{parts.username}:{parts.password}@" if parts.username else ""
        self.beat = scheduler(urlunsplit(parts._replace(netloc=f"{login}127.0.0.1:{self.proxy.port}")))
        self.beat.app.conf.task_queues = [self.queue, Queue(f"{self.queue.name}-y")]

    def names(self) -> list[str]:
        """Take out what has arrived, and return the schedules that it is of."""
        with self.beat.app.connection_for_read(self.url) as connection:
            channel, found = connection.channel(), []
            while (message := channel.basic_get(self.queue.name, no_ack=True)) is not None:
                found.append(message.headers["periodic_task_name"])
            return found

    def close(self) -> None:
        self.beat.close()
        with self.beat.app.connection_for_read(self.url) as connection:
            for queue in self.beat.app.conf.task_queues:
                queue(connection.channel()).delete()
        self.proxy.close()


#: One message, and more are refused.
FULL = {"x-max-length": 1, "x-overflow": "reject-publish"}


@pytest.fixture
def rabbitmq(using: str, clock: Any) -> Iterator[Broker]:
    made = Broker("rabbitmq", using)
    yield made
    made.close()


def minute_later(broker: Broker, clock: Any) -> None:
    """Let the next tick come, and work until there is nothing to do."""
    clock.shift(MINUTE)
    broker.beat.reloader.reset()
    while broker.beat.step() == 0:
        pass


def sent(beat: Scheduler, using: str, name: str, count: int) -> None:
    """Step until a schedule has run the given number of times."""
    until = time.monotonic() + 60
    while PeriodicTask.objects.using(using).get(name=name).total_run_count < count:
        assert time.monotonic() < until, f"`{name}` has not run {count} times"
        if beat.step() > 0:
            time.sleep(0.05)


@pytest.mark.one_database
def test_a_full_queue_holds_up_no_other(using: str, clock: Any, rabbitmq: Broker) -> None:
    beat = rabbitmq.beat
    beat.step()
    make(using, "y", {**TIMINGS["each minute"], "last_run_at": NOW, "queue": f"{rabbitmq.queue.name}-y"})
    minute_later(rabbitmq, clock)
    counts = dict(PeriodicTask.objects.using(using).values_list("name", "total_run_count"))
    assert counts == {"x": 1, "y": 1}
    assert rabbitmq.names() == ["x"]

    beat._dispatch.outbox.hurry(Waiting.REFUSED)
    sent(beat, using, "x", 2)
    assert rabbitmq.names() == ["x"]


@pytest.mark.one_database
def test_a_connection_that_was_lost_while_idle_costs_no_message(using: str, clock: Any, rabbitmq: Broker) -> None:
    known = {"set": "default", "applied": "{}", "applied_at": NOW, "delivery": "at_most_once"}
    ManagedSchedule.objects.using(using).create(name="x", row_id=rabbitmq.row.pk, **known)
    rabbitmq.beat.step()
    assert rabbitmq.names() == ["x"]
    rabbitmq.proxy.down()
    time.sleep(0.1)
    rabbitmq.proxy.up()
    minute_later(rabbitmq, clock)

    assert rabbitmq.names() == ["x"]


@pytest.mark.one_database
def test_a_broker_that_says_nothing_is_not_waited_for_without_end(using: str, clock: Any, rabbitmq: Broker) -> None:
    """As RabbitMQ does while memory or disk run out."""
    beat = rabbitmq.beat
    beat.step()
    assert rabbitmq.names() == ["x"]
    beat.sender.close()
    beat.sender = beat._dispatch.sender = Sender(beat.app, patience=0.5)
    until = time.monotonic() + 60
    while not beat.sender.ready():
        assert time.monotonic() < until, "the broker does not answer within half a second"
    rabbitmq.proxy.is_mute = True
    clock.shift(MINUTE)
    assert beat.step() > 0
    rabbitmq.proxy.is_mute = False
    until, arrived = time.monotonic() + 60, rabbitmq.names()
    while not arrived and time.monotonic() < until:
        beat.step()
        arrived = rabbitmq.names()

    assert arrived == ["x"]


@pytest.mark.one_database
def test_what_redis_refuses_is_sent_when_it_no_longer_does(using: str, clock: Any) -> None:
    import redis

    broker = Broker("redis", using)
    make(using, "y", {**TIMINGS["each minute"], "last_run_at": NOW - MINUTE, "queue": f"{broker.queue.name}-y"})
    with redis.Redis.from_url(broker.url) as client:
        client.set(broker.queue.name, "no list")
        broker.beat.reloader.reset()
        broker.beat.step()
        counts = dict(PeriodicTask.objects.using(using).values_list("name", "total_run_count"))
        assert counts == {"x": 0, "y": 1}
        client.delete(broker.queue.name)
    broker.beat._dispatch.outbox.hurry(Waiting.REFUSED)
    sent(broker.beat, using, "x", 1)

    assert broker.names() == ["x"]
    broker.close()


def test_a_redis_that_is_not_there_wakes_nobody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    source = RedisListener(f"redis://{NOWHERE}/0")

    assert wait([source], 0.01) is False
    assert wait([source], 0.01) is False
    assert caplog.text.count("no subscription in Redis, polling goes on") == 1
    source.close()


def test_a_listening_connection_that_the_server_ends_is_made_again(using: str) -> None:
    if using != "postgresql":
        pytest.skip("only PostgreSQL notifies")
    source = PostgresListener(using)
    assert not wait([source], 0.01)
    with connections[using].cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
    while source.file() is not None:
        wait([source], 2)
    assert not wait([source], 0.01)
    source._not_before = 0.0
    assert source.file() is not None
    notify(using)
    assert wait([source], 60)
    source.close()


def test_without_a_listen_polling_goes_on(
    using: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if using != "postgresql":
        pytest.skip("only PostgreSQL notifies")
    caplog.set_level("INFO")
    with monkeypatch.context() as patch:
        for name, value in {"HOST": "127.0.0.1", "PORT": "1"}.items():
            patch.setitem(connections[using].settings_dict, name, value)
        monkeypatch.setattr("schedsync.beat.listen._AGAIN", 0.0)
        source = PostgresListener(using)
        assert wait([source], 0.01) is False
        assert wait([source], 0.01) is False
    told = [record.getMessage() for record in caplog.records if "no LISTEN, polling goes on" in record.getMessage()]

    assert [line.count("\n") for line in told] == [0]


def listen(source: RedisListener) -> None:
    """Subscribe; the first thing that is heard is that it listens."""
    assert wait([source], 60)
    while wait([source], 0.2):
        pass


@pytest.mark.parametrize("broken", ["by the server", "under us"])
def test_a_subscription_that_broke_is_made_again(broken: str) -> None:
    import redis

    if "redis" not in settings.BROKERS:
        pytest.skip("no Redis on this machine")
    source = RedisListener(settings.BROKERS["redis"])
    listen(source)
    with redis.Redis.from_url(settings.BROKERS["redis"]) as client:
        if broken == "by the server":
            client.client_kill_filter(_type="pubsub")
            assert wait([source], 60)
        else:
            source.file().close()
            assert not wait([source], 0.01)
        assert source.file() is None
        source._not_before = 0.0
        listen(source)
        client.publish(CHANNEL, "")
        assert wait([source], 60)
    source.close()


def test_a_thread_has_no_signals_to_hold_back() -> None:
    done = []

    def work() -> None:
        with uninterrupted():
            done.append(threading.current_thread().name)

    thread = threading.Thread(target=work, name="beat")
    thread.start()
    thread.join()
    assert done == ["beat"]


def test_the_package_knows_its_scheduler_only() -> None:
    assert schedsync.beat.Scheduler is Scheduler
    with pytest.raises(AttributeError, match="Planner"):
        schedsync.beat.Planner  # noqa: B018
