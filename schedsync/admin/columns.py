"""The columns and the filter that the list of schedules gets; they are read for a whole page at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from schedsync.admin.mode import alias
from schedsync.core.names import shortened
from schedsync.database.bulk import Among
from schedsync.database.clock import now
from schedsync.database.owners import is_migrated, managed_rows, paused_rows
from schedsync.errors import SchedsyncError
from schedsync.usecases.admin_rows import ShownRow, held_and_drifted, shown_rows

#: The attribute of a row that holds what is shown of it.
_SHOWN = "_schedsync_shown"
#: The columns after the first one of the project, which links to the form, and those at the end.
_FIRST, _LAST = ("schedsync_git", "schedsync_next_run"), ("schedsync_last_run", "schedsync_last_failure")
#: In characters: how much of the reason of a failure a list shows.
_REASON = 80


def with_columns(own: Sequence[Any]) -> list[Any]:
    """Return the columns of the project with ours among them; those that it has placed itself stay there."""
    first, last = ([name for name in names if name not in own] for names in (_FIRST, _LAST))
    return [*own[:1], *first, *own[1:], *last]


def prepare_rows(rows: Sequence[Any]) -> None:
    """Read what the columns show of all rows of a page; where that fails, the columns stay empty."""
    ids = [row.pk for row in rows]
    found = _read(ids) if ids else {}
    for row in rows:
        setattr(row, _SHOWN, found.get(row.pk))


def _read(ids: Sequence[int]) -> dict[int, ShownRow]:
    if not is_migrated(alias()):
        return {}
    try:
        return shown_rows(alias(), ids)
    except SchedsyncError:
        return {}


def shown(row: Any) -> ShownRow | None:
    """Return what is known of a row, None where it cannot be read."""
    if not hasattr(row, _SHOWN):
        prepare_rows([row])
    found: ShownRow | None = getattr(row, _SHOWN)
    return found


def git_text(row: Any) -> str | None:
    """Return "Git" and the state of a managed row, such as "Git: held"; None where nobody manages it."""
    found = shown(row)
    if found is None or found.schedule.set is None:
        return None
    state = found.schedule.state
    return "Git" if state == "ok" else f"Git: {state}"


def next_run(row: Any) -> datetime | None:
    """Return the oldest tick that a row owes, else the next one."""
    found = shown(row)
    return None if found is None else found.schedule.due or found.schedule.next_run


def last_run(row: Any) -> datetime | None:
    """Return the tick that a row ran for last."""
    found = shown(row)
    return found.schedule.last_run.at if found is not None and found.schedule.last_run is not None else None


def last_failure(row: Any) -> str | None:
    """Return when and why the message of a row could not be sent last."""
    found = shown(row)
    if found is None or found.failed_at is None:
        return None
    return f"{found.failed_at:%Y-%m-%d %H:%M} UTC: {shortened(found.failure or '', _REASON)}"


class GitFilter(admin.SimpleListFilter):
    """Chooses the rows that Git manages, or not, and those that are held, paused or drifted."""

    title = "Git"
    parameter_name = "git"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:  # noqa: ARG002
        """Return the choices."""
        return [(value, value.capitalize()) for value in ("managed", "unmanaged", "held", "paused", "drifted")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Return the rows of a choice; all of them for any other value."""
        using = alias()
        if not is_migrated(using):
            return queryset
        try:
            chosen: QuerySet[Any] = queryset.filter(*_conditions(using, str(self.value())))
        except SchedsyncError as error:
            messages.error(request, f"The filter “Git” cannot be used: {error.message}")
            chosen = queryset.none()
        return chosen


def _conditions(using: str, value: str) -> Iterator[Any]:
    if value == "managed":
        yield managed_rows(using)
    elif value == "unmanaged":
        yield ~managed_rows(using)
    elif value == "paused":
        yield paused_rows(using, now())
    elif value in ("held", "drifted"):
        held, drifted = held_and_drifted(using)
        ids = held if value == "held" else drifted
        yield Among(ids) if ids else Q(pk__in=[])
