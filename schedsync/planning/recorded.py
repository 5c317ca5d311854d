"""A change as the audit record has it: as in a plan, and with what a rollback must know beside the fields."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

from schedsync.core.change import Change, Create, Delete, Rename
from schedsync.core.observed import Observed
from schedsync.core.schedule import Schedule, Spec, differing, spec_text, value_form
from schedsync.planning.converter import change_document, instant_document, snapshot_pause_document


def recorded_change(change: Change, observed: Observed) -> dict[str, Any]:
    """Return a change as JSON values for the audit record; ``observed`` is what the tables held before it."""
    return {**change_document(change), "undo": _undo(change, observed)}


def followed_documents(
    agreeing: Iterable[Schedule], lost: Iterable[str], observed: Observed
) -> Iterator[dict[str, Any]]:
    """Yield as JSON values what the files now say as the tables do: edits that were accepted, and deleted rows.

    ``agreeing`` are the schedules whose rows have the values of the files, ``lost`` names that neither has any more.
    """
    for schedule in agreeing:
        managed = observed.ledger.get(schedule.name)
        before, after = managed.spec if managed else None, schedule.spec
        if before is not None and (names := differing(before, after)):
            old, new = ({name: value_form(name, getattr(spec, name)) for name in names} for spec in (before, after))
            fields = [{"field": name, "before": old[name], "after": new[name]} for name in names]
            yield {"kind": "accept", "name": schedule.name, "fields": fields}
    yield from ({"kind": "forget", "name": name} for name in lost)


def digest_of(spec: Spec) -> str:
    """Return a short digest of a spec, by which a rollback sees whether the ledger still has it."""
    return hashlib.sha256(spec_text(spec).encode()).hexdigest()[:16]


def _undo(change: Change, observed: Observed) -> dict[str, Any]:
    """Return what a rollback must know.

    ``after`` is the digest of what the ledger gets, ``enabled`` whether the files had the schedule enabled before: a
    pause or a human may have disabled the row. ``set`` is the set from which a row was taken over. A deleted row leaves
    its last run, its number of runs, and its pause.
    """
    old_name = change.old_name if isinstance(change, Rename) else change.name
    managed = observed.ledger.get(old_name) or observed.ledger.get(change.name)
    pause = observed.pauses.get(old_name)
    values: dict[str, Any] = {}
    if change.ledger is not None:
        values["after"] = digest_of(change.ledger)
    is_stopped = change.row is not None and change.row.spec is not None and not change.row.spec.enabled
    if managed is not None and managed.spec is not None and not isinstance(change, Create) and is_stopped:
        values["enabled"] = managed.spec.enabled
    if holder := observed.elsewhere.get(old_name):
        values["set"] = holder
    if isinstance(change, Delete) and change.row is not None:
        values["last_run_at"] = instant_document(change.row.last_run_at)
        values["total_run_count"] = change.row.total_run_count
        if pause is not None:
            values["pause"] = snapshot_pause_document(pause)
    return values
