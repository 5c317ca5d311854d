"""What is due is claimed together, sent, and confirmed together; and what is left when something breaks between."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import Any

from django_celery_beat.models import PeriodicTask

from schedsync.beat.claims import Claims, Orphan
from schedsync.beat.leadership import Leadership
from schedsync.beat.loaded_schedule import LoadedSchedule, Message
from schedsync.beat.roster import Roster
from schedsync.beat.row_locks import finish, locked_elsewhere
from schedsync.beat.sender import Sender
from schedsync.beat.signals import uninterrupted
from schedsync.calendar.ticks import GRACE, due
from schedsync.core.timing import Clocked
from schedsync.database.bounded import bounded

logger = logging.getLogger(__name__)

#: So many are claimed, sent and confirmed together.
BATCH = 1000
#: What a broker refuses is tried again after so many seconds, and what somebody has locked is looked at again.
_AGAIN = 10.0
_LOOK = 1.0


@dataclass(frozen=True, slots=True)
class Pending:
    """A part of a batch that was claimed: not sent yet, or sent and not confirmed yet."""

    batch: uuid.UUID
    messages: tuple[Message, ...]


@dataclass
class Dispatch:
    """Sends what is due, and remembers what it could not finish.

    ``keep`` renews the lease and the claims of batches, and says whether to go on. ``locked`` is what was sent, and
    whose rows somebody has locked. ``found_stale`` says that rows were edited since they were read.
    """

    using: str
    roster: Roster
    claims: Claims
    leadership: Leadership
    sender: Sender
    publish: Callable[..., Any]
    keep: Callable[[Collection[uuid.UUID]], bool]
    since: datetime
    unsent: list[Pending] = field(default_factory=list)
    refused: list[Pending] = field(default_factory=list)
    unconfirmed: list[Pending] = field(default_factory=list)
    locked: list[Pending] = field(default_factory=list)
    found_stale: bool = False
    _try_again: float = 0.0
    _look_again: float = 0.0

    def look_again(self) -> None:
        """Try to confirm at once what was locked: whoever had locked it may have committed by now."""
        self._look_again = 0.0

    def hand_over(self) -> None:
        """Confirm what was sent as far as it can be, so that who leads next need not send it again."""
        self.look_again()
        self._confirm_sent()

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

    @property
    def _waiting(self) -> list[Pending]:
        return [*self.unsent, *self.refused]

    @property
    def _sent(self) -> list[Pending]:
        return [*self.unconfirmed, *self.locked]

    def adopt(self) -> None:
        """Take over what nobody confirmed: send it again under its id, or drop it where the schedule says so."""
        self.claims.hold({pending.batch for pending in (*self._waiting, *self._sent)})
        batch, orphans = self.claims.adopt(self.leadership.epoch or 0)
        orphans = self._not_sent_by_us(batch, orphans)
        never_sent = {one.key for pending in self._waiting for one in pending.messages}
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

    def _not_sent_by_us(self, batch: uuid.UUID, orphans: list[Orphan]) -> list[Orphan]:
        """Keep what this Beat has sent itself and could not confirm yet, under its new batch; returns the others."""
        sent = {one.key: one for pending in self._sent for one in pending.messages}
        ours = {key: sent[key] for orphan in orphans if (key := orphan.key) in sent}
        if ours:
            self.unconfirmed, self.locked = _without(ours, self.unconfirmed), _without(ours, self.locked)
            self.unconfirmed.append(Pending(batch, tuple(ours.values())))
        return [orphan for orphan in orphans if orphan.key not in ours]

    def _sorted(
        self, orphans: Iterable[Orphan], never_sent: Collection[tuple[int, datetime]]
    ) -> tuple[list[Message], list[Message]]:
        again: list[Message] = []
        dropped: list[Message] = []
        for orphan in orphans:
            entry = self.roster.entries.get(orphan.row_id)
            message = Message(entry or LoadedSchedule.gone(orphan.row_id), orphan.tick)
            keep = self._is_wanted(entry, orphan.tick, maybe_sent=orphan.key not in never_sent)
            (again if keep else dropped).append(message)
        return again, dropped

    def _is_wanted(self, entry: LoadedSchedule | None, tick: datetime, *, maybe_sent: bool = False) -> bool:
        """Say whether a tick that was claimed some time ago is to be sent, by what its schedule says now."""
        if entry is None or (entry.once and maybe_sent):
            return False
        if isinstance(entry.timing, Clocked) and entry.tick is not None and entry.tick > tick:
            return False
        lateness = entry.lateness
        if lateness.deadline is not None:
            return datetime.now(timezone.utc) - tick <= lateness.deadline
        return lateness.missed != "none" or tick >= self.since - GRACE

    def run(self, now: datetime) -> bool:
        """Handle one batch of what is due; returns False where it has to wait for the broker, or for the lease."""
        with uninterrupted():
            self._confirm_sent()
            if not self._resend():
                return False
            first = self.roster.agenda.next_at()
            if first is None or first > now:
                return True
            if not self.sender.ready():
                return False
            messages = self._messages(self.roster.agenda.pop(now, BATCH), now)
            return not messages or self._send_batch(messages)

    def _resend(self) -> bool:
        """Send what is left of earlier batches, if it still is ours; returns whether none of it waits."""
        if self.refused and time.monotonic() > self._try_again:
            # A new connection finds the server that may have taken over.
            self.sender.close()
            self.unsent.append(self._together(self.refused))
            self.refused = []
        while self.unsent:
            if not self.sender.ready():
                return False
            again, over = self._parted(self.unsent[0])
            # Whatever fails from here on, what is still wanted is not forgotten.
            self.unsent[0] = again
            if over.messages:
                logger.warning(
                    "%d ticks waited for too long, or are wanted no more",
                    len(over.messages), extra={"passed": len(over.messages)},
                )  # fmt: skip
                self._settle(over)
            self.unsent.pop(0)
            if not self._send(again):
                return False
        return True

    def _parted(self, pending: Pending) -> tuple[Pending, Pending]:
        """Return what is to be sent of a batch that is held, as it is loaded now, and what is wanted no more."""
        held = self.claims.held(pending.batch)
        again: list[Message] = []
        over: list[Message] = []
        for message in pending.messages:
            row_id = message.entry.row_id
            entry = self.roster.entries.get(row_id)
            if row_id not in held:
                # Somebody else has sent it.
                self._read_again(row_id)
            elif entry is not None and self._is_wanted(entry, message.tick):
                again.append(Message(entry, message.tick))
            else:
                over.append(message)
        return replace(pending, messages=tuple(again)), replace(pending, messages=tuple(over))

    def _read_again(self, row_id: int) -> None:
        self.found_stale |= row_id not in self.roster.reread
        self.roster.reread.add(row_id)

    def _messages(self, woken: Iterable[int], now: datetime) -> list[Message]:
        """Decide what each woken entry sends; what sends nothing is put back for later, or ended."""
        messages: list[Message] = []
        over: list[int] = []
        passed = 0
        # Read again while their tick waits for the broker: they go on when it is sent.
        in_hand = {one.entry.row_id for some in (*self._waiting, *self._sent) for one in some.messages}
        for row_id in woken:
            entry = self.roster.entries[row_id]
            if row_id in in_hand:
                continue
            if entry.is_done or (entry.expires is not None and now >= entry.expires):
                over.append(row_id)
            elif entry.tick is not None:
                passed += self._decide(entry, now, messages)
        if over:
            self._end(over, now)
        if passed:
            logger.warning("%d ticks were missed and are passed over", passed, extra={"passed": passed})
        return messages

    def _decide(self, entry: LoadedSchedule, now: datetime, messages: list[Message]) -> int:
        if entry.tick is None:
            return 0
        try:
            found = due(entry.timing, entry.tick, now, entry.lateness, self.since)
        except Exception as error:
            self.roster.give_up(entry, error)
            return 0
        if found.tick is not None:
            messages.append(Message(entry, found.tick))
            return found.passed
        entry.tick = found.following
        self.roster.agenda.put(entry)
        return found.passed

    def _end(self, row_ids: list[int], now: datetime) -> None:
        """Disable what has passed its end, or has run once; the row decides, not what was read of it."""
        with bounded(self.using, self.leadership.span):
            locked = locked_elsewhere(self.using, row_ids)
            free = set(row_ids) - locked
            rows = PeriodicTask.objects.using(self.using).filter(pk__in=free, enabled=True)
            rows.filter(expires__lte=now).update(enabled=False, last_run_at=None)
            finish(rows.filter(total_run_count__gt=0))
        self.roster.drop(row_ids)
        # What the row says now may be something else; those that are locked come back with the next scan.
        self.roster.reread.update(row_ids)
        self.found_stale |= bool(free)

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
                # Also what waits for another Beat: the next scan looks again.
                self.roster.reread.add(message.entry.row_id)
        self.found_stale |= bool(batch.stale)
        return self._send(Pending(batch.id, batch.messages))

    def _send(self, pending: Pending) -> bool:
        """Send and confirm; returns whether nothing of it waits for the broker or the lease."""
        sent = self.sender.send(pending.messages, self.publish, lambda: self._go_on(pending.batch))
        done, left = list(sent.done), tuple(sent.left)
        if sent.unsure and left[0].entry.once:
            # It may have arrived, and is not sent again.
            done, left = [*done, left[0]], left[1:]
        if left:
            self.unsent.insert(0, replace(pending, messages=left))
        if sent.refused:
            if not self.refused:
                self._try_again = time.monotonic() + _AGAIN
            self.refused.append(replace(pending, messages=tuple(sent.refused)))
        if done:
            self.unconfirmed.append(replace(pending, messages=tuple(done)))
            self._confirm_sent()
        return not (left or sent.unsure)

    def _go_on(self, batch: uuid.UUID) -> bool:
        """Renew what is held of lease and claims in time: a slow broker may take longer than a lease for a batch."""
        if self.leadership.wait:
            return self.leadership.leads
        return self.keep({batch, *(pending.batch for pending in (*self._waiting, *self._sent))})

    def _together(self, pendings: list[Pending]) -> Pending:
        batch = self.claims.regroup({pending.batch for pending in pendings})
        return Pending(batch, tuple(message for pending in pendings for message in pending.messages))

    def _confirm_sent(self) -> None:
        if self.locked and time.monotonic() > self._look_again:
            self.unconfirmed.append(self._together(self.locked))
            self.locked = []
        for pending in list(self.unconfirmed):
            self._settle(pending)
            self.unconfirmed.remove(pending)

    def _settle(self, pending: Pending) -> None:
        """Confirm, and plan on; what somebody else has locked is left for the next time."""
        locked = self.claims.confirm(pending.batch, pending.messages)
        for message in pending.messages:
            if message.entry.row_id not in locked:
                self._plan_on(message)
        if locked:
            left = tuple(message for message in pending.messages if message.entry.row_id in locked)
            self.locked.append(replace(pending, messages=left))
            self._look_again = time.monotonic() + _LOOK

    def _plan_on(self, message: Message) -> None:
        entry = self.roster.entries.get(message.entry.row_id)
        if entry is None:
            return
        if entry.one_off:
            self.roster.drop([entry.row_id])
            self.roster.reread.add(entry.row_id)
            return
        entry.last_run = message.tick if entry.last_run is None else max(message.tick, entry.last_run)
        entry.count += 1
        self.roster.plan(entry)

    def _advance(self, entry: LoadedSchedule, tick: datetime) -> None:
        """Pass a tick that was claimed before: by another Beat, or long ago."""
        logger.info("`%s` was claimed before for %s", entry.name, tick, extra={"schedule": entry.name})
        entry.tick = tick
        found = due(entry.timing, tick, tick, entry.lateness, self.since)
        entry.tick = found.following
        self.roster.agenda.put(entry)

    def _put_back(self, entries: Iterable[LoadedSchedule]) -> None:
        for entry in entries:
            self.roster.agenda.put(entry)


def _without(keys: Collection[tuple[int, datetime]], pendings: list[Pending]) -> list[Pending]:
    left = (
        replace(pending, messages=tuple(one for one in pending.messages if one.key not in keys)) for pending in pendings
    )
    return [pending for pending in left if pending.messages]
