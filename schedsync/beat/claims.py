"""The claim is the guarantee: one for each schedule and tick, however many Beats believe that they lead.

All ticks that are due are claimed in one transaction, sent, and confirmed in another; a batch takes a fixed number of
statements. A schedule's claim moves only forward, and only from a tick that was confirmed, so that no tick is claimed
twice and none is forgotten. A claim is refused if the row was edited, disabled or run by another scheduler since it was
read. A tick that is claimed and not confirmed may not have been sent: the next holder of the lease adopts it, and sends
it again under the same task id.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any, NamedTuple

from django.db import connections
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Greatest
from django_celery_beat.models import PeriodicTask

from schedsync.beat.claim_statement import confirm_claims, insert_claims
from schedsync.beat.elections import renew_row
from schedsync.beat.environment import OwnEnvironment
from schedsync.beat.full_pause import PauseBegan
from schedsync.beat.loaded_schedule import LoadedSchedule
from schedsync.beat.message import DueTick, Message, Payload
from schedsync.beat.outbox import Claimed, ClaimedTick
from schedsync.beat.overlap import LeftOut, Looked, Overlap
from schedsync.beat.row_locks import finish, locked_elsewhere, moved_on
from schedsync.beat.scan import last_run_mark, mark_of, task_fingerprint
from schedsync.core.timing import MICROSECOND, Clocked
from schedsync.database.bounded import bounded
from schedsync.database.bulk import Among, batches
from schedsync.database.clock import DatabaseNow
from schedsync.models import Claim

#: Earlier than each tick, in the place of no last run.
_BEFORE = datetime(1970, 1, 1, tzinfo=timezone.utc)


class LeaseLost(Exception):
    """Another Beat has the lease, or this Beat must not have it: nothing was claimed."""


@dataclass(frozen=True, slots=True)
class Batch:
    """The result of one claim: the messages that are ours to send, and the ids of rows that are not.

    ``stale`` rows were edited, or run by a scheduler that claims nothing, since they were read. Of ``already_claimed``
    rows, this tick or a later one was claimed before: the last one is given. Of ``left_out`` rows the last run has not
    ended, and their ticks are passed over. A row in none of these must wait until another Beat has confirmed an earlier
    tick of it.
    """

    id: uuid.UUID
    messages: tuple[Message, ...] = ()
    stale: frozenset[int] = frozenset()
    already_claimed: Mapping[int, datetime] = field(default_factory=dict)
    left_out: Mapping[int, LeftOut] = field(default_factory=dict)


class RowNow(NamedTuple):
    """An enabled row as it is now: all of it was read by one statement. ``last_run`` is as ``mark_of`` gives it."""

    last_run: datetime | int | None
    fingerprint: int
    payload: Payload


@dataclass(frozen=True, slots=True)
class Orphan:
    """A tick that was claimed and not confirmed by a Beat that leads no longer; nothing is known of its schedule."""

    row_id: int
    tick: datetime
    one_off: bool = False

    @property
    def key(self) -> tuple[int, datetime]:
        """The key of its claim."""
        return self.row_id, self.tick


@dataclass
class Claims:
    """Claims as rows of a table, one for each schedule; ``lease`` also bounds each transaction.

    ``environment``: each claim asks whether the database belongs to it, as a copy may have replaced the database.
    ``may_send`` is asked in the transaction of each claim: False means that everything is paused. ``overlap`` says then
    which schedules must wait for their last run; None if none must.
    """

    using: str
    holder: uuid.UUID
    lease: timedelta
    checks_epoch: bool
    environment: OwnEnvironment | None = None
    may_send: Callable[[], bool] = lambda: True
    overlap: Overlap | None = None

    def claim(self, due_ticks: Sequence[DueTick], epoch: int) -> Batch:
        """Claim ticks, at most one of each schedule; raises LeaseLost or PauseBegan.

        A row must still be as it was when it was read. Its arguments are read here.
        """
        batch = uuid.uuid4()
        by_id = {due_tick.row_id: due_tick for due_tick in due_ticks}
        with bounded(self.using, self.lease):
            self._check(epoch)
            if not self.may_send():
                raise PauseBegan
            # Before the rows are read: a claim that is confirmed after this must stay.
            self._forget_undone(due_tick.loaded for due_tick in due_ticks if due_tick.loaded.last_run is None)
            rows = self.rows(by_id)
            mark = mark_of(self.using)
            fit = [due_tick for row_id, due_tick in sorted(by_id.items()) if _fits(due_tick, rows.get(row_id), mark)]
            ours, left_out = self._insert(fit, batch, epoch)
            already = self._already(each for each in fit if each.row_id not in ours and each.row_id not in left_out)
        stale = frozenset(by_id).difference(due_tick.row_id for due_tick in fit)
        messages = [
            Message(due_tick.loaded, due_tick.tick, rows[due_tick.row_id].payload)
            for due_tick in due_ticks
            if due_tick.row_id in ours
        ]
        return Batch(batch, tuple(messages), stale, already, left_out)

    def _insert(
        self, fit: Sequence[DueTick], batch: uuid.UUID, epoch: int
    ) -> tuple[Collection[int], Mapping[int, LeftOut]]:
        """Claim ticks; returns the ids of the rows whose ticks were claimed, and what is left out of the others."""
        looked = Looked() if self.overlap is None else self.overlap.look(fit)
        keys = [due_tick.key for due_tick in fit if due_tick.row_id not in looked.busy]
        ours = insert_claims(self.using, keys, batch, epoch) if keys else set()
        if self.overlap is None or not looked.ticks:
            return ours, {}
        self.overlap.begin(looked, ours)
        return ours, self.overlap.leave_out(looked, epoch)

    def _already(self, due_ticks: Iterable[DueTick]) -> dict[int, datetime]:
        """Return the last claimed ticks, except of rows of which another Beat has not confirmed an earlier tick yet."""
        ticks = {due_tick.row_id: due_tick.tick for due_tick in due_ticks}
        if not ticks:
            return {}
        claims = Claim.objects.using(self.using).filter(Among(ticks)).values_list("row_id", "tick")
        return {row_id: tick for row_id, tick in claims if tick >= ticks[row_id]}

    def _check(self, epoch: int) -> None:
        if self.checks_epoch:
            if not renew_row(self.using, self.holder, epoch, self.lease):
                raise LeaseLost("another Beat has it")
        else:
            self._write_first()

    def _check_environment(self) -> None:
        if self.environment is not None and not self.environment.look():
            raise LeaseLost("the database belongs to another environment")

    def _write_first(self) -> None:
        """Begin with a write that changes nothing: on SQLite a transaction that reads first cannot wait for a lock."""
        if connections[self.using].vendor == "sqlite":
            Claim.objects.using(self.using).filter(pk=0).update(epoch=0)

    def rows(self, ids: Collection[int]) -> dict[int, RowNow]:
        """Return the enabled rows among these; raises LeaseLost if the database belongs to another environment."""
        fits = Q() if self.environment is None else self.environment.condition()
        enabled = PeriodicTask.objects.using(self.using).filter(fits, enabled=True).order_by()
        columns = enabled.annotate(print=task_fingerprint(self.using), ran=last_run_mark(self.using)).values_list(
            "pk", "ran", "print", *Payload._fields
        )
        rows = {
            row_id: RowNow(last_run, fingerprint, Payload(args or "[]", kwargs or "{}", headers or "{}"))
            for part in batches(list(ids))
            for row_id, last_run, fingerprint, args, kwargs, headers in columns.filter(Among(part))
        }
        if not rows:
            self._check_environment()
        return rows

    def _forget_undone(self, never_ran: Iterable[LoadedSchedule]) -> None:
        """Forget confirmed claims of rows whose last run was set to NULL since: they are to run anew.

        Forgotten are claims that a clock ahead of its time has made, and those of clocked rows: their confirmation has
        disabled the row, so somebody has enabled it again.
        """
        kinds = {schedule.row_id: isinstance(schedule.timing, Clocked) for schedule in never_ran}
        if kinds:
            claims = Claim.objects.using(self.using).filter(Among(kinds), confirmed=True)
            clocked = [row_id for row_id, is_clocked in kinds.items() if is_clocked]
            claims.filter(Q(tick__gt=DatabaseNow() + self.lease) | Q(pk__in=clocked)).delete()

    def unconfirmed_rows(self, claimed: Claimed) -> set[int]:
        """Return the ids of the rows whose claims still belong to their batch and are not confirmed."""
        return {row_id for claims in self._unconfirmed([claimed]) for row_id in claims.values_list("row_id", flat=True)}

    def keep_alive(self, held: Iterable[Claimed]) -> None:
        """Renew the time of claims that are not confirmed: without an election, other Beats take over old ones."""
        if not self.checks_epoch:
            for claims in self._unconfirmed(held):
                claims.update(claimed_at=DatabaseNow())

    def regroup(self, held: Iterable[Claimed]) -> uuid.UUID:
        """Put what is not confirmed of batches into one new batch."""
        batch = uuid.uuid4()
        for claims in self._unconfirmed(held):
            claims.update(batch=batch, claimed_at=DatabaseNow())
        return batch

    def _unconfirmed(self, held: Iterable[Claimed]) -> Iterator[Any]:
        """Yield the claims that still belong to their batch and are not confirmed, by their keys: no other index."""
        held = list(held)
        claims = Claim.objects.using(self.using)
        claims = claims.filter(batch__in={claimed.batch for claimed in held}, confirmed=False)
        for ids in batches([tick.row_id for claimed in held for tick in claimed.ticks]):
            yield claims.filter(Among(ids))

    def release(self, batch: uuid.UUID, row_ids: Collection[int]) -> None:
        """Give up the claims of ticks that were not sent: the ticks count as missed, and can be claimed again.

        Earlier ticks stay claimed. A row that never ran has none: its claim is deleted, because a claim of a row that
        has no last run means that the row was disabled and enabled again.
        """
        claims = Claim.objects.using(self.using).filter(batch=batch, confirmed=False)
        never_ran = PeriodicTask.objects.using(self.using).filter(last_run_at=None)
        with bounded(self.using, self.lease):
            self._write_first()
            for ids in batches(sorted(row_ids)):
                first = list(never_ran.filter(Among(ids)).values_list("pk", flat=True))
                claims.filter(Among(first)).delete()
                claims.filter(Among(ids)).update(tick=F("tick") - MICROSECOND, confirmed=True)

    def confirm(self, batch: uuid.UUID, ticks: Sequence[ClaimedTick]) -> set[int]:
        """Write the runs back in one transaction: last run and count of the rows that the batch still claims.

        A last run never moves back, and does not return to a row that was disabled and whose last run was set to NULL.
        Returns the ids of rows that another transaction has locked: nobody waits for them, confirm them later.
        """
        ids = sorted(tick.row_id for tick in ticks)
        one_offs = {tick.row_id for tick in ticks if tick.one_off}
        claims = Claim.objects.using(self.using)
        # By its key alone: with more conditions a planner may look through a whole batch for each row.
        claimed = Subquery(claims.filter(pk=OuterRef("pk")).values("tick"))
        with bounded(self.using, self.lease):
            self._write_first()
            locked = locked_elsewhere(self.using, ids)
            mine = confirm_claims(self.using, [row_id for row_id in ids if row_id not in locked], batch)
            if self.overlap is not None:
                self.overlap.sent(ticks, mine)
            done = one_offs & mine
            enabled = PeriodicTask.objects.using(self.using).filter(enabled=True)
            wanted = mine - moved_on(enabled.filter(Among(done)), claimed)
            rows = enabled.filter(Among(wanted))
            last_run = Greatest(Coalesce(F("last_run_at"), _BEFORE), claimed)
            rows.update(last_run_at=last_run, total_run_count=F("total_run_count") + 1)
            finish(rows.filter(Among(done & wanted)))
        return locked

    def adopt(self, epoch: int) -> tuple[uuid.UUID, list[Orphan]]:
        """Take over claims that other Beats left unconfirmed, under a new batch.

        These are the claims of earlier epochs; without an election those that are older than a lease.
        """
        batch = uuid.uuid4()
        claims = Claim.objects.using(self.using)
        left = Q(epoch__lt=epoch) if self.checks_epoch else Q(claimed_at__lt=DatabaseNow() - self.lease)
        with bounded(self.using, self.lease):
            self._check(epoch)
            self._check_environment()
            if not claims.filter(left, confirmed=False).exists():
                return batch, []
            claims.filter(left, confirmed=False).update(batch=batch, epoch=epoch, claimed_at=DatabaseNow())
            adopted = claims.filter(batch=batch).values_list("row_id", "tick")
            return batch, [Orphan(row_id, tick) for row_id, tick in adopted]

    def forget_deleted(self) -> None:
        """Delete the claims of rows that are gone.

        They are looked for first: on MariaDB a DELETE with a subquery waits for locked rows.
        """
        tasks = PeriodicTask.objects.using(self.using).filter(pk=OuterRef("row_id"))
        claims = Claim.objects.using(self.using)
        for ids in batches(list(claims.filter(~Exists(tasks)).values_list("pk", flat=True))):
            claims.filter(Among(ids)).delete()
        if self.overlap is not None:
            self.overlap.forget_deleted()


def _fits(due_tick: DueTick, row: RowNow | None, mark: Callable[[datetime | None], datetime | int | None]) -> bool:
    loaded = due_tick.loaded
    return row is not None and row.fingerprint == loaded.fingerprint and row.last_run == mark(loaded.last_run)
