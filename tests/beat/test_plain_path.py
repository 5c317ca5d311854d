"""If a step on the way of a message is not Celery's own, or reads a value that has changed, none is prebuilt."""

from __future__ import annotations

import functools
import logging
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import celery.app.task
import celery.beat
import kombu.messaging
import kombu.serialization
import kombu.transport.redis
import kombu.transport.virtual
import pytest
from celery import Celery, signals
from celery._state import _task_stack
from celery.app.amqp import AMQP
from celery.app.routes import MapRoute, Router
from celery.utils.dispatch import Signal
from django_celery_beat.models import PeriodicTask
from kombu import Exchange, Producer, Queue
from kombu.utils.json import dumps

from schedsync.beat import Scheduler
from schedsync.beat.plain_path import is_own
from tests.beat.many import count_prebuilt
from tests.beat.test_chunks import SIZE, Crowd
from tests.beat.test_prebuilt import as_celery_sends_it, crowd, needs_batches, taken, without_tick, work, work_again
from tests.beat.test_sending import MINUTE

pytestmark = [pytest.mark.one_database, needs_batches]
Patch = pytest.MonkeyPatch
__all__ = ["crowd"]


def _wrapped(owner: Any, name: str) -> Callable[[Crowd, Patch], None]:
    """Wrap a function as tools do."""

    def watch(_: Crowd, patch: Patch) -> None:
        function = getattr(owner, name)
        patch.setattr(owner, name, functools.wraps(function)(lambda *args, **kwargs: function(*args, **kwargs)))

    watch.__name__ = f"{owner.__name__}.{name}"
    return watch


def _changed_in_its_place(_: Crowd, patch: Patch) -> None:
    # Some tools change the code of a function, and keep the old one at it.
    patch.setattr(Celery.send_task, "__dd_wrapped__", Celery.send_task, raising=False)


def _receiver_before(_: Crowd, patch: Patch) -> None:
    patch.setattr(signals.before_task_publish, "receivers", [((1, 1), lambda **_: None)])


def _receiver_after(_: Crowd, patch: Patch) -> None:
    patch.setattr(signals.after_task_publish, "receivers", [((1, 1), lambda **_: None)])


def _receiver_of_sent(_: Crowd, patch: Patch) -> None:
    patch.setattr(signals.task_sent, "receivers", [((1, 1), lambda **_: None)])


def _own_scheduler(crowd: Crowd, patch: Patch) -> None:
    class Own(Scheduler):
        def apply_async(self, *args: Any, **kwargs: Any) -> Any:
            return super().apply_async(*args, **kwargs)

    patch.setattr(crowd.broker.beat, "__class__", Own)


def _own_apply_entry(crowd: Crowd, patch: Patch) -> None:
    class Own(Scheduler):
        def apply_entry(self, *args: Any, **kwargs: Any) -> Any:
            return super().apply_entry(*args, **kwargs)

    patch.setattr(crowd.broker.beat, "__class__", Own)


def _own_app(crowd: Crowd, patch: Patch) -> None:
    class Own(Celery):
        def send_task(self, *args: Any, **kwargs: Any) -> Any:
            return super().send_task(*args, **kwargs)

    patch.setattr(crowd.broker.beat.app, "__class__", Own)


def _own_amqp(crowd: Crowd, patch: Patch) -> None:
    class Own(AMQP): ...

    patch.setattr(crowd.broker.beat.app.amqp, "__class__", Own)


def _own_queues(crowd: Crowd, patch: Patch) -> None:
    queues = crowd.broker.beat.app.amqp.queues

    class Own(type(queues)): ...  # type: ignore[misc]

    patch.setattr(queues, "__class__", Own)


def _own_router(crowd: Crowd, patch: Patch) -> None:
    class Own(Router): ...

    patch.setattr(crowd.broker.beat.app.amqp.router, "__class__", Own)


def _own_producer(crowd: Crowd, patch: Patch) -> None:
    class Own(Producer):
        def _publish(self, *args: Any, **kwargs: Any) -> Any:
            return super()._publish(*args, **kwargs)

    patch.setattr(crowd.broker.beat.sender.broker.producer, "__class__", Own)


def _own_channel(crowd: Crowd, patch: Patch) -> None:
    class Own(kombu.transport.redis.Channel): ...

    patch.setattr(crowd.broker.beat.sender.broker.producer.channel, "__class__", Own)


def _method_of_the_task(crowd: Crowd, patch: Patch) -> None:
    task = crowd.broker.beat.app.tasks["known"]
    send = type(task).apply_async
    patch.setattr(task, "apply_async", lambda *args, **kwargs: send(task, *args, **kwargs))


def _shadow_name(crowd: Crowd, patch: Patch) -> None:
    patch.setattr(crowd.broker.beat.app.tasks["known"], "shadow_name", lambda *_: "another name")


def _pydantic(crowd: Crowd, patch: Patch) -> None:
    task = crowd.broker.beat.app.tasks["known"]
    patch.setattr(task, "_dump_pydantic_arguments", lambda args, kwargs: (args, kwargs), raising=False)


def _task_of_another_app(crowd: Crowd, patch: Patch) -> None:
    other = Celery("other", broker=crowd.broker.url, set_as_current=False)

    @other.task(name="known", shared=False)
    def known(*_: Any, **__: Any) -> None: ...

    other.finalize()
    patch.setitem(crowd.broker.beat.app.tasks, "known", other.tasks["known"])


def _callable_route(crowd: Crowd, patch: Patch) -> None:
    patch.setattr(crowd.broker.beat.app.amqp.router, "routes", [lambda *_, **__: None])


def _route_with_a_method(crowd: Crowd, patch: Patch) -> None:
    class Route(MapRoute): ...

    patch.setattr(crowd.broker.beat.app.amqp.router, "routes", [Route({})])


def _debug(_: Crowd, patch: Patch) -> None:
    patch.setattr(logging.getLogger("celery.beat"), "isEnabledFor", lambda level: level >= logging.DEBUG)


def _events(crowd: Crowd, patch: Patch) -> None:
    patch.setitem(crowd.broker.beat.app.conf, "task_send_sent_event", True)


def _message_made_otherwise(crowd: Crowd, patch: Patch) -> None:
    amqp = crowd.broker.beat.app.amqp
    make = amqp.create_task_message
    patch.setitem(
        vars(amqp), "create_task_message", functools.wraps(make)(lambda *args, **kwargs: make(*args, **kwargs))
    )


def _json_of_the_project(_: Crowd, patch: Patch) -> None:
    known = kombu.serialization.registry._encoders
    patch.setitem(known, "json", known["json"]._replace(encoder=lambda value: dumps(value)))


def _protocol_1(crowd: Crowd, patch: Patch) -> None:
    amqp = crowd.broker.beat.app.amqp
    patch.setitem(vars(amqp), "create_task_message", amqp.as_task_v1)


def _backend_of_the_project(crowd: Crowd, patch: Patch) -> None:
    patch.setattr(crowd.broker.beat.app.backend, "on_task_call", lambda *_: {})


WRAPPED = [
    (celery.beat.Scheduler, "apply_entry"),
    (celery.beat.Scheduler, "send_task"),
    (Scheduler, "apply_async"),
    (celery.app.task.Task, "apply_async"),
    (celery.app.task.Task, "AsyncResult"),
    (Celery, "send_task"),
    (Celery, "producer_or_acquire"),
    (Router, "route"),
    (Router, "query_router"),
    (MapRoute, "__call__"),
    (Signal, "send"),
    (Producer, "publish"),
    (Producer, "_publish"),
    (Producer, "_prepare"),
    (kombu.messaging, "dumps"),
    (kombu.messaging, "compress"),
    (kombu.transport.redis.Channel, "_put"),
    (kombu.transport.redis.Channel, "_q_for_pri"),
    (kombu.transport.redis, "dumps"),
    (kombu.transport.virtual.Channel, "basic_publish"),
    (kombu.transport.virtual.Channel, "prepare_message"),
    (kombu.transport.virtual.Channel, "_next_delivery_tag"),
]
WATCHES = [
    *(_wrapped(owner, name) for owner, name in WRAPPED),
    _changed_in_its_place,
    _receiver_before,
    _receiver_after,
    _receiver_of_sent,
    _own_scheduler,
    _own_apply_entry,
    _own_app,
    _own_amqp,
    _own_queues,
    _own_router,
    _own_producer,
    _own_channel,
    _method_of_the_task,
    _shadow_name,
    _pydantic,
    _task_of_another_app,
    _callable_route,
    _route_with_a_method,
    _debug,
    _events,
    _message_made_otherwise,
    _json_of_the_project,
    _protocol_1,
    _backend_of_the_project,
]


def test_each_message_takes_the_whole_way_where_a_step_is_not_celerys_own(
    crowd: Crowd, clock: Any, monkeypatch: Patch
) -> None:
    PeriodicTask.objects.using(crowd.using).update(task="known")
    counts = count_prebuilt(monkeypatch)
    seen: dict[str, tuple[int, ...]] = {}
    work(crowd, 1)
    taken(crowd)
    for runs, watch in enumerate(WATCHES):
        with monkeypatch.context() as patch:
            watch(crowd, patch)
            clock.shift(MINUTE)
            work(crowd, 3 * runs + 2)
        seen[watch.__name__] = (counts[-1], len(taken(crowd)))
        # Once without it to build, and once to show that nothing else was in the way.
        for count in (3, 4):
            taken(crowd)
            clock.shift(MINUTE)
            work(crowd, 3 * runs + count)
        seen[watch.__name__] += (counts[-1],)
        built = taken(crowd)
        assert built == as_celery_sends_it(crowd, monkeypatch)
        PeriodicTask.objects.using(crowd.using).update(total_run_count=3 * runs + 4)
        crowd.broker.beat.roster.refresh()
    assert seen == {watch.__name__: (0, SIZE, SIZE) for watch in WATCHES}


def test_a_beat_inside_a_task_sends_its_children(crowd: Crowd, clock: Any, monkeypatch: Patch) -> None:
    beat = crowd.broker.beat
    counts = count_prebuilt(monkeypatch)
    work(crowd, 1)
    taken(crowd)
    counts.clear()
    clock.shift(MINUTE)
    task = beat.app.tasks["known"]
    task.push_request(id="parent", root_id="root", delivery_info={}, children=[], called_directly=False)
    _task_stack.push(task)
    try:
        work(crowd, 2)
    finally:
        _task_stack.pop()
        task.pop_request()
    assert not any(counts)
    assert all('"root_id": "root", "parent_id": "parent"' in text for text in taken(crowd))


def test_a_result_backend_that_is_not_there_fails_as_celery_fails(
    crowd: Crowd, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    crowd.broker.beat.app.conf.result_backend = "nowhere.to.be:found"
    with caplog.at_level(logging.ERROR):
        work(crowd, 1)
    assert caplog.text.count("cannot be sent") == SIZE
    assert not taken(crowd)


def test_beat_needs_the_client_of_redis_only_for_redis() -> None:
    program = "import sys, django; sys.modules['redis'] = None; django.setup(); import schedsync.beat"
    subprocess.run([sys.executable, "-c", program], check=True)


def test_a_builtin_and_a_class_are_no_plain_function() -> None:
    assert not is_own(len, celery.beat)
    assert not is_own(celery.beat.Scheduler, celery.beat)
    assert is_own(celery.beat.Scheduler.tick, celery.beat)


def _map_edited(crowd: Crowd) -> None:
    crowd.broker.beat.app.amqp.router.routes[0].map["known"] = {"priority": 9}


def _routes_set_again(crowd: Crowd) -> None:
    crowd.broker.beat.app.conf.update(task_routes={"kno*": {"priority": 3}})


def _default_queue(crowd: Crowd) -> None:
    crowd.broker.beat.app.conf.task_default_queue = f"{crowd.queue}-other"


def _queue_replaced(crowd: Crowd) -> None:
    queues = crowd.broker.beat.app.amqp.queues
    queues[crowd.queue] = Queue(f"{crowd.queue}-moved", Exchange("", delivery_mode=1))


def _queue_edited(crowd: Crowd) -> None:
    crowd.broker.beat.app.amqp.queues[crowd.queue].exchange.delivery_mode = 1


def _queue_of_an_exchange(crowd: Crowd) -> None:
    queues = crowd.broker.beat.app.amqp.queues
    queues[crowd.queue] = Queue(f"{crowd.queue}-topic", Exchange(f"{crowd.queue}-x", type="topic"), routing_key="a.b")


def _ignores_its_result(crowd: Crowd) -> None:
    crowd.broker.beat.app.tasks["known"].ignore_result = True


def _options_of_the_task(crowd: Crowd) -> None:
    task = crowd.broker.beat.app.tasks["known"]
    task.serializer, task.priority, task.time_limit, task._exec_options = "pickle", 7, 60, None


def _expiry_of_the_task(crowd: Crowd) -> None:
    task = crowd.broker.beat.app.tasks["known"]
    task.expires, task._exec_options = 30, None


def _task_is_made_anew(crowd: Crowd) -> None:
    app = crowd.broker.beat.app
    app.tasks.pop("known")

    @app.task(name="known", shared=False, serializer="pickle")
    def known(*_: Any, **__: Any) -> None: ...


def _task_is_forgotten(crowd: Crowd) -> None:
    crowd.broker.beat.app.tasks.pop("known")


def _length_of_texts(crowd: Crowd) -> None:
    crowd.broker.beat.app.amqp.argsrepr_maxsize = 4


def _compression_with_a_new_sender(crowd: Crowd) -> None:
    crowd.broker.beat.app.conf.task_compression = "bzip2"
    vars(crowd.broker.beat.app.amqp).pop("send_task_message")


def _nothing(_: Crowd) -> None: ...


CHANGES = [
    _nothing,
    _map_edited,
    _routes_set_again,
    _default_queue,
    _queue_replaced,
    _queue_edited,
    _queue_of_an_exchange,
    _ignores_its_result,
    _options_of_the_task,
    _expiry_of_the_task,
    _task_is_made_anew,
    _task_is_forgotten,
    _length_of_texts,
    _compression_with_a_new_sender,
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_edited_while_beat_runs_is_in_the_next_message(
    crowd: Crowd, clock: Any, monkeypatch: Patch, change: Callable[[Crowd], None]
) -> None:
    beat, rows = crowd.broker.beat, PeriodicTask.objects.using(crowd.using)
    beat.app.conf.update(task_routes={"elsewhere": {"priority": 1}}, task_default_queue=crowd.queue)
    beat.app.tasks["known"].serializer = "yaml"
    rows.update(task="known", args='["a long text"]')
    rows.filter(name__lt="s05").update(queue=None)
    counts = count_prebuilt(monkeypatch)
    work_again(crowd, clock, counts)
    before = taken(crowd)
    clock.shift(MINUTE)
    change(crowd)
    work(crowd, 3)
    after = taken(crowd)
    whole = as_celery_sends_it(crowd, monkeypatch)
    assert counts[0] == SIZE
    assert after == whole
    assert len(after) == len(before) == SIZE
    assert ([*map(without_tick, after)] == [*map(without_tick, before)]) == (change is _nothing)
    assert (counts[1] == SIZE) == (change is _nothing)


def test_arguments_that_a_task_no_longer_takes_are_refused(
    crowd: Crowd, clock: Any, monkeypatch: Patch, caplog: pytest.LogCaptureFixture
) -> None:
    PeriodicTask.objects.using(crowd.using).update(task="known", args="[1, 2]")
    work(crowd, 1)
    taken(crowd)
    clock.shift(MINUTE)
    task = crowd.broker.beat.app.tasks["known"]
    monkeypatch.setattr(task, "__header__", lambda one: None, raising=False)
    monkeypatch.setattr(task, "typing", True)
    with caplog.at_level(logging.ERROR):
        work(crowd, 2)
    assert caplog.text.count("cannot be sent") == SIZE
    assert not taken(crowd)
