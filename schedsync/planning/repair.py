"""The change that writes a change again, where the tables no longer hold it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from schedsync.core.change import Change, Create, Release, Rename, Update
from schedsync.core.observed import Observed, Row
from schedsync.core.schedule import Spec, completed_at, with_fields


def repair(change: Change, observed: Observed, at: datetime) -> Change | None:
    """Return a change that writes this one again, or None where the tables still hold it.

    Only fields that the change wrote are compared: somebody may have edited the others since.
    """
    if isinstance(change, Release):
        return None
    known = change.row.id if change.row else None
    if change.after is None:
        row = observed.by_id.get(known) if known is not None else None
        return replace(change, row=row) if row is not None else None
    row = observed.find(change.name, known)
    if row is None:
        return _again(Create, change, None, change.after)
    if row.spec == change.after and row.name == change.name:
        return None
    written = {field.field for field in change.fields if field.field != "name"}
    written -= _stopped_since(change.after, row, observed, at)
    after = change.after if row.spec is None else with_fields(row.spec, change.after, written)
    if row.name != change.name:
        return _again(Rename, change, row, after, old_name=row.name)
    return None if row.spec is not None and row.spec == after else _again(Update, change, row, after)


def _stopped_since(after: Spec, row: Row, observed: Observed, at: datetime) -> set[str]:
    """Return ``enabled`` where a row is rightly disabled by now: Beat has completed it, or somebody paused it."""
    if row.spec is None or row.spec.enabled or not after.enabled:
        return set()
    return {"enabled"} if after.one_off or completed_at(after, at) or row.name in observed.pauses else set()


def _again(kind: type[Change], change: Change, row: Row | None, after: Spec, **extra: str) -> Change:
    return kind(
        name=change.name,
        fields=change.fields,
        row=row,
        after=after,
        ledger=change.ledger,
        location=change.location,
        people=change.people,
        edit_may_fire=change.edit_may_fire,
        removing=change.removing,
        **extra,  # type: ignore[arg-type]
    )
