"""Keeps a schedule that nobody manages any more from sending a tick that it has passed over.

``missed_runs`` and ``starting_deadline`` are in the ledger alone. Once they are gone, Beat makes up for the last tick
that it finds missed, as stock Beat does.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from django_celery_beat.models import PeriodicTask

from schedsync.calendar.overdue import Moment, passed_over
from schedsync.database.beats import live_beats
from schedsync.database.bulk import BATCH
from schedsync.database.columns import DEFAULTS_OF_OUR_BEAT
from schedsync.database.full_pause import full_pause
from schedsync.database.lock import lock_rows
from schedsync.database.observe import observe_ids
from schedsync.database.values import read_values, readable
from schedsync.models import ManagedSchedule


def for_our_beat(using: str, names: Collection[str]) -> dict[str, int | None]:
    """Return those among the names that have a value which only schedsync's own Beat reads, with their rows' ids."""
    entries = ManagedSchedule.objects.using(using).exclude(**DEFAULTS_OF_OUR_BEAT).order_by("name")
    rows = (map(readable, values) for values in read_values(entries, ["name", "row_id"]))
    wanted = set(names)
    return {name: row_id for name, row_id in rows if name in wanted}


def move_past_missed(using: str, names: Collection[str], at: datetime) -> None:
    """Move the last run of rows past the tick that they have passed over; call it before the ledger loses the names."""
    ids = {row_id for row_id in for_our_beat(using, names).values() if row_id is not None} if names else set()
    if not ids:
        return
    lock_rows(using, ids)
    moment = Moment(at, _leads_since(using) or at, full_pause=full_pause(using))
    ticks = ((row.id, passed_over(row, moment)) for row in observe_ids(using, ids))
    rows = [PeriodicTask(pk=row_id, last_run_at=tick) for row_id, tick in ticks if tick is not None]
    PeriodicTask.objects.using(using).bulk_update(rows, ["last_run_at"], batch_size=BATCH // 2)


def _leads_since(using: str) -> datetime | None:
    """Return since when the leader sends; None where no Beat leads."""
    leaders = [beat for beat in live_beats(using) if beat.leads and beat.leads_since]
    return max(leaders, key=lambda beat: beat.epoch).leads_since if leaders else None
