"""A plan: ordered changes, their consequences, what refuses them, and fingerprints of what was compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property

from schedsync.core.change import KINDS, Change, Edit, Held, Rename
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.observed import Observed, Paused
from schedsync.core.origin import Binding
from schedsync.core.refusal import Refusal
from schedsync.core.schedule import People, Schedule, Spec, canonical_json, value_from


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
