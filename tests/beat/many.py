"""Many schedules that are due together, a real broker behind a proxy, and a check of the messages that arrive."""

from __future__ import annotations

import json
import random
import socket
import time
import uuid
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
from django_celery_beat.models import CrontabSchedule, PeriodicTask, PeriodicTasks
from kombu import Queue

from schedsync.beat import sender
from schedsync.beat.message import DueTick
from schedsync.beat.outbox import Waiting
from schedsync.beat.prebuilt import Prebuilt
from schedsync.beat.sender import Sender
from schedsync.core.timing import instant_text
from schedsync.models import Claim, ManagedSchedule
from tests.beat.made import loaded
from tests.beat.test_sending import scheduler
from tests.conftest import NOW
from tests.faults.arena import Proxy

MINUTE = timedelta(minutes=1)
#: Seconds until a test fails.
PATIENCE = 60


@dataclass(frozen=True)
class Arrived:
    """A message that has arrived: its schedule, its tick and its id."""

    name: str
    tick: str
    id: str


class Many:
    """Schedules that are due each minute, in turns for several queues, some of them at most once."""

    def __init__(self, url: str, using: str, count: int, *, at_most_once: Collection[int] = (), **stage: Any) -> None:
        self.url, self.using, self.runs = url, using, 0
        self.arguments: Mapping[int, dict[str, Any]] = stage.get("arguments", {})
        prefix = f"schedsync-{uuid.uuid4()}"
        self.queues = [f"{prefix}-{number}" for number in range(stage.get("queues", 1))]
        self.names = [f"s{number:04}" for number in range(count)]
        self.at_most_once = {self.names[number] for number in at_most_once}
        self.arrived: list[Arrived] = []
        self._fill()
        self._reach(stage.get("beat_url", url))

    def _fill(self) -> None:
        crontab = CrontabSchedule.objects.using(self.using).create(minute="*")
        rows = PeriodicTask.objects.using(self.using)
        rows.bulk_create([
            PeriodicTask(name=name, task="t", crontab=crontab, queue=self.queues[number % len(self.queues)])
            for number, name in enumerate(self.names)
        ])  # fmt: skip
        rows.update(last_run_at=NOW - MINUTE, date_changed=NOW - MINUTE)
        self.ids = dict(rows.values_list("name", "pk"))
        ManagedSchedule.objects.using(self.using).bulk_create([
            ManagedSchedule(
                name=name, row_id=self.ids[name], set="default", applied="{}", applied_at=NOW, delivery="at_most_once"
            )
            for name in self.at_most_once
        ])  # fmt: skip
        PeriodicTasks.update_changed()

    def _reach(self, url: str) -> None:
        parts = urlsplit(url)
        self.proxy = Proxy(lambda: socket.create_connection((parts.hostname or "", parts.port or 0)))
        login = f"{parts.username}:{parts.password}@" if parts.username else ""
        self.beat = scheduler(urlunsplit(parts._replace(netloc=f"{login}127.0.0.1:{self.proxy.port}")))
        queues = [Queue(name, queue_arguments=self.arguments.get(at)) for at, name in enumerate(self.queues)]
        self.beat.app.conf.task_queues = queues
        if not self.is_redis:
            with self.beat.app.connection_for_write(self.url) as connection:
                for queue in queues:
                    queue(connection.channel()).declare()

    @property
    def is_redis(self) -> bool:
        return self.url.startswith("redis")

    def be_patient_for(self, seconds: float) -> None:
        """Let Beat wait this number of seconds for an answer of the broker."""
        self.beat.app.conf.broker_connection_timeout = seconds
        self.beat.sender.close()
        self.beat.sender = self.beat._dispatch.sender = Sender(self.beat.app, patience=seconds)

    def run(self, clock: Any, between: Callable[[], object] = lambda: None) -> None:
        """Let the next tick come, and step until each schedule has run; ``between`` is called after each step."""
        self.runs += 1
        if self.runs > 1:
            clock.shift(MINUTE)
        self.beat.reloader.reset()
        late = PeriodicTask.objects.using(self.using).filter(total_run_count__lt=self.runs)
        until = time.monotonic() + PATIENCE
        while late.exists() or self.beat._dispatch.outbox.held():
            assert time.monotonic() < until, f"{late.count()} have not run, {self.beat.sender.trouble}"
            self.beat._dispatch.outbox.hurry(Waiting.REFUSED)
            if self.beat.step() > 0:
                time.sleep(0.01)
            between()
        # Nothing more may be sent for it.
        self.beat.step()

    def read(self) -> list[Arrived]:
        """Take out the messages that have arrived."""
        new = list(self._of_redis() if self.is_redis else self._of_rabbitmq())
        self.arrived += new
        return new

    def _of_redis(self) -> Iterator[Arrived]:
        import redis

        with redis.Redis.from_url(self.url, decode_responses=True) as client:
            for name in self.queues:
                if client.type(name) != "list":
                    continue
                for text in client.lrange(name, 0, -1):
                    headers = json.loads(text)["headers"]
                    yield Arrived(headers["periodic_task_name"], headers["schedsync_tick"], headers["id"])
                client.delete(name)

    def _of_rabbitmq(self) -> Iterator[Arrived]:
        with self.beat.app.connection_for_read(self.url) as connection:
            channel = connection.channel()
            for name in self.queues:
                while (message := channel.basic_get(name, no_ack=True)) is not None:
                    headers = message.headers
                    yield Arrived(headers["periodic_task_name"], headers["schedsync_tick"], headers["id"])

    def close(self) -> None:
        self.beat.close()
        if self.is_redis:
            import redis

            with redis.Redis.from_url(self.url) as client:
                client.delete(*self.queues)
        else:
            with self.beat.app.connection_for_write(self.url) as connection:
                for queue in self.beat.app.conf.task_queues:
                    queue(connection.channel()).delete()
        self.proxy.close()

    def check(self, *, may_miss: int = 0, never: Collection[str] = ()) -> None:
        """Check that no tick is lost, none has two ids, and none is sent twice that is sent at most once.

        ``may_miss`` ticks that are sent at most once may be missing; the schedules ``never`` cannot be sent.
        """
        self.read()
        ticks = [NOW + number * MINUTE for number in range(self.runs)]
        expected = {(name, instant_text(tick)): id_of(name, tick) for name in self.names for tick in ticks}
        counts = Counter((message.name, message.tick) for message in self.arrived)
        wrong = [message for message in self.arrived if expected.get((message.name, message.tick)) != message.id]
        assert wrong == []
        missing = {key for key in expected if key not in counts and key[0] not in never}
        assert {key for key in missing if key[0] not in self.at_most_once} == set()
        assert len(missing) <= may_miss
        assert {key: count for key, count in counts.items() if count > 1 and key[0] in self.at_most_once} == {}
        assert {key for key in counts if key[0] in never} == set()
        rows = PeriodicTask.objects.using(self.using).values_list("total_run_count", "last_run_at")
        assert Counter(rows) == {(self.runs, ticks[-1]): len(self.names)}
        claims = Claim.objects.using(self.using).filter(row_id__in=self.ids.values())
        assert Counter(claims.values_list("confirmed", "tick")) == {(True, ticks[-1]): len(self.names)}


def id_of(name: str, tick: datetime) -> str:
    """Return the id that the message of a tick must have."""
    return DueTick(loaded(name=name), tick).task_id


def chosen(chance: random.Random, count: int) -> list[int]:
    """Choose the numbers of schedules that are sent at most once: none, or a few anywhere."""
    return sorted(chance.sample(range(count), min(count, chance.choice([0, 1, 3]))))


def count_prebuilt(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the list to which the number of prebuilt messages of each chunk is added from now on."""
    counts: list[int] = []
    pushes = Prebuilt.pushes
    # On a busy machine a chunk would end by its time.
    monkeypatch.setattr(sender, "LONGEST", 60)

    def counting(*args: Any) -> Any:
        result = pushes(*args)
        counts.append(len(result))
        return result

    monkeypatch.setattr(Prebuilt, "pushes", counting)
    return counts


def once(act: Callable[[], object], after: int = 1) -> Callable[[], None]:
    """Return a function that acts at its call of this number, and at no other."""
    calls = 0

    def call() -> None:
        nonlocal calls
        calls += 1
        if calls == after:
            act()

    return call
