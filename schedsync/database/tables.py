"""Whether the table of a model exists: everything works without those that a later migration adds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from django.db import connections
from django.db.models import Model, QuerySet

_known: ContextVar[dict[str, set[str]] | None] = ContextVar("known tables", default=None)


def has_table(using: str, model: type[Model]) -> bool:
    """Say whether the migration that makes the table of a model has run."""
    return model._meta.db_table in _tables(using)


def _tables(using: str) -> set[str]:
    known = _known.get()
    if known is None:
        return set(connections[using].introspection.table_names())
    if using not in known:
        known[using] = set(connections[using].introspection.table_names())
    return known[using]


@contextmanager
def tables_read_once() -> Iterator[None]:
    """Ask each database only once which tables it has: a page needs to know that many times while it is made."""
    known = _known.get()
    token = _known.set({} if known is None else known)
    try:
        yield
    finally:
        _known.reset(token)


def has_more(rows: QuerySet[Any], most: int) -> bool:
    """Say whether there are more rows than a number; the database stops there, and counts no million."""
    return bool(rows.order_by().values_list("pk")[most : most + 1].exists())
