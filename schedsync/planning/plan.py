"""A plan: ordered changes, their consequences, refusals, and a fingerprint of the state that was compared."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from schedsync.core.change import KINDS, Change, Edit, Held, Rename
from schedsync.core.finding import Finding
from schedsync.core.full_pause import FullyPaused
from schedsync.core.location import Location
from schedsync.core.observed import Managed, Observed, Paused
from schedsync.core.origin import Binding
from schedsync.core.refusal import Refusal
from schedsync.core.rollback import NO_MARKS, Marks, RolledBack
from schedsync.core.schedule import Desired, People, Schedule, canonical_json, spec_text
from schedsync.core.selector import selector_document
from schedsync.core.timing import instant_text
from schedsync.core.watch import Step


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
    lost_rows: tuple[str, ...] = ()
    to_record: tuple[Schedule, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    #: The refusals that a flag of this call lifts, and that the audit record names.
    lifted: tuple[Refusal, ...] = ()
    notices: tuple[Finding, ...] = ()
    unchanged: int = 0
    locations: Mapping[str, tuple[Location, People]] = field(default_factory=dict)
    #: The alias of the database that was compared; None for a snapshot or earlier files.
    database: str | None = None
    #: The pause of everything, while it lasts.
    full_pause: FullyPaused | None = None
    #: The pauses to write for schedules that come under a standing pause.
    joined: tuple[Paused, ...] = ()
    #: What an earlier apply has disabled, and what waits to be deleted.
    removing: tuple[Managed, ...] = ()
    #: The schedules that an apply leaves alone, because they were rolled back and their files say the same still.
    rolled_back: tuple[RolledBack, ...] = ()
    #: What is written about rolled-back schedules.
    marks: Marks = NO_MARKS
    #: What its apply does at the services that watch schedules; of drift, what undoes what somebody did there.
    monitors: tuple[Step, ...] = ()
    #: The changes that would undo edits by others, where the caller leaves them.
    left: tuple[Change, ...] = ()
    #: Whether it leads back to an earlier state, and not to the files.
    is_rollback: bool = False
    #: What the files say; an apply keeps it for readers that have no files.
    desired: Desired = field(default_factory=Desired, compare=False, repr=False)

    @cached_property
    def checksum(self) -> str:
        """The digest of the changes: see :func:`checksum`."""
        return checksum(self.set, self.binding.environment, self.changes)

    @cached_property
    def fingerprint(self) -> str:
        """The digest of the state that was compared: see :func:`fingerprint`."""
        return fingerprint(self.observed, names_of(self.changes))

    @property
    def writes(self) -> bool:
        """Whether an apply writes anything: changes, or only to the ledger and the pauses."""
        ended = any(pause.ended(self.now) for pause in self.paused)
        return bool(self.changes or self.lost_rows or self.to_record or self.joined or ended or self.marks)

    @property
    def unmanaged(self) -> int:
        """The number of rows that no set manages and no file names; Beat's own rows do not count."""
        known = self.observed.ledger.keys() | self.observed.elsewhere.keys() | self.locations.keys()
        known |= names_of(self.changes)
        return sum(name not in known and not name.startswith("celery.") for name in self.observed.rows)

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
            **({"rolled_back": len(self.rolled_back)} if self.rolled_back else {}),
        }


def checksum(set_name: str, environment: str | None, changes: Sequence[Change]) -> str:
    """Return a digest of what a plan does: set, environment, names, kinds, and values before and after.

    It leaves out commit, location, consequences, ids, counts and times, so that a reviewed plan keeps its checksum
    after a squash merge.
    """
    values = [
        [change.kind, change.name, [[field.field, field.before, field.after] for field in change.fields]]
        for change in changes
    ]
    return _digest(canonical_json([set_name, environment, values]))


def names_of(changes: Iterable[Change]) -> set[str]:
    """Return every name that the changes touch."""
    names: set[str] = set()
    for change in changes:
        names.add(change.name)
        if isinstance(change, Rename):
            names.add(change.old_name)
    return names


def fingerprint(observed: Observed, names: Iterable[str]) -> str:
    """Return a digest of the state that a plan for these names compared, without the columns that Beat writes.

    It covers the rows of these names and of the ledger, the ledger's references to rows, all pauses, and what was
    rolled back.
    """
    ids = {managed.row_id for managed in observed.ledger.values()}
    compared = set(names) | set(observed.ledger)
    state: dict[str, Any] = {
        "rows": {
            name: (row.id, row.spec and spec_text(row.spec), row.problems, observed.elsewhere.get(name))
            for name, row in observed.rows.items()
            if name in compared or row.id in ids
        },
        "managed": {managed.name: managed.row_id for managed in observed.ledger.values()},
        "paused": {pause.name: pause.until and instant_text(pause.until) for pause in observed.pauses.values()},
    }
    removing = {
        name: instant_text(managed.removing.until) for name, managed in observed.ledger.items() if managed.removing
    }
    if removing:
        state["removing"] = removing
    if observed.standing:
        state["standing"] = [
            (selector_document(pause.selector), pause.until and instant_text(pause.until))
            for pause in observed.standing
        ]
    if observed.rolled_back:
        state["rolled_back"] = {name: mark.run for name, mark in observed.rolled_back.items()}
    return _digest(canonical_json(state))


def _digest(text: str) -> str:
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


def refreshed(change: Change, observed: Observed) -> Change:
    """Return a change with its row as it is now.

    The state that was compared must still be the same: see :func:`fingerprint`.
    """
    old_name = change.old_name if isinstance(change, Rename) else change.name
    return replace(change, row=observed.find(old_name, change.row.id) if change.row is not None else None)


def drift_only(plan: Plan, edits: Mapping[int, Edit]) -> Plan:
    """Return only the changes of a plan that undo somebody's edit; ``edits`` are these edits by row id, where known."""
    changes = tuple(replace(change, by=edits.get(row_id_of(plan, change.name) or 0)) for change in plan.drifted)
    held = tuple(_held_by(held, edits.get(row_id_of(plan, held.name) or 0)) for held in plan.held)
    return replace(plan, changes=changes, held=held, refusals=(), notices=())


def row_id_of(plan: Plan, name: str) -> int | None:
    """Return the id of a managed schedule's row, also where the row is gone; None where it never had one."""
    managed, row = plan.observed.ledger.get(name), plan.observed.rows.get(name)
    return row.id if row else managed.row_id if managed else None


def _held_by(held: Held, edit: Edit | None) -> Held:
    return replace(held, by=edit, since=edit.time if edit else held.since)
