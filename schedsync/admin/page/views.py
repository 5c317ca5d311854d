"""The page of all schedules."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from schedsync.admin.page.actions import act
from schedsync.admin.page.frame import not_shown, seen_of, shown
from schedsync.admin.page.permissions import VIEW, require
from schedsync.admin.page.sections import ORDER, keys_of, sections_of
from schedsync.errors import SchedsyncError


@require_http_methods(["GET", "HEAD", "POST"])
def page(request: HttpRequest, site: Any) -> HttpResponse:
    """Show the page of all schedules, or do what one of its forms asks for.

    Answers 403 without the permission, and 503 with the way out where the tables cannot be read.
    """
    require(request.user, VIEW)
    seen = seen_of(request, site)
    if request.method == "POST":
        act(request, seen.using)
        return HttpResponseRedirect(reverse("admin:schedsync_page", current_app=site.name))
    try:
        sections = sections_of(seen)
    except SchedsyncError as error:
        return not_shown(request, site, error)
    return shown(
        request, site, "index.html", {"title": "Schedules", "sections": sections, "is_part": keys_of(seen) != ORDER}
    )
