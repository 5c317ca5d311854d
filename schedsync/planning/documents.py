"""A plan as JSON values, by schemas/plan.v1.schema.json, and read back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from schedsync.core.change import KINDS, Change, Consequence, Edit, FieldChange, Held, Rename
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.observed import Paused, Row
from schedsync.core.origin import Binding
from schedsync.core.refusal import Refusal
from schedsync.core.schedule import People
from schedsync.core.timing import instant_text
from schedsync.planning.plan import Plan, checksum

#: The version of the document; see schemas/plan.v1.schema.json.
VERSION = 1


@dataclass(frozen=True, slots=True)
class SavedPlan:
    """A plan read back from its document: what to do, and what must still hold."""

    set: str
    binding: Binding
    checksum: str
    fingerprint: str
    changes: tuple[Change, ...]
    forgotten: tuple[str, ...]
    refusals: tuple[Refusal, ...]
    documents: tuple[Mapping[str, Any], ...] = ()


def document(plan: Plan) -> dict[str, Any]:
    """Return the plan as JSON values that conform to schemas/plan.v1.schema.json."""
    return {
        "version": VERSION,
        "set": plan.set,
        "environment": plan.binding.environment,
        "commit": plan.binding.commit,
        "repository": plan.binding.repository,
        "path": plan.binding.path,
        "checksum": plan.checksum,
        "observed": plan.fingerprint,
        "created_at": instant_text(plan.now),
        "summary": plan.summary(),
        "changes": [change_document(change) for change in plan.changes],
        "held": [_held_document(held) for held in plan.held],
        "paused": [pause_document(pause) for pause in plan.paused],
        "completed": list(plan.completed),
        "forgotten": list(plan.forgotten),
        "refusals": [refusal_document(refusal) for refusal in plan.refusals],
        "findings": [finding_document(finding) for finding in plan.notices],
    }


def change_document(change: Change) -> dict[str, Any]:
    """Return one change as JSON values; ``apply`` holds what carrying it out needs beside its fields."""
    result: dict[str, Any] = {
        "kind": change.kind,
        "name": change.name,
        "cause": change.cause,
        "fields": [
            {"field": one.field, "before": one.before, "after": one.after, "cause": one.cause} for one in change.fields
        ],
        "consequences": [_consequence_document(consequence) for consequence in change.consequences],
        "location": location_document(change.location),
        "people": people_document(change.people),
        "apply": {
            "row": change.row.id if change.row else None,
            "edit_may_fire": change.edit_may_fire,
            "rearm": change.rearm,
            "announced": change.announced,
            "ledger_enabled": change.ledger.enabled if change.ledger else None,
        },
    }
    if isinstance(change, Rename):
        result["old_name"] = change.old_name
    if change.by:
        result["by"] = _edit_document(change.by)
    return result


def _consequence_document(consequence: Consequence) -> dict[str, Any]:
    at = {} if consequence.at is None else {"at": instant_text(consequence.at)}
    return {"code": consequence.code, "message": consequence.message} | at


def location_document(location: Location | None) -> dict[str, Any] | None:
    """Return a place as JSON values."""
    return location and {"path": location.path, "line": location.line, "column": location.column}


def people_document(people: People) -> dict[str, Any]:
    """Return what the files say for people as JSON values."""
    return {
        "owner": people.owner,
        "runbook": people.runbook,
        "labels": dict(people.labels),
        "disabled_reason": people.disabled_reason,
    }


def _edit_document(edit: Edit | None) -> dict[str, Any] | None:
    return None if edit is None else {"user": edit.user, "time": instant_text(edit.time)}


def _held_document(held: Held) -> dict[str, Any]:
    return {
        "name": held.name,
        "since": instant_text(held.since) if held.since else None,
        "by": _edit_document(held.by),
        "location": location_document(held.location),
    }


def pause_document(pause: Paused) -> dict[str, Any]:
    """Return a pause as JSON values."""
    return {
        "name": pause.name,
        "reason": pause.reason,
        "who": pause.who,
        "since": instant_text(pause.since),
        "until": instant_text(pause.until) if pause.until else None,
    }


def refusal_document(refusal: Refusal) -> dict[str, str]:
    """Return a refusal as JSON values."""
    return {"code": refusal.code, "message": refusal.message, "override": refusal.override}


def finding_document(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON values."""
    return {
        "code": finding.code,
        "severity": finding.severity,
        "message": finding.message,
        "hint": finding.hint,
        "location": location_document(finding.location),
    }


def saved_plan(values: Mapping[str, Any]) -> SavedPlan:
    """Read a plan back from its document; raises ValueError, KeyError or TypeError where it does not fit together.

    The checksum is computed again: a document that was edited by hand is refused.
    """
    binding = Binding(values["environment"], values["repository"], values["path"], values["commit"])
    changes = tuple(_change_from(one) for one in values["changes"])
    if checksum(values["set"], binding.environment, changes) != values["checksum"]:
        raise ValueError("its checksum does not fit its changes")
    return SavedPlan(
        set=values["set"],
        binding=binding,
        checksum=values["checksum"],
        fingerprint=values["observed"],
        changes=changes,
        forgotten=tuple(values["forgotten"]),
        refusals=tuple(Refusal(one["code"], one["message"], one["override"]) for one in values["refusals"]),
        documents=tuple(values["changes"]),
    )


def _change_from(values: Mapping[str, Any]) -> Change:
    extra = {"old_name": values["old_name"]} if values["kind"] == "rename" else {}
    place, how = values["location"], values["apply"]
    return KINDS[values["kind"]](
        name=values["name"],
        cause=values["cause"],
        fields=tuple(FieldChange(one["field"], one["before"], one["after"], one["cause"]) for one in values["fields"]),
        location=place and Location(place["path"], place["line"], place["column"]),
        people=people_from(values["people"]),
        edit_may_fire=how["edit_may_fire"],
        rearm=how["rearm"],
        announced=how["announced"],
        ledger_enabled=how["ledger_enabled"],
        row=None if how["row"] is None else Row(how["row"], extra.get("old_name", values["name"]), None),
        **extra,
    )


def people_from(values: Mapping[str, Any]) -> People:
    """Read what the files say for people back from its JSON values."""
    labels = tuple(sorted(values["labels"].items()))
    return People(values["owner"], values["runbook"], labels, values["disabled_reason"])
