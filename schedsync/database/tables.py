"""Whether the table of a model exists: everything works without those that a later migration adds."""

from __future__ import annotations

from django.db import connections
from django.db.models import Model


def has_table(using: str, model: type[Model]) -> bool:
    """Say whether the migration that makes the table of a model has run."""
    return model._meta.db_table in connections[using].introspection.table_names()
