"""Ends many pauses that have reached their end, in one transaction: a pause of many schedules ends for all at once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from schedsync.core.observed import Observed, Paused, Row
from schedsync.database.actor import who
from schedsync.database.bounded import bounded
from schedsync.database.clock import now
from schedsync.database.environment import require_no_other
from schedsync.database.faults import database_errors
from schedsync.database.lock import lock_rows, take
from schedsync.database.notify import bump
from schedsync.database.pauses import why_done
from schedsync.database.selected import delete_pauses, enable_rows, observe_names, record_selected, row_ids
from schedsync.database.standing import forget_ended
from schedsync.planning.converter import pause_document


def end_pauses(using: str, names: Sequence[str], limit: timedelta) -> None:
    """End pauses whose time is over, in a transaction that the server ends after ``limit`` without a statement.

    A row stays disabled where Git has it disabled, and where a human had disabled it before the pause. Of a schedule
    that no longer exists, only the pause is deleted. Raises Locked while an apply is running, or somebody has locked
    one of the rows.
    """
    at, actor = now(), who()
    with database_errors(using), bounded(using, limit):
        take(using, actor, at)
        require_no_other(using, None)
        lock_rows(using, row_ids(using, names))
        observed = observe_names(using, set(names))
        over = [name for name in names if (pause := observed.pauses.get(name)) is not None and pause.ended(at)]
        delete_pauses(using, over)
        enabled = _to_enable(over, observed, at)
        enable_rows(using, enabled, at)
        ended = {name: observed.ledger[name].set for name in over if name in observed.ledger}
        forget_ended(using, at)
        runs = {row.name for row in enabled}
        documents = {
            name: {"how": "time", "runs": name in runs, "ends": pause_document(observed.pauses[name])} for name in ended
        }
        record_selected(using, "resume", ended, actor, at, documents)
        bump(using, at)


def _to_enable(names: Sequence[str], observed: Observed, at: datetime) -> list[Row]:
    rows = ((observed.pauses[name], observed.rows.get(name)) for name in names)
    return [row for pause, row in rows if row is not None and _runs_again(pause, row, observed, at)]


def _runs_again(pause: Paused, row: Row, observed: Observed, at: datetime) -> bool:
    """Say whether a row is enabled: not where Git has it disabled, nor where a human had before the pause."""
    entry, is_stopped = observed.ledger.get(pause.name), row.spec is None or not row.spec.enabled
    if entry is None or not is_stopped or pause.was_held:
        return False
    return entry.was_enabled and why_done(row, at, paused=True) is None
