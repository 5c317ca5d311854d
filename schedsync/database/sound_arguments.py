"""Finds the rows whose arguments or headers are not sound JSON, without reading those that the database can judge."""

from __future__ import annotations

from typing import Any

from django.db import connections
from django.db.models import BooleanField, Q
from django.db.models.expressions import RawSQL
from django.db.models.lookups import Exact
from django_celery_beat.models import PeriodicTask

from schedsync.database.bulk import rows_of
from schedsync.database.status_lists import ByCodePoint
from schedsync.database.task_rows import are_sound_arguments

#: JSON that needs no parser: texts of printable ASCII without quotes or escapes, whole numbers and constants. All
#: databases read these expressions alike, and in linear time.
_VALUE = '("[ !#-Z^-~]*"|-?(0|[1-9][0-9]{0,17})|true|false|null)'
_PAIR = f'"[ !#-Z^-~]*": ?{_VALUE}'
_PATTERNS = {"ARRAY": rf"^\[({_VALUE}(, ?{_VALUE})*)?\]$", "OBJECT": rf"^\{{({_PAIR}(, ?{_PAIR})*)?\}}$"}
_COLUMNS = {"args": ("[]", "ARRAY"), "kwargs": ("{}", "OBJECT"), "headers": ("{}", "OBJECT")}
#: PostgreSQL's JSON has no bounds, Python's has: in shorter texts neither the nesting nor a number without an exponent
#: can reach them.
_SHORT = 200
_EXPONENT = "[0-9][eE][+]?[0-9]"


def ids_with_bad_arguments(using: str) -> set[int]:
    """Return the ids of the rows whose args, kwargs or headers are not JSON of the right kind."""
    rows = rows_of(PeriodicTask, using).filter(_unjudged(using)).order_by()
    found = rows.values_list("pk", "args", "kwargs", "headers")
    return {row_id for row_id, *texts in found if not are_sound_arguments(*texts)}


def unjudged_arguments(using: str) -> Any:
    """Return the condition that the database cannot judge a row; None where counting such rows is no faster.

    PostgreSQL reads a table in parallel for a count, but not for rows of which it expects many.
    """
    return _unjudged(using) if connections[using].vendor == "postgresql" else None


def _unjudged(using: str) -> Any:
    connection: Any = connections[using]
    if connection.vendor == "postgresql" and connection.pg_version >= 160000:
        return RawSQL(f"NOT ({_postgresql(connection)})", (), BooleanField())
    return ~_matches_patterns()


def _matches_patterns() -> Q:
    simple = Q()
    for name, (empty, kind) in _COLUMNS.items():
        # A collation may take other texts for the empty one, such as brackets of full width.
        simple &= Q(Exact(ByCodePoint(name), empty)) | Q(**{f"{name}__regex": _PATTERNS[kind]})
    return simple


def _postgresql(connection: Any) -> str:
    """Return a condition that PostgreSQL computes ten times as fast as the regular expressions."""
    table = connection.ops.quote_name(PeriodicTask._meta.db_table)
    columns = {f"{table}.{connection.ops.quote_name(name)}": kinds for name, kinds in _COLUMNS.items()}
    # Counting bytes takes less time than counting characters.
    short = f"(octet_length({{0}}) < {_SHORT} OR length({{0}}) < {_SHORT})"
    return " AND ".join(
        f"({column} = '{empty}' OR ({short.format(column)} AND {column} IS JSON {kind} AND {column} !~ '{_EXPONENT}'))"
        for column, (empty, kind) in columns.items()
    )
