"""The banner in the form of a managed row: where it is defined, what can be done here, and what an edit means."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from schedsync.admin.knowledge import Knowledge, known
from schedsync.admin.mode import mode
from schedsync.admin.operations import OPERATIONS, is_allowed
from schedsync.admin.place import place_of
from schedsync.database.audit import last_binding
from schedsync.database.clock import now
from schedsync.database.observe import every_entry, observe_pauses
from schedsync.usecases.admin_rows import READONLY

#: The attribute of a row that holds its banner, and the field of the form that says what the form was made from.
ATTRIBUTE, _SEEN = "_schedsync_banner", "schedsync_applied_at"


def put(model_admin: Any, request: HttpRequest, row: Any) -> None:
    """Give a managed row its banner."""
    if request.method in ("GET", "HEAD") or not hasattr(row, ATTRIBUTE):
        setattr(row, ATTRIBUTE, _rendered(model_admin, request, row))


def _rendered(model_admin: Any, request: HttpRequest, row: Any) -> SafeString:
    knowledge = known(request)
    owner = knowledge.owner(row)
    entry = next(iter(every_entry(knowledge.using, owner.name)), None) if owner else None
    if owner is None or entry is None:
        return SafeString("")
    pause = observe_pauses(knowledge.using, owner.name).get(owner.name)
    context = {
        "owner": owner,
        "place": place_of(entry, last_binding(knowledge.using, entry.set)),
        "opened": knowledge.opened(row),
        "pause": None if pause is None or pause.ended(now()) else pause,
        "is_readonly": mode() == READONLY,
        "seen": _seen(knowledge, row),
        "field": _SEEN,
        "buttons": _buttons(model_admin, request, row, is_paused=pause is not None or not row.enabled),
    }
    return render_to_string("schedsync/admin/banner.html", context)


def _buttons(model_admin: Any, request: HttpRequest, row: Any, *, is_paused: bool) -> list[tuple[str, str]]:
    """Return the label and the address of each operation that the user may do."""
    wanted = ["resume" if is_paused else "pause", "run"]
    if known(request).is_locked(row):
        wanted.append("break-glass")
    query = urlencode({"ids": row.pk})
    return [
        (OPERATIONS[name].label, f"{model_admin.schedsync_url('schedsync', name)}?{query}")
        for name in wanted
        if is_allowed(model_admin, request, OPERATIONS[name])
    ]


def _seen(knowledge: Knowledge, row: Any) -> str:
    owner = knowledge.owner(row)
    return owner.applied_at.isoformat() if owner is not None and owner.applied_at is not None else ""


def is_stale(request: HttpRequest, row: Any) -> bool:
    """Say whether the row of a form was applied after the form was opened; a form without the field counts as new."""
    given = request.POST.get(_SEEN)
    return given is not None and given != _seen(known(request), row)
