"""Says whether each function that builds and sends a message is Celery's own, so that nobody notices a prebuilt one.

Tools for tracing and monitoring wrap these functions or connect to these signals, and projects override them. Then each
message takes the whole way: Celery builds and sends it. The functions also read settings, queues and tasks, which can
change while Beat runs: ``surroundings`` and ``way_of`` return these values, so that a change is seen.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterable, Mapping
from types import FunctionType, ModuleType
from typing import Any

import celery.app.amqp
import celery.app.base
import celery.app.routes
import celery.app.task
import celery.backends.base
import celery.backends.rpc
import celery.beat
import celery.result
import celery.utils.dispatch.signal
import kombu.compression
import kombu.messaging
import kombu.serialization
import kombu.transport.virtual.base
import kombu.utils.json
import yaml
from celery import signals
from celery.utils.nodenames import anon_nodename
from kombu.abstract import Object

from schedsync.beat import celery_hooks
from schedsync.core.masked_errors import error_line

logger = logging.getLogger(__name__)

_SIGNALS = (signals.before_task_publish, signals.after_task_publish, signals.task_sent)
_BEAT = ("apply_entry", "send_task")
_APP = ("send_task", "producer_or_acquire", "now")
_AMQP = ("create_task_message", "send_task_message")
_ROUTER = ("route", "lookup_route", "query_router", "expand_destination")
_TASK = ("apply_async", "shadow_name", "AsyncResult", "_get_app", "_get_exec_options")
_PRODUCER = ("publish", "_publish", "_prepare", "_delivery_details", "maybe_declare")
_REDIS_CHANNEL = ("_put", "_q_for_pri", "priority", "create_publish_batch")
_CHANNEL = (
    "basic_publish", "_inplace_augment_message", "prepare_message", "encode_body", "_next_delivery_tag",
    "_get_message_priority",
)  # fmt: skip
_BATCH = ("publish", "add", "flush")
# The stubs of Celery and kombu leave these modules' names out.
_messaging: Any = kombu.messaging
_serialization: Any = kombu.serialization
_compression: Any = kombu.compression
_Router: Any = celery.app.routes.Router

#: The attributes of a task that Celery reads at each send, besides its options.
_READ_OF_TASK = ("name", "ignore_result", "typing", "priority", "time_limit", "soft_time_limit")
#: The packages whose functions kombu compresses with.
_COMPRESSORS = {"backports", "brotli", "_brotli", "brotlicffi", "bz2", "compression", "lzma", "zlib"}


def is_own(function: Any, *modules: ModuleType | None) -> bool:
    """Say whether a function is defined in one of the modules: a wrapper has the code of another."""
    function = getattr(function, "__func__", function)
    # A tool that changes a function in place keeps the old one as an attribute of it.
    if type(function) is not FunctionType or vars(function):
        return False
    return function.__code__.co_filename in [module.__file__ for module in modules if module is not None]


def _are_own(owner: Any, names: Iterable[str], *modules: ModuleType | None) -> bool:
    return all(is_own(getattr(owner, name), *modules) for name in names)


def is_plain(app: Any, publish: Any, producer: Any) -> bool:
    """Say whether a message that ``publish`` sends to Redis passes functions of Celery and of this package only."""
    try:
        return (
            all(_is_silent(signal) for signal in _SIGNALS)
            # Celery's Beat writes the id of each message with this level.
            and not logging.getLogger("celery.beat").isEnabledFor(logging.DEBUG)
            and _is_plain_beat(getattr(publish, "__self__", None), publish)
            and _is_plain_app(app)
            and _is_plain_router(app.amqp.router)
            and _is_plain_producer(producer)
        )
    except Exception as error:
        # For example, the result backend cannot be imported: on the whole way each message fails, and is reported.
        logger.debug("messages take the whole way of Celery: %s", error_line(error))
        return False


def _is_silent(signal: Any) -> bool:
    return not signal.receivers and is_own(signal.send, celery.utils.dispatch.signal)


def _is_plain_beat(scheduler: Any, publish: Any) -> bool:
    return (
        is_own(publish, celery_hooks)
        and _are_own(scheduler, _BEAT, celery.beat)
        and is_own(type(scheduler).apply_async, celery_hooks)
        and is_own(scheduler.apply_async, celery_hooks)
    )


def _is_plain_app(app: Any) -> bool:
    amqp, conf = app.amqp, app.conf
    return (
        _are_own(app, _APP, celery.app.base)
        and type(amqp) is celery.app.amqp.AMQP
        and amqp.create_task_message.__name__ == "as_task_v2"
        and _are_own(amqp, _AMQP, celery.app.amqp)
        and is_own(celery.app.task.Task.apply_async, celery.app.task)
        and is_own(app.AsyncResult.__init__, celery.result)
        and is_own(app.backend.on_task_call, *_backends())
        and not (conf.task_send_sent_event or conf.task_always_eager)
        # Inside a task, the message would be one of its children.
        and app.current_worker_task is None
    )


def _backends() -> tuple[ModuleType | None, ...]:
    # The backend of Redis cannot be imported without its client.
    return celery.backends.base, celery.backends.rpc, sys.modules.get("celery.backends.redis")


def _is_plain_router(router: Any) -> bool:
    return (
        type(router) is _Router
        and _are_own(router, _ROUTER, celery.app.routes)
        and type(router.queues) is celery.app.amqp.Queues
        and is_own(celery.app.routes.MapRoute.__call__, celery.app.routes)
        and all(type(route) is celery.app.routes.MapRoute for route in router.routes)
    )


def _is_plain_producer(producer: Any) -> bool:
    # This module of kombu needs the client of Redis.
    redis: Any = sys.modules["kombu.transport.redis"]
    client: Any = sys.modules["redis.client"]
    channel = producer.channel
    return (
        _are_own(producer, _PRODUCER, kombu.messaging)
        and _are_own(channel, _REDIS_CHANNEL, redis)
        and _are_own(channel, _CHANNEL, kombu.transport.virtual.base)
        and _are_own(redis.PublishBatch, _BATCH, redis)
        and is_own(redis.dumps, kombu.utils.json)
        # A tool that watches Redis: prebuilt messages are sent without its client's pipeline.
        and is_own(client.Pipeline.execute, client)
        and is_own(_messaging.dumps, kombu.serialization)
        and is_own(_messaging.compress, kombu.compression)
    )


def surroundings(app: Any, producer: Any) -> object:
    """Return what Celery and kombu read for every message: if it changes, all molds are out of date."""
    amqp, conf = app.amqp, app.conf
    return (
        (amqp.create_task_message, amqp.send_task_message, amqp.argsrepr_maxsize, amqp.kwargsrepr_maxsize),
        (conf.task_default_queue, conf.get("task_repr_maxlevels"), app.thread_oid, anon_nodename()),
        (producer.channel, producer.serializer, producer.compression),
        tuple(_serialization.registry._encoders.items()),
        tuple(_compression._encoders.items()),
    )


def is_plain_body(content_type: str, compression: str | None) -> bool:
    """Say whether kombu's own functions made a body: a body of other functions may hold the time, or expire."""
    known = _serialization.registry._encoders.values()
    encoders = [codec.encoder for codec in known if codec.content_type == content_type]
    if not encoders or not all(is_own(encoder, kombu.serialization, kombu.utils.json, yaml) for encoder in encoders):
        return False
    if compression is None:
        return True
    compressor = _compression._encoders.get(compression)
    return str(getattr(compressor, "__module__", "")).partition(".")[0] in _COMPRESSORS


def way_of(app: Any, name: str, options: Mapping[str, Any]) -> str | None:
    """Return what decides how Celery sends a task with options of a schedule; None if it must take the whole way."""
    task = app.tasks.get(name)
    if not _is_plain_task(app, task):
        return None
    kept = {} if task is None else task._get_exec_options()
    try:
        route = app.amqp.router.route({**kept, **options}, name, (), {}, task)
    except Exception as error:
        # For example, its queue does not exist: Celery raises this again for each message.
        logger.debug("`%s` has no route: %s", name, error_line(error))
        return None
    return repr((_state(task), {key: _state(value) for key, value in route.items()}))


def _is_plain_task(app: Any, task: Any) -> bool:
    """Say whether Celery's own functions send a task; None is a task that this application does not know."""
    return task is None or (
        _are_own(task, _TASK, celery.app.task)
        and task.app == app
        and getattr(task, "_dump_pydantic_arguments", None) is None
    )


def _state(value: Any) -> Any:
    """Return what a value holds now: a queue can be edited in place, and so can a task."""
    if isinstance(value, celery.app.task.Task):
        return [getattr(value, name) for name in _READ_OF_TASK], id(getattr(value, "__header__", None))
    return value.as_dict(recurse=True) if isinstance(value, Object) else value
