"""Writes the journal with the heartbeat, about once for each renewal of the lease, and deletes what is old.

The journal is for people: no failure to write it stops Beat from sending.
"""

from __future__ import annotations

import logging
import math
import os
import socket
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import DatabaseError, InterfaceError

from schedsync.beat.journal import Journal, Turn
from schedsync.beat.tables import Tables
from schedsync.core.journal_data import packed
from schedsync.core.masked_errors import masked_error
from schedsync.core.timing import instant_text
from schedsync.database.bounded import bounded
from schedsync.database.bulk import Among
from schedsync.database.clock import DatabaseNow, database_time
from schedsync.database.values import read_values
from schedsync.models import Beat, JournalSegment

logger = logging.getLogger(__name__)

_KEEP = timedelta(days=30)
_DAY = timedelta(days=1)
#: Seconds between two looks for old segments, and how many are deleted in one transaction.
_PRUNE_EVERY = 3600.0
_PRUNED = 1000
#: After a failure the next attempt waits, from the first number of seconds up to the second one.
_WAIT, _LONGEST_WAIT = 5.0, 300.0


def journal_keep() -> timedelta:
    """Return SCHEDSYNC_JOURNAL_KEEP, a timedelta or a number of days; raises ImproperlyConfigured."""
    value = getattr(settings, "SCHEDSYNC_JOURNAL_KEEP", None)
    keep = _KEEP if value is None else value
    if isinstance(keep, (int, float)) and not isinstance(keep, bool) and 0 <= keep < math.inf:
        keep = timedelta(days=min(keep, 36500))
    if not isinstance(keep, timedelta) or keep < timedelta(0):
        raise ImproperlyConfigured(f"SCHEDSYNC_JOURNAL_KEEP is a timedelta or a number of days, not {value!r}")
    return keep


@dataclass
class JournalWriter:
    """Writes the journal of the Beat ``beat``; ``limit`` bounds its transactions. With ``keep`` 0 there is no journal.

    A failure is logged once; the journal is kept in memory meanwhile.
    """

    using: str
    beat: uuid.UUID
    limit: timedelta
    journal: Journal
    tables: Tables
    keep: timedelta = field(default_factory=journal_keep)
    _not_before: float = 0.0
    _wait: float = 0.0
    _next_prune: float = 0.0

    def write(self, *, leads: bool) -> None:
        """Write what was noted, in one INSERT, or nothing; the leader deletes old segments. Raises nothing."""
        if time.monotonic() < self._not_before:
            return
        try:
            if self.tables.has(JournalSegment):
                self._write()
                if leads and time.monotonic() >= self._next_prune:
                    self._prune()
        except (DatabaseError, InterfaceError) as error:
            self._fail(error)
        except Exception as error:
            # To keep what cannot be written would be the same failure again and again.
            logger.error("the journal since the last renewal of the lease is lost", exc_info=masked_error(error))
            self.journal.clear()
        else:
            self._end_of_failure()

    def close(self) -> None:
        """Write what is left, at a good end."""
        self._not_before = 0.0
        self.write(leads=False)

    def _fail(self, error: Exception) -> None:
        if not self._wait:
            logger.error("the journal cannot be written, and is kept in memory: %s", error)
        self._wait = min(2 * self._wait or _WAIT, _LONGEST_WAIT)
        self._not_before = time.monotonic() + self._wait

    def _end_of_failure(self) -> None:
        if self._wait:
            logger.warning("the journal is written again")
        self._wait = 0.0

    def _write(self) -> None:
        if self.keep and (rows := [*self._turns(), *self._segments()]):
            with bounded(self.using, self.limit):
                JournalSegment.objects.using(self.using).bulk_create(rows)
        self.journal.clear()

    def _segments(self) -> Iterator[JournalSegment]:
        for segment in self.journal.segments():
            yield self._row(segment.epoch, segment.data, first=segment.first, last=segment.last)

    def _turns(self) -> Iterator[JournalSegment]:
        for turn in self.journal.turns:
            age = round(time.monotonic() - turn.noted, 3)
            document = {"age": age, "reason": turn.reason, **(self._before(turn) if turn.begins else {})}
            yield self._row(turn.epoch, packed(document), turn="begin" if turn.begins else "end")

    def _row(self, epoch: int, data: bytes, **columns: Any) -> JournalSegment:
        name = f"{socket.gethostname()[:200]}:{os.getpid()}"
        return JournalSegment(
            beat=self.beat, name=name, epoch=epoch, data=data, written_at=DatabaseNow(), **columns
        )  # fmt: skip

    def _before(self, turn: Turn) -> dict[str, Any]:
        """Return when the leader before gave its last sign of life: if it was killed, it could not write its end."""
        rows = Beat.objects.using(self.using).filter(leads=True, epoch__lt=turn.epoch).exclude(pk=self.beat)
        last = read_values(rows.order_by("-epoch")[:1], ("epoch", "seen_at"))
        if not last or not isinstance(last[0][1], datetime):
            return {}
        return {"before": {"epoch": last[0][0], "seen": instant_text(last[0][1])}}

    def _prune(self) -> None:
        """Delete the oldest segments if they are old, a bounded number; a full batch is followed soon by another."""
        rows = JournalSegment.objects.using(self.using)
        oldest = read_values(rows.order_by("pk")[:_PRUNED], ("pk", "written_at"))
        now = database_time(self.using) if oldest else None
        old = [pk for pk, at in oldest if now is not None and _is_old(at, now, self.keep)]
        if old:
            with bounded(self.using, self.limit):
                rows.filter(Among(old)).delete()
        if len(old) < _PRUNED:
            self._next_prune = time.monotonic() + _PRUNE_EVERY


def _is_old(at: Any, now: datetime, keep: timedelta) -> bool:
    """Say whether a segment is to be deleted; so is one of a clock that was far ahead, or whose time is unreadable."""
    return not isinstance(at, datetime) or at < now - keep or at > now + _DAY
