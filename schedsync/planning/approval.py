"""Which changes of a plan the reviewed plan does not hold. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from schedsync.core.change import Change, FieldChange
from schedsync.core.refusal import Refusal
from schedsync.core.schedule import canonical_json
from schedsync.core.secrets import MASK, masked
from schedsync.planning.documents import SavedPlan
from schedsync.planning.plan import Plan

_Fields = Mapping[str, FieldChange]


def not_approved(plan: Plan, reviewed: SavedPlan) -> Iterator[Refusal]:
    """Yield a refusal for each change that the reviewed plan does not hold.

    A part of the reviewed plan passes: other merges may have applied the rest already. A change with another value,
    before or after, is another change. A secret passes where the reviewed plan holds it masked, as a plan against a
    snapshot does.
    """
    here, there = (plan.set, plan.binding.environment), (reviewed.set, reviewed.binding.environment)
    if here != there:
        message = f"the reviewed plan is of {_scope(*there)}, this one of {_scope(*here)}"
        yield Refusal("not_reviewed", message, "give the plan of this set and environment")
        return
    approved = {
        (change.kind, change.name): {field.field: field for field in change.fields} for change in reviewed.changes
    }
    for change in plan.changes:
        approved_fields = approved.get((change.kind, change.name))
        if approved_fields is None or _other_fields(change, approved_fields):
            yield Refusal("not_reviewed", _message(change, approved_fields), "review it; or apply without --reviewed")


def _scope(set_name: str, environment: str | None) -> str:
    return f"set `{set_name}`" + (f" in `{environment}`" if environment else "")


def _other_fields(change: Change, approved_fields: _Fields) -> list[str]:
    """Return the names of the fields in which a change differs from the reviewed one."""
    return [
        field.field
        for field in change.fields
        if field.field not in approved_fields or not _same(field, approved_fields[field.field])
    ]


def _same(field: FieldChange, reviewed: FieldChange) -> bool:
    return _equal(field.before, reviewed.before) and _equal(field.after, reviewed.after)


def _equal(value: object, reviewed: object) -> bool:
    text = canonical_json(reviewed)
    return canonical_json(value) == text or (MASK in text and canonical_json(masked(value)) == text)


def _message(change: Change, approved_fields: _Fields | None) -> str:
    if approved_fields is None:
        return f"the reviewed plan does not {change.kind} `{change.name}`"
    fields = ", ".join(_other_fields(change, approved_fields))
    return f"the reviewed plan has other values to {change.kind} `{change.name}`: {fields}"
