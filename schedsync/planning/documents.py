"""A plan as one JSON document, by schemas/plan.v1.schema.json, and read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schedsync.core.change import Change
from schedsync.core.origin import Binding
from schedsync.core.refusal import Refusal
from schedsync.core.timing import instant_text
from schedsync.planning.converter import (
    binding_document,
    binding_from,
    change_document,
    change_from,
    finding_document,
    held_document,
    pause_document,
    refusal_document,
    refusal_from,
)
from schedsync.planning.plan import Plan, checksum

#: The version of the document; see schemas/plan.v1.schema.json.
VERSION = 1


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan that was read back from its document.

    ``fingerprint`` is that of the state that was compared; ``documents`` are the changes as JSON values.
    """

    set: str
    binding: Binding
    checksum: str
    fingerprint: str
    changes: tuple[Change, ...]
    lost_rows: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    documents: tuple[Mapping[str, Any], ...] = ()


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
        "completed": list(plan.completed),
        "forgotten": list(plan.lost_rows),
        "refusals": [refusal_document(refusal) for refusal in plan.refusals],
        "findings": [finding_document(finding) for finding in plan.notices],
    }


def saved_plan(values: Mapping[str, Any]) -> SavedPlan:
    """Read a plan back from its document; raises ValueError, KeyError or TypeError where it has another shape.

    The checksum is computed again: a document that was edited by hand is refused.
    """
    binding = binding_from(values)
    changes = tuple(change_from(change) for change in values["changes"])
    if checksum(values["set"], binding.environment, changes) != values["checksum"]:
        raise ValueError("its checksum does not fit its changes")
    return SavedPlan(
        set=values["set"],
        binding=binding,
        checksum=values["checksum"],
        fingerprint=values["observed"],
        changes=changes,
        lost_rows=tuple(values["forgotten"]),
        refusals=tuple(refusal_from(refusal) for refusal in values["refusals"]),
        documents=tuple(values["changes"]),
    )
