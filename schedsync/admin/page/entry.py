"""The link to the page on the index of the admin, for users who may see it."""

from __future__ import annotations

from typing import Any

from django.urls import NoReverseMatch, reverse

from schedsync.admin.page.permissions import VIEW

_APP = "schedsync"
_TITLE = "All schedules"


def with_page(site: Any, request: Any, apps: list[Any], app_label: str | None = None) -> list[Any]:
    """Return the apps of an index with the page first in schedsync's; ``app_label`` is the only app that the index has.

    Without a right on one of our models the index has no entry for us, so one is made.
    """
    if app_label not in (None, _APP) or not request.user.has_perm(VIEW):
        return apps
    try:
        address = reverse("admin:schedsync_page", current_app=site.name)
    except NoReverseMatch:
        return apps
    own = next((app for app in apps if app["app_label"] == _APP), None)
    if own is None:
        own = {
            "name": "Schedules in Git",
            "app_label": _APP,
            "app_url": address,
            "has_module_perms": True,
            "models": [],
        }
        apps = [*apps, own]
    own["models"] = [_entry(address), *own["models"]]
    return apps


def _entry(address: str) -> dict[str, Any]:
    nothing = {"add": False, "change": False, "delete": False, "view": True}
    names = {"model": None, "name": _TITLE, "object_name": "SchedsyncPage"}
    return {**names, "perms": nothing, "admin_url": address, "add_url": None, "view_only": True}
