"""Messages that Celery has built once: the same bytes as Celery's own, and only where nobody would miss a step."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import celery.app.task
import pytest
from celery import Celery, signals
from django.db.models import F
from django_celery_beat.models import PeriodicTask
from kombu import Exchange, Queue

from schedsync.beat import Scheduler, sender
from schedsync.beat.prebuilt import Prebuilt
from schedsync.models import Claim, ManagedSchedule
from tests.beat.test_chunks import SIZE, Crowd
from tests.beat.test_sending import MINUTE
from tests.conftest import NOW

pytestmark = pytest.mark.one_database
COLUMNS: dict[str, dict[str, Any]] = {
    "nothing": {},
    "arguments": {"args": '[1, "é\\u2028 {braces}"]', "kwargs": '{"tenant": "a", "deep": {"x": [null, 1.5]}}'},
    "headers": {"headers": '{"trace": "1", "é": {"a": 1}}'},
    "priority": {"priority": 6},
    "expiry": {"expire_seconds": 90},
    "of a task that is known": {"task": "known"},
    "all": {"priority": 3, "expire_seconds": 60, "headers": '{"a": 1}', "kwargs": '{"b": 2}', "task": "known"},
}
CONF: dict[str, dict[str, Any]] = {
    "default": {},
    "another serializer": {"task_serializer": "yaml"},
    "compression": {"task_compression": "zlib"},
    "routes": {"task_routes": {"*": {"priority": 9}}},
    "a zone": {"timezone": "Europe/Berlin"},
    "no results": {"task_ignore_result": True},
    "not persistent": {"task_default_delivery_mode": 1},
}


@pytest.fixture
def crowd(using: str, clock: Any) -> Iterator[Crowd]:
    made = Crowd("redis", using)
    yield made
    made.broker.close()


def work(crowd: Crowd, runs: int) -> None:
    """Step until each schedule has run so often."""
    beat = crowd.broker.beat
    beat.reloader.reset()
    for _ in range(20):
        beat.step()
        if not PeriodicTask.objects.using(crowd.using).filter(total_run_count__lt=runs).exists():
            return
    raise AssertionError("not all have run")


def taken(crowd: Crowd) -> list[str]:
    """Take out the texts that Redis holds for the queue, in order of their names, without their delivery tags."""
    import redis

    texts: list[str] = []
    with redis.Redis.from_url(crowd.broker.url, decode_responses=True) as client:
        for key in client.scan_iter(f"{crowd.queue}*"):
            texts += client.lrange(key, 0, -1)
            client.delete(key)
    for number, text in enumerate(texts):
        texts[number] = text.replace(json.loads(text)["properties"]["delivery_tag"], "TAG")
    return sorted(texts, key=lambda text: str(json.loads(text)["headers"]["periodic_task_name"]))


def as_celery_sends_it(crowd: Crowd, monkeypatch: pytest.MonkeyPatch, runs: int = 3) -> list[str]:
    """Send the last ticks once more, each the whole way; afterwards each schedule has ``runs`` runs."""
    rows = PeriodicTask.objects.using(crowd.using)
    Claim.objects.using(crowd.using).all().delete()
    rows.update(last_run_at=NOW + (runs - 3) * MINUTE)
    with monkeypatch.context() as patch:
        patch.setattr(Prebuilt, "pushes", lambda *_: [])
        crowd.broker.beat.roster.refresh()
        work(crowd, runs)
    return taken(crowd)


def pushed(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the list to which the number of prebuilt messages of each chunk is added."""
    counts: list[int] = []
    pushes = Prebuilt.pushes
    # On a busy machine a chunk would end by its time.
    monkeypatch.setattr(sender, "LONGEST", 60)

    def counting(*args: Any) -> Any:
        found = pushes(*args)
        counts.append(len(found))
        return found

    monkeypatch.setattr(Prebuilt, "pushes", counting)
    return counts


@pytest.mark.parametrize("conf", CONF)
@pytest.mark.parametrize("columns", COLUMNS)
def test_a_prebuilt_message_is_what_celery_would_have_sent(
    crowd: Crowd, clock: Any, monkeypatch: pytest.MonkeyPatch, columns: str, conf: str
) -> None:
    crowd.broker.beat.app.conf.update(CONF[conf])
    PeriodicTask.objects.using(crowd.using).update(**COLUMNS[columns])
    known = {"set": "default", "commit": "abc123", "applied": "{}", "applied_at": NOW}
    row = PeriodicTask.objects.using(crowd.using).first()
    assert row is not None
    ManagedSchedule.objects.using(crowd.using).create(name=row.name, row_id=row.pk, **known)
    counts = pushed(crowd, monkeypatch)
    work(crowd, 1)
    taken(crowd)
    counts.clear()
    clock.shift(MINUTE)
    work(crowd, 2)
    assert counts == [SIZE]
    prebuilt = taken(crowd)
    assert len(prebuilt) == SIZE
    assert prebuilt == as_celery_sends_it(crowd, monkeypatch)


def test_schedules_that_differ_in_names_and_arguments_need_one_message_of_celery(
    crowd: Crowd, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    for row in PeriodicTask.objects.using(crowd.using):
        row.args, row.kwargs = f'["{row.name}", "\\u00e9", "2026-01-01"]', f'{{"tenant": {row.pk}, "none": null}}'
        row.save(using=crowd.using)
    counts = pushed(crowd, monkeypatch)
    work(crowd, 1)
    assert sum(counts) == SIZE - 1
    prebuilt = taken(crowd)
    assert len(prebuilt) == SIZE
    assert prebuilt == as_celery_sends_it(crowd, monkeypatch, runs=2)


def test_arguments_that_do_not_fit_the_task_are_refused_as_celery_refuses_them(
    crowd: Crowd, clock: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rows = PeriodicTask.objects.using(crowd.using)
    rows.update(task="known")
    counts = pushed(crowd, monkeypatch)
    work(crowd, 1)
    taken(crowd)
    counts.clear()
    rows.filter(name="s07").update(kwargs='{"unknown": 1}')
    monkeypatch.setattr(crowd.broker.beat.app.tasks["known"], "__header__", lambda *, tenant="": None)
    clock.shift(MINUTE)
    work(crowd, 2)
    assert sum(counts) > 0
    assert len(taken(crowd)) == SIZE - 1
    assert "`s07` cannot be sent" in caplog.text


def test_a_queue_that_expires_is_kept_alive(crowd: Crowd, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    import redis

    crowd.broker.beat.app.conf.task_queues = [Queue(crowd.queue, expires=600)]
    counts = pushed(crowd, monkeypatch)
    work(crowd, 1)
    taken(crowd)
    counts.clear()
    clock.shift(MINUTE)
    work(crowd, 2)
    assert counts == [SIZE]
    with redis.Redis.from_url(crowd.broker.url) as client:
        assert client.pttl(crowd.queue) > 0


@pytest.mark.parametrize(
    "columns",
    [{"queue": "elsewhere"}, {"kwargs": '{"tenant": "b"}'}, {"expire_seconds": 5}, {"name": "s03 renamed"}],
    ids=str,
)
def test_an_edited_schedule_is_built_anew(
    crowd: Crowd, clock: Any, monkeypatch: pytest.MonkeyPatch, columns: dict[str, Any]
) -> None:
    work(crowd, 1)
    taken(crowd)
    PeriodicTask.objects.using(crowd.using).filter(name="s03").update(**columns)
    clock.shift(MINUTE)
    work(crowd, 2)
    crowd.queue = columns.get("queue", crowd.queue)
    prebuilt = [text for text in taken(crowd) if "s03" in text]
    whole = [text for text in as_celery_sends_it(crowd, monkeypatch) if "s03" in text]
    assert len(prebuilt) == 1
    assert prebuilt == whole


def _signal(_: Crowd, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(signals.before_task_publish, "receivers", [((1, 1), lambda **_: None)])


def _wrapped_send_task(_: Crowd, patch: pytest.MonkeyPatch) -> None:
    send = Celery.send_task
    patch.setattr(Celery, "send_task", functools.wraps(send)(lambda *args, **kwargs: send(*args, **kwargs)))


def _wrapped_apply_entry(_: Crowd, patch: pytest.MonkeyPatch) -> None:
    entry = celery.beat.Scheduler.apply_entry
    patch.setattr(celery.beat.Scheduler, "apply_entry", lambda *args, **kwargs: entry(*args, **kwargs))


def _own_apply_async(crowd: Crowd, patch: pytest.MonkeyPatch) -> None:
    class Own(Scheduler):
        def apply_async(self, *args: Any, **kwargs: Any) -> Any:
            return super().apply_async(*args, **kwargs)

    patch.setattr(crowd.broker.beat, "__class__", Own)


def _task_of_its_own(crowd: Crowd, patch: pytest.MonkeyPatch) -> None:
    task = crowd.broker.beat.app.tasks["known"]
    send = type(task).apply_async
    patch.setattr(task, "apply_async", lambda *args, **kwargs: send(task, *args, **kwargs))


def _route(crowd: Crowd, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(crowd.broker.beat.app.amqp.router, "routes", [lambda *_, **__: None])


def _debug(_: Crowd, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(logging.getLogger("celery.beat"), "isEnabledFor", lambda level: level >= logging.DEBUG)


def _events(crowd: Crowd, _: pytest.MonkeyPatch) -> None:
    crowd.broker.beat.app.conf.task_send_sent_event = True


@pytest.mark.parametrize(
    "watch",
    [_signal, _wrapped_send_task, _wrapped_apply_entry, _own_apply_async, _task_of_its_own, _route, _debug, _events],
)
def test_whoever_watches_a_step_of_celery_sees_each_message(
    crowd: Crowd, clock: Any, monkeypatch: pytest.MonkeyPatch, watch: Callable[[Crowd, pytest.MonkeyPatch], None]
) -> None:
    PeriodicTask.objects.using(crowd.using).update(task="known")
    counts = pushed(crowd, monkeypatch)
    work(crowd, 1)
    counts.clear()
    clock.shift(MINUTE)
    watch(crowd, monkeypatch)
    work(crowd, 2)
    assert not any(counts)
    assert len(taken(crowd)) == 2 * SIZE


def test_the_line_of_celery_is_in_the_log(crowd: Crowd, clock: Any, caplog: pytest.LogCaptureFixture) -> None:
    work(crowd, 1)
    clock.shift(MINUTE)
    with caplog.at_level(logging.INFO, "celery.beat"):
        work(crowd, 2)
    lines = [record for record in caplog.records if record.name == "celery.beat"]
    assert [record.getMessage() for record in lines[:1]] == ["Scheduler: Sending due task s00 (t)"]
    assert len(lines) == SIZE
    assert {record.__dict__["schedule"] for record in lines} == crowd.names


def test_what_redis_refuses_of_prebuilt_messages_is_known_exactly(
    using: str, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    import redis

    crowd = Crowd("redis", using, s07="full")
    counts = pushed(crowd, monkeypatch)
    work(crowd, 1)
    counts.clear()
    clock.shift(MINUTE)
    with redis.Redis.from_url(crowd.broker.url) as client:
        client.delete(crowd.others["s07"])
        client.set(crowd.others["s07"], "no list")
    crowd.broker.beat.reloader.reset()
    crowd.broker.beat.step()
    runs = dict(PeriodicTask.objects.using(using).values_list("name", "total_run_count"))
    assert counts == [SIZE]
    assert {name for name, count in runs.items() if count < 2} == {"s07"}
    with redis.Redis.from_url(crowd.broker.url) as client:
        client.delete(crowd.others["s07"])
    assert len(taken(crowd)) == 2 * SIZE - 2
    crowd.broker.close()


def test_molds_are_bounded(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schedsync.beat.prebuilt.KEPT", 10)
    PeriodicTask.objects.using(crowd.using).update(expire_seconds=F("id"))
    work(crowd, 1)
    assert len(crowd.broker.beat.sender._prebuilt._molds) == 10


def test_a_schedule_with_an_end_is_built_each_time(crowd: Crowd, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    PeriodicTask.objects.using(crowd.using).update(expires=NOW + 60 * MINUTE)
    counts = pushed(crowd, monkeypatch)
    work(crowd, 1)
    clock.shift(MINUTE)
    work(crowd, 2)
    assert not any(counts)


def test_an_exchange_goes_the_whole_way_where_its_commands_are_unknown(
    crowd: Crowd, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    fanout = Exchange(f"{crowd.queue}-fanout", type="fanout")
    crowd.broker.beat.app.conf.task_queues = [Queue(crowd.queue, exchange=fanout)]
    counts = pushed(crowd, monkeypatch)
    work(crowd, 1)
    clock.shift(MINUTE)
    work(crowd, 2)
    assert not any(counts)
