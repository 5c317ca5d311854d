"""What the project's result backend knows of tasks: asked in a thread, and waited for a short time only."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from celery import current_app
from celery.backends.base import DisabledBackend
from celery.backends.rpc import RPCBackend

from schedsync.core.names import shortened
from schedsync.core.secrets import masked
from schedsync.core.why import Outcome

#: In seconds. A backend that is away may let a connection wait for minutes.
PATIENCE = 3.0
#: The state of a task of which a backend has nothing.
_NOTHING = "PENDING"


def outcomes(ids: Iterable[str], patience: float = PATIENCE) -> dict[str, Outcome]:
    """Return the outcomes of tasks by their ids; empty where the project has no result backend that keeps them."""
    wanted = list(ids)
    answers: dict[str, Outcome] = {}
    try:
        backend = current_app.backend
    except Exception as error:
        return dict.fromkeys(wanted, _away(error))
    if isinstance(backend, (DisabledBackend, RPCBackend)):
        # rpc:// keeps the results of a message for the process that sent it: here that is Beat.
        return {}
    # A daemon: the process must not wait at its end for a backend that does not answer.
    thread = threading.Thread(target=_ask, args=(backend, wanted, answers), daemon=True)
    thread.start()
    thread.join(patience)
    silent = Outcome(None, trouble="the result backend does not answer")
    known = dict(answers)
    return {task_id: known.get(task_id, silent) for task_id in wanted}


def _ask(backend: Any, ids: Iterable[str], answers: dict[str, Outcome]) -> None:
    try:
        for task_id in ids:
            answers[task_id] = _outcome(backend, task_id)
    finally:
        _close_connections()


def _outcome(backend: Any, task_id: str) -> Outcome:
    try:
        meta = backend.get_task_meta(task_id, cache=False)
    except Exception as error:
        return _away(error)
    state = str(meta.get("status") or _NOTHING)
    if state == _NOTHING:
        return Outcome(None, trouble="the result backend has nothing of it")
    result = meta.get("result")
    kind = type(result).__name__ if isinstance(result, BaseException) else ""
    return Outcome(state, _instant(meta.get("date_done")), kind)


def _instant(value: Any) -> datetime | None:
    """Return when a task ended: Celery writes it as text or as a datetime, in UTC where it names no offset."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    if not isinstance(at, datetime):
        return None
    return (at if at.tzinfo else at.replace(tzinfo=timezone.utc)).astimezone(timezone.utc)


def _away(error: Exception) -> Outcome:
    return Outcome(None, trouble=f"the result backend is away: {shortened(masked(str(error)), 200)}")


def _close_connections() -> None:
    """Close what django-celery-results has opened in this thread."""
    from django.db import connections

    connections.close_all()
