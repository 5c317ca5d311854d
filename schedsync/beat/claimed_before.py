"""Decides what becomes of ticks that this Beat or another has claimed before: their schedules may have changed."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone

from schedsync.beat.claims import Claims, Orphan
from schedsync.beat.full_pause import FullPauseWatch
from schedsync.beat.loaded_schedule import LoadedSchedule
from schedsync.beat.message import DueTick, Message
from schedsync.beat.outbox import Claimed, ClaimedTick
from schedsync.beat.roster import Roster
from schedsync.calendar.ticks import GRACE
from schedsync.core.journal import Event, Passed
from schedsync.core.timing import Clocked


@dataclass(frozen=True, slots=True)
class Sorted:
    """The messages to send, the ticks that are wanted no more, and those whose row differs from what is loaded."""

    again: list[Message] = field(default_factory=list)
    over: list[ClaimedTick] = field(default_factory=list)
    edited: list[ClaimedTick] = field(default_factory=list)


@dataclass
class ClaimedBefore:
    """Sorts claimed ticks; ``since`` of its methods is when this Beat began to lead."""

    roster: Roster
    claims: Claims
    full_pause: FullPauseWatch

    def adopted(
        self, orphans: Iterable[Orphan], never_sent: Collection[tuple[int, datetime]], since: datetime
    ) -> tuple[list[DueTick], list[ClaimedTick]]:
        """Return the ticks to send again, and those to drop; ``never_sent`` are keys of ticks surely not sent."""
        again: list[DueTick] = []
        dropped: list[ClaimedTick] = []
        for orphan in orphans:
            schedule = self.roster.schedules.get(orphan.row_id)
            due_tick = None if schedule is None else DueTick(schedule, orphan.tick)
            if due_tick is not None and self._is_wanted(due_tick, since, maybe_sent=orphan.key not in never_sent):
                again.append(due_tick)
            else:
                self._note_gone(orphan, due_tick)
                dropped.append(due_tick or orphan)
        self.roster.journal.again(due_tick.key for due_tick in again if due_tick.key not in never_sent)
        return again, dropped

    def _note_gone(self, tick: ClaimedTick, schedule: DueTick | LoadedSchedule | None) -> None:
        if schedule is None:
            self._note(tick, Event.PASSED_OVER, Passed.GONE.value)

    def _note(self, tick: ClaimedTick, event: Event, reason: str = "") -> None:
        self.roster.journal.note(tick.row_id, event, tick.tick, reason=reason)

    def waiting(self, claimed: Claimed, since: datetime) -> Sorted:
        """Sort the ticks of a batch that waited to be sent, except for those that another Beat has sent."""
        unconfirmed = self.claims.unconfirmed_rows(claimed)
        wanted: list[DueTick] = []
        over: list[ClaimedTick] = []
        lost: list[int] = []
        for tick in claimed.ticks:
            schedule = self.roster.schedules.get(tick.row_id)
            if tick.row_id not in unconfirmed:
                lost.append(tick.row_id)
            elif schedule is not None and self._is_wanted(due_tick := _as_loaded(tick, schedule), since):
                wanted.append(due_tick)
            else:
                self._note_gone(tick, schedule)
                over.append(tick)
        again, edited = self._read(wanted)
        self.roster.read_soon([*lost, *(tick.row_id for tick in edited)])
        return Sorted(again, over, edited)

    def _read(self, wanted: Sequence[DueTick]) -> tuple[list[Message], list[ClaimedTick]]:
        """Return the messages, and the ticks of rows that differ from what is loaded.

        A tick that is a message already has its arguments; those of the others are read.
        """
        unread = [due_tick.row_id for due_tick in wanted if not isinstance(due_tick, Message)]
        rows = self.claims.rows(unread) if unread else {}
        again: list[Message] = []
        edited: list[ClaimedTick] = []
        for due_tick in wanted:
            row = rows.get(due_tick.row_id)
            if isinstance(due_tick, Message):
                again.append(due_tick)
            elif row is not None and row.fingerprint == due_tick.loaded.fingerprint:
                again.append(Message(due_tick.loaded, due_tick.tick, row.payload))
            else:
                self._note(due_tick, Event.EDITED)
                edited.append(due_tick)
        return again, edited

    def _is_wanted(self, due_tick: DueTick, since: datetime, *, maybe_sent: bool = False) -> bool:
        """Say whether a claimed tick is still to be sent, and note why it is not."""
        reason = self._why_not(due_tick, since, maybe_sent=maybe_sent)
        if isinstance(reason, Passed):
            # That it was not sent is only known where this Beat surely did not send it.
            noted = Passed.MAYBE_SENT if maybe_sent else reason
            self._note(due_tick, Event.PASSED_OVER, noted.value)
        elif reason is not None:
            self._note(due_tick, reason)
        return reason is None

    def _why_not(self, due_tick: DueTick, since: datetime, *, maybe_sent: bool) -> Event | Passed | None:
        schedule, tick = due_tick.loaded, due_tick.tick
        if schedule.row_id in self.roster.repairs.early:
            # It is sent when it is due.
            return Event.EARLY
        if self.full_pause.leaves_out(schedule, tick):
            return Event.PAUSED
        if schedule.at_most_once and maybe_sent:
            return Passed.MAYBE_SENT
        if isinstance(schedule.timing, Clocked) and schedule.tick is not None and schedule.tick > tick:
            return Passed.MOVED
        lateness = schedule.lateness
        if lateness.deadline is not None:
            return Passed.DEADLINE if datetime.now(timezone.utc) - tick > lateness.deadline else None
        return Passed.MISSED if lateness.missed == "none" and tick < since - GRACE else None


def _as_loaded(tick: ClaimedTick, schedule: LoadedSchedule) -> DueTick:
    """Return a tick with its schedule as it is loaded now: a message if its row has not changed since its claim."""
    if isinstance(tick, Message) and tick.loaded.fingerprint == schedule.fingerprint:
        if tick.loaded is schedule:
            return tick
        return Message(schedule, tick.tick, tick.payload)
    return DueTick(schedule, tick.tick)
