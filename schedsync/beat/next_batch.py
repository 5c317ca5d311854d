"""The next batch: takes what is due out of the agenda, and claims it, also while the batch before it is sent."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial

from schedsync.beat.claims import Batch, Claims
from schedsync.beat.claims_ahead import CannotConnect, ClaimsAhead
from schedsync.beat.due_ticks import DueTicks
from schedsync.beat.full_pause import FullPauseWatch, PauseBegan
from schedsync.beat.leadership import Leadership
from schedsync.beat.message import DueTick
from schedsync.beat.outbox import Claimed, Outbox, Waiting
from schedsync.beat.roster import Roster
from schedsync.core.counters import Counters
from schedsync.core.masked_errors import error_line

logger = logging.getLogger(__name__)

#: How many ticks are claimed, sent and confirmed together.
BATCH = 1000

#: The ticks of the next batch, and a function that waits for their claim.
Ahead = tuple[list[DueTick], Callable[[], Batch]]


@dataclass
class NextBatch:
    """Claims the ticks that are due, at most one batch; ``since`` of its methods is when this Beat began to lead."""

    using: str
    roster: Roster
    claims: Claims
    leadership: Leadership
    full_pause: FullPauseWatch
    outbox: Outbox
    counters: Counters
    #: Whether the last claim ahead has left out ticks that are sent at most once: they come next.
    _left_out: bool = False

    def __post_init__(self) -> None:
        self._ahead = ClaimsAhead(self.using)
        self._due = DueTicks(self.using, self.roster, self.leadership.span, self.full_pause, self.counters)

    def rest(self) -> None:
        """Give back the connection for claims ahead: for how long is not known, and an idle one may be gone then."""
        self._ahead.rest()

    def take(self, now: datetime, since: datetime) -> list[DueTick]:
        """Take what is due out of the agenda."""
        self._left_out = False
        return self._due.ticks(self._woken(now), now, since)

    def claim(self, due_ticks: Sequence[DueTick]) -> Batch | None:
        """Claim ticks; returns None if everything is paused."""
        return self._claimed(due_ticks, self._claim_of(due_ticks))

    def begin(self, present: int, since: datetime) -> Ahead | None:
        """Begin to claim ahead where batch follows batch; ``present`` is how many messages are sent now."""
        if present < BATCH // 2 or not self._ahead.is_possible or self.outbox.is_time(Waiting.AHEAD):
            self.rest()
            return None
        if self._left_out:
            return None
        now = datetime.now(timezone.utc)
        if not (due_ticks := self._due.ticks(self._not_at_most_once(self._woken(now)), now, since)):
            self.rest()
            return None
        return due_ticks, self._ahead.start(self._claim_of(due_ticks)).result

    def settle(self) -> None:
        """Wait until a claim ahead holds no lock: it locks the row of the lease, which others wait a second for."""
        self._ahead.settle(self.leadership.times.patience)

    def end(self, ahead: Ahead | None) -> None:
        """Wait for a claim ahead, and keep what it has claimed."""
        if ahead is not None and (batch := self._claimed(*ahead)) is not None:
            self.outbox.put(Claimed(batch.id, batch.messages), Waiting.AHEAD)

    def end_after(self, error: BaseException, ahead: Ahead | None) -> None:
        """Do the same after an error, which an error of the claim must not hide."""
        try:
            self.end(ahead)
        except Exception as second:
            logger.warning("the next batch is not claimed after %s: %s", error_line(error), error_line(second))

    def _woken(self, now: datetime) -> list[int]:
        # A schedule may wake up while its last tick is in hand: it goes on when that is confirmed.
        in_hand = self.outbox.rows_in_hand() | self.roster.repairs.pending
        return [row_id for row_id in self.roster.agenda.pop(now, BATCH) if row_id not in in_hand]

    def _not_at_most_once(self, woken: Sequence[int]) -> list[int]:
        """Put schedules back that send at most once, and return the others.

        A crash between its claim and its send would lose such a tick: that time stays short.
        """
        others: list[int] = []
        for row_id in woken:
            schedule = self.roster.schedules[row_id]
            if schedule.at_most_once:
                self.roster.agenda.put(schedule)
                self._left_out = True
            else:
                others.append(row_id)
        return others

    def _claim_of(self, due_ticks: Sequence[DueTick]) -> Callable[[], Batch]:
        return partial(self.claims.claim, due_ticks, self.leadership.epoch or 0)

    def _claimed(self, due_ticks: Sequence[DueTick], claim: Callable[[], Batch]) -> Batch | None:
        """Return the batch of a claim of these ticks; None if everything is paused, or nothing can be claimed ahead."""
        try:
            batch = claim()
        except BaseException as error:
            self._due.note_claimed(due_ticks, ())
            for due_tick in due_ticks:
                self.roster.agenda.put(due_tick.loaded)
            if isinstance(error, (PauseBegan, CannotConnect)):
                return None
            raise
        claimed = {message.row_id for message in batch.messages}
        self._due.note_claimed(due_ticks, claimed | batch.left_out.keys())
        self._due.leave_out(due_ticks, batch.left_out)
        for due_tick in due_ticks:
            if due_tick.row_id in batch.left_out:
                continue
            if due_tick.row_id in batch.already_claimed:
                self._due.pass_over(due_tick, batch.already_claimed[due_tick.row_id])
            elif due_tick.row_id not in claimed:
                # Also a schedule that waits for another Beat's confirmation: the next scan looks again.
                self.roster.reread.add(due_tick.row_id)
        self.roster.read_soon(batch.stale)
        return batch
