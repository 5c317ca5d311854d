"""The admin of crontabs, intervals, solar and clocked times: what managed schedules use is not edited or deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django_celery_beat.models import PeriodicTask

from schedsync.admin.formsets import locked
from schedsync.admin.mode import alias, mode
from schedsync.core.names import first_names
from schedsync.database.bulk import Among
from schedsync.database.owners import managed_users, timings_in_use
from schedsync.database.schedule_rows import TIMING_MODELS
from schedsync.usecases.admin_rows import OFF, READONLY

if TYPE_CHECKING:
    _Base = admin.ModelAdmin[Any]
else:
    _Base = object

_BANNER = "schedsync_users"
_NAMED = 5
_ATTRIBUTE = "_schedsync_users"


class TimingAdminMixin(_Base):
    """Put it before a ``ModelAdmin`` of a timing; without it, schedsync adds it by itself."""

    @property
    def schedsync_kind(self) -> str:
        """The kind of the timing: "crontab", "interval", "solar" or "clocked"."""
        return next(kind for kind, model in TIMING_MODELS.items() if issubclass(self.model, model))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False for a row that a managed schedule uses."""
        return super().has_change_permission(request, obj) and not self._is_kept(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False for a row that a managed schedule uses: it would be deleted too."""
        return super().has_delete_permission(request, obj) and not self._is_kept(obj)

    def _is_kept(self, obj: Any) -> bool:
        return mode() == READONLY and bool(self._users(obj))

    def _users(self, obj: Any) -> list[str]:
        if obj is None or obj.pk is None or mode() == OFF:
            return []
        if not hasattr(obj, _ATTRIBUTE):
            setattr(obj, _ATTRIBUTE, managed_users(alias(), self.schedsync_kind, obj.pk, _NAMED + 1))
        found: list[str] = getattr(obj, _ATTRIBUTE)
        return found

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Put a banner first where a managed schedule uses the row."""
        fieldsets = list(super().get_fieldsets(request, obj))
        return [("Managed in Git", {"fields": (_BANNER,)}), *fieldsets] if self._users(obj) else fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Add the banner."""
        return [*super().get_readonly_fields(request, obj), *([_BANNER] if self._users(obj) else [])]

    @admin.display(description="Git")
    def schedsync_users(self, obj: Any) -> str:
        """Say which managed schedules use the row, and what that means."""
        users = self._users(obj)
        more = "" if len(users) <= _NAMED else ", and others"
        named = f"Schedules that Git manages use this row: {', '.join(users[:_NAMED])}{more}."
        if mode() == READONLY:
            return f"{named} To change their time, change it in Git."
        return f"{named} The next apply gives them another row with the time of the files."

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Refuse, with a message, what is sent for a row that a managed schedule uses."""
        if request.method == "POST" and object_id is not None and "_saveasnew" not in request.POST:
            obj = self.get_object(request, unquote(object_id))
            if self._is_kept(obj) and super().has_change_permission(request, obj):
                return self._refused(request, obj, "Nothing was saved")
        return super().changeform_view(request, object_id, form_url, extra_context)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Refuse, with a message, to delete a row that a managed schedule uses."""
        obj = self.get_object(request, unquote(object_id))
        if self._is_kept(obj) and super().has_delete_permission(request, obj):
            return self._refused(request, obj, "It was not deleted")
        return super().delete_view(request, object_id, extra_context)

    def _refused(self, request: HttpRequest, obj: Any, what: str) -> HttpResponseRedirect:
        named = first_names([f"“{name}”" for name in self._users(obj)], _NAMED)
        messages.error(request, f"{what}: managed schedules use “{obj}”: {named}. Change them in Git.")
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_change"
        return HttpResponseRedirect(reverse(name, args=[quote(obj.pk)], current_app=self.admin_site.name))

    def get_actions(self, request: HttpRequest) -> Any:
        """Return the actions; the one that deletes leaves the rows that managed schedules use."""
        actions: Any = super().get_actions(request)
        if mode() != READONLY or "delete_selected" not in actions:
            return actions
        function, name, description = actions["delete_selected"]

        def delete_others(model_admin: Any, request: HttpRequest, queryset: QuerySet[Any]) -> Any:
            ids = set(queryset.order_by().values_list("pk", flat=True))
            used = timings_in_use(alias(), self.schedsync_kind, ids)
            if used:
                messages.error(request, f"{len(used):,} of these rows were left: managed schedules use them.")
            return function(model_admin, request, queryset.filter(Among(ids - used))) if ids - used else None

        return {**actions, "delete_selected": (delete_others, name, description)}

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        """Return the inlines, in those of schedules managed ones cannot be edited or deleted."""
        inlines: Any = list(super().get_inlines(request, obj) or ())
        if mode() != READONLY:
            return inlines
        return [_locked_inline(inline) if issubclass(inline.model, PeriodicTask) else inline for inline in inlines]


def _locked_inline(inline: type[Any]) -> type[Any]:
    class LockedInline(inline):  # type: ignore[misc]
        def get_formset(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> Any:
            return locked(super().get_formset(request, obj, **kwargs), request)

    return LockedInline
