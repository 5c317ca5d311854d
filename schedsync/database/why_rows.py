"""Reads what the tables know of one schedule, in a constant number of queries; it writes nothing."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import Q
from django_celery_beat.models import PeriodicTask

from schedsync.core.journal import Journal, Reign
from schedsync.core.observed import Managed, Paused, Row
from schedsync.core.open_run import PASSED_BY, OpenRun
from schedsync.core.why import BeatsNow, Claimed, NotSent, Stop
from schedsync.database import journal
from schedsync.database.beats import last_beat, live_beats, read_reports
from schedsync.database.bulk import rows_of
from schedsync.database.full_pause import full_pause
from schedsync.database.observe import entries_where, observe_ids, observe_pauses
from schedsync.database.open_runs import open_now
from schedsync.database.tables import has_table
from schedsync.database.values import Damaged, read_values
from schedsync.models import Beat, Claim, SendFailure
from schedsync.planning.removal import before_removal

#: Before a tick, how far back to ask who led: nobody may have led for long.
_REIGNS_BEFORE = timedelta(days=7)
#: How many names a suggestion is looked for among.
_MOST_NAMES = 10_000


class Found(NamedTuple):
    """The row with a name, and its entry in the ledger."""

    row: Row | None
    managed: Managed | None

    @property
    def is_there(self) -> bool:
        """Whether the name is in a table."""
        return self.row is not None or self.managed is not None


def find(using: str, name: str) -> Found:
    """Return the row and the ledger's entry of a name; a row that was renamed in the tables is found by its id."""
    # The database may take other names for this one.
    names = read_values(rows_of(PeriodicTask, using).filter(name=name).order_by(), ("pk", "name"))
    row_id = next((row_id for row_id, exact in names if exact == name), None)
    condition = Q(name=name) if row_id is None else Q(name=name) | Q(row_id=row_id)
    entries = {managed.name: managed for managed in entries_where(using, condition)}
    managed = before_removal(entries.get(name))
    if managed is None and row_id is not None:
        managed = before_removal(next((entry for entry in entries.values() if entry.row_id == row_id), None))
    if row_id is None and managed is not None:
        row_id = managed.row_id
    rows = [] if row_id is None else observe_ids(using, {row_id})
    return Found(rows[0] if rows else None, managed)


def known_names(using: str) -> list[str]:
    """Return names of rows, to suggest one; at most 10,000."""
    rows = read_values(rows_of(PeriodicTask, using).order_by()[:_MOST_NAMES], ("name",))
    return [row[0] for row in rows if not isinstance(row, Damaged)]


def claim_of(using: str, row_id: int) -> Claimed | None:
    """Return the claim of a row's last tick."""
    rows = Claim.objects.using(using).filter(row_id=row_id)
    values = read_values(rows, ("tick", "claimed_at", "epoch", "confirmed", "batch"))
    read = ((*row[:-1], row[-1] == PASSED_BY) for row in values if not isinstance(row, Damaged))
    return next((Claimed(*row) for row in read), None)


def open_run(using: str, row: Row) -> OpenRun | None:
    """Return the run of a row that has not ended; None where the next tick does not wait for it."""
    spec = row.spec
    if spec is None or not spec.skips:
        return None
    return open_now(using, {row.id: (spec.max_runtime or 0, spec.expires_after)}).get(row.id)


def failure_of(using: str, row_id: int) -> NotSent | None:
    """Return the last failure to send a message of a row; None before the table is made."""
    if not has_table(using, SendFailure):
        return None
    rows = SendFailure.objects.using(using).filter(row_id=row_id)
    values = read_values(rows, ("tick", "failed_at", "reason", "given_up"))
    return next((NotSent(*row) for row in values if not isinstance(row, Damaged)), None)


def stops_now(using: str, name: str, row: Row | None, now: datetime) -> list[Stop]:
    """Return the pause of the schedule and the last one of everything."""
    pause = observe_pauses(using, name).get(name)
    stops = [] if pause is None else [_stop(pause, row, now)]
    everything = full_pause(using)
    if everything is not None and everything.since is not None and everything.until is not None:
        who, reason, since, until = everything.who, everything.reason, everything.since, everything.until
        stops.append(Stop(who, reason, since, until, everything=True, lasts=everything.is_on(now)))
    return stops


def _stop(pause: Paused, row: Row | None, now: datetime) -> Stop:
    is_disabled = row is not None and row.spec is not None and not row.spec.enabled
    lingers = pause.ended(now) and is_disabled
    lasts = lingers or not pause.ended(now)
    return Stop(pause.who, pause.reason, pause.since, pause.until, lasts=lasts, lingers=lingers)


def beats_now(using: str) -> BeatsNow:
    """Return which Beats live and which one leads, and the names of those that led lately."""
    beats, reports = live_beats(using), read_reports(using)
    epoch = max((beat.epoch for beat in beats if beat.leads), default=0)
    leader = next((beat for beat in beats if beat.leads and beat.epoch == epoch), None)
    report = reports.get(leader.pk) if leader is not None else None
    return BeatsNow(
        live=len(beats),
        leader=None if leader is None else str(leader),
        leads_since=None if leader is None else leader.leads_since,
        ever=bool(beats) or last_beat(using, reports.values()) is not None,
        names=_names_by_epoch(using),
        broken=_broken(report.broken) if report else {},
        broker_trouble=(report.broker_trouble or "") if report else "",
    )


def _names_by_epoch(using: str) -> dict[int, str]:
    values = read_values(Beat.objects.using(using).filter(epoch__gt=0)[:_MOST_NAMES], ("epoch", "host", "pid"))
    return {row[0]: f"{row[1]}:{row[2]}" for row in values if not isinstance(row, Damaged)}


def _broken(text: str) -> Mapping[str, str]:
    try:
        return {str(name): str(reason) for name, reason in json.loads(text)}
    except (ValueError, TypeError):
        return {}


def journal_of(
    using: str, row_id: int, since: datetime, until: datetime, ticks: Collection[datetime], now: datetime
) -> tuple[Journal, tuple[Reign, ...]]:
    """Return what the journal says of a row in a span of time, first of some ticks, and who led then and since."""
    # The next leader may have come long after the span.
    reigns = journal.reigns(using, since - _REIGNS_BEFORE, now)
    return journal.records(using, row_id, since, until, ticks), tuple(reigns)


def cron_deadline() -> int | None:
    """Return Celery's deadline for late crontabs, in seconds."""
    from celery import current_app

    value: Any = current_app.conf.beat_cron_starting_deadline
    return value if isinstance(value, int) else None
