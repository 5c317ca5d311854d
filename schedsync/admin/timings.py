"""The admin of crontabs, intervals, solar and clocked times: what managed schedules use is not edited or deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.utils import quote, unquote
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from django_celery_beat.models import PeriodicTask

from schedsync.admin.formsets import locked, locked_rows
from schedsync.admin.mode import alias, mode
from schedsync.admin.words import placed
from schedsync.core.names import counted
from schedsync.database.bulk import Among
from schedsync.database.owners import Owner, managed_users, timings_in_use
from schedsync.database.schedule_rows import TIMING_MODELS
from schedsync.usecases.admin_rows import OFF, READONLY

if TYPE_CHECKING:
    _Base = admin.ModelAdmin[Any]
else:
    _Base = object

_BANNER = "schedsync_users"
_NAMED = 5
_ATTRIBUTE = "_schedsync_users"


class UsedMeanwhileError(Exception):
    """A form was sent for a row that managed schedules use since the form was opened."""

    def __init__(self, users: list[Owner]) -> None:
        super().__init__(users)
        self.users = users


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

    def _users(self, obj: Any) -> list[Owner]:
        if obj is None or obj.pk is None or mode() == OFF:
            return []
        if not hasattr(obj, _ATTRIBUTE):
            setattr(obj, _ATTRIBUTE, self._read_users(obj))
        found: list[Owner] = getattr(obj, _ATTRIBUTE)
        return found

    def _read_users(self, obj: Any) -> list[Owner]:
        return managed_users(alias(), self.schedsync_kind, obj.pk, _NAMED + 1)

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
        named = f"Schedules that Git manages use this row: {placed(users[:_NAMED])}{more}."
        if mode() == READONLY:
            return f"{named} To change their time, change it in Git. For a schedule of your own, add another row."
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
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except UsedMeanwhileError as error:
            obj = self.get_object(request, unquote(str(object_id)))
            setattr(obj, _ATTRIBUTE, error.users)
            return self._refused(request, obj, "Nothing was saved")

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Refuse, with a message, to delete a row that a managed schedule uses."""
        obj = self.get_object(request, unquote(object_id))
        if self._is_kept(obj) and super().has_delete_permission(request, obj):
            return self._refused(request, obj, "It was not deleted")
        return super().delete_view(request, object_id, extra_context)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save a row, unless a managed schedule uses it by now."""
        if change and mode() == READONLY and (users := self._read_users(obj)):
            raise UsedMeanwhileError(users)
        super().save_model(request, obj, form, change)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Refuse, with a message, a list in which a row was edited that a managed schedule uses since."""
        try:
            return super().changelist_view(request, extra_context)
        except UsedMeanwhileError:
            messages.error(request, "Nothing was saved: a managed schedule uses one of these rows since.")
            return HttpResponseRedirect(request.get_full_path())

    def get_changelist_formset(self, request: HttpRequest, **kwargs: Any) -> Any:
        """Return the formset of ``list_editable``, in which the rows of managed schedules cannot be edited."""
        formset = super().get_changelist_formset(request, **kwargs)
        if mode() != READONLY:
            return formset
        return locked_rows(formset, request, lambda ids: timings_in_use(alias(), self.schedsync_kind, ids))

    def _refused(self, request: HttpRequest, obj: Any, what: str) -> HttpResponseRedirect:
        more = "" if len(self._users(obj)) <= _NAMED else ", and others"
        named = f"managed schedules use “{obj}”: {placed(self._users(obj)[:_NAMED])}{more}"
        messages.error(request, f"{what}: {named}. Change them in Git.")
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
                count = counted(len(used), "row was", "rows were")
                way = "Change or remove the schedules in Git first."
                messages.error(request, f"{count} left, because managed schedules use them. {way}")
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
