"""Reads the last failure of each schedule to send its message."""

from __future__ import annotations

from schedsync.database.tables import has_table
from schedsync.database.values import Damaged, read_values
from schedsync.models import SendFailure

_NAMES = ("row_id", "tick", "failed_at", "reason", "given_up")


def send_failures(using: str) -> dict[int, SendFailure]:
    """Return the failures by the row's id, without those that cannot be read; none before the table is made."""
    if not has_table(using, SendFailure):
        return {}
    found = read_values(SendFailure.objects.using(using), _NAMES)
    rows = [values for values in found if not isinstance(values, Damaged)]
    return {values[0]: SendFailure(**dict(zip(_NAMES, values, strict=True))) for values in rows}
