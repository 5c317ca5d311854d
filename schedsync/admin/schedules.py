"""The admin of ``PeriodicTask``, on top of any class that a project registers: managed rows are not edited here."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.admin.options import TO_FIELD_VAR
from django.contrib.admin.utils import quote, unquote
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.safestring import SafeString

from schedsync.admin import banner, columns
from schedsync.admin.actions import guarded_actions
from schedsync.admin.formsets import locked
from schedsync.admin.knowledge import forget, known
from schedsync.admin.mode import alias, mode
from schedsync.admin.operations import operate
from schedsync.admin.our_tables import hide_secrets
from schedsync.admin.words import quoted, taken, undone, unknown_to_git
from schedsync.database.owners import has_entries
from schedsync.usecases.admin_rows import OFF, READONLY

if TYPE_CHECKING:
    _Base = admin.ModelAdmin[Any]
else:
    _Base = object

_BANNER = "schedsync_banner"


class AppliedMeanwhileError(Exception):
    """A form was sent for a row that an apply has closed or written since."""

    def __init__(self, row: Any) -> None:
        super().__init__(row.pk)
        self.row = row


class ManagedScheduleAdminMixin(_Base):
    """Put it before a ``ModelAdmin`` of ``PeriodicTask`` or of a proxy; without it, schedsync adds it by itself.

    It adds to what the class has, and does nothing where ``SCHEDSYNC_ADMIN`` is "off".
    """

    # --- what is allowed

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False for a row that Git manages, unless somebody has opened it for editing."""
        return super().has_change_permission(request, obj) and not (obj is not None and known(request).is_locked(obj))

    def schedsync_may_change(self, request: HttpRequest, obj: Any = None) -> bool:
        """Say whether a user might change a row, or any, if Git did not manage it."""
        return super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Return False for a row that Git manages, also for one that is open for editing."""
        return super().has_delete_permission(request, obj) and not self._keeps(request, obj)

    def _keeps(self, request: HttpRequest, obj: Any) -> bool:
        return mode() == READONLY and obj is not None and known(request).owner(obj) is not None

    # --- the form

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """Put a banner first where Git manages the row."""
        fieldsets = list(super().get_fieldsets(request, obj))
        is_managed = mode() != OFF and known(request).owner(obj) is not None
        return [("Managed in Git", {"fields": (_BANNER,)}), *fieldsets] if is_managed else fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        """Add the banner, and `enabled` while the row is open for editing, where that could stop it."""
        fields = [*super().get_readonly_fields(request, obj)]
        if mode() == OFF or known(request).owner(obj) is None:
            return fields
        is_kept = known(request).keeps_enabled(obj) and "enabled" not in fields
        return [*fields, _BANNER, *(["enabled"] if is_kept else [])]

    @admin.display(description="Git")
    def schedsync_banner(self, obj: Any) -> SafeString:
        """Return the banner; it is rendered for each request in :meth:`changeform_view`."""
        return getattr(obj, banner.ATTRIBUTE, SafeString(""))

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return a row with its banner; where it can only be read, its secrets are masked."""
        obj = super().get_object(request, object_id, from_field)
        if obj is not None and mode() != OFF and known(request).owner(obj) is not None:
            banner.put(self, request, obj)
            if request.method in ("GET", "HEAD") and not self.has_change_permission(request, obj):
                hide_secrets(obj)
        return obj

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Refuse, with a message, what is sent for a row that Git manages, or for one that was applied meanwhile."""
        if mode() == OFF or request.method != "POST" or object_id is None or "_saveasnew" in request.POST:
            return super().changeform_view(request, object_id, form_url, extra_context)
        obj = self.get_object(request, unquote(object_id), self._to_field(request))
        if obj is not None and super().has_change_permission(request, obj):
            if known(request).is_locked(obj):
                return self._refused(request, obj, "nothing was saved: Git manages it")
            if banner.is_stale(request, obj):
                return self._stale(request, obj)
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except AppliedMeanwhileError as error:
            return self._stale(request, error.row)

    def _to_field(self, request: HttpRequest) -> str | None:
        """Return the field by which an address names its row; None for the key, and for a field that is refused."""
        name = request.POST.get(TO_FIELD_VAR, request.GET.get(TO_FIELD_VAR))
        return name if name and self.to_field_allowed(request, name) else None

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Save a row, unless Git manages it by now; say what the next apply does with it, or how it gets into Git."""
        if mode() == OFF:
            super().save_model(request, obj, form, change)
            return
        forget(request)
        before = self._stored(obj) if change else None
        owner = known(request).owner(before)
        if before is not None and known(request).is_locked(before):
            raise AppliedMeanwhileError(before)
        super().save_model(request, obj, form, change)
        if owner is not None:
            messages.warning(request, undone(owner))
        else:
            self._say_new_name(request, obj, before)

    def _say_new_name(self, request: HttpRequest, obj: Any, before: Any) -> None:
        """Say what a new name means that nobody managed: an apply takes it over, or no file has it."""
        if before is not None and before.name == obj.name:
            return
        forget(request)
        if (owner := known(request).owner(obj)) is not None:
            messages.warning(request, taken(owner))
        elif before is None and has_entries(alias()):
            messages.info(request, unknown_to_git(obj.name))

    def _stored(self, obj: Any) -> Any:
        """Return the row as the table has it, locked until the end of the transaction.

        A form has written another name into ``obj`` perhaps. Without the lock, what an apply writes between the
        question whether the row may be edited and the save would be overwritten.
        """
        rows = self.model._base_manager.using(alias()).filter(pk=obj.pk)
        if connections[alias()].in_atomic_block:
            rows = rows.select_for_update(
                of=("self",) if connections[alias()].features.has_select_for_update_of else ()
            )
        return rows.only("pk", "name").first() or obj

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None) -> Any:
        """Refuse, with a message, to delete a row that Git manages."""
        if mode() == READONLY:
            obj = self.get_object(request, unquote(object_id), self._to_field(request))
            if self._keeps(request, obj) and super().has_delete_permission(request, obj):
                return self._refused(request, obj, "it was not deleted: Git manages it", "Remove")
        return super().delete_view(request, object_id, extra_context)

    def _refused(self, request: HttpRequest, obj: Any, reason: str, verb: str = "Change") -> HttpResponse:
        owner = known(request).owner(obj)
        if owner is not None:
            way = banner.ways_out(self, request, owner, verb)
            messages.error(request, f"{quoted([owner.name])}: {reason}. {way}")
        return HttpResponseRedirect(self.schedsync_url("change", quote(obj.pk)))

    def _stale(self, request: HttpRequest, obj: Any) -> HttpResponse:
        what = "applied" if mode() == READONLY else "applied, paused or resumed"
        reason = f"nothing was saved: it was {what} after this form was opened"
        if known(request).is_locked(obj):
            return self._refused(request, obj, reason)
        name = quoted([obj.name])
        messages.error(request, f"{name}: {reason}. The form shows it as it is now; make your change again.")
        return HttpResponseRedirect(self.schedsync_url("change", quote(obj.pk)))

    # --- the list

    def get_list_display(self, request: HttpRequest) -> Any:
        """Add the columns."""
        own = list(super().get_list_display(request))
        return own if mode() == OFF else columns.with_columns(own)

    def get_list_filter(self, request: HttpRequest) -> Any:
        """Add the filter."""
        own = list(super().get_list_filter(request))
        return own if mode() == OFF or columns.GitFilter in own else [*own, columns.GitFilter]

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Read what the columns show, for the whole page at once."""
        page = super().get_changelist_instance(request)
        if mode() != OFF:
            columns.prepare_rows(page.result_list)
        return page

    def get_changelist_formset(self, request: HttpRequest, **kwargs: Any) -> Any:
        """Return the formset of ``list_editable``, in which managed rows cannot be edited."""
        formset = super().get_changelist_formset(request, **kwargs)
        return formset if mode() != READONLY else locked(formset, request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Refuse, with a message, a list in which a row was edited that an apply has closed meanwhile."""
        try:
            return super().changelist_view(request, extra_context)
        except AppliedMeanwhileError as error:
            return self._stale(request, error.row)

    def get_actions(self, request: HttpRequest) -> Any:
        """Return the actions; those that would change managed rows leave them alone, or ask for a pause instead."""
        actions = super().get_actions(request)
        return actions if mode() == OFF else guarded_actions(actions)

    @admin.display(description="Git", empty_value="")
    def schedsync_git(self, obj: Any) -> str | None:
        """Show whether Git manages a row, and its state."""
        return columns.git_text(obj)

    @admin.display(description="next run", empty_value="")
    def schedsync_next_run(self, obj: Any) -> Any:
        """Show when a row runs next."""
        return columns.next_run(obj)

    @admin.display(description="last run", empty_value="")
    def schedsync_last_run(self, obj: Any) -> Any:
        """Show when a row ran last."""
        return columns.last_run(obj)

    @admin.display(description="last failure to send", empty_value="")
    def schedsync_last_failure(self, obj: Any) -> str | None:
        """Show when and why the message of a row could not be sent."""
        return columns.last_failure(obj)

    # --- pause, resume, run now, open for editing

    def get_urls(self) -> Any:
        """Add the page of the operations."""
        view = partial(operate, self)
        for using in connections:
            # A use case commits by itself, and says only then that it is done.
            transaction.non_atomic_requests(using)(view)
        name = f"{self.opts.app_label}_{self.opts.model_name}_schedsync"
        return [path("schedsync/<slug:operation>/", self.admin_site.admin_view(view), name=name), *super().get_urls()]

    def schedsync_url(self, page: str, *arguments: Any) -> str:
        """Return the address of a page of this model: "change", "changelist", or "schedsync" with an operation."""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}_{page}"
        return reverse(name, args=arguments, current_app=self.admin_site.name)
