"""Rows whose last run the leader corrects: those enabled again, those undone by a save, and early ones.

django-celery-beat's admin action "enable" changes nothing but ``enabled``. Such a row would count from its last edit,
perhaps years ago, and send the ticks of the time in which it was disabled.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Set
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import Exists, OuterRef, Q
from django_celery_beat.models import PeriodicTask

from schedsync.beat.loaded_schedule import LoadedSchedule
from schedsync.beat.row_locks import locked_elsewhere
from schedsync.calendar.ticks import GRACE
from schedsync.core.timing import Clocked
from schedsync.database.bounded import bounded
from schedsync.database.bulk import BATCH
from schedsync.database.clock import DatabaseNow
from schedsync.models import Claim, ManagedSchedule


class LookTimes(NamedTuple):
    """When Beat looked at the rows: ``before`` last time, and ``now``."""

    before: datetime
    now: datetime


@dataclass
class RunRepairs:
    """Notes rows when they are read, and corrects them when this Beat leads.

    A row that was enabled again counts from the look that found it.
    """

    _enabled: dict[int, LookTimes] = field(default_factory=dict)
    _undone: dict[int, tuple[datetime, int]] = field(default_factory=dict)
    _early: dict[int, datetime] = field(default_factory=dict)
    #: The rows that the last write has let count from an instant, with that instant.
    enabled_again: list[tuple[int, datetime]] = field(default_factory=list)

    @property
    def pending(self) -> Set[int]:
        """The ids of the rows that are to be corrected; they must send nothing until then."""
        return self._enabled.keys() | self._undone.keys() | self._early.keys()

    @property
    def early(self) -> Set[int]:
        """The ids of the rows whose runs are of the future."""
        return self._early.keys()

    def drop(self, row_id: int) -> None:
        """Forget a row."""
        self._enabled.pop(row_id, None)
        self._undone.pop(row_id, None)
        self._early.pop(row_id, None)

    def compare(self, before: LoadedSchedule | None, after: LoadedSchedule, look: LookTimes) -> None:
        """Note a row that was read, if its runs are to be corrected; ``before`` is None if it was not there."""
        self.drop(after.row_id)
        if after.one_off and (isinstance(after.timing, Clocked) or after.is_done):
            return
        if before is not None and before.last_run is not None and _is_undone(before.last_run, before, after, look):
            self._undone[after.row_id] = before.last_run, before.count
            after.last_run, after.count = before.last_run, before.count
            after.schedule_next()
        elif _is_enabled_again(before, after) and _may_count_from_the_past(after, look):
            self._enabled[after.row_id] = look

    def count_from(self, schedule: LoadedSchedule, last_run: datetime) -> None:
        """Let a schedule whose runs are of the future count from an instant again."""
        self._early[schedule.row_id] = schedule.last_run = last_run
        schedule.schedule_next()

    def find(self, using: str) -> None:
        """Note rows that ran after their last edit, and whose last run is gone: they were disabled, and enabled."""
        now = datetime.now(timezone.utc)
        later = Claim.objects.using(using).filter(pk=OuterRef("pk"), confirmed=True, tick__gte=OuterRef("date_changed"))
        rows = PeriodicTask.objects.using(using).filter(Exists(later), enabled=True, last_run_at=None, clocked=None)
        for row_id in rows.values_list("pk", flat=True):
            self._enabled.setdefault(row_id, LookTimes(now + 2 * GRACE, now))

    def write(self, using: str, limit: timedelta) -> set[int]:
        """Correct rows; returns the ids of those that wait no longer. Locked rows are corrected later."""
        self.enabled_again = []
        ids = sorted(self.pending)[:BATCH]
        if not ids:
            return set()
        with bounded(using, limit):
            if connections[using].vendor == "sqlite":
                # A transaction that reads first cannot wait for the lock.
                Claim.objects.using(using).filter(pk=0).update(epoch=0)
            free = set(ids) - locked_elsewhere(using, ids)
            for look, row_ids in self._by_look(free):
                enabled = _enabled_again(using, row_ids, look)
                _count_from(using, enabled, look.now, limit)
                self.enabled_again += [(row_id, look.now) for row_id in enabled]
            for row_id in free & self._undone.keys():
                _write_again(using, row_id, *self._undone[row_id])
            for row_id in free & self._early.keys():
                _set_back(using, row_id, self._early[row_id], limit)
        for row_id in free:
            self.drop(row_id)
        return free

    def _by_look(self, row_ids: Collection[int]) -> Iterator[tuple[LookTimes, list[int]]]:
        groups: dict[LookTimes, list[int]] = defaultdict(list)
        for row_id in row_ids:
            if row_id in self._enabled:
                groups[self._enabled[row_id]].append(row_id)
        yield from groups.items()


def _is_undone(last_run: datetime, before: LoadedSchedule, after: LoadedSchedule, look: LookTimes) -> bool:
    """Say whether somebody saved a whole row that was read before Beat wrote a run into it."""
    if after.count >= before.count:
        return False
    return after.changed >= look.before - GRACE if after.last_run is None else after.last_run < last_run


def _is_enabled_again(before: LoadedSchedule | None, after: LoadedSchedule) -> bool:
    return before is None or (before.last_run is not None and after.last_run is None)


def _may_count_from_the_past(schedule: LoadedSchedule, look: LookTimes) -> bool:
    would_fire = schedule.tick is not None and schedule.tick <= look.now
    if schedule.last_run is not None:
        return would_fire
    return schedule.changed < look.before - GRACE or (schedule.count > 0 and would_fire)


def _enabled_again(using: str, row_ids: Collection[int], look: LookTimes) -> list[int]:
    """Return the rows that would send ticks of the time before, and that no apply has enabled.

    An apply itself decides whether its edit may fire.
    """
    recently = look.before - GRACE
    applied = ManagedSchedule.objects.using(using).filter(row_id=OuterRef("pk"), applied_at__gte=recently)
    started = Q(total_run_count__gt=0, start_time__lte=look.now)
    never_ran = Q(last_run_at=None) & (Q(date_changed__lt=recently) | started)
    # A row with a last run and without a count was made, by an import for example.
    ran = Q(last_run_at__lt=look.now) & (Q(date_changed__lt=recently) | Q(total_run_count__gt=0))
    rows = PeriodicTask.objects.using(using).filter(never_ran | ran, ~Exists(applied))
    return list(rows.filter(pk__in=row_ids, enabled=True).values_list("pk", flat=True))


def _count_from(using: str, row_ids: Collection[int], at: datetime, limit: timedelta) -> None:
    """Let rows count from an instant, as an apply does, and forget claims that a clock ahead of its time has made."""
    claims: Any = Claim.objects.using(using)
    claims.filter(pk__in=row_ids, confirmed=True, tick__gt=DatabaseNow() + limit).delete()
    PeriodicTask.objects.using(using).filter(pk__in=row_ids).update(last_run_at=at, date_changed=at)


def _write_again(using: str, row_id: int, last_run: datetime, count: int) -> None:
    older = Q(last_run_at=None) | Q(last_run_at__lt=last_run)
    rows = PeriodicTask.objects.using(using).filter(older, pk=row_id, enabled=True, total_run_count__lt=count)
    rows.update(last_run_at=last_run, total_run_count=count)


def _set_back(using: str, row_id: int, last_run: datetime, limit: timedelta) -> None:
    """Forget a claim that a clock ahead of its time has made, and the run that was written for it."""
    Claim.objects.using(using).filter(pk=row_id, tick__gt=DatabaseNow() + limit).delete()
    rows = PeriodicTask.objects.using(using).filter(pk=row_id, enabled=True, last_run_at__gt=last_run)
    rows.update(last_run_at=last_run)
