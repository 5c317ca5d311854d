"""What arrives at a broker, and what Beat makes of one that is not there."""

from __future__ import annotations

import threading
from datetime import timedelta
from queue import Empty
from typing import Any

import pytest
from celery import Celery
from django.db import connections
from django_celery_beat.models import PeriodicTask

import schedsync.beat
from schedsync.beat import Scheduler
from schedsync.beat.entry import Message
from schedsync.beat.signals import uninterrupted
from schedsync.beat.wakeup import PostgresWakeup, RedisWakeup, wait
from schedsync.models import Claim, ManagedSchedule
from schedsync.notice import notify
from tests.beat.test_like_stock import TIMINGS, make
from tests.conftest import NOW

MINUTE = timedelta(minutes=1)
#: Nothing listens there.
NOWHERE = "127.0.0.1:1"


def scheduler(broker: str) -> Scheduler:
    app = Celery("sending", broker=broker, set_as_current=False)
    app.conf.update(timezone="UTC", enable_utc=True, result_expires=None, broker_connection_timeout=1)

    @app.task(name="known", shared=False)
    def known(*_: Any, **__: Any) -> None: ...

    app.finalize()
    made = Scheduler(app=app)
    made._finalize.cancel()
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
    assert message.headers["id"] == Message(beat.roster.entries[row.pk], NOW).task_id
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


def test_a_redis_that_is_not_there_wakes_nobody(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    source = RedisWakeup(f"redis://{NOWHERE}/0")

    assert wait([source], 0.01) is False
    assert wait([source], 0.01) is False
    assert caplog.text.count("no subscription in Redis, polling goes on") == 1
    source.close()


def test_a_listening_connection_that_the_server_ends_is_made_again(using: str) -> None:
    if using != "postgresql":
        pytest.skip("only PostgreSQL notifies")
    source = PostgresWakeup(using)
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
    assert wait([source], 5)
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
