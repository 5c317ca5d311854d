"""Whether a plan is the one that a user expects: by its checksum, or by a saved plan that holds its changes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from schedsync.core.change import Change, Create, Delete, FieldChange
from schedsync.core.refusal import Refusal
from schedsync.core.schedule import canonical_json, value_form
from schedsync.core.secrets import MASK, masked
from schedsync.planning.documents import SavedPlan
from schedsync.planning.plan import Plan

_Fields = Mapping[str, FieldChange]


@dataclass(frozen=True, slots=True)
class Assertion:
    """What the plan of an apply must be.

    It must have this ``checksum``, and hold only changes of the ``saved`` plan; with ``exact``, all of them.
    """

    checksum: str | None = None
    saved: SavedPlan | None = None
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Comparison:
    """A plan compared with a saved one.

    ``refusals`` are those of the changes that the saved plan does not hold, ``unequal`` the names of all changes that
    are not, or not wholly, in both plans. ``masks`` is the number of masked values that were not compared.
    """

    refusals: tuple[Refusal, ...] = ()
    unequal: tuple[str, ...] = ()
    masks: int = 0


def compare(plan: Plan, saved: SavedPlan) -> Comparison:
    """Compare a plan with a saved one, change by change.

    A part of the saved plan passes: other merges may have applied the rest already. A change with another value, before
    or after, is another change. A masked value of the saved plan matches any value. A delete passes where the saved
    plan says that the schedule is being removed, and that its grace is over by now.
    """
    here, there = (plan.set, plan.binding.environment), (saved.set, saved.environment)
    if here != there:
        message = f"the reviewed plan is of {_scope(*there)}, this one of {_scope(*here)}"
        return Comparison((Refusal("not_reviewed", message, "give the plan of this set and environment"),))
    approved = {(change.kind, change.name): _by_name(change) for change in saved.changes}
    refusals, different, masks = [], [], 0
    for change in plan.changes:
        compared = _compared(change, approved.get((change.kind, change.name)))
        if compared.message and _is_announced(change, plan, saved):
            different.append(change.name)
        elif compared.message:
            hint = "review a new plan, and give that one to `apply --plan`"
            refusals.append(Refusal("not_reviewed", compared.message, hint))
            different.append(change.name)
        masks += compared.masks
    return Comparison(tuple(refusals), tuple(sorted({*different, *_missing(plan, approved)})), masks)


def _is_announced(change: Change, plan: Plan, saved: SavedPlan) -> bool:
    until = saved.removing.get(change.name)
    return isinstance(change, Delete) and change.removing is not None and until is not None and until <= plan.now


def _scope(set_name: str, environment: str | None) -> str:
    return f"set `{set_name}`" + (f" in `{environment}`" if environment else "")


def _by_name(change: Change) -> dict[str, FieldChange]:
    return {edit.field: edit for edit in change.fields}


def _missing(plan: Plan, approved: Mapping[tuple[str, str], _Fields]) -> Iterator[str]:
    planned = {(change.kind, change.name): _by_name(change).keys() for change in plan.changes}
    return (key[1] for key, fields in approved.items() if planned.get(key) != fields.keys())


@dataclass(slots=True)
class _Compared:
    """One change compared with the approved one: how it differs, and the number of masked values not compared."""

    message: str = ""
    masks: int = 0


def _compared(change: Change, approved: _Fields | None) -> _Compared:
    if approved is None:
        return _Compared(f"the reviewed plan does not {change.kind} `{change.name}`")
    masks = {edit.field: _masks_of(edit, approved.get(edit.field)) for edit in change.fields}
    different = [name for name, count in masks.items() if count is None]
    different += [name for name, edit in approved.items() if name not in masks and not _is_done(change, edit)]
    if different:
        fields = ", ".join(different)
        return _Compared(f"the reviewed plan has other values to {change.kind} `{change.name}`: {fields}")
    return _Compared(masks=sum(filter(None, masks.values())))


def _masks_of(edit: FieldChange, approved: FieldChange | None) -> int | None:
    """Return how many values of a field are masked in the approved one, or None where the two differ."""
    if approved is None:
        return None
    return _total([_masks(edit.before, approved.before), _masks(edit.after, approved.after)])


def _is_done(change: Change, approved: FieldChange) -> bool:
    """Say whether an approved edit is left out because the row has its value already."""
    if isinstance(change, (Create, Delete)) or change.after is None or approved.field == "name":
        return False
    return _masks(value_form(approved.field, getattr(change.after, approved.field)), approved.after) is not None


def _masks(value: Any, approved: Any) -> int | None:
    """Return the number of masks in an approved value; None where the other value differs from it elsewhere."""
    if approved == MASK:
        return 1
    if isinstance(value, dict) and isinstance(approved, dict):
        same = value.keys() == approved.keys()
        return _total(_masks(value[key], approved[key]) for key in approved) if same else None
    if isinstance(value, list) and isinstance(approved, list):
        return _total(map(_masks, value, approved)) if len(value) == len(approved) else None
    if canonical_json(value) == canonical_json(approved):
        return 0
    has_mask = isinstance(approved, str) and MASK in approved
    return 1 if has_mask and masked(value) == approved else None


def _total(counts: Iterable[int | None]) -> int | None:
    total = 0
    for count in counts:
        if count is None:
            return None
        total += count
    return total
