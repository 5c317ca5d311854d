"""Formsets whose locked rows cannot be edited or deleted: those of a list with ``list_editable``, and of inlines."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from schedsync.admin.knowledge import Knowledge, known


def locked(formset: type[Any], request: HttpRequest) -> type[Any]:
    """Return a formset that disables the fields of locked rows, and `enabled` of rows that are open for editing.

    What a forged form sends for a disabled field is ignored by Django.
    """
    knowledge = known(request)

    class Locked(formset):  # type: ignore[misc]
        def add_fields(self, form: Any, index: int | None) -> None:
            super().add_fields(form, index)
            for name in _disabled(knowledge, form):
                if name != self._pk_field.name:
                    form.fields[name].disabled = True

    return Locked


def _disabled(knowledge: Knowledge, form: Any) -> list[str]:
    if knowledge.is_locked(form.instance):
        return list(form.fields)
    return [name for name in ("enabled",) if name in form.fields and knowledge.opened(form.instance) is not None]
