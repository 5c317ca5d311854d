"""A schedule as it was at an instant of the past, by the audit record: each later change is undone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from schedsync.core.schedule import FIELDS, Spec, spec_from, value_from
from schedsync.core.secrets import masked
from schedsync.core.why import Facts, Recorded

#: Where a document of the audit record has another shape.
_NOT_READ = (ValueError, KeyError, TypeError, AttributeError)
_MAY_BE_NONE = frozenset(name for name in FIELDS if Spec.__dataclass_fields__[name].default is None)
_EDITS = frozenset({"update", "rename", "adopt"})


def spec_at(facts: Facts, at: datetime) -> Spec | None:
    """Return the fields that a schedule had; None where nothing is known of them.

    ``enabled`` is as Git has it: a pause or a human's stop is told elsewhere.
    """
    spec = _latest(facts, at)
    if spec is None:
        return None
    for recorded in changes_after(facts, at):
        if recorded.kind in _EDITS:
            spec = _undone(spec, recorded)
    return spec


def _latest(facts: Facts, at: datetime) -> Spec | None:
    row = facts.row.spec if facts.row else None
    applied = facts.managed.spec if facts.managed else None
    if row is None:
        return applied or _of_deleted(facts)
    if applied is None:
        return row
    was_edited_later = any(edit.at > at for edit in facts.edits)
    return applied if was_edited_later else replace(row, enabled=applied.enabled)


def _of_deleted(facts: Facts) -> Spec | None:
    """Return the fields of a schedule as its deletion recorded them."""
    deleted = deletion(facts)
    if deleted is None:
        return None
    values = {change.field: change.before for change in deleted.fields if change.field in FIELDS}
    try:
        return spec_from(values)
    except _NOT_READ:
        return None


def _undone(spec: Spec, recorded: Recorded) -> Spec:
    """Return the fields before a change; one that cannot be read stays as it is."""
    for change in recorded.fields:
        if change.field in FIELDS and (change.before is not None or change.field in _MAY_BE_NONE):
            try:
                spec = replace(spec, **{change.field: value_from(change.field, change.before)})
            except _NOT_READ:
                continue
    return spec


def changes_after(facts: Facts, at: datetime) -> Iterator[Recorded]:
    """Yield the recorded changes after an instant, the newest first."""
    return (recorded for recorded in facts.recorded if recorded.at > at)


def changes_until(facts: Facts, at: datetime) -> Iterator[Recorded]:
    """Yield the recorded changes up to an instant, the newest first."""
    return (recorded for recorded in facts.recorded if recorded.at <= at)


def timing_changes(facts: Facts, after: datetime, until: datetime) -> list[datetime]:
    """Return when the timing was changed after an instant and up to another one, the latest first."""
    return [
        recorded.at
        for recorded in facts.recorded
        if recorded.kind in _EDITS and after < recorded.at <= until and recorded.change_of("timing")
    ]


def name_at(facts: Facts, at: datetime) -> str:
    """Return the name that a schedule had, from which the ids of its tasks come."""
    name = facts.name
    for recorded in changes_after(facts, at):
        if recorded.kind == "rename" and recorded.name == name and recorded.old_name:
            name = recorded.old_name
    return name


def deletion(facts: Facts) -> Recorded | None:
    """Return the record of the deletion of a schedule that is gone."""
    if facts.row is not None:
        return None
    return next((recorded for recorded in facts.recorded if recorded.kind == "delete"), None)


def by(recorded: Recorded) -> str:
    """Write who made a recorded change, and from which commit and pull request."""
    commit = f" in {recorded.commit[:12]}" if recorded.commit else ""
    pull_request = f", pull request {masked(recorded.pull_request)}" if recorded.pull_request else ""
    return f"by {recorded.who}{commit}{pull_request}"
