"""Whether the table of a model exists: everything works without those that a later migration adds."""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.models import Model, QuerySet


def has_table(using: str, model: type[Model]) -> bool:
    """Say whether the migration that makes the table of a model has run."""
    return model._meta.db_table in connections[using].introspection.table_names()


def has_more(rows: QuerySet[Any], most: int) -> bool:
    """Say whether there are more rows than a number; the database stops there, and counts no million."""
    return bool(rows.order_by().values_list("pk")[most : most + 1].exists())
