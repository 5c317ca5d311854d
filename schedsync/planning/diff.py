"""Desired against observed: the comparison takes two states and the ledger between them, and returns values.

With what was last applied as the base, every difference has a cause: the files moved on, someone edited the
table, or both. The words and rules are those of docs/concepts.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from schedsync.core.change import Adopt, Cause, Change, Create, Delete, FieldChange, Held, Rename, Update
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.observed import Managed, Observed, Paused, Row
from schedsync.core.schedule import FIELDS, Desired, Schedule, Spec, completed_at, differing, spec_text, value_form
from schedsync.planning.match import Pair, is_completed, is_held, rearms, spec_after, unless_completed, wanted


@dataclass(frozen=True, slots=True)
class Difference:
    """All that a comparison found.

    ``taken`` maps each name that somebody else holds to its holder: a set, or None where nobody manages the row.
    ``forgotten`` are ledger entries whose row is gone and that no file wants; ``agreed`` are schedules whose row holds
    what the files say now, while the ledger remembers something else.
    """

    changes: tuple[Change, ...] = ()
    held: tuple[Held, ...] = ()
    completed: tuple[str, ...] = ()
    paused: tuple[Paused, ...] = ()
    unchanged: int = 0
    taken: tuple[tuple[str, str | None], ...] = ()
    forgotten: tuple[str, ...] = ()
    agreed: tuple[Schedule, ...] = ()
    notices: tuple[Finding, ...] = ()


def diff(desired: Desired, observed: Observed, now: datetime, *, adopt: Collection[str] = ()) -> Difference:
    """Compare what the files say with what the tables hold.

    ``now`` decides what is completed and which pauses have ended; ``adopt`` are names that may be taken over, beside
    those that say so in the files.
    """
    comparison = _Comparison(desired, observed, now, frozenset(adopt))
    for schedule in desired.schedules.values():
        comparison.compare(schedule)
    return comparison.result()


class _Comparison:
    """The running comparison: each wanted schedule finds its row once, what is left over is deleted."""

    def __init__(self, desired: Desired, observed: Observed, now: datetime, adopt: frozenset[str]) -> None:
        self.desired, self.observed, self.now, self.adopt = desired, observed, now, adopt
        self.changes: list[Change] = []
        self.held: list[Held] = []
        self.completed: list[str] = []
        self.taken: list[tuple[str, str | None]] = []
        self.claimed: set[str] = set()
        self.unchanged = 0
        self.agreed: list[Schedule] = []

    def compare(self, schedule: Schedule) -> None:
        """Compare one wanted schedule with the row that stands for it."""
        name, ledger = schedule.name, self.observed.ledger
        managed = ledger.get(name)
        if managed is None and schedule.renamed_from and self._may_rename(schedule):
            self._rename(schedule, schedule.renamed_from)
            return
        row = self.observed.rows.get(name)
        pair = self._pair(schedule, row, managed)
        if managed is None:
            self._claim_new(pair)
        elif row is None and (stray := self._stray(managed)):
            self._add(Rename, replace(pair, row=stray), old_name=stray.name, cause="drift")
        else:
            self._known(pair)

    def _pair(self, schedule: Schedule, row: Row | None, managed: Managed | None) -> Pair:
        return Pair(schedule, row, managed, self._pause(schedule.name), self.now)

    def _pause(self, name: str) -> Paused | None:
        """Return the pause of a name; one that is over, and stood over a human's stop, leaves that stop as it was."""
        pause = self.observed.pauses.get(name)
        return None if pause is not None and pause.held and pause.ended(self.now) else pause

    def _may_rename(self, schedule: Schedule) -> bool:
        old = schedule.renamed_from
        if old is None or old in self.desired.schedules or old not in self.observed.rows:
            return False
        if schedule.name in self.observed.rows:
            return False
        return old in self.observed.ledger or (schedule.adopt and old not in self.observed.elsewhere)

    def _rename(self, schedule: Schedule, old_name: str) -> None:
        self.claimed.add(old_name)
        pair = self._pair(schedule, self.observed.rows[old_name], self.observed.ledger.get(old_name))
        self._add(Rename, replace(pair, pause=pair.pause or self._pause(old_name)), old_name=old_name)

    def _stray(self, managed: Managed) -> Row | None:
        """Return our row where someone renamed it by hand, and nobody else took it over since."""
        row = None if managed.row_id is None else self.observed.by_id.get(managed.row_id)
        if row is None or row.name in self.desired.schedules or row.name in self.observed.ledger:
            return None
        return None if row.name in self.observed.elsewhere else row

    def _claim_new(self, pair: Pair) -> None:
        name = pair.schedule.name
        if completed_at(pair.schedule.spec, self.now):
            self.completed.append(name)
        elif pair.row is None:
            if name in self.observed.elsewhere and not (pair.schedule.adopt or name in self.adopt):
                self.taken.append((name, self.observed.elsewhere[name]))
            self._add(Create, pair)
        else:
            if not (pair.schedule.adopt or name in self.adopt):
                self.taken.append((name, self.observed.elsewhere.get(name)))
            self._add(Adopt, pair)

    def _known(self, pair: Pair) -> None:
        if pair.row is not None and pair.row.spec == pair.schedule.spec and pair.pause is None:
            self._count_quiet(pair)
        elif is_completed(pair):
            self._finished(pair)
        elif pair.row is None:
            self._add(Create, pair, cause="drift")
        else:
            self._update(pair)

    def _count_quiet(self, pair: Pair) -> None:
        if completed_at(pair.schedule.spec, self.now):
            self.completed.append(pair.schedule.name)
        else:
            self.unchanged += 1
        if pair.managed is not None and pair.managed.applied != spec_text(pair.schedule.spec):
            self.agreed.append(pair.schedule)

    def _finished(self, pair: Pair) -> None:
        """A completed schedule is never healed; what the files changed in it is still kept in step."""
        self.completed.append(pair.schedule.name)
        if pair.row is None or not pair.moved_on:
            return
        after = replace(wanted(pair), enabled=pair.row.spec is not None and pair.row.spec.enabled)
        after = unless_completed(after, self.now)
        if pair.row.spec is None or differing(after, pair.row.spec):
            self._append(Update, pair, after)

    def _update(self, pair: Pair) -> None:
        if is_held(pair):
            self.held.append(Held(pair.schedule.name, pair.schedule.location))
        after = spec_after(pair)
        if pair.row is None or pair.row.spec is None or differing(after, pair.row.spec):
            self._append(Update, pair, after)
        elif pair.pause is None or pair.paused:
            self.unchanged += not is_held(pair)

    def _add(self, kind: type[Change], pair: Pair, *, old_name: str | None = None, cause: Cause | None = None) -> None:
        self._append(kind, pair, spec_after(pair), old_name=old_name, cause=cause)

    def _append(
        self,
        kind: type[Change],
        pair: Pair,
        after: Spec,
        *,
        old_name: str | None = None,
        cause: Cause | None = None,
    ) -> None:
        schedule = pair.schedule
        fields = _field_changes(after, pair.row, pair.base)
        if old_name is not None:
            fields = (FieldChange("name", old_name, schedule.name, cause or "files"), *fields)
        extra: dict[str, Any] = {} if old_name is None else {"old_name": old_name}
        self.changes.append(
            kind(
                name=schedule.name,
                cause=cause if cause and not old_name else _cause_of(fields),
                fields=fields,
                row=pair.row,
                after=after,
                ledger=schedule.spec,
                location=schedule.location,
                people=schedule.people,
                edit_may_fire=schedule.edit_may_fire,
                rearm=rearms(pair, after),
                template=schedule.template,
                **extra,
            )
        )

    def _deletes(self) -> Iterator[Change]:
        for name, managed in self.observed.ledger.items():
            if name in self.desired.schedules or name in self.claimed:
                continue
            row = self.observed.rows.get(name) or self._stray(managed)
            if row is None:
                continue
            yield Delete(
                name=name,
                row=row,
                fields=_field_changes(None, row, None),
                location=self.desired.removed.get(name, managed.location),
                people=managed.people,
                announced=name in self.desired.removed,
            )

    def _forgotten(self) -> tuple[str, ...]:
        ledger, rows = self.observed.ledger, self.observed.rows
        gone = (name for name in ledger if name not in rows and name not in self.desired.schedules)
        return tuple(name for name in gone if self._stray(ledger[name]) is None)

    def _inert(self) -> Iterator[Finding]:
        ledger = self.observed.ledger
        for schedule in self.desired.schedules.values():
            if schedule.name not in ledger:
                continue
            if schedule.renamed_from and schedule.renamed_from not in ledger:
                yield _can_go(f"`renamed_from` of `{schedule.name}`", schedule.location)
            if schedule.adopt:
                yield _can_go(f"`adopt` of `{schedule.name}`", schedule.location)
        for name, location in self.desired.removed.items():
            if name not in ledger:
                yield _can_go(f"`{name}` under `removed`", location)

    def result(self) -> Difference:
        """Return all that was found, deletions first and then by name."""
        changes = [*self._deletes(), *sorted(self.changes, key=lambda change: change.name)]
        names = self.desired.schedules
        return Difference(
            changes=tuple(changes),
            held=tuple(self.held),
            completed=tuple(self.completed),
            paused=tuple(pause for name, pause in self.observed.pauses.items() if name in names),
            unchanged=self.unchanged,
            taken=tuple(self.taken),
            forgotten=self._forgotten(),
            agreed=tuple(self.agreed),
            notices=tuple(self._inert()),
        )


def _can_go(what: str, location: Location | None) -> Finding:
    return Finding("SS161", f"{what} is done, the line can go", location, severity="info")


def _field_changes(after: Spec | None, row: Row | None, base: Spec | None) -> tuple[FieldChange, ...]:
    before = row.spec if row else None
    if before is not None and after is not None:
        names = differing(before, after)
    else:
        names = tuple(name for name in FIELDS if _says_something(name, after or before))
    return tuple(
        FieldChange(
            name,
            None if before is None else value_form(name, getattr(before, name)),
            None if after is None else value_form(name, getattr(after, name)),
            _cause(name, before, base, after),
        )
        for name in names
    )


_DEFAULTS = {name: field.default for name, field in Spec.__dataclass_fields__.items()}


def _says_something(name: str, spec: Spec | None) -> bool:
    return spec is not None and getattr(spec, name) != _DEFAULTS[name]


def _cause(name: str, before: Spec | None, base: Spec | None, after: Spec | None) -> Cause:
    if base is None or after is None:
        return "files"
    files_moved = getattr(after, name) != getattr(base, name)
    if before is None:
        # Somebody broke the row: it cannot even be read any more.
        return "both" if files_moved else "drift"
    table_moved = getattr(before, name) != getattr(base, name)
    return "both" if files_moved and table_moved else "drift" if table_moved else "files"


def _cause_of(fields: tuple[FieldChange, ...]) -> Cause:
    causes = {change.cause for change in fields}
    return causes.pop() if len(causes) == 1 else "both" if causes else "files"
