"""One wanted schedule beside what stands for it: what is completed, held, paused or armed again."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from datetime import datetime

from schedsync.core.observed import Managed, Paused, Row
from schedsync.core.schedule import FIELDS, Schedule, Spec, completed_at, differing, with_fields
from schedsync.core.timing import Clocked


@dataclass(frozen=True, slots=True)
class Pair:
    """One wanted schedule beside what stands for it: its row, its ledger entry, its pause."""

    schedule: Schedule
    row: Row | None
    managed: Managed | None
    pause: Paused | None
    now: datetime

    @property
    def paused(self) -> bool:
        """Whether a pause is in force."""
        return self.pause is not None and not self.pause.ended(self.now)

    @property
    def base(self) -> Spec | None:
        """What was last applied; a pause of ours disabled the row since."""
        if self.managed is None:
            return None
        return self.managed.spec if self.pause is None else replace(self.managed.spec, enabled=False)

    @property
    def moved_on(self) -> tuple[str, ...]:
        """The fields that the files changed since they were last applied."""
        spec = self.schedule.spec
        return FIELDS if self.managed is None else differing(spec, self.managed.spec)


def is_completed(pair: Pair) -> bool:
    """Say whether nothing lies ahead of a schedule: by the clock, or because a one-off has run."""
    spec = pair.schedule.spec
    if completed_at(spec, pair.now):
        return True
    if not spec.one_off or pair.row is None or pair.managed is None or _new_instant(pair):
        return False
    held = pair.row.spec
    if held is None or not held.one_off or not pair.managed.spec.one_off or _lies_ahead(held, pair.now):
        return False
    if pair.row.total_run_count > 0:
        return True
    # After its run Beat disables a one-off and resets its count, so the row looks like one that never ran.
    return not held.enabled and pair.managed.spec.enabled and spec.enabled and pair.pause is None


def _lies_ahead(spec: Spec, now: datetime) -> bool:
    """Say whether a one-off cannot have run yet."""
    if isinstance(spec.timing, Clocked) and spec.timing.at > now:
        return True
    return spec.start_at is not None and spec.start_at > now


def _new_instant(pair: Pair) -> bool:
    """Say whether the files give a one-off another time to run at."""
    return bool({"timing", "start_at", "one_off"} & set(pair.moved_on))


def rearms(pair: Pair, after: Spec) -> bool:
    """Say whether the count must be reset: Beat never runs a one-off that has a count."""
    row = pair.row
    if row is None or not after.one_off or completed_at(after, pair.now):
        return False
    if pair.managed is None:
        # A row that is taken over: what ran once already under its former owner does not run again.
        return row.total_run_count > 0 and (row.spec is None or not row.spec.one_off)
    return row.total_run_count > 0 and _new_instant(pair)


def is_held(pair: Pair) -> bool:
    """Say whether somebody other than Beat or us disabled a schedule since the last apply."""
    row, managed = pair.row, pair.managed
    if row is None or row.spec is None or managed is None or pair.pause is not None:
        return False
    if "enabled" in pair.schedule.ignore_changes or _rearms_by_instant(pair):
        return False
    return pair.schedule.spec.enabled and managed.spec.enabled and not row.spec.enabled


def _rearms_by_instant(pair: Pair) -> bool:
    return pair.schedule.spec.one_off and _new_instant(pair)


def wanted(pair: Pair) -> Spec:
    """The files' values, but for the fields that are left to operators."""
    spec, row, ignored = pair.schedule.spec, pair.row, pair.schedule.ignore_changes
    if pair.pause is not None:
        # It was our pause that disabled the row, no operator.
        ignored -= {"enabled"}
    if not ignored or row is None or row.spec is None:
        return spec
    return _runnable(with_fields(spec, row.spec, ignored), ignored)


def _runnable(spec: Spec, ignored: Collection[str]) -> Spec:
    """Return a mixture of the files' and an operator's values as Beat can run it."""
    if isinstance(spec.timing, Clocked) and not spec.one_off:
        spec = replace(spec, one_off=True)
    if spec.expires_at is not None and spec.expires_after is not None:
        return replace(spec, expires_after=None) if "expires_at" in ignored else replace(spec, expires_at=None)
    return spec


def spec_after(pair: Pair) -> Spec:
    """What the row shall hold: the files' values, stopped where a pause or a human's hand stopped it."""
    spec = unless_completed(wanted(pair), pair.now)
    return replace(spec, enabled=False) if pair.paused or is_held(pair) else spec


def unless_completed(spec: Spec, now: datetime) -> Spec:
    """A clocked time of the past fires whatever guards it, so it is never written enabled."""
    return replace(spec, enabled=False) if spec.enabled and completed_at(spec, now) else spec
