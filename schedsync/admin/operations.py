"""The page of what can be done with managed rows: it asks first, and a POST acts by the use cases of the commands."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.utils import quote
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse

from schedsync.admin.knowledge import known
from schedsync.admin.mode import mode
from schedsync.core.hand_run import SentNow
from schedsync.core.names import first_names, shortened
from schedsync.core.pausing import PauseOrder, ResumeOrder
from schedsync.core.selector import Selector
from schedsync.database.actor import acting_as
from schedsync.database.bulk import Among
from schedsync.database.clock import now
from schedsync.database.transaction import WaitOptions
from schedsync.errors import Refused, SchedsyncError
from schedsync.usecases.admin_rows import OFF
from schedsync.usecases.break_glass import open_for_editing
from schedsync.usecases.pause import pause
from schedsync.usecases.resume import resume
from schedsync.usecases.run import NowRequest, run

#: How long a request waits for an apply that holds the lock, in seconds; and not for a poll of Beat.
_WAIT = WaitOptions(settle=0.0, lock=5.0)
_NAMED, _FEW = 10, 3
_MOST_ROWS = 100_000
#: Each message is recorded and sent alone, and a request must end in seconds.
_MOST_RUNS = 100
_SPANS = (
    ("1", "1 hour"),
    ("4", "4 hours"),
    ("24", "1 day"),
    ("72", "3 days"),
    ("168", "1 week"),
    ("", "no end"),
)


class ReasonForm(forms.Form):
    """Asks why."""

    reason = forms.CharField(max_length=1000, widget=forms.Textarea(attrs={"rows": 3, "cols": 60}))


class PauseForm(ReasonForm):
    """Asks why and for how long, in hours; empty lasts until it is resumed."""

    hours = forms.ChoiceField(label="For", choices=_SPANS, required=False, initial="24")


Values = dict[str, Any]


class PartlySentError(Exception):
    """Some messages were sent, and then one failed: the error, and what was sent as text."""

    def __init__(self, error: SchedsyncError, done: str) -> None:
        super().__init__(done)
        self.error, self.done = error, done


@dataclass(frozen=True)
class Operation:
    """What can be done: its button, the permission, what it means, the form, and the function that does it.

    The function gets the database, the names and the values of the form, and returns what it did.
    """

    label: str
    permission: str
    meaning: str
    form: type[forms.Form]
    act: Callable[[str, Sequence[str], Values], str]
    needs_change: bool = False
    #: How many schedules a request can do it with.
    most: int = _MOST_ROWS


def _selector(names: Sequence[str]) -> Selector:
    return Selector(names=frozenset(names))


def _pause(using: str, names: Sequence[str], values: Values) -> str:
    until = now() + timedelta(hours=int(values["hours"])) if values["hours"] else None
    done = pause(using, PauseOrder(_selector(names), values["reason"], until), _WAIT)
    kept = f"; {len(done.kept):,} had a longer pause" if done.kept else ""
    before = [f"“{each.name}” by {each.who}: {shortened(each.reason)}" for each in done.replaced]
    instead = f", instead of the pause of {first_names(before, _FEW)}" if before else ""
    return f"Paused: {_named([each.name for each in done.pauses])}{instead}{kept}. No apply undoes it"


def _resume(using: str, names: Sequence[str], _values: Values) -> str:
    done = resume(using, ResumeOrder(_selector(names)), _WAIT)
    return "; ".join(f"{word.capitalize()}: {_named(each)}" for word, each in done.lists() if each)


def _run(using: str, names: Sequence[str], _values: Values) -> str:
    sent: list[SentNow] = []
    try:
        for each in run(using, NowRequest(_selector(names), most=max(len(names), 1))):
            sent.append(each)
    except SchedsyncError as error:
        if sent:
            raise PartlySentError(error, _sent(sent)) from error
        raise
    return _sent(sent)


def _sent(sent: Sequence[SentNow]) -> str:
    notes = sorted({each.note for each in sent if each.note})
    return f"Sent: {_named([each.name for each in sent])}" + (f" ({'; '.join(notes[:3])})" if notes else "")


def _break_glass(using: str, names: Sequence[str], values: Values) -> str:
    opened = [open_for_editing(using, name, values["reason"]).name for name in names]
    return f"Open for editing until the next apply: {_named(opened)}"


def _named(names: Sequence[str]) -> str:
    return first_names(list(names), _NAMED)


OPERATIONS = {
    "pause": Operation(
        "Pause…", "schedsync.pause_schedules", "No apply enables them before the end.", PauseForm, _pause
    ),
    "resume": Operation(
        "Resume…", "schedsync.pause_schedules", "They run again, from their next time on.", forms.Form, _resume
    ),
    "run": Operation(
        "Run now…",
        "schedsync.run_schedules",
        "One message for each is sent at once.",
        forms.Form,
        _run,
        most=_MOST_RUNS,
    ),
    "break-glass": Operation(
        "Break glass…",
        "schedsync.break_glass",
        "The form can be edited until the next apply, which undoes what you save. Who opened it, and why, is recorded.",
        ReasonForm,
        _break_glass,
        needs_change=True,
    ),
}


def is_allowed(model_admin: Any, request: HttpRequest, operation: Operation, row: Any = None) -> bool:
    """Say whether a user may do this with the rows of a model, or with one, where a project decides by the row."""
    if not (model_admin.has_view_permission(request, row) and request.user.has_perm(operation.permission)):
        return False
    return not operation.needs_change or bool(model_admin.schedsync_may_change(request, row))


def operate(model_admin: Any, request: HttpRequest, operation: str) -> HttpResponse:
    """Ask, and on a POST with a valid form act, for the rows whose ids are in `ids`, separated by commas.

    Raises PermissionDenied where the user lacks the permission, Http404 for an unknown operation or bad ids.
    """
    chosen = OPERATIONS.get(operation)
    if chosen is None or mode() == OFF:
        raise Http404
    if not is_allowed(model_admin, request, chosen):
        raise PermissionDenied
    found = _rows(model_admin, request)
    rows = [row for row in found if is_allowed(model_admin, request, chosen, row)]
    if found and not rows:
        raise PermissionDenied
    names = [owner.name for row in rows if (owner := known(request).owner(row)) is not None]
    problem = too_many(chosen, len(names)) if names else "None of these rows is managed in Git."
    if problem:
        messages.error(request, problem)
        return HttpResponseRedirect(model_admin.schedsync_url("changelist"))
    form = chosen.form(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid() and _acts(request, chosen, names, form.cleaned_data):
        only = rows[0] if len(rows) == 1 else None
        back = ("changelist",) if only is None else ("change", quote(only.pk))
        return HttpResponseRedirect(model_admin.schedsync_url(*back))
    return page(model_admin, request, operation, names, [row.pk for row in rows], form)


def too_many(operation: Operation, count: int) -> str:
    """Return that a request cannot do an operation with this number of schedules; empty if it can."""
    if count <= operation.most:
        return ""
    label = operation.label.rstrip("…")
    return f"{label}: {count:,} schedules are selected, and at most {operation.most:,} are done here. Select fewer."


def _rows(model_admin: Any, request: HttpRequest) -> list[Any]:
    """Return the rows that the user may see among those that are asked for, by name."""
    text = (request.POST if request.method == "POST" else request.GET).get("ids", "")
    parts = text.split(",")
    if len(parts) > _MOST_ROWS or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in parts):
        raise Http404
    queryset = model_admin.get_queryset(request).filter(Among({int(part) for part in parts}))
    return sorted(queryset, key=lambda row: str(row.name))


def _acts(request: HttpRequest, operation: Operation, names: Sequence[str], values: Values) -> bool:
    """Do it in the name of the user; returns False, with a message, where it failed."""
    try:
        with acting_as(str(request.user.get_username())):
            done = operation.act(known(request).using, names, values)
    except PartlySentError as error:
        messages.warning(request, f"{error.done}. Then it failed.")
        messages.error(request, error_text(error.error))
        return True
    except SchedsyncError as error:
        messages.error(request, error_text(error))
        return False
    messages.success(request, f"{done}.")
    return True


def error_text(error: SchedsyncError) -> str:
    """Return an error in one line, with its way out."""
    reasons = [refusal.message for refusal in error.refusals] if isinstance(error, Refused) else []
    return "; ".join([error.message, *reasons, *([error.hint] if error.hint else [])])


def page(
    model_admin: Any,
    request: HttpRequest,
    operation: str,
    names: Sequence[str],
    ids: Sequence[int],
    form: forms.Form | None = None,
) -> TemplateResponse:
    """Return the page that asks whether to do something with some rows."""
    chosen = OPERATIONS[operation]
    context = {
        **model_admin.admin_site.each_context(request),
        "title": chosen.label.rstrip("…"),
        "meaning": chosen.meaning,
        "opts": model_admin.opts,
        "media": model_admin.media,
        "form": form or chosen.form(),
        "label": chosen.label.rstrip("…"),
        "named": _named(names),
        "count": len(names),
        "ids": ",".join(map(str, ids)),
        "action": model_admin.schedsync_url("schedsync", operation),
        "changelist": model_admin.schedsync_url("changelist"),
        "back": model_admin.schedsync_url(*(("change", quote(ids[0])) if len(ids) == 1 else ("changelist",))),
    }
    request.current_app = model_admin.admin_site.name
    return TemplateResponse(request, "schedsync/admin/operation.html", context)
