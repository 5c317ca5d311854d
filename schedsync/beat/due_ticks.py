"""The ticks that are due: which tick each schedule that woke up sends now, and which were missed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from django_celery_beat.models import PeriodicTask

from schedsync.beat.loaded_schedule import LoadedSchedule
from schedsync.beat.message import Message
from schedsync.beat.roster import Roster
from schedsync.beat.row_locks import finish, locked_elsewhere
from schedsync.calendar.ticks import due, last_tick, tick_after
from schedsync.core.names import first_names
from schedsync.database.bounded import bounded

logger = logging.getLogger(__name__)

#: A line of the log names the first 20 schedules; the record's ``schedules`` holds all of them.
_NAMED = 20


@dataclass
class DueTicks:
    """Decides what schedules send when they wake up; ``limit`` bounds the transaction that disables finished ones."""

    using: str
    roster: Roster
    limit: timedelta

    def messages(self, woken: Iterable[int], now: datetime, since: datetime) -> list[Message]:
        """Return the messages that schedules send now; a schedule that sends nothing is put back, or ended.

        ``since`` is when this Beat began to lead.
        """
        messages: list[Message] = []
        over: list[int] = []
        passed: dict[str, int] = {}
        for row_id in woken:
            schedule = self.roster.schedules[row_id]
            if schedule.is_done or (schedule.expires is not None and now >= schedule.expires):
                over.append(row_id)
            elif schedule.tick is not None:
                passed[schedule.name] = self._decide(schedule, schedule.tick, now, since, messages)
        if over:
            self._end(over, now)
        if any(passed.values()):
            _log_missed(passed)
        return messages

    def _decide(
        self, schedule: LoadedSchedule, tick: datetime, now: datetime, since: datetime, messages: list[Message]
    ) -> int:
        """Add the message of a schedule, or put the schedule back; returns how many ticks are passed over."""
        try:
            decision = due(schedule.timing, tick, now, schedule.lateness, since)
        except Exception as error:
            self.roster.give_up(schedule, error)
            return 0
        if decision.tick is not None:
            messages.append(Message(schedule, decision.tick))
        else:
            schedule.tick = decision.following
            self.roster.agenda.put(schedule)
        return decision.passed

    def _end(self, row_ids: list[int], now: datetime) -> None:
        """Disable schedules that have expired, or have run once; the row decides, not the copy in memory."""
        with bounded(self.using, self.limit):
            free = set(row_ids) - locked_elsewhere(self.using, row_ids)
            rows = PeriodicTask.objects.using(self.using).filter(pk__in=free, enabled=True)
            rows.filter(expires__lte=now).update(enabled=False, last_run_at=None)
            finish(rows.filter(total_run_count__gt=0))
        self.roster.drop(row_ids)
        # A row may say something else by now; locked rows are read again by the next scan.
        self.roster.reread.update(row_ids)
        self.roster.read_soon(free)

    def pass_over(self, message: Message, claimed: datetime) -> None:
        """Go on after the last tick that was claimed: by another Beat, or long ago."""
        schedule = message.loaded
        logger.info("`%s` was claimed before for %s", schedule.name, claimed, extra={"schedule": schedule.name})
        schedule.tick = tick_after(schedule.timing, last_tick(schedule.timing, message.tick, claimed))
        self.roster.agenda.put(schedule)


def _log_missed(passed: Mapping[str, int]) -> None:
    """Log how many ticks are passed over, and of which schedules."""
    names, total = sorted(name for name, count in passed.items() if count), sum(passed.values())
    logger.warning(
        "%d ticks were missed and are passed over: %s",
        total, first_names(names, _NAMED), extra={"passed": total, "schedules": names},
    )  # fmt: skip
