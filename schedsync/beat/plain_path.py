"""Whether each function on the way of a message is Celery's own, so that nobody would miss a message built before.

Tools for tracing and monitoring wrap these functions or connect to these signals, and projects override them. Then each
message takes the whole way, as Celery sends it.
"""

from __future__ import annotations

import logging
from types import FunctionType, ModuleType
from typing import Any

import celery.app.amqp
import celery.app.base
import celery.app.routes
import celery.app.task
import celery.backends.base
import celery.backends.redis
import celery.backends.rpc
import celery.beat
import kombu.messaging
from celery import signals

from schedsync.beat import celery_hooks

_SIGNALS = ("before_task_publish", "after_task_publish", "task_sent")
_BACKENDS = (celery.backends.base, celery.backends.redis, celery.backends.rpc)


def is_own(function: Any, *modules: ModuleType) -> bool:
    """Say whether a function is defined in one of the modules: a wrapper has the code of another."""
    function = getattr(function, "__func__", function)
    if type(function) is not FunctionType or hasattr(function, "__wrapped__"):
        return False
    return function.__code__.co_filename in {module.__file__ for module in modules}


def is_plain(app: Any, publish: Any, producer: Any) -> bool:
    """Say whether a message that ``publish`` sends passes functions of Celery and of this package only."""
    return (
        not any(getattr(signals, name).receivers for name in _SIGNALS)
        # Celery's Beat writes the id of each message with this level.
        and not logging.getLogger("celery.beat").isEnabledFor(logging.DEBUG)
        and _is_plain_beat(getattr(publish, "__self__", None), publish)
        and _is_plain_app(app)
        and is_own(type(producer).publish, kombu.messaging)
        and "publish" not in vars(producer)
    )


def _is_plain_beat(scheduler: Any, publish: Any) -> bool:
    kind = type(scheduler)
    return (
        is_own(publish, celery_hooks)
        and is_own(kind.apply_entry, celery.beat)
        and "apply_entry" not in vars(scheduler)
        and is_own(kind.apply_async, celery_hooks)
        and is_own(scheduler.apply_async, celery_hooks)
        and is_own(scheduler.send_task, celery.beat)
    )


def _is_plain_app(app: Any) -> bool:
    amqp, conf = app.amqp, app.conf
    return (
        is_own(app.send_task, celery.app.base)
        and type(amqp) is celery.app.amqp.AMQP
        and amqp.create_task_message.__name__ == "as_task_v2"
        and is_own(amqp.create_task_message, celery.app.amqp)
        and is_own(amqp.send_task_message, celery.app.amqp)
        and type(amqp.router) is celery.app.routes.Router
        and all(type(route) is celery.app.routes.MapRoute for route in _routes(amqp.router))
        and is_own(celery.app.task.Task.apply_async, celery.app.task)
        and is_own(app.backend.on_task_call, *_BACKENDS)
        and not (conf.task_send_sent_event or conf.task_always_eager)
    )


def _routes(router: Any) -> Any:
    return router.routes


def is_plain_task(task: Any) -> bool:
    """Say whether a task of this application, or None for one of another, is sent as Celery sends tasks."""
    return task is None or (
        is_own(task.apply_async, celery.app.task)
        and is_own(task.shadow_name, celery.app.task)
        and getattr(task, "_dump_pydantic_arguments", None) is None
    )
