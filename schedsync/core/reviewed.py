"""Which changes of a plan nobody has reviewed. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from schedsync.core.change import Change
from schedsync.core.plan import Plan, SavedPlan
from schedsync.core.safety import Refusal
from schedsync.core.schedule import canonical_json
from schedsync.core.secrets import masked

_Moves = set[tuple[str, str, str]]


def unreviewed(plan: Plan, reviewed: SavedPlan) -> Iterator[Refusal]:
    """Yield a refusal for each change that the reviewed plan does not hold.

    Any part of what was reviewed passes: other merges may have applied the rest already. What differs in a value,
    before or after, is another change. Secrets are compared masked, as a plan against a snapshot has them.
    """
    here, there = (plan.set, plan.binding.environment), (reviewed.set, reviewed.binding.environment)
    if here != there:
        message = f"the reviewed plan is of {_scope(*there)}, this one of {_scope(*here)}"
        yield Refusal("not_reviewed", message, "give the plan of this set and environment")
        return
    known = {(change.kind, change.name): _moves(change) for change in reviewed.changes}
    for change in plan.changes:
        held = known.get((change.kind, change.name))
        if held is None or not _moves(change) <= held:
            yield Refusal("not_reviewed", _message(change, known), "review it; or apply without --reviewed")


def _scope(set_name: str, environment: str | None) -> str:
    return f"set `{set_name}`" + (f" in `{environment}`" if environment else "")


def _moves(change: Change) -> _Moves:
    return {(one.field, _text(one.before), _text(one.after)) for one in change.fields}


def _text(value: object) -> str:
    return canonical_json(masked(value))


def _message(change: Change, known: dict[tuple[str, str], _Moves]) -> str:
    reviewed = known.get((change.kind, change.name))
    if reviewed is None:
        return f"nobody reviewed to {change.kind} `{change.name}`"
    fields = ", ".join(sorted({field for field, _, _ in _moves(change) - reviewed}))
    return f"nobody reviewed to {change.kind} `{change.name}` so: {fields}"
