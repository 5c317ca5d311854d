"""Statements that handle many rows at once, so that their number does not grow with each row."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db import connections
from django.db.models import F, Lookup, Model, QuerySet

BATCH = 1000


def insert(using: str, model: type[Model], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows, each a mapping with the same columns in the same order; by COPY where possible, else in batches."""
    if not rows:
        return
    connection: Any = connections[using]
    if connection.vendor != "postgresql" or not hasattr(connection.Database, "Copy"):
        rows_of(model, using).bulk_create([model(**columns) for columns in rows], batch_size=BATCH)
        return
    names = {field.attname: field.column for field in model._meta.concrete_fields}
    quoted = connection.ops.quote_name
    columns = ", ".join(quoted(names[name]) for name in rows[0])
    # COPY is thirty times as fast as INSERT, and this is the statement that takes longest in a large apply.
    statement = f"COPY {quoted(model._meta.db_table)} ({columns}) FROM STDIN"
    # Django does not wrap the driver's errors of COPY.
    with connection.wrap_database_errors, connection.cursor() as cursor, cursor.copy(statement) as copy:
        for row in rows:
            copy.write_row(tuple(row.values()))


def rows_of(model: type[Model], using: str) -> QuerySet[Any]:
    """Return all rows of a model in a database."""
    rows: QuerySet[Any] = model._default_manager.using(using)
    return rows


def batches(values: Sequence[Any] | list[Any]) -> Iterator[Sequence[Any]]:
    """Yield the values in lists of at most BATCH."""
    for start in range(0, len(values), BATCH):
        yield values[start : start + BATCH]


class Among(Lookup):
    """A condition for ``filter``: the primary key is among these whole numbers.

    The statement itself holds them: binding a thousand values takes longer than finding their rows.
    """

    prepare_rhs = False

    def __init__(self, ids: Collection[int]) -> None:
        super().__init__(F("pk"), ",".join(map(str, map(int, sorted(ids)))))

    def as_sql(self, compiler: Any, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """Return the SQL; raises EmptyResultSet without numbers, which lets Django ask nothing."""
        if not self.rhs:
            raise EmptyResultSet
        column, values = self.process_lhs(compiler, connection)
        return f"{column} IN ({self.rhs})", tuple(values)
