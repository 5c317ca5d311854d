"""What the project's result backend knows of tasks: asked in a thread, and waited for a short time only."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import Any

from celery import current_app, states
from celery.backends.base import DisabledBackend
from celery.backends.rpc import RPCBackend

from schedsync.core.names import shortened
from schedsync.core.secrets import masked
from schedsync.core.why import Outcome
from schedsync.database.bulk import batches

#: In seconds. A backend that is away may let a connection wait for minutes.
PATIENCE = 3.0
#: In characters: what is kept of an error's message.
_LONGEST = 200
#: From this number of tasks on, a table of results is asked for all of them at once.
_MANY = 20
_PENDING = Outcome(None, trouble="the result backend has nothing of it", is_pending=True)


def keeps_results() -> bool:
    """Say whether the project keeps how tasks end where this process can ask for it."""
    try:
        backend = current_app.backend
    except Exception:
        # It is away or misspelt: asking for an outcome says which.
        return True
    return not isinstance(backend, (DisabledBackend, RPCBackend)) and not current_app.conf.task_ignore_result


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
        for task_id in _first_those_in_the_table(backend, list(ids), answers):
            answers[task_id] = _outcome(backend, task_id)
    finally:
        _close_connections()


def _first_those_in_the_table(backend: Any, ids: Sequence[str], answers: dict[str, Outcome]) -> Sequence[str]:
    """Answer for the tasks that ended well, or of which there is nothing, by one query for a thousand of them.

    Only django-celery-results can be asked so; returns the ids of the other tasks.
    """
    model = getattr(backend, "TaskModel", None)
    if model is None or len(ids) < _MANY:
        return ids
    known: dict[str, tuple[Any, Any]] = {}
    try:
        for batch in batches(ids):
            rows = model._default_manager.filter(task_id__in=batch)
            known.update((task_id, values) for task_id, *values in rows.values_list("task_id", "status", "date_done"))
    except Exception:
        # Asked one by one, each of them says what is wrong.
        return ids
    answers.update((task_id, _PENDING) for task_id in ids if task_id not in known)
    for task_id, (state, done) in known.items():
        if state == states.SUCCESS:
            answers[task_id] = Outcome(state, _instant(done))
    return [task_id for task_id in ids if task_id not in answers]


def _outcome(backend: Any, task_id: str) -> Outcome:
    try:
        meta = backend.get_task_meta(task_id, cache=False)
    except Exception as error:
        return _away(error)
    state = str(meta.get("status") or states.PENDING)
    if state == states.PENDING:
        return _PENDING
    result = meta.get("result")
    is_error = isinstance(result, BaseException)
    kind, text = (type(result).__name__, _first_line(result)) if is_error else ("", "")
    return Outcome(state, _instant(meta.get("date_done")), kind, text=text)


def _first_line(error: object) -> str:
    try:
        lines = str(masked(str(error)[: 10 * _LONGEST])).strip().splitlines()
    except Exception:
        # The class of the error is the project's own.
        return ""
    return shortened(lines[0], _LONGEST) if lines else ""


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
    return Outcome(None, trouble=f"the result backend is away: {shortened(masked(str(error)), _LONGEST)}")


def _close_connections() -> None:
    """Close what django-celery-results has opened in this thread."""
    from django.db import connections

    connections.close_all()
