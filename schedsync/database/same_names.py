"""Asks the database which names its collation takes for one: case, accents, trailing blanks, some emoji.

Only the database knows its collations. It gets all new names as one JSON text, so that the number of queries is the
same for any number of names.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from typing import Any

from django.db import connections
from django.db.models import Model
from django_celery_beat.models import PeriodicTask

from schedsync.models import ManagedSchedule

#: Two names of which the first is in the files, and the other one there too, or in a table.
SameNames = tuple[tuple[str, str], ...]

_COLLATION = {
    "mysql": (
        "SELECT CHARACTER_SET_NAME, COLLATION_NAME FROM information_schema.COLUMNS "
        "WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME = %s AND COLUMN_NAME = 'name'"
    ),
    # Collations that take different texts for equal; there are none unless somebody made one.
    "postgresql": (
        "SELECT n.nspname, c.collname FROM pg_attribute a JOIN pg_collation c ON c.oid = a.attcollation "
        "JOIN pg_namespace n ON n.oid = c.collnamespace "
        "WHERE a.attrelid = to_regclass(%s) AND a.attname = 'name' AND NOT c.collisdeterministic"
    ),
}


def same_names(using: str, wanted: Collection[str], present: Collection[str]) -> SameNames | None:
    """Return pairs of names of which each is one for the database; ``present`` are names that a row has exactly.

    Returns None where this database cannot be asked: MariaDB before 10.6.
    """
    new = sorted(set(wanted) - set(present))
    if not new:
        return ()
    connection: Any = connections[using]
    if connection.vendor == "mysql" and not _has_json_table(connection):
        return None
    pairs = {pair for model in (PeriodicTask, ManagedSchedule) for pair in _pairs(using, model, new)}
    return tuple(sorted(pairs))


def _has_json_table(connection: Any) -> bool:
    least = (10, 6) if connection.mysql_is_mariadb else (8, 0)
    return bool(connection.mysql_version >= least)


def _pairs(using: str, model: type[Model], new: Collection[str]) -> Iterator[tuple[str, str]]:
    connection: Any = connections[using]
    table = connection.ops.quote_name(model._meta.db_table)
    with connection.cursor() as cursor:
        source = _source(cursor, connection.vendor, model._meta.db_table)
        if source is None:
            return
        names, key = source
        text = json.dumps(list(new), ensure_ascii=False)
        cursor.execute(f"SELECT j.name, t.name FROM {names} JOIN {table} t ON t.name = {key}", [text])
        yield from ((name, other) for name, other in cursor.fetchall() if name != other)
        if connection.vendor != "sqlite":
            # MIN and MAX compare bytes: the names keep the collation of the JSON text, not that of the key.
            cursor.execute(f"SELECT MAX(j.name), MIN(j.name) FROM {names} GROUP BY {key} HAVING COUNT(*) > 1", [text])
            yield from cursor.fetchall()


def _source(cursor: Any, vendor: str, table: str) -> tuple[str, str] | None:
    """Return SQL for a table of the new names, and for a name under the collation of the column; None to ask nothing.

    A comparison with a column of SQLite uses the collation of the column by itself.
    """
    if vendor == "sqlite":
        return "(SELECT value AS name FROM json_each(%s)) j", "j.name"
    cursor.execute(_COLLATION[vendor], [table])
    row = cursor.fetchone()
    if row is None:
        return None
    if vendor == "postgresql":
        schema, collation = (part.replace('"', '""') for part in row)
        return "jsonb_array_elements_text(%s::jsonb) AS j(name)", f'j.name COLLATE "{schema}"."{collation}"'
    charset, collation = row
    column = "name VARCHAR(200) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin PATH '$'"
    names = f"JSON_TABLE(%s, '$[*]' COLUMNS ({column})) j"
    return names, f"CONVERT(j.name USING {charset}) COLLATE {collation}"
