"""Read-only pages of our own tables, for everyone with Django's permission to view them."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib.admin import AdminSite, ModelAdmin
from django.db.models import BinaryField, CharField, DateTimeField, Field, TextField, UUIDField
from django.http import HttpRequest

from schedsync.core.secrets import masked

if TYPE_CHECKING:
    _Base = ModelAdmin[Any]
else:
    _Base = ModelAdmin

#: Text columns that are too long for a list, or would fit nearly every search.
_LONG = frozenset({"applied", "people", "summary", "rejected", "kept", "selector", "known", "broken"})
#: By the name of a column: what a list is ordered by, the newest first, if the table has it.
_TIMES = ("at", "written_at", "claimed_at", "failed_at", "since", "seen_at", "applied_at")


class ReadOnlyAdmin(_Base):
    """Shows the rows of a table, and lets nobody add, change or delete one."""

    list_per_page = 100
    # The journal and the history are large, and nobody needs their exact number.
    show_full_result_count = False

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """Return a row without what looks like a secret in its texts."""
        row = super().get_object(request, object_id, from_field)
        if row is not None:
            hide_secrets(row)
        return row

    def get_changelist_instance(self, request: HttpRequest) -> Any:
        """Return a page of rows without what looks like a secret in their texts."""
        page = super().get_changelist_instance(request)
        for row in page.result_list:
            hide_secrets(row)
        return page

    def has_add_permission(self, request: HttpRequest) -> bool:  # noqa: ARG002
        """Return False."""
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Return False."""
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # noqa: ARG002
        """Return False."""
        return False


def hide_secrets(row: Any) -> None:
    """Mask what looks like a secret in the texts of a row that is only shown, and never saved."""
    for field in row._meta.concrete_fields:
        if isinstance(field, (CharField, TextField)) and isinstance(text := getattr(row, field.attname), str):
            setattr(row, field.attname, _masked(text))


def _masked(text: str) -> str:
    """Mask a text; in JSON the values of keys that name a secret."""
    if text[:1] in ("{", "["):
        with suppress(ValueError, RecursionError):
            return json.dumps(masked(json.loads(text)), ensure_ascii=False)
    return str(masked(text))


def register_tables(site: AdminSite) -> None:
    """Register the tables on a site, but for those that a project has registered itself."""
    for model in apps.get_app_config("schedsync").get_models():
        if not site.is_registered(model):
            site.register(model, _page_of(model._meta.concrete_fields))


def _page_of(fields: Any) -> type[ModelAdmin[Any]]:
    """Return the page of a table with these columns."""
    shown = [field for field in fields if not isinstance(field, BinaryField)]
    columns = [field.name for field in shown if field.name not in _LONG and (field.name != "id" or _is_key(field))]
    searched = [field.name for field in shown if field.name not in _LONG and _can_be_searched(field)]
    times = [f"-{name}" for name in _TIMES if any(_is_time(field, name) for field in fields)]
    attributes = {
        "list_display": columns[:10],
        "search_fields": searched,
        "ordering": [*times[:1], "pk"],
        "__module__": __name__,
    }
    return type("TableAdmin", (ReadOnlyAdmin,), attributes)


def _is_key(field: Field[Any, Any]) -> bool:
    return isinstance(field, UUIDField)


def _can_be_searched(field: Field[Any, Any]) -> bool:
    return field.name == "row_id" or isinstance(field, (CharField, TextField, UUIDField))


def _is_time(field: Field[Any, Any], name: str) -> bool:
    return field.name == name and isinstance(field, DateTimeField)
