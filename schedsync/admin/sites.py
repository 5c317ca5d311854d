"""Adds our pages to every site, and our mixins to what it has for schedules, when it builds its URLs.

Earlier a project's own class may not be registered yet, and it may replace ours: apps are discovered in their order.
"""

from __future__ import annotations

import types
from functools import wraps
from typing import TYPE_CHECKING, Any

from django.contrib.admin import AdminSite

if TYPE_CHECKING:
    from django.contrib.admin import ModelAdmin

_MARK = "schedsync_prepares"


def prepare_sites() -> None:
    """Let each site, also one that is made later, add mixins and pages when it builds its URLs; once for a process."""
    if hasattr(AdminSite.get_urls, _MARK):
        return
    # A subclass may build its URLs without the method of this class, and is then reached through the property.
    get_urls, urls = AdminSite.get_urls, AdminSite.urls.fget  # type: ignore[attr-defined]
    get_app_list = AdminSite.get_app_list

    @wraps(get_urls)
    def prepared_get_urls(self: AdminSite) -> Any:
        from schedsync.admin.page.urls import urls_for

        prepare(self)
        return [*urls_for(self), *get_urls(self)]

    def prepared_urls(self: AdminSite) -> Any:
        prepare(self)
        return urls(self)

    def app_list_with_page(self: AdminSite, request: Any, *arguments: Any, **named: Any) -> list[Any]:
        from schedsync.admin.page.entry import with_page

        return with_page(self, request, get_app_list(self, request, *arguments, **named), *arguments, **named)

    setattr(prepared_get_urls, _MARK, True)
    AdminSite.get_urls = prepared_get_urls  # type: ignore[method-assign]
    AdminSite.get_app_list = app_list_with_page  # type: ignore[method-assign]
    AdminSite.urls = property(prepared_urls)  # type: ignore[assignment]


def prepare(site: AdminSite) -> None:
    """Add the mixins to what is registered for schedules and their timings, also for proxies; twice changes nothing."""
    # Each start of Django imports this module, but only a web server builds URLs.
    from django_celery_beat.models import PeriodicTask

    from schedsync.admin.mode import mode
    from schedsync.admin.our_tables import register_tables
    from schedsync.admin.schedules import ManagedScheduleAdminMixin
    from schedsync.admin.timings import TimingAdminMixin
    from schedsync.database.schedule_rows import TIMING_MODELS
    from schedsync.usecases.admin_rows import OFF

    if mode() == OFF:
        return
    has_schedules = False
    for model, registered in list(site._registry.items()):
        if issubclass(model, PeriodicTask):
            has_schedules = True
            _mix_in(ManagedScheduleAdminMixin, registered)
        elif issubclass(model, tuple(TIMING_MODELS.values())):
            _mix_in(TimingAdminMixin, registered)
    if has_schedules:
        register_tables(site)


def _mix_in(mixin: type[Any], registered: ModelAdmin[Any]) -> None:
    """Give the registered object a subclass as its class: references to the object and its attributes stay right."""
    own = type(registered)
    if issubclass(own, mixin):
        return
    namespace = {"__module__": own.__module__, "__doc__": own.__doc__, "__qualname__": own.__qualname__}
    registered.__class__ = types.new_class(own.__name__, (mixin, own), {}, lambda body: body.update(namespace))
