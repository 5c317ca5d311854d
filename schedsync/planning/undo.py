"""The way back: what a set is like without one of its applies, or at an earlier commit, and what must stay so. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, NamedTuple

from schedsync.core.change import KINDS, Ran
from schedsync.core.location import Location
from schedsync.core.observed import Observed, Paused
from schedsync.core.rollback import Marks, RolledBack
from schedsync.core.schedule import Desired, Schedule, Spec, form
from schedsync.core.timing import instant
from schedsync.planning.converter import checked_spec, location_from, pause_from, people_from
from schedsync.planning.recorded import digest_of

#: What a damaged audit record can raise while it is read.
DAMAGED = (ValueError, KeyError, TypeError, AttributeError, RecursionError)
_NOWHERE = Location("", 1, 1)


class Stamp(NamedTuple):
    """Who rolls back, why, when, and in which run."""

    reason: str
    who: str
    since: datetime
    run: str


@dataclass(frozen=True, slots=True)
class Target:
    """What one changed schedule was before: ``spec`` is None where it was not there.

    ``name`` is its name now, ``kept_name`` the one before. ``released`` says that nobody managed its row, which gets
    the values of ``spec`` back.
    """

    name: str
    kept_name: str
    spec: Spec | None
    schedule: Schedule | None = None
    released: bool = False


@dataclass(frozen=True)
class Undo:
    """The way back: the schedules that are to be there, the names that may change, and the marks to write.

    ``moved_on`` are names that something else has changed since, ``taken_over`` those that belonged to another set,
    with that set. ``ran`` are the last runs of deleted rows, ``pauses`` the pauses that they had, ``done`` the names
    that are back already.
    """

    desired: Desired
    names: frozenset[str] = frozenset()
    marks: Marks = field(default_factory=Marks)
    moved_on: tuple[str, ...] = ()
    taken_over: tuple[tuple[str, str], ...] = ()
    ran: Mapping[str, Ran] = field(default_factory=dict)
    pauses: tuple[Paused, ...] = ()
    done: tuple[str, ...] = ()


def undo_run(documents: Iterable[Any], desired: Desired, observed: Observed, stamp: Stamp) -> Undo:
    """Return the way back to what the changes of an audit record found.

    ``desired`` is what the ledger says. Raises ValueError, KeyError, TypeError, AttributeError or RecursionError where
    the record is damaged.
    """
    found = _Found(observed)
    for document in documents:
        if isinstance(document, Mapping) and document.get("kind") in KINDS:
            found.add(document)
    return _undo(found, desired, observed, stamp)


class _Found:
    """Sorts the changes of a record: those to take back, and those for which there is no way."""

    def __init__(self, observed: Observed) -> None:
        self.observed = observed
        self.targets: list[Target] = []
        self.moved_on: list[str] = []
        self.taken_over: list[tuple[str, str]] = []
        self.done: list[str] = []
        self.ran: dict[str, Ran] = {}
        self.pauses: list[Paused] = []

    def add(self, document: Mapping[str, Any]) -> None:
        """Sort one change."""
        name, known = document["name"], document.get("undo") or {}
        if "set" in known:
            self.taken_over.append((name, known["set"]))
            return
        target = self._target(document, known)
        if self._is_back(target):
            self.done.append(name)
        elif not self._is_as_applied(document, known):
            self.moved_on.append(name)
        else:
            self.targets.append(target)
            if document["kind"] == "delete":
                self._note_deleted(target.kept_name, known)

    def _target(self, document: Mapping[str, Any], known: Mapping[str, Any]) -> Target:
        kind, name = document["kind"], document["name"]
        if kind == "create":
            return Target(name, name, None)
        kept_name = document["old_name"] if kind == "rename" and _is_by_files(document) else name
        spec = self._spec_before(document, known)
        people = people_from(document["people"])
        schedule = Schedule(
            kept_name,
            spec,
            location_from(document["location"]) or _NOWHERE,
            # The record has the fields for people of after the change.
            replace(people, disabled_reason=None) if spec.enabled else people,
            renamed_from=name if kept_name != name else None,
            adopt=kind == "release",
        )
        return Target(name, kept_name, spec, schedule, released=kind == "adopt")

    def _spec_before(self, document: Mapping[str, Any], known: Mapping[str, Any]) -> Spec:
        """Return the fields before a change: those of today, but for what it changed; of a deleted row all."""
        name, before = document["name"], {each["field"]: each["before"] for each in document["fields"]}
        before.pop("name", None)
        if "enabled" in known and (document["kind"] != "delete" or "pause" in known):
            before["enabled"] = known["enabled"]
        managed, row = self.observed.ledger.get(name), self.observed.rows.get(name)
        base = managed.spec if managed is not None else row.spec if row is not None else None
        if document["kind"] == "delete" or base is None:
            return checked_spec(before)
        return checked_spec(form(base) | before)

    def _is_back(self, target: Target) -> bool:
        """Say whether a schedule is already what it was before."""
        ledger = self.observed.ledger
        if target.kept_name != target.name and target.name in ledger:
            return False
        managed = ledger.get(target.kept_name)
        if target.spec is None or target.released:
            # With a grace, a schedule that must go waits disabled for its deletion.
            return managed is None or managed.removing is not None
        row = self.observed.rows.get(target.kept_name)
        return managed is not None and managed.spec == target.spec and row is not None and row.spec is not None

    def _is_as_applied(self, document: Mapping[str, Any], known: Mapping[str, Any]) -> bool:
        """Say whether nothing but edits in the table has changed a schedule since."""
        managed = self.observed.ledger.get(document["name"])
        if document["kind"] in ("delete", "release"):
            return managed is None
        if managed is None:
            return False
        if managed.spec is None:
            # Somebody made it unreadable; the row is written anew.
            return True
        if "after" in known:
            return bool(digest_of(managed.spec) == known["after"])
        # An earlier version wrote the record.
        after = {each["field"]: each["after"] for each in document["fields"] if each["field"] != "name"}
        after.pop("enabled", None)
        said = form(managed.spec)
        return all(said.get(name, value) == value for name, value in after.items())

    def _note_deleted(self, name: str, known: Mapping[str, Any]) -> None:
        if "total_run_count" in known:
            last = known["last_run_at"]
            self.ran[name] = Ran(None if last is None else instant(last), int(known["total_run_count"]))
        if "pause" in known:
            self.pauses.append(replace(pause_from(known["pause"]), name=name))


def _is_by_files(document: Mapping[str, Any]) -> bool:
    """Say whether the files renamed a schedule; where somebody had renamed its row by hand, an apply took that back."""
    return any(each["field"] == "name" and each["cause"] == "files" for each in document["fields"])


def _undo(found: _Found, desired: Desired, observed: Observed, stamp: Stamp) -> Undo:
    schedules, removed = dict(desired.schedules), dict(desired.removed)
    kept_rows: set[str] = set()
    given_back: dict[str, Spec] = {}
    for target in found.targets:
        schedules.pop(target.name, None)
        if target.released:
            removed[target.name] = target.schedule.location if target.schedule else _NOWHERE
            kept_rows.add(target.name)
            given_back[target.name] = _while_stopped(target, observed)
        elif target.schedule is not None:
            schedules[target.kept_name] = target.schedule
    return Undo(
        desired=Desired(dict(sorted(schedules.items())), removed, frozenset(kept_rows), given_back),
        names=frozenset(name for target in found.targets for name in (target.name, target.kept_name)),
        marks=marks_for(found.targets, observed, stamp),
        moved_on=tuple(sorted(found.moved_on)),
        taken_over=tuple(sorted(found.taken_over)),
        ran=found.ran,
        pauses=tuple(found.pauses),
        done=tuple(found.done),
    )


def _while_stopped(target: Target, observed: Observed) -> Spec:
    """Return the values that a row gets back; one that somebody has stopped since stays stopped."""
    if target.spec is None:
        raise TypeError("an adopted row has values")
    row, managed = observed.rows.get(target.name), observed.ledger.get(target.name)
    is_stopped = row is not None and row.spec is not None and not row.spec.enabled
    by_human = is_stopped and managed is not None and managed.was_enabled
    return replace(target.spec, enabled=False) if by_human else target.spec


def marks_for(targets: Sequence[Target], observed: Observed, stamp: Stamp) -> Marks:
    """Return what is rejected and kept from now on, and which earlier marks that replaces or ends.

    What the ledger has now is rejected: it is what the files say. Where that was kept by an earlier rollback, its
    rejected forms stay rejected too; and where the way back leads to one of these, they count again: a rollback is
    rolled back.
    """
    by_kept_name = {mark.kept_name: mark for mark in observed.rolled_back.values()}
    new: list[RolledBack] = []
    over: list[RolledBack] = []
    for target in targets:
        spec = None if target.released else target.spec
        managed = observed.ledger.get(target.name)
        # The files say nothing of one that waits to be deleted.
        now = managed.spec if managed is not None and managed.removing is None else None
        earlier = by_kept_name.get(target.name) or observed.rolled_back.get(target.kept_name)
        if earlier is not None and earlier.is_damaged:
            # What it rejects is not known: a new mark would let the files count again.
            continue
        rejected: tuple[Spec | None, ...] = (now,)
        name = target.name
        if earlier is not None:
            over.append(earlier)
            is_undone = target.kept_name == earlier.name and spec in earlier.rejected
            name = earlier.name
            rejected = earlier.rejected if is_undone else (*earlier.rejected, now)
        left = tuple(dict.fromkeys(form for form in rejected if form != spec or target.kept_name != name))
        if left:
            new.append(_mark(name, left, target, spec, stamp))
    return Marks(tuple(new), tuple(over))


def _mark(name: str, rejected: tuple[Spec | None, ...], target: Target, spec: Spec | None, stamp: Stamp) -> RolledBack:
    place = target.schedule.location if target.schedule is not None else None
    return RolledBack(
        name=name,
        rejected=rejected,
        kept=spec,
        kept_name=target.kept_name if spec is not None else name,
        reason=stamp.reason,
        who=stamp.who,
        since=stamp.since,
        run=stamp.run,
        released=target.released,
        location=None if place == _NOWHERE else place,
    )


def earlier_targets(desired: Desired, observed: Observed) -> list[Target]:
    """Return what changes on the way back to the files of an earlier commit, compared with the ledger."""
    renamed = {schedule.renamed_from for schedule in desired.schedules.values() if schedule.renamed_from}
    targets = []
    for name, schedule in desired.schedules.items():
        managed, old = observed.ledger.get(name), schedule.renamed_from
        now = old if managed is None and old in observed.ledger and old is not None else name
        if managed is None or managed.spec != schedule.spec:
            targets.append(Target(now, name, schedule.spec, schedule))
    gone = observed.ledger.keys() - desired.schedules.keys() - renamed
    return targets + [Target(name, name, None) for name in sorted(gone)]
