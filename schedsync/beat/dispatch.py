"""What is due is claimed together, sent, and confirmed together; and what is left when something breaks between."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from django_celery_beat.models import PeriodicTask

from schedsync.beat.claims import Claims, Orphan
from schedsync.beat.entry import Entry, Message
from schedsync.beat.leadership import Leadership
from schedsync.beat.roster import Roster
from schedsync.beat.sender import Sender
from schedsync.beat.signals import uninterrupted
from schedsync.beat.ticks import due

logger = logging.getLogger(__name__)

#: So many are claimed, sent and confirmed together.
BATCH = 1000


@dataclass(frozen=True, slots=True)
class Pending:
    """A part of a batch that was claimed: not sent yet, or sent and not confirmed yet."""

    batch: uuid.UUID
    messages: tuple[Message, ...]


@dataclass
class Dispatch:
    """Sends what is due, and remembers what it could not finish.

    ``found_stale`` says that rows were edited since they were read, ``foreign`` names schedules that somebody else ran.
    """

    using: str
    roster: Roster
    claims: Claims
    leadership: Leadership
    sender: Sender
    publish: Callable[..., Any]
    since: datetime
    unsent: list[Pending] = field(default_factory=list)
    unconfirmed: list[Pending] = field(default_factory=list)
    found_stale: bool = False
    foreign: set[str] = field(default_factory=set)

    def take_over(self, *, is_fresh: bool) -> None:
        """Begin to lead: finish what was begun, by this Beat or by the one before.

        ``is_fresh`` says that the last runs were read just now; else they are read again.
        """
        self.since = datetime.now(timezone.utc)
        self._confirm_sent()
        if not is_fresh:
            self.roster.refresh()
        self.adopt()
        self.claims.forget_deleted()

    def adopt(self) -> None:
        """Take over what nobody confirmed: send it again under its id, or drop it where the schedule says so."""
        batch, orphans = self.claims.adopt(self.leadership.epoch or 0)
        never_sent = {(one.entry.row_id, one.tick) for pending in self.unsent for one in pending.messages}
        if not orphans:
            return
        again, dropped = self._sorted(orphans, never_sent)
        logger.warning(
            "%d ticks were claimed and not confirmed by a Beat before: %d are sent again, %d dropped",
            len(orphans), len(again), len(dropped), extra={"again": len(again), "dropped": len(dropped)},
        )  # fmt: skip
        if dropped:
            self._settle(Pending(batch, tuple(dropped)))
        if again:
            self.unsent.append(Pending(batch, tuple(again)))

    def _sorted(
        self, orphans: Iterable[Orphan], never_sent: Collection[tuple[int, datetime]]
    ) -> tuple[list[Message], list[Message]]:
        again: list[Message] = []
        dropped: list[Message] = []
        now = datetime.now(timezone.utc)
        for orphan in orphans:
            entry = self.roster.entries.get(orphan.row_id)
            message = Message(entry or _gone(orphan.row_id), orphan.tick)
            maybe_sent = (orphan.row_id, orphan.tick) not in never_sent
            keep = entry is not None and not (entry.once and maybe_sent) and not _too_late(entry, orphan.tick, now)
            (again if keep else dropped).append(message)
        return again, dropped

    def run(self, now: datetime) -> bool:
        """Handle one batch of what is due; returns False where it has to wait for the broker, or for the lease."""
        with uninterrupted():
            self._confirm_sent()
            if not self._resend():
                return False
            messages = self._messages(self.roster.agenda.pop(now, BATCH), now)
            if messages and not self.sender.ready():
                self._put_back(message.entry for message in messages)
                return False
            return not messages or self._send_batch(messages)

    def _resend(self) -> bool:
        """Send what is left of earlier batches, if it still is ours; returns whether nothing is left."""
        while self.unsent:
            if not self.sender.ready():
                return False
            pending = self.unsent.pop(0)
            held = self.claims.held(pending.batch)
            ours = [message for message in pending.messages if message.entry.row_id in held]
            # Somebody else has sent the others.
            self._read_again(message.entry.row_id for message in pending.messages if message.entry.row_id not in held)
            now = datetime.now(timezone.utc)
            late = tuple(message for message in ours if _too_late(message.entry, message.tick, now))
            if late:
                self._settle(replace(pending, messages=late))
            if not self._send(replace(pending, messages=tuple(one for one in ours if one not in late))):
                return False
        return True

    def _read_again(self, row_ids: Iterable[int]) -> None:
        before = len(self.roster.reread)
        self.roster.reread.update(row_ids)
        self.found_stale |= len(self.roster.reread) > before

    def _messages(self, woken: Iterable[int], now: datetime) -> list[Message]:
        """Decide what each woken entry sends; what sends nothing is put back for later, or ended."""
        messages: list[Message] = []
        over: list[int] = []
        passed = 0
        for row_id in woken:
            entry = self.roster.entries[row_id]
            if entry.is_done or (entry.expires is not None and now >= entry.expires):
                over.append(row_id)
            elif entry.tick is not None:
                passed += self._decide(entry, now, messages)
        if over:
            self._end(over, now)
        if passed:
            logger.warning("%d ticks were missed and are passed over", passed, extra={"passed": passed})
        return messages

    def _decide(self, entry: Entry, now: datetime, messages: list[Message]) -> int:
        if entry.tick is None:
            return 0
        found = due(entry.timing, entry.tick, now, entry.lateness, self.since)
        if found.tick is not None:
            messages.append(Message(entry, found.tick))
            return found.passed
        entry.tick = found.following
        self.roster.agenda.put(entry)
        return found.passed

    def _end(self, row_ids: list[int], now: datetime) -> None:
        """Disable what has passed its end, or has run once; the row decides, not what was read of it."""
        rows = PeriodicTask.objects.using(self.using).filter(pk__in=row_ids, enabled=True)
        rows.filter(expires__lte=now).update(enabled=False, last_run_at=None)
        done = rows.filter(one_off=True, total_run_count__gt=0)
        done.update(enabled=False, total_run_count=0, last_run_at=None)
        self.roster.drop(row_ids)
        self.found_stale = True

    def _send_batch(self, messages: list[Message]) -> bool:
        try:
            batch = self.claims.claim(messages, self.leadership.epoch or 0)
        except BaseException:
            self._put_back(message.entry for message in messages)
            raise
        mine = {message.entry.row_id for message in batch.messages}
        for message in messages:
            if message.entry.row_id in batch.taken:
                self._advance(message.entry, message.tick)
            elif message.entry.row_id not in mine:
                self.roster.reread.add(message.entry.row_id)
        self.found_stale |= bool(batch.stale)
        self.foreign |= {message.name for message in messages if message.entry.row_id in batch.foreign}
        return self._send(Pending(batch.id, batch.messages))

    def _send(self, pending: Pending) -> bool:
        """Send and confirm; returns whether all of it is done."""
        done = self.sender.send(pending.messages, self.publish, lambda: self.leadership.leads)
        # What failed may have arrived: a schedule that says "at most once" is not sent again.
        count = done.count + (done.failed and pending.messages[done.count].entry.once)
        sent, left = pending.messages[:count], pending.messages[count:]
        if left:
            self.unsent.insert(0, replace(pending, messages=left))
        if sent:
            self.unconfirmed.append(replace(pending, messages=sent))
            self._confirm_sent()
        return not left

    def _confirm_sent(self) -> None:
        while self.unconfirmed:
            self._settle(self.unconfirmed[0])
            self.unconfirmed.pop(0)

    def _settle(self, pending: Pending) -> None:
        self.claims.confirm(pending.batch, pending.messages)
        for message in pending.messages:
            entry = self.roster.entries.get(message.entry.row_id)
            if entry is None:
                continue
            if entry.one_off:
                self.roster.drop([entry.row_id])
                self.roster.reread.add(entry.row_id)
                continue
            entry.last_run = message.tick if entry.last_run is None else max(message.tick, entry.last_run)
            entry.count += 1
            entry.plan()
            self.roster.agenda.put(entry)

    def _advance(self, entry: Entry, tick: datetime) -> None:
        """Pass a tick that was claimed before: by another Beat, or long ago."""
        entry.tick = tick
        found = due(entry.timing, tick, tick, entry.lateness, self.since)
        entry.tick = found.following
        self.roster.agenda.put(entry)

    def _put_back(self, entries: Iterable[Entry]) -> None:
        for entry in entries:
            self.roster.agenda.put(entry)


def _too_late(entry: Entry, tick: datetime, now: datetime) -> bool:
    return entry.lateness.deadline is not None and now - tick > entry.lateness.deadline


def _gone(row_id: int) -> Entry:
    """Return what stands for a row that was deleted or disabled since its tick was claimed."""
    entry = Entry()
    entry.row_id, entry.one_off, entry.name = row_id, False, ""
    return entry
