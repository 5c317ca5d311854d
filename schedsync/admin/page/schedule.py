"""The page of one schedule."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from schedsync.admin.page.actions import act
from schedsync.admin.page.frame import database, not_shown, seen_of, shown
from schedsync.admin.page.one import values_of
from schedsync.admin.page.permissions import VIEW, require
from schedsync.core.schedule import LONGEST_NAME
from schedsync.errors import SchedsyncError, UnknownSchedule
from schedsync.render.words import printable
from schedsync.usecases.one_schedule import id_of, managed_name, name_of, one_schedule

#: What a database can hold as an id.
_LARGEST_ID = 2**63 - 1


@require_http_methods(["GET", "HEAD", "POST"])
def by_id(request: HttpRequest, site: Any, row_id: int) -> HttpResponse:
    """Show the schedule with an id of a row, or do what one of its forms asks for; without one, show that of this name.

    A form does nothing where its row is gone: another schedule may have the number as its name.
    """
    require(request.user, VIEW)
    try:
        name = name_of(database(), row_id) if row_id <= _LARGEST_ID else None
    except SchedsyncError as error:
        return not_shown(request, site, error)
    if name is None and request.method == "POST":
        messages.error(request, "Nothing was done: the row of this schedule is gone. Look for its name in the list")
        return HttpResponseRedirect(reverse("admin:schedsync_page", current_app=site.name))
    if name is None:
        return _by_its_row(request, site, str(row_id))
    return _answer(request, site, name)


@require_http_methods(["GET", "HEAD", "POST"])
def by_name(request: HttpRequest, site: Any, name: str) -> HttpResponse:
    """Show the schedule with a name, or do what one of its forms asks for."""
    require(request.user, VIEW)
    return _answer(request, site, name)


@require_http_methods(["GET", "HEAD", "POST"])
def by_query(request: HttpRequest, site: Any) -> HttpResponse:
    """Show the schedule that ``?name=`` says: an address can hold each character there, but not in its path.

    Leads to the address with the id of its row, if it has one.
    """
    require(request.user, VIEW)
    name = request.GET.get("name", "")
    return _answer(request, site, name) if request.method == "POST" else _by_its_row(request, site, name)


def _by_its_row(request: HttpRequest, site: Any, name: str) -> HttpResponse:
    """Lead to the schedule with a name by the id of its row; show it here where it has none."""
    try:
        row_id = id_of(database(), name) if _is_name(name) else None
    except SchedsyncError as error:
        return not_shown(request, site, error)
    if row_id is not None:
        return HttpResponseRedirect(reverse("admin:schedsync_schedule", args=[row_id], current_app=site.name))
    return _answer(request, site, name)


def _is_name(name: str) -> bool:
    """Say whether a text can be a name; PostgreSQL takes no NUL."""
    return 0 < len(name) <= LONGEST_NAME and "\0" not in name


def _answer(request: HttpRequest, site: Any, name: str) -> HttpResponse:
    seen = seen_of(request, site)
    if not _is_name(name):
        raise Http404("no schedule can have this name")
    try:
        if request.method == "POST":
            act(request, seen.using, managed_name(seen.using, name))
            return HttpResponseRedirect(address_of(site, name))
        found = one_schedule(seen.using, name)
    except UnknownSchedule as error:
        return not_shown(request, site, error, 404)
    except SchedsyncError as error:
        return not_shown(request, site, error)
    return shown(request, site, "schedule.html", {"title": printable(name), **values_of(found, seen)})


def address_of(site: Any, name: str) -> str:
    """Return the address of the schedule with a name, whichever characters it has."""
    return f"{reverse('admin:schedsync_named', current_app=site.name)}?{urlencode({'name': name})}"
