"""The banner in the form of a managed row: where it is defined, what can be done here, and what an edit means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.template.loader import render_to_string
from django.urls import NoReverseMatch, reverse
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from schedsync.admin.columns import shown
from schedsync.admin.knowledge import Knowledge, known
from schedsync.admin.mode import mode
from schedsync.admin.operations import OPERATIONS, is_allowed
from schedsync.admin.page.permissions import VIEW
from schedsync.admin.place import Place, place_of
from schedsync.admin.words import where
from schedsync.core.observed import Managed, Paused
from schedsync.database.audit import last_binding
from schedsync.database.clock import now
from schedsync.database.faults import database_errors
from schedsync.database.full_pause import full_pause
from schedsync.database.observe import every_entry, observe_pauses
from schedsync.database.owners import Owner
from schedsync.errors import SchedsyncError
from schedsync.usecases.admin_rows import READONLY

#: The attribute of a row that holds its banner, and the field of the form that says what the form was made from.
ATTRIBUTE, _SEEN = "_schedsync_banner", "schedsync_applied_at"


def put(model_admin: Any, request: HttpRequest, row: Any) -> None:
    """Give a managed row its banner."""
    if request.method in ("GET", "HEAD") or not hasattr(row, ATTRIBUTE):
        setattr(row, ATTRIBUTE, _rendered(model_admin, request, row))


@dataclass(frozen=True)
class _Read:
    """What the database knows of a schedule: entry, place, and its pause and that of everything, if they last."""

    place: Place
    entry: Managed | None = None
    pause: Paused | None = None
    everything: str = ""
    trouble: str = ""


def _rendered(model_admin: Any, request: HttpRequest, row: Any) -> SafeString:
    knowledge = known(request)
    owner = knowledge.owner(row)
    if owner is None:
        return SafeString("")
    read = _read(knowledge.using, owner)
    entry, found = read.entry, shown(row)
    state = found.schedule.state if found else ""
    context = {
        "read": read,
        "place": read.place,
        "opened": knowledge.opened(row),
        "state": state,
        "is_disabled_by_git": entry is not None and entry.removing is None and not entry.was_enabled,
        "reason": entry.people.disabled_reason if entry else "",
        "is_readonly": mode() == READONLY,
        "ways": ways_out(model_admin, request, owner, is_stopped=not row.enabled),
        "seen": _seen(knowledge, row),
        "field": _SEEN,
        "buttons": list(_buttons(model_admin, request, row, can_resume=state == "held" or read.pause is not None)),
    }
    return render_to_string("schedsync/admin/banner.html", context)


def _read(using: str, owner: Owner) -> _Read:
    at = now()
    try:
        with database_errors(using):
            entry = next(iter(every_entry(using, owner.name)), None)
            pause, everything = observe_pauses(using, owner.name).get(owner.name), full_pause(using)
            place = place_of(entry, last_binding(using, entry.set)) if entry else Place(owner.set, owner.place, "")
    except SchedsyncError as error:
        # A form that says less is better than none, when somebody needs it most.
        return _Read(Place(owner.set, owner.place, ""), trouble=error.message)
    lasting = None if pause is None or pause.ended(at) else pause
    return _Read(place, entry, lasting, everything.text(at) if everything and everything.is_on(at) else "")


def ways_out(
    model_admin: Any, request: HttpRequest, owner: Owner, verb: str = "Change", *, is_stopped: bool = False
) -> str:
    """Say where a managed schedule is changed, and how it is stopped or edited here, or who can do that."""
    stop = "" if is_stopped else f"; to stop it now, {_stop(model_admin, request)}"
    return f"{verb} it {where(owner)}{stop}. {_edit(model_admin, request)}."


def _stop(model_admin: Any, request: HttpRequest) -> str:
    if is_allowed(model_admin, request, OPERATIONS["pause"]):
        return "pause it here: no apply undoes a pause"
    return f"ask somebody with the permission {OPERATIONS['pause'].permission}"


def _edit(model_admin: Any, request: HttpRequest) -> str:
    if is_allowed(model_admin, request, OPERATIONS["break-glass"]):
        return "If a change cannot wait for Git, “Break glass…” opens the form until the next apply"
    return f"If a change cannot wait for Git, ask somebody with the permission {OPERATIONS['break-glass'].permission}"


def _buttons(model_admin: Any, request: HttpRequest, row: Any, *, can_resume: bool) -> Iterator[tuple[str, str]]:
    """Yield the label and the address of each operation that the user may do, and of the page of the schedule."""
    wanted = ["resume" if can_resume else "pause", "run"]
    if known(request).is_locked(row):
        wanted.append("break-glass")
    query = urlencode({"ids": row.pk})
    for name in wanted:
        if is_allowed(model_admin, request, OPERATIONS[name], row):
            yield OPERATIONS[name].label, f"{model_admin.schedsync_url('schedsync', name)}?{query}"
    if request.user.has_perm(VIEW):
        try:
            page = reverse("admin:schedsync_schedule", args=[row.pk], current_app=model_admin.admin_site.name)
        except NoReverseMatch:
            return
        yield "Runs and history", page


def _seen(knowledge: Knowledge, row: Any) -> str:
    """Return what a form was made from: the time of the last apply, and of a pause, which such a form could end."""
    owner = knowledge.owner(row)
    if owner is None or owner.applied_at is None:
        return ""
    applied = owner.applied_at.isoformat()
    if mode() == READONLY:
        # Neither a locked row nor one that is open has an `enabled` that ends a pause.
        return applied
    pause = _read(knowledge.using, owner).pause
    return f"{applied} {pause.since.isoformat()}" if pause else applied


def is_stale(request: HttpRequest, row: Any) -> bool:
    """Say whether a form is older than the last apply of its row, or its pause; one without the field counts as new."""
    given = request.POST.get(_SEEN)
    return given is not None and given != _seen(known(request), row)
