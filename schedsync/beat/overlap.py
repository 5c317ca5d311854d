"""Leaves a tick out while the last run of its schedule has not ended: ``overlap: skip``.

All of it is part of the transactions that claim and confirm, and costs nothing for schedules without that key. The
tick that is left out is claimed and finished as if it had been sent, so that no Beat sends it later.
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import Any, NamedTuple

from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce, Greatest
from django_celery_beat.models import PeriodicTask

from schedsync.beat.claim_statement import insert_claims
from schedsync.beat.message import DueTick, Message
from schedsync.beat.outbox import ClaimedTick
from schedsync.beat.row_locks import locked_elsewhere
from schedsync.beat.tables import Tables
from schedsync.calendar.ticks import last_tick
from schedsync.core.open_run import PASSED_BY, OpenRun
from schedsync.database.bulk import Among
from schedsync.database.clock import database_time
from schedsync.database.open_runs import counting, forget_deleted, note_sent, read_open_runs, replace_runs
from schedsync.models import Claim
from schedsync.models import OpenRun as OpenRunRow
from schedsync.worker.marks import is_tracked

logger = logging.getLogger(__name__)

#: Earlier than each tick, in the place of no last run.
_BEFORE = datetime(1970, 1, 1, tzinfo=timezone.utc)


class LeftOut(NamedTuple):
    """The last tick that was left out, and the run that has not ended."""

    last: datetime
    run: OpenRun


@dataclass
class Looked:
    """What was found of schedules with ``overlap: skip``: those to leave out, and the ids of runs that are over."""

    ticks: Sequence[DueTick] = ()
    busy: dict[int, OpenRun] = field(default_factory=dict)
    over: dict[int, list[str]] = field(default_factory=dict)


class Overlap:
    """Knows which schedules must wait for their last run; ``app`` is the Celery application."""

    def __init__(self, using: str, app: Any, tables: Tables) -> None:
        self._using = using
        self._app = app
        self._tables = tables
        self._is_said = False

    def look(self, due_ticks: Iterable[DueTick]) -> Looked:
        """Find the schedules among these whose last run has not ended, in the transaction of a claim."""
        ticks = [each for each in due_ticks if each.loaded.managed.overlap is not None and each.loaded.skips]
        if not ticks or not self._is_possible():
            return Looked()
        looked, now = Looked(ticks), database_time(self._using)
        runs = read_open_runs(self._using, [due_tick.row_id for due_tick in ticks])
        for due_tick in ticks:
            row_id, loaded, known = due_tick.row_id, due_tick.loaded, runs.get(due_tick.row_id, [])
            run = counting(known, loaded.managed.max_runtime or 0, loaded.expires_after, now)
            if run is None:
                looked.over[row_id] = [each.task_id for each in known]
            else:
                looked.busy[row_id] = run
        return looked

    def _is_possible(self) -> bool:
        """Say whether runs are tracked; if nobody told when a run ends, each would count until its ``max_runtime``."""
        if not is_tracked(self._app):
            if not self._is_said:
                logger.error("`overlap: skip` has no effect: the application does not call `track_runs(app)`")
            self._is_said = True
            return False
        return self._tables.has(OpenRunRow)

    def begin(self, looked: Looked, ours: Collection[int]) -> None:
        """Note the runs that are about to be sent; ``ours`` are the ids of rows that were claimed."""
        begun = {each.task_id: each.row_id for each in looked.ticks if each.row_id in ours}
        if begun:
            over = [task_id for row_id in begun.values() for task_id in looked.over.get(row_id, ())]
            replace_runs(self._using, over, begun)

    def leave_out(self, looked: Looked, epoch: int) -> Mapping[int, LeftOut]:
        """Pass over all ticks up to now of the schedules that must wait; locked rows are looked at again later."""
        if not looked.busy:
            return {}
        now, locked = datetime.now(timezone.utc), locked_elsewhere(self._using, looked.busy.keys())
        waiting = [each for each in looked.ticks if each.row_id in looked.busy and each.row_id not in locked]
        last = {each.row_id: last_tick(each.loaded.timing, each.tick, now) for each in waiting}
        if not last:
            return {}
        batch = uuid.uuid4()
        ours = insert_claims(self._using, sorted(last.items()), batch, epoch)
        claims = Claim.objects.using(self._using)
        claims.filter(Among(ours)).update(confirmed=True, batch=PASSED_BY)
        tick = Subquery(claims.filter(pk=OuterRef("pk")).values("tick"))
        rows = PeriodicTask.objects.using(self._using).filter(Among(ours), enabled=True)
        rows.update(last_run_at=Greatest(Coalesce(F("last_run_at"), _BEFORE), tick))
        return {row_id: LeftOut(last[row_id], looked.busy[row_id]) for row_id in ours}

    def sent(self, ticks: Iterable[ClaimedTick], mine: Collection[int]) -> None:
        """Note the runs whose messages the broker has, in the transaction that confirms them.

        A tick that was dropped, or given up, is no message any more. ``mine`` are the rows whose claims are confirmed.
        """
        messages = [tick for tick in ticks if isinstance(tick, Message) and tick.loaded.managed.overlap is not None]
        if messages and self._tables.has(OpenRunRow):
            note_sent(self._using, [message.task_id for message in messages if message.row_id in mine])

    def forget_deleted(self) -> None:
        """Delete the runs of rows that are gone."""
        if self._tables.has(OpenRunRow):
            forget_deleted(self._using)
