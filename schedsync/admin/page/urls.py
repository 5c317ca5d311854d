"""The addresses of the pages, below each admin site."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connections, transaction
from django.http import HttpRequest
from django.urls import URLPattern, path

from schedsync.admin.page.schedule import by_id, by_name, by_query
from schedsync.admin.page.views import page
from schedsync.database.tables import tables_read_once


def urls_for(site: Any) -> list[URLPattern]:
    """Return the patterns of a site; they begin with ``schedsync/``, and must precede those of the site itself."""
    return [
        path("schedsync/", _wrapped(site, page), name="schedsync_page"),
        path("schedsync/schedule/", _wrapped(site, by_query), name="schedsync_named"),
        path("schedsync/schedule/<int:row_id>/", _wrapped(site, by_id), name="schedsync_schedule"),
        path("schedsync/schedule/<path:name>/", _wrapped(site, by_name), name="schedsync_by_name"),
    ]


def _wrapped(site: Any, view: Callable[..., Any]) -> Any:
    def on_site(request: HttpRequest, **parts: Any) -> Any:
        request.current_app = site.name
        with tables_read_once():
            return view(request, site, **parts)

    # The admin asks for a login, and for the token that a form must have.
    wrapped = site.admin_view(on_site)
    # The use cases open their own transactions, and one around the request would be the outermost.
    for alias in connections:
        transaction.non_atomic_requests(alias)(wrapped)
    return wrapped
