"""The second look at ticks that were claimed some time ago: what is loaded now decides whether they are sent."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timezone

from schedsync.beat.claims import Claims, Orphan
from schedsync.beat.full_pause import FullPauseWatch
from schedsync.beat.message import DueTick, Message
from schedsync.beat.outbox import Claimed, ClaimedTick, Outbox, Waiting
from schedsync.beat.roster import Roster
from schedsync.calendar.ticks import GRACE
from schedsync.core.timing import Clocked


def _now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass
class SecondLook:
    """Decides again about claimed ticks; ``since`` is when this Beat began to lead, or last saw that all was paused."""

    roster: Roster
    claims: Claims
    full_pause: FullPauseWatch
    outbox: Outbox
    since: datetime = field(default_factory=_now)

    def of_orphans(self, orphans: Iterable[Orphan]) -> tuple[list[DueTick], list[ClaimedTick]]:
        """Return the ticks to send again, and those to drop."""
        again: list[DueTick] = []
        dropped: list[ClaimedTick] = []
        never_sent = self.outbox.never_sent()
        for orphan in orphans:
            schedule = self.roster.schedules.get(orphan.row_id)
            due_tick = None if schedule is None else DueTick(schedule, orphan.tick)
            if due_tick is not None and self._is_wanted(due_tick, maybe_sent=orphan.key not in never_sent):
                again.append(due_tick)
            else:
                dropped.append(due_tick or orphan)
        return again, dropped

    def of_ahead(self, claimed: Claimed) -> tuple[list[Message], list[ClaimedTick]]:
        """Return the messages of a batch that was claimed ahead, and the ticks of rows that were read again since."""
        unconfirmed = self.claims.unconfirmed_rows(claimed.batch)
        messages: list[Message] = []
        edited: list[ClaimedTick] = []
        for tick in claimed.ticks:
            if (
                isinstance(tick, Message)
                and tick.row_id in unconfirmed
                and self.roster.schedules.get(tick.row_id) is tick.loaded
                and self._is_wanted(tick)
            ):
                messages.append(tick)
            else:
                edited.append(tick)
        return messages, edited

    def of_waiting(self, claimed: Claimed) -> tuple[list[Message], list[ClaimedTick]]:
        """Return the messages still to be sent, by what is loaded now, and the ticks that are wanted no more.

        A tick of a row that differs from what is loaded waits until the row is read again.
        """
        unconfirmed = self.claims.unconfirmed_rows(claimed.batch)
        rows = self.claims.rows(unconfirmed)
        again: list[Message] = []
        over: list[ClaimedTick] = []
        edited: list[ClaimedTick] = []
        for tick in claimed.ticks:
            schedule, row = self.roster.schedules.get(tick.row_id), rows.get(tick.row_id)
            if tick.row_id not in unconfirmed:
                continue
            if schedule is None or not self._is_wanted(DueTick(schedule, tick.tick)):
                over.append(tick)
            elif row is None or row.fingerprint != schedule.fingerprint:
                edited.append(tick)
            else:
                again.append(Message(schedule, tick.tick, row.payload))
        # Another Beat has sent those that are not here.
        self.roster.read_soon(_ids(claimed.ticks) - _ids(again) - _ids(over))
        self.outbox.put(Claimed(claimed.batch, tuple(edited)), Waiting.EDITED)
        return again, over

    def _is_wanted(self, due_tick: DueTick, *, maybe_sent: bool = False) -> bool:
        """Say whether a tick is to be sent, by what its schedule says now."""
        schedule, tick = due_tick.loaded, due_tick.tick
        if schedule.row_id in self.roster.repairs.early or self.full_pause.leaves_out(schedule, tick):
            # An early tick is sent when it is due.
            return False
        if schedule.at_most_once and maybe_sent:
            return False
        if isinstance(schedule.timing, Clocked) and schedule.tick is not None and schedule.tick > tick:
            return False
        lateness = schedule.lateness
        if lateness.deadline is not None:
            return _now() - tick <= lateness.deadline
        return lateness.missed != "none" or tick >= self.since - GRACE


def _ids(ticks: Collection[ClaimedTick]) -> set[int]:
    return {tick.row_id for tick in ticks}
