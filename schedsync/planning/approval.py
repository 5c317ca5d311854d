"""Which changes of a plan nobody has reviewed. Pure."""

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

    Any part of what was reviewed passes: other merges may have applied the rest already. What differs in a value,
    before or after, is another change. A secret passes that the reviewed plan holds masked, as one against a snapshot
    does: nobody could see it.
    """
    here, there = (plan.set, plan.binding.environment), (reviewed.set, reviewed.binding.environment)
    if here != there:
        message = f"the reviewed plan is of {_scope(*there)}, this one of {_scope(*here)}"
        yield Refusal("not_reviewed", message, "give the plan of this set and environment")
        return
    known = {(change.kind, change.name): {one.field: one for one in change.fields} for change in reviewed.changes}
    for change in plan.changes:
        held = known.get((change.kind, change.name))
        if held is None or _beyond(change, held):
            yield Refusal("not_reviewed", _message(change, held), "review it; or apply without --reviewed")


def _scope(set_name: str, environment: str | None) -> str:
    return f"set `{set_name}`" + (f" in `{environment}`" if environment else "")


def _beyond(change: Change, held: _Fields) -> list[str]:
    """Return the fields in which a change does something else than what was reviewed."""
    return [one.field for one in change.fields if one.field not in held or not _same(one, held[one.field])]


def _same(one: FieldChange, reviewed: FieldChange) -> bool:
    return _equal(one.before, reviewed.before) and _equal(one.after, reviewed.after)


def _equal(value: object, reviewed: object) -> bool:
    said = canonical_json(reviewed)
    return canonical_json(value) == said or (MASK in said and canonical_json(masked(value)) == said)


def _message(change: Change, held: _Fields | None) -> str:
    if held is None:
        return f"nobody reviewed to {change.kind} `{change.name}`"
    return f"nobody reviewed to {change.kind} `{change.name}` so: {', '.join(_beyond(change, held))}"
