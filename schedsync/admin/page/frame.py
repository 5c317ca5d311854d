"""What both pages have in common: the frame of the admin, and the answer where the tables cannot be read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db import router
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django_celery_beat.models import PeriodicTask

from schedsync.admin.page.section import Seen
from schedsync.database.clock import now
from schedsync.errors import SchedsyncError

#: A value of the query that is longer means nothing. In characters.
_LONGEST = 300


def seen_of(request: HttpRequest, site: Any) -> Seen:
    """Return what the sections may know of a request."""
    query = {key: str(value) for key, value in request.GET.items() if len(value) <= _LONGEST and "\0" not in value}
    return Seen(database(), now(), request.user, site, query)


def database() -> str:
    """Return the alias of the database that Beat itself uses."""
    alias: str = router.db_for_write(PeriodicTask)
    return alias


def shown(
    request: HttpRequest, site: Any, template: str, context: Mapping[str, Any], status: int = 200
) -> HttpResponse:
    """Return a page in the frame of the admin."""
    values = {**site.each_context(request), **context}
    return render(request, f"schedsync/page/{template}", values, status=status)


def not_shown(request: HttpRequest, site: Any, error: SchedsyncError, status: int = 503) -> HttpResponse:
    """Return a page that says what is missing, and the way out."""
    context = {"title": "Schedules", "message": error.message, "hint": error.hint}
    return shown(request, site, "unavailable.html", context, status)
