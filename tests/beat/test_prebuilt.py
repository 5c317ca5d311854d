"""Prebuilt messages have the same bytes as Celery's own, and are sent only while nobody hooks a step of Celery."""

from __future__ import annotations

import base64
import json
import logging
import re
import uuid
from collections.abc import Iterator
from datetime import datetime, timezone
from types import SimpleNamespace
from typing import Any

import kombu.compression
import kombu.serialization
import pytest
import time_machine
from celery import Celery
from django.db.models import F
from django_celery_beat.models import PeriodicTask
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kombu import Exchange, Producer, Queue
from kombu.exceptions import SerializerNotInstalled

from schedsync.beat.argument_texts import ArgumentTexts
from schedsync.beat.message import DueTick
from schedsync.beat.prebuilt import Prebuilt
from schedsync.models import Claim, ManagedSchedule
from tests.beat.many import count_prebuilt
from tests.beat.test_chunks import SIZE, Crowd
from tests.beat.test_sending import MINUTE
from tests.conftest import NOW

needs_batches = pytest.mark.skipif(not hasattr(Producer, "batch"), reason="kombu before 5.7 has no batches")
pytestmark = [pytest.mark.one_database, needs_batches]
COLUMNS: list[dict[str, Any]] = [
    {},
    {"args": '[1, "é\\u2028 {braces}"]', "kwargs": '{"tenant": "a", "deep": {"x": [null, 1.5, true, -0.0, 1e400]}}'},
    {"headers": '{"trace": "1", "é": {"a": 1}, "lang": "de", "origin": "me", "timelimit": [1, 2], "group": "g"}'},
    {"priority": 0},
    {"priority": 6},
    {"priority": 255},
    {"expire_seconds": 90},
    {"task": "known"},
    {"task": "known", "priority": 3, "expire_seconds": 60, "headers": '{"a": 1}', "kwargs": '{"b": 2}'},
    {"args": json.dumps(["x" * 5_000, "😀" * 500])},
    # Values of the message itself, in other places of it.
    {"args": '["2026-11-23T10:00:00Z", "2026-11-23T10:01:00Z"]', "headers": '{"since": "2026-11-23T10:00:00Z"}'},
    {"args": '["ID"]', "kwargs": '{"id": "ID", "name": "NAME"}', "headers": '{"cause": "ID", "name": "NAME"}'},
    {"args": '["2026-11-23T10:01:30+00:00"]', "expire_seconds": 90},
    {"args": f'["{uuid.uuid4()}"]', "headers": f'{{"correlation_id": "{uuid.uuid4()}"}}'},
    {"name": 's14 é\u2028 \\ "quoted" {braces} %s', "kwargs": '{"name": "s14"}'},
    {"headers": '{"schedsync_tick": "never", "schedsync_schedule": "x", "celery_beat_task": false}'},
    {"headers": '{"delivery_tag": "x", "expiration": "5", "priority": 3, "parent_id": "p", "stamps": {"a": 1}}'},
]


def _is_installed(serializer: str) -> bool:
    try:
        kombu.serialization.dumps({}, serializer)
    except SerializerNotInstalled:
        return False
    return True


SERIALIZERS = filter(_is_installed, kombu.serialization.registry._encoders)
CONF: dict[str, dict[str, Any]] = {
    "default": {},
    **{f"serializer {name}": {"task_serializer": name} for name in SERIALIZERS},
    **{f"compression {name}": {"task_compression": name} for name in kombu.compression.encoders()},
    "compression of yaml": {"task_serializer": "yaml", "task_compression": "gzip"},
    "routes": {"task_routes": {"*": {"priority": 9, "compression": "bzip2"}}},
    "routes by pattern": {"task_routes": [{re.compile("kn.*"): {"priority": 2}}, {"t": {"serializer": "yaml"}}]},
    "a zone": {"timezone": "Europe/Berlin"},
    "local time": {"timezone": "Europe/Berlin", "enable_utc": False},
    "no results": {"task_ignore_result": True},
    "not persistent": {"task_default_delivery_mode": 1},
    "limits": {"task_time_limit": 60, "task_soft_time_limit": 50, "task_default_priority": 4},
    "queues with priorities": {"task_queue_max_priority": 10},
    "results by messages": {"result_backend": "rpc://"},
}
#: What is sent the whole way each time: its text or its list can change from one tick to the next.
WHOLE: list[dict[str, Any]] = [
    {"expires": NOW + 60 * MINUTE},
    {"headers": '{"id": "x"}'},
    {"headers": '{"root_id": "ID"}'},
    {"headers": '{"argsrepr": "()"}'},
    {"headers": '{"kwargsrepr": "{}"}'},
    {"headers": '{"expires": "2030-01-01T00:00:00+00:00"}', "expire_seconds": 90},
    {"headers": '{"expires": null}', "expire_seconds": 90},
    {"headers": '{"compression": "none of mine"}'},
    {"queue": "topic"},
    {"queue": "fanout"},
    {"queue": "direct", "exchange": "direct", "routing_key": "a"},
    {"queue": None, "exchange": "direct", "routing_key": "a"},
]


@pytest.fixture
def crowd(using: str, clock: Any) -> Iterator[Crowd]:
    made = Crowd("redis", using)
    yield made
    made.broker.close()


def work(crowd: Crowd, runs: int) -> None:
    """Step until each schedule has run that number of times."""
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


def as_celery_sends_it(crowd: Crowd, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Send the last ticks once more, each the whole way."""
    rows = PeriodicTask.objects.using(crowd.using)
    Claim.objects.using(crowd.using).all().delete()
    rows.update(last_run_at=datetime.now(timezone.utc) - MINUTE)
    runs = rows.values_list("total_run_count", flat=True)[0]
    with monkeypatch.context() as patch:
        patch.setattr(Prebuilt, "pushes", lambda *_: [])
        crowd.broker.beat.roster.refresh()
        work(crowd, runs + 1)
    return taken(crowd)


def write(crowd: Crowd, variants: list[dict[str, Any]]) -> None:
    """Give the schedules these columns in turn; ID is the id of the first message, and NAME that of the schedule."""
    rows = PeriodicTask.objects.using(crowd.using)
    for number, row in enumerate(rows.order_by("name")):
        columns = dict(variants[number % len(variants)])
        name = columns.pop("name", "")
        columns |= {"name": f"{row.name} {name[4:]}"} if name else {}
        named: Any = SimpleNamespace(name=columns.get("name", row.name))
        own_id = DueTick(named, NOW).task_id
        for column in ("args", "kwargs", "headers"):
            if column in columns:
                columns[column] = columns[column].replace("ID", own_id).replace("NAME", row.name)
        rows.filter(pk=row.pk).update(**columns)


def work_again(crowd: Crowd, clock: Any, counts: list[int]) -> None:
    """Send the first ticks and take them out, and send the next: only these are counted."""
    work(crowd, 1)
    taken(crowd)
    counts.clear()
    clock.shift(MINUTE)
    work(crowd, 2)


@pytest.mark.parametrize("conf", CONF)
def test_a_prebuilt_message_is_what_celery_would_have_sent(
    crowd: Crowd, clock: Any, monkeypatch: pytest.MonkeyPatch, conf: str
) -> None:
    crowd.broker.beat.app.conf.update(CONF[conf])
    write(crowd, COLUMNS)
    known = {"set": "default", "commit": "abc123", "applied": "{}", "applied_at": NOW}
    rows = PeriodicTask.objects.using(crowd.using).order_by("name")
    for row, own in zip(rows, ({}, {"overlap": "skip", "max_runtime": 60}), strict=False):
        ManagedSchedule.objects.using(crowd.using).create(name=row.name, row_id=row.pk, **known, **own)
    counts = count_prebuilt(monkeypatch)
    work_again(crowd, clock, counts)
    assert counts == [SIZE]
    prebuilt = taken(crowd)
    assert len(prebuilt) == SIZE
    assert ["schedsync_overlap" in text for text in prebuilt].count(True) == 1
    assert prebuilt == as_celery_sends_it(crowd, monkeypatch)


@pytest.mark.parametrize("columns", WHOLE, ids=str)
def test_what_can_change_from_tick_to_tick_is_sent_the_whole_way(
    crowd: Crowd, clock: Any, monkeypatch: pytest.MonkeyPatch, columns: dict[str, Any]
) -> None:
    app = crowd.broker.beat.app
    made = [Queue(name, Exchange(name, type=name), routing_key="a") for name in ("direct", "topic", "fanout")]
    app.conf.task_queues = [*app.conf.task_queues, *made]
    write(crowd, [columns])
    counts = count_prebuilt(monkeypatch)
    work(crowd, 1)
    clock.shift(MINUTE)
    work(crowd, 2)
    assert not any(counts)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3),
    max_leaves=5,
)
ROW = st.fixed_dictionaries(
    {},
    optional={
        "task": st.sampled_from(["t", "known"]),
        "args": st.lists(JSON, max_size=4).map(json.dumps),
        "kwargs": st.dictionaries(st.text(), JSON, max_size=4).map(json.dumps),
        "headers": st.dictionaries(st.text() | st.sampled_from(["lang", "eta", "stamps", "é"]), JSON, max_size=4).map(
            json.dumps
        ),
        "priority": st.integers(0, 255),
        "expire_seconds": st.integers(1, 2**31 - 1),
    },
)


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(variants=st.lists(ROW, min_size=SIZE, max_size=SIZE))
def test_any_arguments_headers_and_options_are_as_celery_sends_them(
    crowd: Crowd, clock: Any, variants: list[dict[str, Any]]
) -> None:
    rows = PeriodicTask.objects.using(crowd.using)
    rows.update(args="[]", kwargs="{}", headers="{}", priority=None, expire_seconds=None, total_run_count=0, task="t")
    write(crowd, variants)
    with pytest.MonkeyPatch.context() as patch:
        counts = count_prebuilt(patch)
        clock.shift(MINUTE)
        work(crowd, 1)
        taken(crowd)
        clock.shift(MINUTE)
        work(crowd, 2)
        prebuilt = taken(crowd)
        assert counts[-1] == SIZE
        assert prebuilt == as_celery_sends_it(crowd, patch)


@given(args=st.lists(JSON, max_size=5), kwargs=st.dictionaries(st.text(), JSON, max_size=5), spaces=st.booleans())
@example(args=["'", '"', "\\"], kwargs={}, spaces=True)
@example(args=["a" * 1_000], kwargs={"a" * 300: "b" * 300}, spaces=True)
@example(args=list(range(300)), kwargs={}, spaces=False)
@example(args=[[[[1]]]], kwargs={"a": {"b": {"c": {}}}}, spaces=True)
@example(args=[1e16, -0.0, 1e-7, 10**30, True, None], kwargs={}, spaces=True)
@example(args=[1e15] * 60, kwargs={}, spaces=False)
@example(args=[], kwargs={f"k{number}": 1e15 for number in range(40)}, spaces=False)
@example(args=["é", "\u00a0", "\u2028", "\x7f", "😀"], kwargs={"é": "ß"}, spaces=True)
def test_arguments_are_shown_as_celery_shows_them(args: list[Any], kwargs: dict[str, Any], spaces: bool) -> None:
    app = Celery("arguments", set_as_current=False)
    sent = app.amqp.as_task_v2("id", "t", args, kwargs)
    separators = (", ", ": ") if spaces else (",", ":")
    for escaped in (True, False):
        texts = [json.dumps(value, separators=separators, ensure_ascii=escaped) for value in (args, kwargs)]
        # Other writers of JSON write such a number in fewer characters.
        texts = [text.replace("1000000000000000.0", "1e15") for text in texts]
        made = ArgumentTexts(app).of("t", *texts, "json", None)
        shown = [json.loads(f'"{made[gap]}"') for gap in ("args", "kwargs")]
        assert shown == [sent.headers["argsrepr"], sent.headers["kwargsrepr"]]
        assert base64.b64decode(made["body"]).decode() == kombu.serialization.dumps(sent.body, "json")[2]


@given(
    at=st.datetimes(datetime(2020, 1, 1), datetime(2035, 1, 1), timezones=st.just(timezone.utc)),
    seconds=st.integers(1, 10**7),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"]),
)
@example(at=datetime(2026, 10, 24, 22, tzinfo=timezone.utc), seconds=86_400, zone="Europe/Berlin")
def test_an_expiry_is_what_celery_writes(at: datetime, seconds: int, zone: str) -> None:
    app = Celery("expiry", set_as_current=False)
    app.conf.timezone = zone
    with time_machine.travel(at, tick=False):
        sent = app.amqp.as_task_v2("id", "t", expires=seconds)
        assert Prebuilt(app)._expires(seconds) == sent.headers["expires"]


def test_schedules_that_differ_in_names_and_arguments_need_one_message_of_celery(
    crowd: Crowd, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = PeriodicTask.objects.using(crowd.using)
    for row in rows:
        row.args, row.kwargs = f'["{row.name}", "\\u00e9", "2026-01-01"]', f'{{"tenant": {row.pk}, "none": null}}'
        row.save(using=crowd.using)
    counts = count_prebuilt(monkeypatch)
    work(crowd, 1)
    assert sum(counts) == SIZE - 1
    prebuilt = taken(crowd)
    assert len(prebuilt) == SIZE
    clock.shift(MINUTE)
    assert [without_tick(text) for text in prebuilt] == [
        without_tick(text) for text in as_celery_sends_it(crowd, monkeypatch)
    ]


def without_tick(text: str) -> str:
    headers = json.loads(text)["headers"]
    return text.replace(headers["schedsync_tick"], "TICK").replace(headers["id"], "ID")


def test_arguments_that_do_not_fit_the_task_are_refused_as_celery_refuses_them(
    crowd: Crowd, clock: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    rows = PeriodicTask.objects.using(crowd.using)
    rows.update(task="known")
    counts = count_prebuilt(monkeypatch)
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
    counts = count_prebuilt(monkeypatch)
    work_again(crowd, clock, counts)
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
    counts = count_prebuilt(monkeypatch)
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
