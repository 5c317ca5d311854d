"""One schedule of the files beside its row: is it completed, held or armed again, and what does the row get."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from schedsync.core.observed import Managed, Paused, Row
from schedsync.core.schedule import FIELDS, Schedule, Spec, completed_at, differing, with_fields
from schedsync.core.timing import Clocked


@dataclass(frozen=True, slots=True)
class Pair:
    """One schedule of the files with its row, its ledger entry and its pause.

    ``joins`` says that this apply puts it under a standing pause; before, nothing had paused it.
    """

    schedule: Schedule
    row: Row | None
    managed: Managed | None
    pause: Paused | None
    now: datetime
    joins: bool = False

    @property
    def old_name(self) -> str | None:
        """The row's name where it is not the schedule's, else None."""
        return self.row.name if self.row is not None and self.row.name != self.schedule.name else None

    @property
    def paused(self) -> bool:
        """Whether a pause is in force."""
        return self.pause is not None and not self.pause.ended(self.now)

    @property
    def applied(self) -> Spec | None:
        """The spec that was applied last; the row's where the ledger's cannot be read, None where neither can."""
        if self.managed is None:
            return None
        return self.managed.spec or (self.row.spec if self.row is not None else None)

    @property
    def base(self) -> Spec | None:
        """The spec that was applied last; disabled where a pause disabled the row since."""
        applied = self.applied
        return applied if applied is None or self.pause is None or self.joins else replace(applied, enabled=False)

    @property
    def moved_on(self) -> tuple[str, ...]:
        """The fields that the files changed since they were applied last."""
        return FIELDS if self.applied is None else differing(self.schedule.spec, self.applied)


def is_completed(pair: Pair) -> bool:
    """Say whether a schedule has no run ahead: its time has passed, or it is a one-off that has run."""
    spec = pair.schedule.spec
    if completed_at(spec, pair.now):
        return True
    if not spec.one_off or pair.row is None or pair.managed is None or _new_instant(pair):
        return False
    in_table, applied = pair.row.spec, pair.applied
    if in_table is None or applied is None or not in_table.one_off or not applied.one_off:
        return False
    if _is_ahead(in_table, pair.now):
        return False
    if pair.row.total_run_count > 0:
        return True
    # After its run Beat disables a one-off and resets its count, so the row looks as if it had never run.
    return not in_table.enabled and pair.managed.was_enabled and spec.enabled and pair.pause is None


def _is_ahead(spec: Spec, now: datetime) -> bool:
    """Say whether a one-off cannot have run yet."""
    if isinstance(spec.timing, Clocked) and spec.timing.at > now:
        return True
    return spec.start_at is not None and spec.start_at > now


def _new_instant(pair: Pair) -> bool:
    """Say whether the files give a one-off another time to run at."""
    return bool({"timing", "start_at", "one_off"} & set(pair.moved_on))


def rearms(pair: Pair, after: Spec) -> bool:
    """Say whether the run count must be reset: Beat never runs a one-off whose count is not 0."""
    row = pair.row
    if row is None or not after.one_off or completed_at(after, pair.now):
        return False
    if pair.managed is None:
        # The row is taken over: a one-off that its former owner has run does not run again.
        return row.total_run_count > 0 and (row.spec is None or not row.spec.one_off)
    return row.total_run_count > 0 and _new_instant(pair)


def is_held(pair: Pair) -> bool:
    """Say whether somebody other than Beat or schedsync disabled a schedule since the last apply."""
    row, managed = pair.row, pair.managed
    if row is None or row.spec is None or managed is None or pair.pause is not None:
        return False
    if "enabled" in pair.schedule.ignore_changes or _rearms_by_instant(pair):
        return False
    return pair.schedule.spec.enabled and managed.was_enabled and not row.spec.enabled


def _rearms_by_instant(pair: Pair) -> bool:
    return pair.schedule.spec.one_off and _new_instant(pair)


def wanted(pair: Pair) -> Spec:
    """Return the files' values, but the row's for fields under ``ignore_changes``."""
    spec, row, ignored = pair.schedule.spec, pair.row, pair.schedule.ignore_changes
    if pair.pause is not None or _was_removing(pair):
        # The pause, or the removal, disabled the row, not an operator's edit.
        ignored -= {"enabled"}
    if not ignored or row is None or row.spec is None:
        return spec
    return _runnable(with_fields(spec, row.spec, ignored), ignored)


def _was_removing(pair: Pair) -> bool:
    """Say whether an apply disabled the row because no file defined it, and nobody had disabled it before."""
    removing = pair.managed.removing if pair.managed is not None else None
    return removing is not None and not removing.held


def _runnable(spec: Spec, ignored: Collection[str]) -> Spec:
    """Return a mixture of the files' and an operator's values as Beat can run it."""
    if isinstance(spec.timing, Clocked) and not spec.one_off:
        spec = replace(spec, one_off=True)
    if spec.expires_at is not None and spec.expires_after is not None:
        return replace(spec, expires_after=None) if "expires_at" in ignored else replace(spec, expires_at=None)
    return spec


def spec_after(pair: Pair) -> Spec:
    """Return what the row shall hold: the files' values, but disabled where it is paused or held."""
    spec = unless_completed(wanted(pair), pair.now)
    return replace(spec, enabled=False) if pair.paused or is_held(pair) else spec


def unless_completed(spec: Spec, now: datetime) -> Spec:
    """Return a spec, disabled where it is completed: Beat would run a clocked time of the past at once."""
    return replace(spec, enabled=False) if spec.enabled and completed_at(spec, now) else spec
