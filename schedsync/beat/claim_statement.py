"""The statement that claims ticks: each database has its own words for it."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db import connections
from django.db.models.sql import UpdateQuery

from schedsync.database.bulk import Among
from schedsync.models import Claim

#: The columns that an insert names: a table may have more of them.
_COLUMNS = ("row_id", "tick", "batch", "epoch", "claimed_at", "confirmed")
_NOW = {
    "postgresql": "CLOCK_TIMESTAMP()",
    "mysql": "UTC_TIMESTAMP(6)",
    "sqlite": "STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')",
}


def insert_claims(using: str, keys: Collection[tuple[int, datetime]], batch: uuid.UUID, epoch: int) -> set[int]:
    """Claim ticks for a batch: a claim that is there moves only forward, and only if it was confirmed.

    ``keys`` are those of the claims: the row's id, and the tick. Returns the ids of the rows whose ticks were claimed.
    """
    connection = connections[using]
    model, quote = Claim._meta, connection.ops.quote_name
    now, confirmed = _NOW[connection.vendor], "FALSE" if connection.vendor == "postgresql" else "0"
    field: Any = model.get_field("batch")
    ours = f"'{field.get_db_prep_value(batch, connection)}', {int(epoch)}, {now}, {confirmed}"
    # The values are numbers, instants and an id made here: binding thousands takes longer than writing them.
    # Many schedules share a tick.
    adapted = lru_cache(maxsize=None)(connection.ops.adapt_datetimefield_value)
    values = [f"({int(row_id)}, '{adapted(tick)}', {ours})" for row_id, tick in keys]
    names = [quote(name) for name in _COLUMNS]
    statement = f"INSERT INTO {quote(model.db_table)} ({', '.join(names)}) VALUES {', '.join(values)} "
    statement += _forward(connection.vendor, quote(model.db_table), names)
    with connection.cursor() as cursor:
        if connection.vendor != "mysql":
            cursor.execute(f"{statement} RETURNING {names[0]}")
            return {row_id for (row_id,) in cursor.fetchall()}
        cursor.execute(statement)
    # The number of affected rows is not reliable on MariaDB.
    rows = Among([row_id for row_id, _ in keys])
    return set(Claim.objects.using(using).filter(rows, batch=batch).values_list("row_id", flat=True))


def confirm_claims(using: str, row_ids: Sequence[int], batch: uuid.UUID) -> set[int]:
    """Confirm the claims of rows that still belong to a batch; returns the ids of these rows."""
    claims = Claim.objects.using(using).filter(Among(row_ids), batch=batch, confirmed=False)
    connection = connections[using]
    if connection.vendor == "mysql":
        ours = set(claims.select_for_update().values_list("pk", flat=True))
        claims.filter(Among(ours)).update(confirmed=True)
        return ours
    if not row_ids:
        return set()
    query = claims.query.chain(UpdateQuery)
    query.add_update_values({"confirmed": True})
    statement, values = query.get_compiler(using).as_sql()
    with connection.cursor() as cursor:
        cursor.execute(f"{statement} RETURNING {connection.ops.quote_name(_COLUMNS[0])}", values)
        return {row_id for (row_id,) in cursor.fetchall()}


def _forward(vendor: str, table: str, names: Sequence[str]) -> str:
    """Return SQL that lets a claim be taken only by a later tick, and only if the earlier one was confirmed."""
    key, tick, batch, *others, confirmed = names
    if vendor == "mysql":
        # Each assignment sees the earlier ones: the batch, which is new, tells the others whether the claim was taken.
        assignments = [f"{batch} = IF({tick} < VALUES({tick}) AND {confirmed}, VALUES({batch}), {batch})"]
        assignments += [
            f"{name} = IF({batch} = VALUES({batch}), VALUES({name}), {name})" for name in (tick, *others, confirmed)
        ]
        return f"ON DUPLICATE KEY UPDATE {', '.join(assignments)}"
    new = ", ".join(f"{name} = EXCLUDED.{name}" for name in names[1:])
    return f"ON CONFLICT ({key}) DO UPDATE SET {new} WHERE {table}.{tick} < EXCLUDED.{tick} AND {table}.{confirmed}"
