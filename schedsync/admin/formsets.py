"""Formsets whose locked rows cannot be edited or deleted: those of a list with ``list_editable``, and of inlines."""

from __future__ import annotations

from collections.abc import Callable, Collection
from typing import Any

from django.contrib import messages
from django.http import HttpRequest

from schedsync.admin.knowledge import Knowledge, known
from schedsync.admin.words import quoted

#: Returns the rows of a formset that are locked, from all of them, by their ids.
FindLocked = Callable[[Collection[int]], Collection[int]]


def locked(formset: type[Any], request: HttpRequest) -> type[Any]:
    """Return a formset that disables the fields of locked schedules, and `enabled` of those that are open for editing.

    What a forged form sends for a disabled field is ignored by Django.
    """
    knowledge = known(request)
    return _locking(formset, request, lambda _formset, form: _disabled(knowledge, form))


def locked_rows(formset: type[Any], request: HttpRequest, find: FindLocked) -> type[Any]:
    """Return a formset that disables all fields of the rows that ``find`` names; it is called once."""

    def disabled(made: Any, form: Any) -> list[str]:
        if not hasattr(made, "schedsync_locked"):
            made.schedsync_locked = find([row.pk for row in made.get_queryset()])
        return list(form.fields) if form.instance.pk in made.schedsync_locked else []

    return _locking(formset, request, disabled)


def _locking(formset: type[Any], request: HttpRequest, disabled: Callable[[Any, Any], list[str]]) -> type[Any]:
    class Locked(formset):  # type: ignore[misc]
        def add_fields(self, form: Any, index: int | None) -> None:
            super().add_fields(form, index)
            for name in disabled(self, form):
                if name != self._pk_field.name:
                    self._note_edit(form, name)
                    form.fields[name].disabled = True

        def _note_edit(self, form: Any, name: str) -> None:
            """Note a row whose form was opened before the row was locked, and sends another value."""
            field, key = form.fields[name], form.add_prefix(name)
            if self.is_bound and key in self.data:
                sent = field.widget.value_from_datadict(self.data, self.files, key)
                if field.has_changed(form.get_initial_for_field(field, name), sent):
                    self.__dict__.setdefault("schedsync_ignored", {})[form.instance.pk] = str(form.instance)

        def full_clean(self) -> None:
            super().full_clean()
            if ignored := self.__dict__.pop("schedsync_ignored", None):
                text = f"Not saved, because Git manages them: {quoted(list(ignored.values()))}"
                messages.error(request, f"{text}. Change them in Git; each form says where.")

    return Locked


def _disabled(knowledge: Knowledge, form: Any) -> list[str]:
    if knowledge.is_locked(form.instance):
        return list(form.fields)
    is_stop = "enabled" in form.fields and knowledge.keeps_enabled(form.instance)
    return ["enabled"] if is_stop else []
