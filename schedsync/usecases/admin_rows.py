"""What the admin shows of rows: their states, runs and failures, in a constant number of queries."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.conf import settings

from schedsync.core.listing import ListedSchedule
from schedsync.core.selector import Selector
from schedsync.database import management
from schedsync.database.bulk import Among, rows_of
from schedsync.database.clock import now
from schedsync.database.faults import database_errors
from schedsync.database.listed_names import observe_of_rows
from schedsync.database.lock import read_only_transaction
from schedsync.database.observe import observe_entries
from schedsync.database.status import as_applied
from schedsync.database.values import Damaged, read_values
from schedsync.errors import WrongUsage
from schedsync.models import ManagedSchedule, SendFailure
from schedsync.planning.diff import diff
from schedsync.usecases.list_ import Reading, Wanted

#: The values of ``SCHEDSYNC_ADMIN``, the first of which is the default.
MODES = READONLY, WARN, OFF = ("readonly", "warn", "off")


@dataclass(frozen=True, slots=True)
class ShownRow:
    """One row: its schedule, and when and why its message could not be sent last, None where that never happened."""

    schedule: ListedSchedule
    failed_at: datetime | None = None
    failure: str | None = None


def admin_mode() -> str:
    """Return what the setting ``SCHEDSYNC_ADMIN`` says; raises WrongUsage for any other value."""
    mode = getattr(settings, "SCHEDSYNC_ADMIN", READONLY)
    if mode not in MODES:
        known = ", ".join(f"`{each}`" for each in MODES)
        raise WrongUsage(f"SCHEDSYNC_ADMIN is {mode!r:.80}", hint=f"give {known}")
    return str(mode)


def shown_rows(using: str, ids: Collection[int]) -> dict[int, ShownRow]:
    """Return what is known of the rows with these ids, those of one page, by id."""
    with database_errors(using), read_only_transaction(using):
        schedules = Reading(using, now(), Wanted(Selector(everything=True)), observe_of_rows(using, ids), ids).by_row()
        failures = _failures(using, ids)
    return {row_id: ShownRow(schedule, *failures.get(row_id, (None, None))) for row_id, schedule in schedules.items()}


def _failures(using: str, ids: Collection[int]) -> dict[int, tuple[datetime, str]]:
    rows = rows_of(SendFailure, using).filter(Among(ids)).order_by()
    found = read_values(rows, ("row_id", "failed_at", "reason"))
    return {values[0]: (values[1], values[2]) for values in found if not isinstance(values, Damaged)}


def held_and_drifted(using: str) -> tuple[set[int], set[int]]:
    """Return the ids of the rows that a human holds, and of those that differ from what was applied last.

    Only entries that may differ are compared, as `status` does it; all of them where these are too many.
    """
    with database_errors(using), read_only_transaction(using):
        ids = management.entries_to_compare(using, management.compared(using))
        if ids is None:
            ids = set(rows_of(ManagedSchedule, using).values_list("pk", flat=True))
        observed = observe_entries(using, ids)
    difference = diff(as_applied(observed), observed, now())
    held = {each.name for each in difference.held}
    drifted = {change.name for change in difference.changes if change.cause != "files"} - held
    rows = {name: observed.find(name, entry.row_id) for name, entry in observed.ledger.items()}
    ids_of = {name: row.id for name, row in rows.items() if row is not None}
    return (
        {ids_of[name] for name in held if name in ids_of},
        {ids_of[name] for name in drifted if name in ids_of},
    )
