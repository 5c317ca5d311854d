"""Sends whatever names no database to the one that a test is about: stock Beat, and the admin."""

from __future__ import annotations

from typing import Any

current = "default"
#: The databases of apps that are not in the current one, by the app's label.
elsewhere: dict[str, str] = {}
#: The labels of apps whose tables no database may have.
without_tables: set[str] = set()


class Router:
    def db_for_read(self, model: Any, **hints: Any) -> str:
        return elsewhere.get(model._meta.app_label, current)

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return elsewhere.get(model._meta.app_label, current)

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        return True

    def allow_migrate(self, _db: str, app_label: str, **hints: Any) -> bool | None:
        return False if app_label in without_tables else None
