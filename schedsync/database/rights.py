"""Says which rights a role lacks: PostgreSQL's own error names only the table, MariaDB's names the right too."""

from __future__ import annotations

from collections import defaultdict

from django.apps import apps
from django.db import DatabaseError, InterfaceError, connections
from django.db.models import Model

_APPS = ("django_celery_beat", "schedsync")
_LACKING = (
    "SELECT relname::text, may, current_user::text FROM pg_class,"
    " unnest(ARRAY['SELECT', 'INSERT', 'UPDATE', 'DELETE']) WITH ORDINALITY AS rights (may, place)"
    " WHERE relname = ANY(%s) AND pg_table_is_visible(pg_class.oid) AND NOT has_table_privilege(pg_class.oid, may)"
    " ORDER BY relname, place"
)


def lacking_rights(using: str) -> str:
    """Return in one clause which rights this role lacks in our tables; empty where the database does not tell."""
    if connections[using].vendor != "postgresql":
        return ""
    try:
        with connections[using].cursor() as cursor:
            cursor.execute(_LACKING, [_tables()])
            return _in_words(cursor.fetchall())
    except (DatabaseError, InterfaceError):
        # In a transaction that has failed, no question is answered.
        return ""


def may_insert(using: str, model: type[Model]) -> bool:
    """Say whether this role may write rows into a table that exists.

    Only PostgreSQL is asked: MariaDB shows a role no table that it has no right to.
    """
    return _may(using, model, "INSERT")


def may_select(using: str, model: type[Model]) -> bool:
    """Say whether this role may read a table that exists; only PostgreSQL is asked, as in :func:`may_insert`."""
    return _may(using, model, "SELECT")


def _may(using: str, model: type[Model], right: str) -> bool:
    if connections[using].vendor != "postgresql":
        return True
    with connections[using].cursor() as cursor:
        cursor.execute("SELECT has_table_privilege(to_regclass(%s), %s)", [model._meta.db_table, right])
        return bool(cursor.fetchone()[0])


def _tables() -> list[str]:
    return [model._meta.db_table for app in _APPS for model in apps.get_app_config(app).get_models()]


def _in_words(lacking: list[tuple[str, str, str]]) -> str:
    """Return the rights, tables with the same ones together: `shop_reader` lacks INSERT, UPDATE on 18 tables."""
    rights: dict[str, list[str]] = defaultdict(list)
    for table, right, _ in lacking:
        rights[table].append(right)
    tables: dict[str, list[str]] = defaultdict(list)
    for table, names in rights.items():
        tables[", ".join(names)].append(table)
    parts = [f"{names} on {named[0] if len(named) == 1 else f'{len(named)} tables'}" for names, named in tables.items()]
    return f"the role `{lacking[0][2]}` lacks {'; '.join(parts)}" if parts else ""
