"""The claim is the guarantee: one for each schedule and tick, whoever believes to lead.

All that is due is claimed in one transaction, sent, and confirmed in another; a fixed number of statements for a
batch. The claim of a schedule moves only forward, and only from a tick that was confirmed, so that none is claimed
twice and none forgotten; it is refused where the row was edited, disabled or run by another hand since it was read.
What is claimed and not confirmed may not have been sent: it is adopted by the next holder of the lease, and sent again
under the same task id.
"""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple, Protocol

from django.db import connections
from django.db.models import Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce, Greatest
from django_celery_beat.models import PeriodicTask

from schedsync.beat.leadership import still_holds
from schedsync.beat.loaded_schedule import LoadedSchedule, Message
from schedsync.beat.row_locks import finish, locked_elsewhere, moved_on
from schedsync.beat.scan import task_fingerprint
from schedsync.core.timing import Clocked
from schedsync.database.bounded import bounded
from schedsync.database.bulk import batches
from schedsync.database.clock import DatabaseNow
from schedsync.models import Claim


class LeaseLost(Exception):
    """Another Beat has the lease: nothing was claimed."""


@dataclass(frozen=True, slots=True)
class Batch:
    """What one transaction claimed: the messages that are ours to send, and by their rows' ids those that are not.

    ``stale`` rows were edited, or run by somebody who claims nothing, since they were read. The ticks of ``taken`` ones
    were claimed before. What is in none of these must wait until another Beat has confirmed an earlier tick.
    """

    id: uuid.UUID
    messages: tuple[Message, ...] = ()
    stale: frozenset[int] = frozenset()
    taken: frozenset[int] = frozenset()


class _Row(NamedTuple):
    """An enabled row as it is when it is claimed."""

    last_run: datetime | None
    fingerprint: int


@dataclass(frozen=True, slots=True)
class Orphan:
    """A tick that was claimed and not confirmed by a Beat that leads no longer."""

    row_id: int
    tick: datetime

    @property
    def key(self) -> tuple[int, datetime]:
        """The key of its message."""
        return self.row_id, self.tick


class Claims(Protocol):
    """Takes ticks on, and writes down that they were sent."""

    def claim(self, messages: Sequence[Message], epoch: int) -> Batch:
        """Claim ticks, at most one of each schedule; raises LeaseLost."""
        ...

    def held(self, batch: uuid.UUID) -> set[int]:
        """Return the ids of the rows whose claims still belong to a batch and are not confirmed."""
        ...

    def hold(self, batches: Collection[uuid.UUID]) -> None:
        """Say that the claims of batches are still being worked on."""
        ...

    def regroup(self, batches: Collection[uuid.UUID]) -> uuid.UUID:
        """Put what is not confirmed of batches into one new batch."""
        ...

    def confirm(self, batch: uuid.UUID, messages: Sequence[Message]) -> set[int]:
        """Write the runs back: last run and count of those that are still claimed by the batch.

        Returns the ids of rows that somebody else has locked: nobody waits for them, they are to be confirmed later.
        """
        ...

    def adopt(self, epoch: int) -> tuple[uuid.UUID, list[Orphan]]:
        """Take over what others left unconfirmed; returns it under a batch of its own."""
        ...

    def forget_deleted(self) -> None:
        """Forget the claims of rows that are gone."""
        ...


@dataclass
class StoredClaims:
    """Claims as rows of a table, of which each schedule has one."""

    using: str
    holder: uuid.UUID
    lease: timedelta
    checks_epoch: bool
    _columns: tuple[str, ...] = field(default=("row_id", "tick", "batch", "epoch", "claimed_at", "confirmed"))

    def claim(self, messages: Sequence[Message], epoch: int) -> Batch:
        """Claim ticks where the lease is still held and the rows are still what they were when they were read."""
        batch = uuid.uuid4()
        by_id = {message.entry.row_id: message for message in messages}
        with bounded(self.using, self.lease):
            self._check(epoch)
            # Before the rows are read: what is confirmed from then on must stay, whatever they say.
            self._forget_undone(message.entry for message in messages if message.entry.last_run is None)
            rows = self._rows(by_id)
            fit = [message for row_id, message in sorted(by_id.items()) if _fits(message, rows.get(row_id))]
            if fit:
                self._insert(fit, batch, epoch)
            held = self.held(batch)
            busy = self._busy([message for message in fit if message.entry.row_id not in held])
        ours = tuple(message for message in messages if message.entry.row_id in held)
        stale = frozenset(by_id).difference(message.entry.row_id for message in fit)
        taken = frozenset(by_id).difference(stale, held, busy)
        return Batch(batch, ours, stale, taken)

    def _busy(self, messages: Sequence[Message]) -> frozenset[int]:
        if not messages:
            return frozenset()
        ticks = {message.entry.row_id: message.tick for message in messages}
        found = Claim.objects.using(self.using).filter(pk__in=ticks, confirmed=False).values_list("row_id", "tick")
        return frozenset(row_id for row_id, tick in found if tick < ticks[row_id])

    def _check(self, epoch: int) -> None:
        if self.checks_epoch:
            if not still_holds(self.using, self.holder, epoch, self.lease):
                raise LeaseLost
        else:
            self._write_first()

    def _write_first(self) -> None:
        """Write nothing: on SQLite a transaction that reads first cannot wait for another's writes."""
        if connections[self.using].vendor == "sqlite":
            Claim.objects.using(self.using).filter(pk=0).update(epoch=0)

    def _rows(self, ids: Collection[int]) -> dict[int, _Row]:
        rows = PeriodicTask.objects.using(self.using).filter(pk__in=list(ids), enabled=True).order_by()
        columns = rows.annotate(print=task_fingerprint(self.using)).values_list("pk", "last_run_at", "print")
        return {row_id: _Row(*values) for row_id, *values in columns}

    def _forget_undone(self, never_ran: Iterable[LoadedSchedule]) -> None:
        """Forget what was confirmed of rows whose last run somebody has taken away: they are to run anew.

        That is, a claim that a clock ahead of its time has made, and one for an instant that is still the row's: its
        confirmation has disabled the row, so somebody has enabled it again.
        """
        kinds = {entry.row_id: isinstance(entry.timing, Clocked) for entry in never_ran}
        if kinds:
            claims = Claim.objects.using(self.using).filter(pk__in=kinds, confirmed=True)
            clocked = [row_id for row_id, is_clocked in kinds.items() if is_clocked]
            claims.filter(Q(tick__gt=DatabaseNow() + self.lease) | Q(pk__in=clocked)).delete()

    def _insert(self, messages: Sequence[Message], batch: uuid.UUID, epoch: int) -> None:
        connection = connections[self.using]
        model, quote = Claim._meta, connection.ops.quote_name
        now, confirmed = _NOW[connection.vendor], "FALSE" if connection.vendor == "postgresql" else "0"
        field: Any = model.get_field("batch")
        ours = f"'{field.get_db_prep_value(batch, connection)}', {int(epoch)}, {now}, {confirmed}"
        # Numbers, instants and an id of our own making: to bind thousands of them takes longer than to write them.
        values = [
            f"({int(message.entry.row_id)}, '{connection.ops.adapt_datetimefield_value(message.tick)}', {ours})"
            for message in messages
        ]
        names = [quote(name) for name in self._columns]
        statement = f"INSERT INTO {quote(model.db_table)} ({', '.join(names)}) VALUES {', '.join(values)} "
        with connection.cursor() as cursor:
            cursor.execute(statement + _forward(connection.vendor, quote(model.db_table), names))

    def held(self, batch: uuid.UUID) -> set[int]:
        """Read back what belongs to a batch: affected-row counts tell nothing reliable on MariaDB."""
        claims = Claim.objects.using(self.using).filter(batch=batch, confirmed=False)
        return set(claims.values_list("row_id", flat=True))

    def hold(self, batches: Collection[uuid.UUID]) -> None:
        """Renew the time of the claims: where there is no election, old ones are taken over."""
        if batches and not self.checks_epoch:
            claims = Claim.objects.using(self.using).filter(batch__in=batches, confirmed=False)
            claims.update(claimed_at=DatabaseNow())

    def regroup(self, batches: Collection[uuid.UUID]) -> uuid.UUID:
        """Put them together by one statement."""
        batch = uuid.uuid4()
        claims = Claim.objects.using(self.using).filter(batch__in=batches, confirmed=False)
        claims.update(batch=batch, claimed_at=DatabaseNow())
        return batch

    def confirm(self, batch: uuid.UUID, messages: Sequence[Message]) -> set[int]:
        """Write back in one transaction; a last run never moves back, whoever moved it on meanwhile.

        Nor does it come back where the row was disabled and its last run taken away.
        """
        ids = sorted(message.entry.row_id for message in messages)
        one_offs = {message.entry.row_id for message in messages if message.entry.one_off}
        claims = Claim.objects.using(self.using)
        # By its key alone: planners that are told more of it may look through a whole batch for each row.
        tick = Subquery(claims.filter(pk=OuterRef("pk")).values("tick"))
        with bounded(self.using, self.lease):
            self._write_first()
            found = claims.filter(pk__in=ids, batch=batch, confirmed=False).select_for_update()
            claimed = set(found.values_list("pk", flat=True))
            locked = locked_elsewhere(self.using, claimed)
            mine = claimed - locked
            done = one_offs & mine
            enabled = PeriodicTask.objects.using(self.using).filter(enabled=True)
            wanted = mine - moved_on(enabled.filter(pk__in=done), tick)
            rows = enabled.filter(pk__in=sorted(wanted))
            last_run = Greatest(Coalesce(F("last_run_at"), tick), tick)
            rows.update(last_run_at=last_run, total_run_count=F("total_run_count") + 1)
            finish(rows.filter(pk__in=done & wanted))
            claims.filter(pk__in=mine).update(confirmed=True)
        return locked

    def adopt(self, epoch: int) -> tuple[uuid.UUID, list[Orphan]]:
        """Take over the claims of earlier epochs; without an election those that are older than a lease."""
        batch = uuid.uuid4()
        claims = Claim.objects.using(self.using)
        left = Q(epoch__lt=epoch) if self.checks_epoch else Q(claimed_at__lt=DatabaseNow() - self.lease)
        with bounded(self.using, self.lease):
            self._check(epoch)
            if not claims.filter(left, confirmed=False).exists():
                return batch, []
            claims.filter(left, confirmed=False).update(batch=batch, epoch=epoch, claimed_at=DatabaseNow())
            found = claims.filter(batch=batch).values_list("row_id", "tick")
            return batch, [Orphan(row_id, tick) for row_id, tick in found]

    def forget_deleted(self) -> None:
        """Delete the claims of rows that are gone; on MariaDB a DELETE that looks for them waits for locked rows."""
        tasks = PeriodicTask.objects.using(self.using).filter(pk=OuterRef("row_id"))
        claims = Claim.objects.using(self.using)
        for some in batches(list(claims.filter(~Exists(tasks)).values_list("pk", flat=True))):
            claims.filter(pk__in=some).delete()


_NOW = {
    "postgresql": "CLOCK_TIMESTAMP()",
    "mysql": "UTC_TIMESTAMP(6)",
    "sqlite": "STRFTIME('%Y-%m-%d %H:%M:%f', 'NOW')",
}


def _forward(vendor: str, table: str, names: Sequence[str]) -> str:
    """Return SQL that lets a claim be taken only by a later tick, and only where the one before was confirmed."""
    key, tick, batch, *others, confirmed = names
    if vendor == "mysql":
        # Each assignment sees those before it: the batch, which is new, tells the others whether it was taken.
        taken = [f"{batch} = IF({tick} < VALUES({tick}) AND {confirmed}, VALUES({batch}), {batch})"]
        taken += [
            f"{name} = IF({batch} = VALUES({batch}), VALUES({name}), {name})" for name in (tick, *others, confirmed)
        ]
        return f"ON DUPLICATE KEY UPDATE {', '.join(taken)}"
    new = ", ".join(f"{name} = EXCLUDED.{name}" for name in names[1:])
    return f"ON CONFLICT ({key}) DO UPDATE SET {new} WHERE {table}.{tick} < EXCLUDED.{tick} AND {table}.{confirmed}"


def _fits(message: Message, row: _Row | None) -> bool:
    entry = message.entry
    return row is not None and (row.last_run, row.fingerprint) == (entry.last_run, entry.fingerprint)


class NoClaims:
    """Before our tables are there: nothing is claimed, and runs are written back as they are."""

    def __init__(self, using: str, lease: timedelta) -> None:
        self._using = using
        self._lease = lease

    def claim(self, messages: Sequence[Message], epoch: int) -> Batch:  # noqa: ARG002
        """Take everything on."""
        return Batch(uuid.uuid4(), tuple(messages))

    def held(self, batch: uuid.UUID) -> set[int]:  # noqa: ARG002
        """Hold nothing."""
        return set()

    def hold(self, batches: Collection[uuid.UUID]) -> None:
        """Do nothing."""

    def regroup(self, batches: Collection[uuid.UUID]) -> uuid.UUID:  # noqa: ARG002
        """Name a batch."""
        return uuid.uuid4()

    def confirm(self, batch: uuid.UUID, messages: Sequence[Message]) -> set[int]:  # noqa: ARG002
        """Write back, tick by tick: schedules that are due together mostly have the same."""
        by_tick: dict[datetime, dict[int, bool]] = {}
        for message in messages:
            by_tick.setdefault(message.tick, {})[message.entry.row_id] = message.entry.one_off
        with bounded(self._using, self._lease):
            locked = locked_elsewhere(self._using, [message.entry.row_id for message in messages])
            for tick, ids in by_tick.items():
                self._write_back(tick, {row_id: one_off for row_id, one_off in ids.items() if row_id not in locked})
        return locked

    def _write_back(self, tick: datetime, ids: dict[int, bool]) -> None:
        rows = PeriodicTask.objects.using(self._using).filter(pk__in=ids)
        done = [row_id for row_id, one_off in ids.items() if one_off]
        wanted = rows.exclude(pk__in=moved_on(rows.filter(pk__in=done), tick))
        wanted.update(last_run_at=tick, total_run_count=F("total_run_count") + 1)
        finish(wanted.filter(pk__in=done))

    def adopt(self, epoch: int) -> tuple[uuid.UUID, list[Orphan]]:  # noqa: ARG002
        """Find nothing."""
        return uuid.uuid4(), []

    def forget_deleted(self) -> None:
        """Do nothing."""
