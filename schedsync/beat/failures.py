"""The last failure of each schedule to send its message: logged ever more rarely, and kept for ``status``."""

from __future__ import annotations

import logging
from collections import Counter
from datetime import datetime, timedelta
from typing import NamedTuple

from django.db import DatabaseError, InterfaceError, connections
from django.db.models import Exists, OuterRef
from django_celery_beat.models import PeriodicTask

from schedsync.beat.message import Message
from schedsync.core.masked_errors import error_line
from schedsync.database.bounded import bounded
from schedsync.database.bulk import BATCH, batches
from schedsync.database.clock import DatabaseNow
from schedsync.database.tables import has_table
from schedsync.models import SendFailure

logger = logging.getLogger(__name__)


class Failing(NamedTuple):
    """A schedule whose last message could not be sent: its row, the reason, and whether Beat has given it up."""

    row_id: int
    reason: str
    given_up: bool


class Failures:
    """Counts the failures in a row of each schedule, and keeps those that are not written yet."""

    def __init__(self) -> None:
        self._in_a_row: Counter[int] = Counter()
        self._written: dict[int, datetime] = {}
        self._noted: dict[int, SendFailure] = {}
        # The reasons of those whose last message failed.
        self._reasons: dict[int, Failing] = {}
        self._has_table = False

    def note(self, message: Message, error: BaseException, *, given_up: bool) -> int:
        """Note a failure; returns how many there were in a row, or 0 where the log need not say it again."""
        row_id = message.row_id
        self._in_a_row[row_id] += 1
        # Further attempts for one tick fail for the same reason.
        if self._written.get(row_id) != message.tick or given_up:
            reason = error_line(error)
            self._reasons[row_id] = Failing(row_id, reason, given_up)
            self._noted[row_id] = SendFailure(
                row_id=row_id, tick=message.tick, failed_at=DatabaseNow(), reason=reason, given_up=given_up
            )
        count = self._in_a_row[row_id]
        return count if count & (count - 1) == 0 else 0

    def succeeded(self, row_id: int) -> None:
        """Count from the beginning: the schedule's message was sent."""
        if row_id in self._in_a_row:
            del self._in_a_row[row_id]
            self._written.pop(row_id, None)
            self._reasons.pop(row_id, None)

    def failing(self) -> list[Failing]:
        """Return the schedules whose last message was given up, or has failed more than once in a row."""
        return [each for each in self._reasons.values() if each.given_up or self._in_a_row[each.row_id] > 1]

    def write(self, using: str, limit: timedelta) -> None:
        """Write what was noted; if that is not possible, nothing but the status is the poorer."""
        noted, self._noted = self._noted, {}
        if not noted:
            return
        try:
            if self._is_there(using):
                with bounded(using, limit):
                    _upsert(using, list(noted.values()))
        except (DatabaseError, InterfaceError) as error:
            logger.info("failures are not written: %s", error)
        else:
            self._written |= {row_id: failure.tick for row_id, failure in noted.items()}

    def forget_deleted(self, using: str) -> None:
        """Delete the failures of rows that are gone; on MariaDB a DELETE with a subquery waits for locked rows."""
        if not self._is_there(using):
            return
        tasks = PeriodicTask.objects.using(using).filter(pk=OuterRef("row_id"))
        failures = SendFailure.objects.using(using)
        for ids in batches(list(failures.filter(~Exists(tasks)).values_list("pk", flat=True))):
            failures.filter(pk__in=ids).delete()

    def _is_there(self, using: str) -> bool:
        """Say whether the table is there: a Beat of this version also runs on the tables of the previous one."""
        self._has_table = self._has_table or has_table(using, SendFailure)
        return self._has_table


def _upsert(using: str, failures: list[SendFailure]) -> None:
    names = ["tick", "failed_at", "reason", "given_up"]
    with_target = connections[using].features.supports_update_conflicts_with_target
    SendFailure.objects.using(using).bulk_create(
        failures,
        batch_size=BATCH,
        update_conflicts=True,
        update_fields=names,
        unique_fields=["row_id"] if with_target else None,
    )
