"""What becomes of a schedule that is in no file any more: deleted, disabled for a grace first, or no longer managed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from schedsync.core.change import Change, Consequence, Delete, FieldChange, Release, Rename, Update
from schedsync.core.observed import Managed, Observed, Paused, Row
from schedsync.core.removing import Removing, grace_text
from schedsync.core.schedule import Desired, Spec, spec_text
from schedsync.core.timing import moment
from schedsync.planning.fields import common_cause, field_changes


@dataclass(frozen=True, slots=True)
class Remover:
    """Decides about the schedules of one set that are in no file any more; ``grace`` is None where there is none."""

    desired: Desired
    observed: Observed
    now: datetime
    grace: timedelta | None = None

    def change(self, managed: Managed, row: Row) -> Change | None:
        """Return the change of a managed schedule; None where it only waits for the end of its grace."""
        name = managed.name
        if name in self.desired.kept_rows:
            return self._release(managed, row)
        known = row.spec or managed.spec
        if self.grace is None or known is None or (managed.removing and managed.removing.is_over(self.now)):
            return self._delete(managed, row)
        if managed.removing is not None and managed.spec is not None:
            return self._disable_again(managed, row, managed.spec, managed.removing)
        removing = Removing(self.now, self.now + self.grace, _is_held(managed, row, self.observed.pauses.get(name)))
        return self._disable(managed, row, replace(known, enabled=False), removing)

    def waiting(self, managed: Managed) -> bool:
        """Say whether a schedule was disabled by an earlier apply, and may not be deleted yet."""
        if self.grace is None or managed.removing is None or managed.name in self.desired.kept_rows:
            return False
        return managed.spec is not None and not managed.removing.is_over(self.now)

    def _release(self, managed: Managed, row: Row) -> Release:
        after = self.desired.given_back.get(managed.name)
        fields = () if after is None or after == row.spec else field_changes(after, row, None)
        return Release(
            name=managed.name,
            fields=fields,
            row=row,
            after=after if fields else None,
            location=self.desired.removed.get(managed.name),
            people=managed.people,
        )

    def _delete(self, managed: Managed, row: Row) -> Delete:
        return Delete(
            name=managed.name,
            row=row,
            fields=field_changes(None, row, None),
            location=self.desired.removed.get(managed.name, managed.location),
            people=managed.people,
            announced=managed.name in self.desired.removed,
            removing=managed.removing,
        )

    def _disable_again(self, managed: Managed, row: Row, after: Spec, removing: Removing) -> Update | None:
        """Undo what somebody did to the row since it was disabled; None where it is as it was."""
        is_same = row.spec == after and row.name == managed.name
        return None if is_same else self._disable(managed, row, after, removing)

    def _disable(self, managed: Managed, row: Row, after: Spec, removing: Removing) -> Update:
        fields = tuple(_fields(managed, row, after))
        return Update(
            name=managed.name,
            cause=common_cause(fields),
            fields=fields,
            row=row,
            after=after,
            ledger=after,
            location=self.desired.removed.get(managed.name, managed.location),
            people=managed.people,
            announced=managed.name in self.desired.removed,
            removing=removing,
        )


def _fields(managed: Managed, row: Row, after: Spec) -> Iterator[FieldChange]:
    if row.name != managed.name:
        yield FieldChange("name", row.name, managed.name, "drift")
    yield from field_changes(after, row, managed.spec or row.spec)


def _is_held(managed: Managed, row: Row, pause: Paused | None) -> bool:
    """Say whether a human, or Beat after the last run, has disabled the row: not a pause, and not the files."""
    if row.spec is None or row.spec.enabled or not managed.was_enabled:
        return False
    return pause is None or pause.was_held


def before_removal(managed: Managed | None) -> Managed | None:
    """Return an entry of the ledger as it was before its removal began, so that a held schedule is held again."""
    if managed is None or managed.removing is None or not managed.removing.held or managed.spec is None:
        return managed
    return replace(managed, applied=spec_text(replace(managed.spec, enabled=True)))


def is_removal(change: Change) -> bool:
    """Say whether a change removes a schedule that is in no file any more: deletes it, or disables it before that."""
    return isinstance(change, Delete) or change.removing is not None


def consequences_of_removal(change: Change, observed: Observed, now: datetime) -> Iterator[Consequence]:
    """Yield what a change means for a schedule that is being removed, or was until now."""
    before = observed.ledger.get(change.old_name if isinstance(change, Rename) else change.name)
    was = before.removing if before else None
    if change.removing is None:
        if was is not None and change.after is not None:
            message = "defined again before the end of its grace: keeps its row and its last run"
            yield Consequence("put_back", message)
    elif change.after is None:
        yield _deleted(change.removing, now)
    else:
        yield Consequence("removing", _removing_text(change.removing, now, is_new=was is None), change.removing.until)


def _removing_text(removing: Removing, now: datetime, *, is_new: bool) -> str:
    """Say when a schedule is deleted; of a new removal for how long it waits, because the apply may come later."""
    if is_new:
        when = f"{grace_text(removing.until - removing.since)} after this apply"
    else:
        when = f"after {moment(removing.until, timezone.utc, now)} UTC"
    return f"in no file any more: deleted {when}, unless a file defines it again"


def _deleted(removing: Removing, now: datetime) -> Consequence:
    if removing.is_over(now):
        since = moment(removing.since, timezone.utc, now)
        return Consequence("grace_over", f"its grace is over: in no file since {since} UTC")
    until = moment(removing.until, timezone.utc, now)
    return Consequence("grace_over", f"deleted without waiting until {until} UTC: `[prune]` has no grace now")
