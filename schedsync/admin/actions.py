"""The actions of the list, where managed rows are selected: these stay as they are, or an operation is offered."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest

from schedsync.admin.knowledge import known
from schedsync.admin.mode import mode
from schedsync.admin.operations import OPERATIONS, is_allowed, page, too_many
from schedsync.admin.words import placed
from schedsync.database.bulk import Among
from schedsync.database.owners import Owner
from schedsync.usecases.admin_rows import READONLY

Action = Callable[[Any, HttpRequest, QuerySet[Any]], Any]
#: By the name of an action of django-celery-beat, or of Django: the operation for managed rows; None leaves them alone.
_INSTEAD: Mapping[str, str | None] = {
    "enable_tasks": "resume",
    "disable_tasks": "pause",
    "toggle_tasks": None,
    "run_tasks": "run",
    "delete_selected": None,
}


def guarded_actions(actions: dict[str, Any]) -> dict[str, Any]:
    """Return the actions with a guard around those that would change managed rows; others are left as they are."""
    return {
        name: (_guarded(function, name), name, description) if name in _INSTEAD else (function, name, description)
        for name, (function, _, description) in actions.items()
    }


def _guarded(action: Action, name: str) -> Action:
    def run_guarded(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
        every = known(request).every
        rows = list(queryset.order_by().values_list("pk", "name"))
        owners = {row_id: owner for row_id, row_name in rows if (owner := every.of(row_id, row_name)) is not None}
        if mode() != READONLY:
            return _with_warning(action, name, model_admin, request, queryset, list(owners.values()))
        rest = {row_id for row_id, _ in rows} - owners.keys()
        answer = action(model_admin, request, queryset.filter(Among(rest))) if rest else None
        if not owners:
            return answer
        instead = _instead(model_admin, request, name)
        if instead is None:
            _leave(request, name, list(owners.values()))
            return answer
        if problem := too_many(OPERATIONS[instead], len(owners)):
            messages.error(request, problem)
            return answer
        return page(model_admin, request, instead, sorted(_names(owners)), sorted(owners))

    run_guarded.__name__ = name
    return run_guarded


def _names(owners: Mapping[int, Any]) -> list[str]:
    return [owner.name for owner in owners.values()]


def _instead(model_admin: Any, request: HttpRequest, name: str) -> str | None:
    """Return the operation that takes the place of an action, None where there is none, or the user may not do it."""
    operation = _INSTEAD[name]
    return operation if operation and is_allowed(model_admin, request, OPERATIONS[operation]) else None


def _leave(request: HttpRequest, name: str, owners: list[Owner]) -> None:
    left = f"Git manages {placed(owners)}: left as before."
    operation = _INSTEAD[name]
    if name == "toggle_tasks":
        way = "Pause or resume them with “Disable” and “Enable”, or change them in Git."
    elif operation is None:
        way = "Remove them from the files in Git; to stop them now, choose “Disable”."
    else:
        way = f"You need the permission {OPERATIONS[operation].permission}, or change them in Git."
    messages.error(request, f"{left} {way}")


def _with_warning(
    action: Action, name: str, model_admin: Any, request: HttpRequest, queryset: QuerySet[Any], owners: list[Owner]
) -> Any:
    answer = action(model_admin, request, queryset)
    if owners and name != "run_tasks":
        messages.warning(
            request, f"Git manages {placed(owners)}: the next apply undoes it, but leaves disabled what is disabled."
        )
    return answer
