"""A plan: ordered changes, their consequences, what refuses them, and fingerprints of what was compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from schedsync.core.change import (
    KINDS,
    Change,
    Consequence,
    Edit,
    FieldChange,
    Held,
    Observed,
    Paused,
    Rename,
)
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.safety import Binding, Refusal
from schedsync.core.schedule import (
    People,
    Row,
    Schedule,
    Spec,
    canonical_json,
    value_from,
)
from schedsync.core.timing import instant_text

#: The version of the document; see schemas/plan.v1.schema.json.
VERSION = 1


@dataclass(frozen=True)
class Plan:
    """What an apply would do to one set of schedules, and why."""

    set: str
    binding: Binding
    changes: tuple[Change, ...]
    observed: Observed
    now: datetime
    held: tuple[Held, ...] = ()
    paused: tuple[Paused, ...] = ()
    completed: tuple[str, ...] = ()
    forgotten: tuple[str, ...] = ()
    agreed: tuple[Schedule, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    notices: tuple[Finding, ...] = ()
    unchanged: int = 0
    places: Mapping[str, tuple[Location, People]] = field(default_factory=dict)

    @cached_property
    def checksum(self) -> str:
        """The identity of what would be done: see :func:`checksum`."""
        return checksum(self.set, self.binding.environment, self.changes)

    @cached_property
    def fingerprint(self) -> str:
        """The identity of the state that was compared: see :func:`fingerprint`."""
        return fingerprint(self.observed, names_of(self.changes))

    @property
    def writes(self) -> bool:
        """Whether an apply writes anything: changes, or what the ledger and the pauses lag behind."""
        ended = any(pause.ended(self.now) for pause in self.paused)
        return bool(self.changes or self.forgotten or self.agreed or ended)

    @property
    def drifted(self) -> tuple[Change, ...]:
        """The changes that undo somebody else's edit."""
        return tuple(change for change in self.changes if change.cause != "files")

    def summary(self) -> dict[str, int]:
        """Count the changes by kind, and the schedules that no change touches by state."""
        counts = {kind: sum(change.kind == kind for change in self.changes) for kind in KINDS}
        return counts | {
            "unchanged": self.unchanged,
            "completed": len(self.completed),
            "held": len(self.held),
            "drifted": len(self.drifted),
        }


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


def checksum(set_name: str, environment: str | None, changes: Sequence[Change]) -> str:
    """Return the identity of what a plan does: set, environment, names, kinds, and values before and after.

    Not commit, location, consequences, ids, counts or times: the plan that was reviewed is then the plan that is
    applied, also after a squash merge.
    """
    body = [[change.kind, change.name, [[f.field, f.before, f.after] for f in change.fields]] for change in changes]
    return _digest(canonical_json([set_name, environment, body]))


def names_of(changes: Iterable[Change]) -> set[str]:
    """Return every name that the changes touch."""
    names: set[str] = set()
    for change in changes:
        names.add(change.name)
        if isinstance(change, Rename):
            names.add(change.old_name)
    return names


def fingerprint(observed: Observed, names: Iterable[str]) -> str:
    """Return the identity of all that a plan for these names compared, but for what Beat itself keeps in the rows."""
    lines = []
    ids = {managed.row_id for managed in observed.ledger.values()}
    wanted = set(names) | set(observed.ledger)
    for name, row in observed.rows.items():
        if name in wanted or row.id in ids:
            lines.append(repr((name, row.id, row.spec, row.problems, observed.elsewhere.get(name))))
    lines += [repr(("managed", managed.name, managed.row_id)) for managed in observed.ledger.values()]
    lines += [repr(("paused", pause.name, pause.until)) for pause in observed.pauses.values()]
    return _digest("\n".join(sorted(lines)))


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


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


def refreshed(change: Change, observed: Observed) -> Change:
    """Return a change with its row as it is observed now, and with its values where it was read back from a document.

    The state that was compared must still be the same: see :func:`fingerprint`.
    """
    old_name = change.old_name if isinstance(change, Rename) else change.name
    row = observed.find(old_name, change.row.id) if change.row is not None else None
    if change.after is not None or change.kind == "delete":
        return replace(change, row=row)
    written = {one.field: value_from(one.field, one.after) for one in change.fields if one.field != "name"}
    before = row.spec if row is not None else None
    after = Spec(**written) if before is None else replace(before, **written)
    enabled = change.ledger_enabled
    ledger = after if enabled is None or enabled == after.enabled else replace(after, enabled=enabled)
    return replace(change, row=row, after=after, ledger=ledger)


def drift_only(plan: Plan, edits: Mapping[int, Edit]) -> Plan:
    """Return the part of a plan that undoes other people's edits, each with who made it where that is known."""
    changes = tuple(replace(change, by=edits.get(row_id_of(plan, change.name) or 0)) for change in plan.drifted)
    held = tuple(_held_by(one, edits.get(row_id_of(plan, one.name) or 0)) for one in plan.held)
    return replace(plan, changes=changes, held=held, refusals=(), notices=())


def row_id_of(plan: Plan, name: str) -> int | None:
    """Return the id of the row that stands, or stood, for a managed schedule."""
    managed, row = plan.observed.ledger.get(name), plan.observed.rows.get(name)
    return row.id if row else managed.row_id if managed else None


def _held_by(held: Held, edit: Edit | None) -> Held:
    return replace(held, by=edit, since=edit.time if edit else held.since)
