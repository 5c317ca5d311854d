"""Listens to Celery's signals in a worker, and notes when runs of schedules with ``overlap: skip`` start and end.

It is imported before Django is set up. So the thread that writes imports the modules that need the database.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from importlib import import_module
from typing import Any

from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import signals, states
from celery.exceptions import Reject

from schedsync.worker.marks import HEADER, mark
from schedsync.worker.writer import Writer

#: The characters that a name of a schedule, and one of a worker, have at most in the tables.
_LONGEST_NAME, _LONGEST_WORKER = 200, 255

#: Errors that a pool's child could not tell itself: it is gone.
_OF_THE_PARENT = (WorkerLostError, TimeLimitExceeded, Reject)

writer = Writer()


def track_runs(app: Any) -> None:
    """Let the workers of a Celery application note when runs start and end, for schedules with ``overlap: skip``.

    Call it in the module that makes the application, so that Beat knows of it too. It may be called again. An error
    of the database is logged, and stops no task; a task waits for it at most five seconds.
    """
    mark(app)
    receivers: dict[Any, Callable[..., None]] = {
        signals.task_prerun: _on_start,
        signals.task_postrun: _on_end,
        signals.task_failure: _on_failure,
        signals.task_revoked: _on_revoke,
        signals.task_unknown: _on_unknown,
    }
    for signal, receiver in receivers.items():
        signal.connect(receiver, weak=False, dispatch_uid=f"schedsync.worker.{receiver.__name__}")
    signals.celeryd_after_setup.connect(_load, weak=False, dispatch_uid="schedsync.worker._load")


def _load(**_: Any) -> None:
    """Import what writes before the pool forks: a child would inherit a module that a thread is just importing."""
    # Without Django's settings each write says what is missing.
    with suppress(Exception):
        import_module("schedsync.database.open_runs")
        import_module("schedsync.database.bounded")


def _on_start(task_id: str = "", task: Any = None, **_: Any) -> None:
    request = task.request
    if _is_tracked(request):
        schedule = str(getattr(request, "schedsync_schedule", ""))[:_LONGEST_NAME]
        worker = str(request.hostname or "")[:_LONGEST_WORKER]
        writer.do(partial(_note, "note_started", task_id, schedule, worker))


def _on_end(task_id: str = "", task: Any = None, retval: Any = None, state: str = "", **_: Any) -> None:
    if not _is_tracked(task.request):
        return
    waits_again = state == states.RETRY or (state == states.REJECTED and getattr(retval, "requeue", False))
    writer.do(partial(_note, "note_waiting_again" if waits_again else "note_ended", task_id))


def _on_failure(task_id: str = "", exception: Any = None, **_: Any) -> None:
    """Note the end of a task whose process died: the worker's main process says so, and does not know the headers."""
    if isinstance(exception, _OF_THE_PARENT):
        writer.do(partial(_note, "note_ended", task_id))


def _on_revoke(request: Any = None, **_: Any) -> None:
    """Note the end of a task that was revoked, or that expired in its queue."""
    if _is_tracked(request):
        writer.do(partial(_note, "note_ended", str(request.id)))


def _on_unknown(id: str = "", message: Any = None, **_: Any) -> None:
    """Note the end of a task that the worker does not know: it drops the message."""
    if (getattr(message, "headers", None) or {}).get(HEADER):
        writer.do(partial(_note, "note_ended", str(id)))


def _is_tracked(request: Any) -> bool:
    return bool(getattr(request, HEADER, None))


def _note(name: str, *values: str) -> None:
    """Write with a function of ``database/open_runs.py``, on the database of the schedules."""
    from datetime import timedelta

    from django.db import connections, router
    from django_celery_beat.models import PeriodicTask

    from schedsync.database import open_runs
    from schedsync.database.bounded import bounded
    from schedsync.worker.writer import PATIENCE

    using: str = router.db_for_write(PeriodicTask)
    try:
        with bounded(using, timedelta(seconds=PATIENCE)):
            getattr(open_runs, name)(using, *values)
    finally:
        # It is this thread's own, and there may be no next run for days.
        connections[using].close()
