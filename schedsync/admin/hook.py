"""Adds the pages to every admin site."""

from __future__ import annotations

from typing import Any

from django.contrib.admin import AdminSite


def install() -> None:
    """Let each site have the pages and a link to them; called again, it changes nothing."""
    if hasattr(AdminSite.get_urls, "schedsync"):
        return
    own_urls, own_list = AdminSite.get_urls, AdminSite.get_app_list

    # Each start of Django imports this, but few show the admin.
    def get_urls(site: AdminSite) -> list[Any]:
        from schedsync.admin.page.urls import urls_for

        return [*urls_for(site), *own_urls(site)]

    def get_app_list(site: AdminSite, request: Any, *arguments: Any, **named: Any) -> list[Any]:
        from schedsync.admin.page.entry import with_page

        return with_page(site, request, own_list(site, request, *arguments, **named), *arguments, **named)

    get_urls.schedsync = True  # type: ignore[attr-defined]
    AdminSite.get_urls, AdminSite.get_app_list = get_urls, get_app_list  # type: ignore[method-assign,assignment]
