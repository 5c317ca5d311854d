"""The ticks that are due: which tick each schedule that woke up sends now, and which were missed."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from django_celery_beat.models import PeriodicTask

from schedsync.beat.full_pause import FullPauseWatch
from schedsync.beat.loaded_schedule import LoadedSchedule
from schedsync.beat.message import DueTick
from schedsync.beat.overlap import LeftOut
from schedsync.beat.roster import Roster
from schedsync.beat.row_locks import finish, locked_elsewhere, moved_on
from schedsync.calendar.ticks import Due, count, due, first_after, last_tick, tick_after
from schedsync.core.counters import Counters
from schedsync.core.journal import Event, Passed
from schedsync.core.names import counted, first_names
from schedsync.core.timing import MICROSECOND, Clocked
from schedsync.database.bounded import bounded

logger = logging.getLogger(__name__)

#: A line of the log names the first 20 schedules; the record's ``schedules`` holds all of them.
_NAMED = 20


@dataclass
class _Woken:
    """What becomes of the schedules that woke up; ``missed`` and ``paused`` count ticks that are passed over, by name.

    ``over`` are rows that have ended; ``paused_clocked`` are clocked rows whose time was within a pause of everything.
    """

    due: list[DueTick] = field(default_factory=list)
    over: list[int] = field(default_factory=list)
    paused_clocked: list[int] = field(default_factory=list)
    missed: Counter[str] = field(default_factory=Counter)
    paused: Counter[str] = field(default_factory=Counter)


class Passage(NamedTuple):
    """A range of ticks that are passed over, and how many they are."""

    first: datetime
    last: datetime
    number: int


@dataclass
class DueTicks:
    """Decides what schedules send when they wake up; ``limit`` bounds the transaction that disables finished ones."""

    using: str
    roster: Roster
    limit: timedelta
    full_pause: FullPauseWatch
    counters: Counters
    #: The ticks that are passed over for one that is to be claimed: they are noted when it is.
    _passed: dict[int, Passage] = field(default_factory=dict)

    def ticks(self, woken: Iterable[int], now: datetime, since: datetime) -> list[DueTick]:
        """Return the ticks for which schedules send now; a schedule that sends nothing is put back, or ended.

        ``since`` is when this Beat began to lead.
        """
        result = _Woken()
        for row_id in woken:
            schedule = self.roster.schedules[row_id]
            if schedule.is_done or (schedule.expires is not None and now >= schedule.expires):
                result.over.append(row_id)
                self._note_end(schedule)
            elif schedule.tick is not None:
                try:
                    self._decide(schedule, schedule.tick, now, since, result)
                except Exception as error:
                    self.roster.give_up(schedule, error)
        if result.over or result.paused_clocked:
            self._end(result.over, result.paused_clocked, now)
        _log_passed("%s passed over as missed: %s", result.missed)
        _log_passed("%s passed over, due while everything was paused: %s", result.paused)
        return result.due

    def _decide(self, schedule: LoadedSchedule, tick: datetime, now: datetime, since: datetime, result: _Woken) -> None:
        """Add the tick of a schedule, or put the schedule back."""
        if self.full_pause.leaves_out(schedule, tick):
            first = self._after_pause(schedule, tick, result)
            schedule.tick = first
            if first is None or first > now:
                self.roster.agenda.put(schedule)
                return
            tick = first
        decision = due(schedule.timing, tick, now, schedule.lateness, since)
        if decision.passed:
            result.missed[schedule.name] += decision.passed
            self._note_missed(schedule, tick, decision, now)
        if decision.tick is not None:
            result.due.append(DueTick(schedule, decision.tick))
        else:
            schedule.tick = decision.following
            self.roster.agenda.put(schedule)

    def _after_pause(self, schedule: LoadedSchedule, tick: datetime, result: _Woken) -> datetime | None:
        """Return the first tick that a pause of everything does not leave out, and note those before."""
        until = self.full_pause.left_out(schedule) or tick
        first, paused = first_after(schedule.timing, tick, until)
        if paused:
            result.paused[schedule.name] = paused
            self.counters.passed_over += paused
            last = last_tick(schedule.timing, tick, until)
            self.roster.journal.note(schedule.row_id, Event.PAUSED, tick, last, count=paused)
        if first is None and isinstance(schedule.timing, Clocked):
            result.paused_clocked.append(schedule.row_id)
        return first

    def _note_missed(self, schedule: LoadedSchedule, tick: datetime, decision: Due, now: datetime) -> None:
        """Note the ticks that are passed over, as one range."""
        last = tick
        if decision.passed > 1:
            newer = decision.tick or decision.following
            last = last_tick(schedule.timing, tick, now if newer is None else newer - MICROSECOND)
        passage = Passage(tick, last, decision.passed)
        if decision.tick is not None:
            self._passed[schedule.row_id] = passage
        else:
            reason = Passed.MISSED if schedule.lateness.deadline is None else Passed.DEADLINE
            self._note(schedule.row_id, passage, reason)

    def _note(self, row_id: int, passage: Passage, reason: Passed) -> None:
        first, last, number = passage
        self.counters.passed_over += number
        self.roster.journal.note(row_id, Event.PASSED_OVER, first, last, count=number, reason=reason.value)

    def note_claimed(self, due_ticks: Iterable[DueTick], claimed: Collection[int]) -> None:
        """Note the ticks that were passed over for those that were claimed; the others are decided about again."""
        if self._passed:
            for due_tick in due_ticks:
                passage = self._passed.pop(due_tick.row_id, None)
                if passage is not None and due_tick.row_id in claimed:
                    self._note(due_tick.row_id, passage, Passed.NEWER)

    def leave_out(self, due_ticks: Iterable[DueTick], left_out: Mapping[int, LeftOut]) -> None:
        """Go on after the ticks that were passed over because the last run of their schedule has not ended."""
        if not left_out:
            return
        passed: Counter[str] = Counter()
        for due_tick in due_ticks:
            if (left := left_out.get(due_tick.row_id)) is None:
                continue
            schedule, first = due_tick.loaded, due_tick.tick
            passed[schedule.name] = number = 1 + (count(schedule.timing, first, left.last) if left.last > first else 0)
            self.counters.passed_over += number
            self.roster.journal.note(
                schedule.row_id, Event.PASSED_OVER, first, left.last, count=number, reason=left.run.reason
            )
            schedule.last_run = left.last
            self.roster.schedule_next(schedule)
        _log_passed("%s passed over, because the last run has not ended: %s", passed, logging.INFO)

    def _note_end(self, schedule: LoadedSchedule) -> None:
        if schedule.expires is not None and not schedule.is_done:
            self.roster.journal.note(schedule.row_id, Event.EXPIRED, schedule.tick or schedule.expires)

    def _end(self, over: Collection[int], paused_clocked: Collection[int], now: datetime) -> None:
        """Disable schedules that have ended; the row decides, not the copy in memory."""
        row_ids = {*over, *paused_clocked}
        with bounded(self.using, self.limit):
            free = row_ids - locked_elsewhere(self.using, row_ids)
            rows = PeriodicTask.objects.using(self.using).filter(pk__in=free, enabled=True)
            rows.filter(expires__lte=now).update(enabled=False, last_run_at=None)
            finish(rows.filter(total_run_count__gt=0))
            passed = rows.filter(pk__in=paused_clocked)
            finish(passed.exclude(pk__in=moved_on(passed, now)))
        self.roster.drop(row_ids)
        # A row may say something else by now; locked rows are read again by the next scan.
        self.roster.reread.update(row_ids)
        self.roster.read_soon(free)

    def pass_over(self, due_tick: DueTick, claimed: datetime) -> None:
        """Go on after the last tick that was claimed: by another Beat, or long ago."""
        schedule = due_tick.loaded
        logger.info("`%s` was claimed before for %s", schedule.name, claimed, extra={"schedule": schedule.name})
        schedule.tick = tick_after(schedule.timing, last_tick(schedule.timing, due_tick.tick, claimed))
        self.roster.agenda.put(schedule)


def _log_passed(text: str, passed: Mapping[str, int], level: int = logging.WARNING) -> None:
    """Log how many ticks are passed over, and of which schedules; nothing if there are none."""
    names, total = sorted(name for name, count in passed.items() if count), sum(passed.values())
    if total:
        ticks = counted(total, "tick is", "ticks are")
        logger.log(
            level, text, ticks, first_names(names, _NAMED), extra={"passed": total, "schedules": names},
        )  # fmt: skip
