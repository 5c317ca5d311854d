"""A plan as one JSON document, by schemas/plan.v1.schema.json, and read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from schedsync.core.change import Change
from schedsync.core.observed import Managed
from schedsync.core.removing import removing_document, removing_from
from schedsync.core.timing import instant_text
from schedsync.core.watch import Step
from schedsync.planning.converter import (
    binding_document,
    change_document,
    change_from,
    finding_document,
    full_pause_document,
    held_document,
    location_document,
    pause_document,
    refusal_document,
)
from schedsync.planning.plan import Plan
from schedsync.planning.rolled_back import rolled_back_document

#: The version of the document; see schemas/plan.v1.schema.json.
VERSION = 1


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """The parts of a saved plan that an apply compares: set, environment and changes.

    ``removing`` says of the schedules that it removes, or that wait to be deleted, when that may be.
    """

    set: str
    environment: str | None
    changes: tuple[Change, ...]
    removing: Mapping[str, datetime] = field(default_factory=dict)


def document(plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON values that conform to schemas/plan.v1.schema.json."""
    return {
        "version": VERSION,
        "set": plan.set,
        **binding_document(plan.binding),
        "checksum": plan.checksum,
        "observed": plan.fingerprint,
        "created_at": instant_text(plan.now),
        "summary": plan.summary(),
        "changes": [change_document(change) for change in plan.changes],
        "held": [held_document(held) for held in plan.held],
        "paused": [pause_document(pause) for pause in plan.paused],
        **({"everything_paused": full_pause_document(plan.full_pause)} if plan.full_pause else {}),
        **({"removing": [_waiting_document(managed) for managed in plan.removing]} if plan.removing else {}),
        **_rolled_back(plan),
        **({"monitors": [_monitor_document(step) for step in plan.monitors]} if plan.monitors else {}),
        "completed": list(plan.completed),
        "forgotten": list(plan.lost_rows),
        "refusals": [refusal_document(refusal) for refusal in plan.refusals],
        "findings": [finding_document(finding) for finding in plan.notices],
    }


def _waiting_document(managed: Managed) -> dict[str, Any]:
    """Return a schedule that waits to be deleted as JSON values; ``commit`` is the one that no longer defined it."""
    grace = removing_document(managed.removing) if managed.removing else {}
    return {
        "name": managed.name,
        **grace,
        "commit": managed.commit,
        "location": location_document(managed.location),
    }


def _monitor_document(step: Step) -> dict[str, Any]:
    return {"kind": step.kind, "service": step.service, "name": step.name, "reason": step.reason or None}


def _rolled_back(plan: Plan) -> dict[str, Any]:
    """Return the schedules that an apply leaves alone, and those that this plan rolls back; without any, no key."""
    found = {"rolled_back": plan.rolled_back, "rolls_back": plan.marks.new, "rollback_ended": plan.marks.over}
    return {key: [rolled_back_document(mark) for mark in marks] for key, marks in found.items() if marks}


def saved_plan(values: Mapping[str, Any]) -> SavedPlan:
    """Read a plan back from a document that conforms to schemas/plan.v1.schema.json.

    Raises ValueError or KeyError where a rename has no old name.
    """
    changes = tuple(change_from(change) for change in values["changes"])
    removing = {each["name"]: removing_from(each).until for each in values.get("removing", ())}
    removing |= {change.name: change.removing.until for change in changes if change.removing}
    return SavedPlan(values["set"], values["environment"], changes, removing)
