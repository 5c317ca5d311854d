"""Takes a snapshot of the running application: its tasks, its queues, and the rows of one set. It writes nothing."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from celery import current_app

from schedsync.core.application import KINDS, Application, Task, TaskParameter
from schedsync.database.audit import last_binding
from schedsync.database.clock import now
from schedsync.database.controls import controls_in_settings
from schedsync.database.durations import typical_seconds
from schedsync.database.faults import database_errors
from schedsync.database.lock import read_only_transaction
from schedsync.database.observe import observe
from schedsync.errors import WrongUsage
from schedsync.planning.snapshot import Snapshot
from schedsync.usecases.celery_settings import beat_schedule_names, import_tasks
from schedsync.usecases.sources import all_sources

_PACKAGES = ("celery", "django-celery-beat", "django", "schedsync")
_NAMES = {kind: name for name, kind in KINDS.items()}


def capture(using: str, set_name: str) -> Snapshot:
    """Return a snapshot of the application and of one set in the database.

    Raises WrongUsage where the project has no Celery app, Unavailable where the database does not answer.
    """
    application, dual_writers = application_of(current_app), beat_schedule_names()
    controls, sources = controls_in_settings(), all_sources()
    with database_errors(using), read_only_transaction(using):
        observed, last = observe(using, set_name), last_binding(using, set_name)
    durations = typical_seconds()
    return Snapshot(
        set=set_name,
        created_at=now(),
        application=application,
        observed=observed,
        last=last,
        dual_writers=dual_writers,
        controls=controls,
        sources=sources,
        durations={name: durations[name] for name in sorted(observed.ledger) if name in durations},
    )


def application_of(app: Any) -> Application:
    """Return the tasks and queues of a Celery app, after importing its tasks as a worker does."""
    import_tasks(app)
    app.finalize(auto=True)
    tasks = {str(name): _task(task, app.conf) for name, task in app.tasks.items()}
    if all(name.startswith("celery.") for name in tasks):
        hint = "import the Celery app in the project's `__init__.py`, as Celery's guide for Django says"
        raise WrongUsage("the project's Celery app registers no task", hint=hint)
    return Application(tasks, _queues(app), {name: version(name) for name in _PACKAGES})


def _task(task: Any, conf: Any) -> Task:
    return Task(
        parameters=_parameters(task.run) if getattr(task, "typing", True) else None,
        time_limit=_seconds(task.time_limit, conf.task_time_limit),
        soft_time_limit=_seconds(task.soft_time_limit, conf.task_soft_time_limit),
    )


def _seconds(*values: Any) -> float | None:
    return next((float(value) for value in values if value), None)


def _parameters(run: Callable[..., Any]) -> tuple[TaskParameter, ...] | None:
    try:
        # ``run`` of a bound task is a bound method, whose signature has no `self`.
        parameters = inspect.signature(run).parameters.values()
    except (TypeError, ValueError):
        return None
    return tuple(
        TaskParameter(parameter.name, _NAMES[parameter.kind], _is_required(parameter)) for parameter in parameters
    )


def _is_required(parameter: inspect.Parameter) -> bool:
    variable = parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return parameter.default is inspect.Parameter.empty and not variable


def _queues(app: Any) -> tuple[str, ...]:
    """Return the queues that the application declares and that its routes name; empty where it declares none."""
    if not app.conf.task_queues:
        return ()
    routed = {route["queue"] for route in _routes(app.conf.task_routes) if isinstance(route.get("queue"), str)}
    return tuple(sorted({*app.amqp.queues, *routed}))


def _routes(routes: Any) -> list[Mapping[str, Any]]:
    if isinstance(routes, Mapping):
        return [route for route in routes.values() if isinstance(route, Mapping)]
    return [route for table in routes or () if isinstance(table, Mapping) for route in _routes(table)]
