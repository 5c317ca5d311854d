"""Compare what the files say with what the tables hold, and return the changes between them.

The ledger holds what was applied last. With it every difference has a cause: the files changed, somebody edited the
table, or both. docs/concepts explains the words and rules.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from schedsync.core.adoption import Adoption
from schedsync.core.change import Adopt, Cause, Change, Create, Delete, FieldChange, Held, Release, Rename, Update
from schedsync.core.finding import Finding
from schedsync.core.observed import Managed, Observed, Paused, Row
from schedsync.core.schedule import Desired, Schedule, Spec, completed_at, differing, spec_text
from schedsync.planning.fields import common_cause, field_changes
from schedsync.planning.match import Matcher
from schedsync.planning.notices import announcements
from schedsync.planning.pair import Pair, is_completed, is_held, rearms, spec_after, unless_completed, wanted


@dataclass(frozen=True, slots=True)
class Difference:
    """The result of a comparison.

    ``name_conflicts`` are pairs of a name in the files and the set that manages its row; None where nobody does.
    ``lost_rows`` are names in the ledger that are in no file, and whose row somebody deleted. ``to_record`` are
    schedules whose row already holds what the files say, while the ledger holds something older. ``joined`` are pauses
    to write for schedules that come under a standing pause; they are among ``paused`` too.
    """

    changes: tuple[Change, ...] = ()
    held: tuple[Held, ...] = ()
    completed: tuple[str, ...] = ()
    paused: tuple[Paused, ...] = ()
    unchanged: int = 0
    name_conflicts: tuple[tuple[str, str | None], ...] = ()
    lost_rows: tuple[str, ...] = ()
    to_record: tuple[Schedule, ...] = ()
    joined: tuple[Paused, ...] = ()
    notices: tuple[Finding, ...] = ()


_NO_FLAGS = Adoption()


def diff(desired: Desired, observed: Observed, now: datetime, *, adopt: Adoption = _NO_FLAGS) -> Difference:
    """Compare the files with the tables; deletes come first, then the other changes by name.

    ``now`` decides which schedules are completed and which pauses are over. ``adopt`` says which rows to take over,
    beside those with ``adopt`` in the files.
    """
    matcher = Matcher(desired, observed, now)
    comparison = _Comparison(observed.elsewhere, now, adopt)
    for schedule in desired.schedules.values():
        comparison.compare(matcher.pair(schedule))
    renamed = {change.old_name for change in comparison.changes if isinstance(change, Rename)}
    deletes = (_unwanted(managed, row, desired) for managed, row in matcher.unwanted(renamed))
    pauses = {name: pause for name, pause in observed.pauses.items() if name in desired.schedules}
    pauses |= {pause.name: pause for pause in comparison.joined}
    return Difference(
        changes=(*deletes, *sorted(comparison.changes, key=lambda change: change.name)),
        held=tuple(comparison.held),
        completed=tuple(comparison.completed),
        paused=tuple(pauses[name] for name in sorted(pauses)),
        unchanged=comparison.unchanged,
        name_conflicts=tuple(comparison.name_conflicts),
        lost_rows=matcher.lost_rows(),
        to_record=tuple(comparison.to_record),
        joined=tuple(comparison.joined),
        notices=tuple(announcements(desired, observed)),
    )


class _Comparison:
    """Collects the differences of one schedule after the other."""

    def __init__(self, elsewhere: Mapping[str, str], now: datetime, adopt: Adoption) -> None:
        self.elsewhere, self.now, self.adopt = elsewhere, now, adopt
        self.changes: list[Change] = []
        self.held: list[Held] = []
        self.completed: list[str] = []
        self.name_conflicts: list[tuple[str, str | None]] = []
        self.to_record: list[Schedule] = []
        self.joined: list[Paused] = []
        self.unchanged = 0

    def compare(self, pair: Pair) -> None:
        """Compare one schedule with its row."""
        if pair.old_name is not None:
            self._check_holder(pair)
            self._change(Rename, pair)
        elif pair.managed is None:
            self._compare_new(pair)
        elif pair.row is not None and pair.row.spec == pair.schedule.spec and pair.pause is None:
            self._compare_equal(pair, pair.managed)
        elif is_completed(pair):
            self._compare_completed(pair)
        elif pair.row is None:
            self._change(Create, pair)
        else:
            self._compare_changed(pair)

    def _compare_new(self, pair: Pair) -> None:
        name = pair.schedule.name
        if completed_at(pair.schedule.spec, self.now):
            self.completed.append(name)
            if pair.row is not None and self.adopt.takes(pair.schedule, self.elsewhere.get(name)):
                self.changes.append(_change(Adopt, pair, self._as_completed(pair, pair.row)))
            return
        self._check_holder(pair)
        self._change(Create if pair.row is None else Adopt, pair)

    def _check_holder(self, pair: Pair) -> None:
        """Note a conflict where the name of a schedule belongs to another set, or to a row that nobody manages."""
        name, holder = pair.schedule.name, self.elsewhere.get(pair.schedule.name)
        is_taken = holder is not None or (pair.row is not None and pair.row.name == name)
        if is_taken and not self.adopt.takes(pair.schedule, holder):
            self.name_conflicts.append((name, holder))

    def _compare_equal(self, pair: Pair, managed: Managed) -> None:
        if completed_at(pair.schedule.spec, self.now):
            self.completed.append(pair.schedule.name)
        else:
            self.unchanged += 1
        if managed.applied != spec_text(pair.schedule.spec):
            self.to_record.append(pair.schedule)

    def _compare_completed(self, pair: Pair) -> None:
        """Update a completed schedule only where the files changed it; edits in the table are left alone."""
        self.completed.append(pair.schedule.name)
        self._record_unreadable(pair)
        if pair.row is None or not pair.moved_on:
            return
        after = self._as_completed(pair, pair.row)
        if pair.row.spec is None or differing(after, pair.row.spec):
            self.changes.append(_change(Update, pair, after))

    def _as_completed(self, pair: Pair, row: Row) -> Spec:
        """Return what the row of a completed schedule shall hold: it is never enabled."""
        after = replace(wanted(pair), enabled=row.spec is not None and row.spec.enabled)
        return unless_completed(after, self.now)

    def _compare_changed(self, pair: Pair) -> None:
        if is_held(pair):
            self.held.append(Held(pair.schedule.name, pair.schedule.location))
        self._record_unreadable(pair)
        after = spec_after(pair)
        self._join(pair)
        if pair.row is None or pair.row.spec is None or differing(after, pair.row.spec):
            self.changes.append(_change(Update, pair, after))
        elif pair.joins:
            # The ledger must know that the files enable it: it runs when the pause ends.
            self.to_record.append(pair.schedule)
            self.unchanged += 1
        elif pair.pause is None or pair.paused:
            self.unchanged += not is_held(pair)

    def _record_unreadable(self, pair: Pair) -> None:
        """Record the files' values where the ledger's cannot be read, also if the row needs no change."""
        if pair.row is not None and pair.managed is not None and pair.managed.spec is None:
            self.to_record.append(pair.schedule)

    def _join(self, pair: Pair) -> None:
        if pair.joins and pair.pause is not None:
            self.joined.append(pair.pause)

    def _change(self, kind: type[Change], pair: Pair) -> None:
        self._join(pair)
        self.changes.append(_change(kind, pair, spec_after(pair)))


def _change(kind: type[Change], pair: Pair, after: Spec) -> Change:
    schedule = pair.schedule
    fields = field_changes(after, pair.row, pair.base)
    extra: dict[str, Any] = {}
    if pair.old_name is not None:
        extra["old_name"] = pair.old_name
        fields = (FieldChange("name", pair.old_name, schedule.name, _rename_cause(pair)), *fields)
    return kind(
        name=schedule.name,
        # Somebody deleted the row of a managed schedule.
        cause="drift" if kind is Create and pair.managed else common_cause(fields),
        fields=fields,
        row=pair.row,
        after=after,
        ledger=schedule.spec,
        location=schedule.location,
        people=schedule.people,
        edit_may_fire=schedule.edit_may_fire,
        rearm=rearms(pair, after),
        template=schedule.template,
        hashed=(None, schedule.hashed),
        **extra,
    )


def _rename_cause(pair: Pair) -> Cause:
    by_hand = pair.managed is not None and pair.managed.name == pair.schedule.name
    return "drift" if by_hand else "files"


def _unwanted(managed: Managed, row: Row, desired: Desired) -> Change:
    """Return the change of a managed schedule that is in no file any more."""
    if managed.name in desired.kept_rows:
        location, after = desired.removed.get(managed.name), desired.given_back.get(managed.name)
        fields = () if after is None or after == row.spec else field_changes(after, row, None)
        after = after if fields else None
        return Release(name=managed.name, fields=fields, row=row, after=after, location=location, people=managed.people)
    return Delete(
        name=managed.name,
        row=row,
        fields=field_changes(None, row, None),
        location=desired.removed.get(managed.name, managed.location),
        people=managed.people,
        announced=managed.name in desired.removed,
    )
