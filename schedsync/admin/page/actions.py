"""What the forms of the pages do: each calls the use case of the verb, in the name of the user.

The outcome is a message for the page that follows. A form that is out of date, because its pause has ended meanwhile,
changes nothing, and the message says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from django import forms
from django.contrib import messages
from django.http import HttpRequest

from schedsync.admin.page.forms import PauseEverything, PauseOne
from schedsync.admin.page.permissions import PAUSE, RUN, require
from schedsync.core.pausing import PauseOrder, ResumeOrder
from schedsync.core.selector import Selector
from schedsync.database.actor import acting_as
from schedsync.database.clock import now
from schedsync.database.transaction import WaitOptions
from schedsync.errors import Refused, SchedsyncError
from schedsync.render.terminal.full_pause import resumed_text as everything_resumed_text
from schedsync.render.terminal.full_pause import stopped_text
from schedsync.render.terminal.hand_run import sent_now
from schedsync.render.terminal.paint import plain
from schedsync.render.terminal.pauses import paused_text, resumed_text
from schedsync.usecases.full_pause import pause_everything, resume_everything
from schedsync.usecases.pause import pause
from schedsync.usecases.resume import resume
from schedsync.usecases.run import NowRequest, run

#: A request does not wait for a poll of Beat; whether the pause holds, the page shows. In seconds: for an apply.
_WAIT = WaitOptions(settle=0, lock=5)
Action = Callable[[HttpRequest, str, str], None]


def act(request: HttpRequest, using: str, name: str = "") -> None:
    """Do what a form asks for, and leave a message; ``name`` is the schedule that it is about, empty for everything.

    Raises PermissionDenied without the permission of the action. What no form of this page asks for does nothing.
    """
    known = ACTIONS_OF_ONE if name else ACTIONS
    if (found := known.get(request.POST.get("action", ""))) is None:
        messages.error(request, "This form is not known; nothing was changed")
        return
    permission, action = found
    require(request.user, permission)
    try:
        with acting_as(str(request.user.get_username())):
            action(request, using, name)
    except SchedsyncError as error:
        messages.error(request, "\n".join(_trouble(error)))


def _trouble(error: SchedsyncError) -> Iterator[str]:
    if isinstance(error, Refused):
        yield from (refusal.message for refusal in error.refusals)
    yield error.message
    if error.hint:
        yield error.hint


def _pause_everything(request: HttpRequest, using: str, _name: str) -> None:
    form = PauseEverything(request.POST)
    if _is_filled(request, form):
        stopped = pause_everything(using, form.cleaned_data["reason"], form.span)
        messages.success(request, stopped_text(stopped.pause, stopped.at, stopped.beats, stopped.trouble))


def _resume_everything(request: HttpRequest, using: str, _name: str) -> None:
    catch_up = request.POST.get("catch_up") == "on"
    resumed = resume_everything(using, catch_up=catch_up, say=lambda line: messages.info(request, line))
    if resumed is None:
        messages.warning(request, "Everything runs already: the pause has ended meanwhile")
    else:
        messages.success(request, everything_resumed_text(catch_up=catch_up, still_paused=resumed.still_paused))


def _pause(request: HttpRequest, using: str, name: str) -> None:
    form = PauseOne(request.POST)
    if _is_filled(request, form):
        until = None if form.span is None else now() + form.span
        order = PauseOrder(_only(name), form.cleaned_data["reason"], until)
        messages.success(request, paused_text(pause(using, order, _WAIT)))


def _resume(request: HttpRequest, using: str, name: str) -> None:
    order = ResumeOrder(_only(name), catch_up=request.POST.get("catch_up") == "on")
    messages.success(request, resumed_text(resume(using, order, _WAIT), now()))


def _run(request: HttpRequest, using: str, name: str) -> None:
    for sent in run(using, NowRequest(_only(name))):
        messages.success(request, sent_now(sent, plain))


def _only(name: str) -> Selector:
    """Return a selector of exactly one name, also where it looks like a glob."""
    return Selector(frozenset({name}))


def _is_filled(request: HttpRequest, form: forms.Form) -> bool:
    if form.is_valid():
        return True
    for field, errors in form.errors.items():
        label = form.fields[field].label or field
        messages.error(request, f"{label}: {' '.join(map(str, errors))}")
    return False


ACTIONS: Mapping[str, tuple[str, Action]] = {
    "pause_all": (PAUSE, _pause_everything),
    "resume_all": (PAUSE, _resume_everything),
}
ACTIONS_OF_ONE: Mapping[str, tuple[str, Action]] = {
    "pause": (PAUSE, _pause),
    "resume": (PAUSE, _resume),
    "run": (RUN, _run),
}
