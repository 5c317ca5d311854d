"""Claims due ticks together, sends them, and confirms them together; and finishes what broke in between."""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any

from schedsync.beat.claimed_before import ClaimedBefore
from schedsync.beat.claims import Claims, Orphan
from schedsync.beat.full_pause import FullPauseWatch
from schedsync.beat.leadership import Leadership
from schedsync.beat.message import Message
from schedsync.beat.next_batch import NextBatch
from schedsync.beat.outbox import UNSENT, Claimed, ClaimedTick, Outbox, Waiting
from schedsync.beat.roster import Roster
from schedsync.beat.sender import Sender
from schedsync.beat.signals import uninterrupted
from schedsync.core.journal import Event, Passed
from schedsync.core.names import counted

logger = logging.getLogger(__name__)


def _now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass
class Dispatch:
    """Sends what is due, and keeps in its outbox what it could not finish.

    ``publish`` sends one message by a producer. ``keep`` renews the lease and the claims of batches, and says whether
    to go on. ``undo_early_runs`` lets schedules count from now that were run for ticks of the future.
    """

    using: str
    roster: Roster
    claims: Claims
    leadership: Leadership
    sender: Sender
    publish: Callable[[Message, Any], Any]
    keep: Callable[[Collection[Claimed]], bool]
    full_pause: FullPauseWatch
    outbox: Outbox = field(default_factory=Outbox)
    undo_early_runs: Callable[[], None] = lambda: None
    #: When this Beat began to lead, or last saw that everything was paused.
    _since: datetime = field(default_factory=_now)
    _next_adoption: float = 0.0

    def __post_init__(self) -> None:
        self.journal = self.roster.journal
        self._before = ClaimedBefore(self.roster, self.claims, self.full_pause)
        self._next = NextBatch(
            self.using, self.roster, self.claims, self.leadership, self.full_pause, self.outbox, self.sender.counters
        )

    def run(self, now: datetime) -> bool:
        """Confirm, send, claim: one batch; returns False if it waits for the broker, the lease or the end of a pause.

        Without an election the ticks of Beats that died are adopted from time to time, instead of by a new leader.
        """
        with uninterrupted():
            follows = False
            try:
                goes_on = self._run(now)
                follows = goes_on and (at := self.next_at()) is not None and at <= _now()
            finally:
                if not follows:
                    self._next.rest()
            return goes_on

    def _run(self, now: datetime) -> bool:
        if not self.claims.checks_epoch and time.monotonic() > self._next_adoption:
            self._next_adoption = time.monotonic() + self.claims.lease.total_seconds()
            self.adopt()
        self._confirm()
        self._repair()
        if self.full_pause.is_on():
            self._release()
            return False
        self.outbox.bring_on(Waiting.AHEAD, Waiting.TO_SEND)
        # A batch that is claimed ahead meanwhile is sent in the next step: changes and pauses are seen in between.
        return self._send_waiting() and (self.outbox.is_time(Waiting.AHEAD) or self._send_due(now))

    def _repair(self) -> None:
        """Correct rows that were enabled again, and runs that were undone, before they count as due."""
        repaired = self.roster.repairs.write(self.using, self.leadership.span)
        self._note_enabled_again()
        self.roster.read_soon(repaired)
        for row_id in repaired & self.roster.schedules.keys():
            self.roster.agenda.put(self.roster.schedules[row_id])

    def _note_enabled_again(self) -> None:
        """Note the ticks that are left out because a row was enabled again: it counts from then."""
        for row_id, at in self.roster.repairs.enabled_again:
            schedule = self.roster.schedules.get(row_id)
            if schedule is not None and schedule.tick is not None and schedule.tick <= at:
                reason = Passed.ENABLED_AGAIN.value
                self.journal.note(row_id, Event.PASSED_OVER, schedule.tick, at, count=None, reason=reason)

    def _release(self) -> None:
        """Give up the ticks that are claimed and not sent, because everything is paused."""
        self._since = _now()
        self.outbox.hurry(Waiting.REFUSED)
        for waiting in UNSENT:
            with self.outbox.take(waiting) as taken:
                for claimed in taken:
                    self.claims.release(claimed.batch, [tick.row_id for tick in claimed.ticks])
            released = [tick for claimed in taken for tick in claimed.ticks]
            if released:
                ticks = counted(len(released), "claimed tick is", "claimed ticks are")
                logger.warning("%s not sent: everything is paused", ticks)
            for tick in released:
                if tick.row_id in self.roster.schedules:
                    self.roster.agenda.put(self.roster.schedules[tick.row_id])

    def look_at_locked_rows(self) -> None:
        """Try at the next confirmation whether locked rows are free: their holder may have committed by now."""
        self.outbox.hurry(Waiting.ROW_LOCKED)

    def hand_over(self) -> None:
        """Confirm what was sent, as far as possible, so that the next leader need not send it again."""
        self._next.rest()
        self.look_at_locked_rows()
        self._confirm()

    def take_over(self, *, is_fresh: bool) -> None:
        """Begin to lead: finish what this Beat, or the leader before it, has begun.

        ``is_fresh`` says that the last runs were read just now; else they are read again.
        """
        self._since = _now()
        # Its connection may have broken since this Beat led last.
        self._next.rest()
        self._confirm()
        if not is_fresh:
            self.roster.refresh()
        self.roster.note_broken()
        self.undo_early_runs()
        self.adopt()
        self.claims.forget_deleted()
        self.sender.failures.forget_deleted(self.using)
        self.roster.repairs.find(self.using)

    def adopt(self) -> None:
        """Take over ticks that nobody confirmed: send them again under their id, or drop unwanted ones."""
        self.claims.keep_alive(self.outbox.held())
        batch, orphans = self.claims.adopt(self.leadership.epoch or 0)
        sent_by_us = self.outbox.take_back([orphan.key for orphan in orphans], batch)
        orphans = [orphan for orphan in orphans if orphan.key not in sent_by_us]
        if not orphans:
            return
        again, dropped = self._before.adopted(orphans, self.outbox.never_sent(), self._since)
        logger.warning(
            "claimed and not confirmed by a Beat before: %d in all, %d to be sent again, %d dropped",
            len(orphans), len(again), len(dropped), extra={"again": len(again), "dropped": len(dropped)},
        )  # fmt: skip
        self.sender.counters.passed_over += len(dropped)
        self.outbox.put(Claimed(batch, tuple(dropped)), Waiting.TO_CONFIRM)
        self._confirm()
        self.outbox.put(Claimed(batch, tuple(again)), Waiting.TO_SEND)

    def _send_waiting(self) -> bool:
        """Send what earlier batches have left, if it still is ours; returns whether none of it waits."""
        if self.outbox.is_time(Waiting.REFUSED):
            # Perhaps another server has taken over, and only a new connection finds it.
            self.sender.close()
            self._move(Waiting.REFUSED, Waiting.TO_SEND)
        self._move(Waiting.EDITED, Waiting.TO_SEND)
        while self.outbox.is_time(Waiting.TO_SEND):
            if not self.sender.ready():
                return False
            with self.outbox.take(Waiting.TO_SEND, most=1) as taken:
                batch = taken[0].batch
                ticks = self._before.waiting(taken[0], self._since)
            if passed := len(ticks.over):
                over = counted(passed, "claimed tick is", "claimed ticks are")
                logger.warning("%s not sent any more: too late, or not wanted now", over, extra={"passed": passed})
                self.sender.counters.passed_over += passed
            self.outbox.put(Claimed(batch, _as_dropped(ticks.over)), Waiting.TO_CONFIRM)
            self.outbox.put(Claimed(batch, tuple(ticks.edited)), Waiting.EDITED)
            if not self._send(batch, ticks.again):
                return False
        return True

    def next_at(self) -> datetime | None:
        """Return when there is more to send, or None; a batch that was claimed ahead is sent at once."""
        return _now() if self.outbox.is_time(Waiting.AHEAD) else self.roster.agenda.next_at()

    def _send_due(self, now: datetime) -> bool:
        first = self.roster.agenda.next_at()
        if first is None or first > now:
            return True
        if not self.sender.ready():
            return False
        due_ticks = self._next.take(now, self._since)
        if not due_ticks:
            return True
        batch = self._next.claim(due_ticks)
        return batch is not None and self._send(batch.id, batch.messages)

    def _send(self, batch: uuid.UUID, messages: Sequence[Message]) -> bool:
        """Send and confirm, and claim the next batch meanwhile; returns whether nothing of this one waits."""
        try:
            ahead = self._next.begin(len(messages), self._since)
        except BaseException:
            # Nothing of it was sent: a tick that is sent at most once must not count as one that perhaps was.
            self.outbox.put(Claimed(batch, tuple(messages)), Waiting.TO_SEND, first=True)
            raise
        try:
            is_through = self._send_and_confirm(batch, messages)
        except BaseException as error:
            self._next.end_after(error, ahead)
            raise
        self._next.end(ahead)
        return is_through

    def _send_and_confirm(self, batch: uuid.UUID, messages: Sequence[Message]) -> bool:
        claimed = Claimed(batch, tuple(messages))
        sent = self.sender.send(messages, self.publish, lambda: self._go_on(claimed))
        done, left = list(sent.done), list(sent.left)
        if sent.unsure and left[0].loaded.at_most_once:
            # It may have arrived, and must not be sent again.
            done.append(unsure := left.pop(0))
            self.journal.note(unsure.row_id, Event.UNSURE, unsure.tick, reason=self.sender.trouble)
        self.outbox.put(Claimed(batch, tuple(left)), Waiting.TO_SEND, first=True)
        self.outbox.put(Claimed(batch, tuple(sent.refused)), Waiting.REFUSED)
        dropped = [message for message in done if message.row_id in self.sender.given_up]
        kept = done if not dropped else [message for message in done if message.row_id not in self.sender.given_up]
        self.outbox.put(Claimed(batch, (*kept, *_as_dropped(dropped))), Waiting.TO_CONFIRM)
        self.sender.failures.write(self.using, self.leadership.span)
        self._confirm()
        return not (left or sent.unsure)

    def _go_on(self, claimed: Claimed) -> bool:
        """Renew the lease and the claims, and look for a pause, in time: a slow broker may need long for a batch."""
        if self.leadership.wait and self.full_pause.wait:
            return self.leadership.leads
        self._next.settle()
        return self.keep([claimed, *self.outbox.held()])

    def _confirm(self) -> None:
        """Write back what was sent, and look again at rows that were locked."""
        self._move(Waiting.ROW_LOCKED, Waiting.TO_CONFIRM)
        while self.outbox.is_time(Waiting.TO_CONFIRM):
            with self.outbox.take(Waiting.TO_CONFIRM, most=1) as taken:
                batch, ticks = taken[0].batch, taken[0].ticks
                locked = self.claims.confirm(batch, ticks)
            for tick in ticks:
                if tick.row_id not in locked:
                    self._ran(tick)
            left = tuple(tick for tick in ticks if tick.row_id in locked)
            self.outbox.put(Claimed(batch, left), Waiting.ROW_LOCKED)

    def _move(self, source: Waiting, target: Waiting) -> None:
        """Move ticks whose time has come, together, under one new batch."""
        if not self.outbox.is_time(source):
            return
        with self.outbox.take(source) as taken:
            batch = self.claims.regroup(taken)
        self.outbox.put(Claimed(batch, tuple(tick for claimed in taken for tick in claimed.ticks)), target)

    def _ran(self, tick: ClaimedTick) -> None:
        """Note a run in memory, and work out the schedule's next tick."""
        schedule = self.roster.schedules.get(tick.row_id)
        if schedule is None:
            return
        if schedule.one_off:
            self.roster.drop([schedule.row_id])
            self.roster.reread.add(schedule.row_id)
            return
        schedule.last_run = tick.tick if schedule.last_run is None else max(tick.tick, schedule.last_run)
        schedule.count += 1
        self.roster.schedule_next(schedule)


def _as_dropped(ticks: Iterable[ClaimedTick]) -> tuple[ClaimedTick, ...]:
    """Return ticks that were not sent as such: their claims are confirmed too, but no run of theirs is open."""
    return tuple(Orphan(tick.row_id, tick.tick, tick.one_off) for tick in ticks)
