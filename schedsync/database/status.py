"""Reads how Beat and the schedules of a database are doing, for ``schedsync status`` and the metrics."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from celery import current_app

from schedsync.calendar.overdue import Moment
from schedsync.core.full_pause import FullyPaused
from schedsync.core.location import Location
from schedsync.core.observed import Managed, Observed, Paused
from schedsync.core.schedule import Desired, Schedule
from schedsync.core.status import (
    BeatReport,
    BeatStatus,
    Broken,
    Listed,
    Management,
    Schedules,
    Status,
    Stopped,
    named,
)
from schedsync.database import management
from schedsync.database.admin_log import last_edits
from schedsync.database.beats import last_beat, last_number, live_beats, read_reports
from schedsync.database.clock import DatabaseNow, now
from schedsync.database.environment import bound_environment
from schedsync.database.full_pause import full_pause
from schedsync.database.observe import observe_entries
from schedsync.database.removals import removing
from schedsync.database.schedule_status import ScheduleReader
from schedsync.database.standing import read_standing
from schedsync.models import ApplyLock, Beat
from schedsync.models import BeatReport as ReportRow
from schedsync.planning.diff import Difference, diff

#: A tick is overdue when it is later than this. Stock Beat writes its runs back only every three minutes.
OVERDUE = timedelta(seconds=60)
OVERDUE_WITH_STOCK = timedelta(seconds=300)


def read_status(using: str) -> Status:
    """Read how Beat and the schedules are doing, without a verdict; raises what the database raises."""
    at = now()
    beats = _live_beats(using)
    reports = read_reports(using)
    clock = _database_clock(using, at)
    pause = full_pause(using)
    reader = _reader(using, beats, at, pause)
    read = Status(
        at=at,
        clock=clock,
        number=last_number(using),
        environment=bound_environment(using),
        full_pause=pause if pause and pause.is_on(at) else None,
        beats=tuple(_beat(beat, clock, reports) for beat in beats),
        last_beat=None if beats else last_beat(using, reports.values()),
        schedules=reader.read(),
        failed=reader.failed(),
        management=_management(using, at, reader),
    )
    return replace(read, schedules=_as_beat_reports(read))


def read_status_of_host(using: str, host: str) -> Status:
    """Read the live Beats of a host, and nothing else; raises what the database raises."""
    at = now()
    beats = [beat for beat in _live_beats(using) if beat.host == host]
    reports = read_reports(using) if beats else {}
    clock = _database_clock(using, at)
    return Status(at, clock, last_number(using), beats=tuple(_beat(beat, clock, reports) for beat in beats))


def _live_beats(using: str) -> list[Beat]:
    """Return the live Beats; one that was killed still has ``leads`` set, and the true leader the highest epoch."""
    beats = live_beats(using)
    epoch = max((beat.epoch for beat in beats if beat.leads), default=0)
    for beat in beats:
        beat.leads = beat.leads and beat.epoch == epoch
    return beats


def _database_clock(using: str, at: datetime) -> datetime:
    """Return the database's time, by which the ages of the Beats' times are computed."""
    return ApplyLock.objects.using(using).values_list(DatabaseNow(), flat=True).first() or at


def _reader(using: str, beats: list[Beat], at: datetime, pause: FullyPaused | None) -> ScheduleReader:
    since = next((beat.leads_since or at for beat in beats if beat.leads), None)
    moment = Moment(at, since, current_app.conf.beat_cron_starting_deadline, pause)
    return ScheduleReader(using, moment, OVERDUE if beats else OVERDUE_WITH_STOCK)


def _beat(beat: Beat, clock: datetime, reports: Mapping[UUID, ReportRow]) -> BeatStatus:
    report = reports.get(beat.pk)
    return BeatStatus(
        id=str(beat.pk),
        name=str(beat),
        election=beat.election,
        leads=beat.leads,
        leads_since=beat.leads_since,
        epoch=beat.epoch,
        started_at=beat.started_at,
        seen=clock - beat.seen_at,
        loaded=beat.loaded,
        loaded_at=beat.loaded_at,
        schedules=beat.schedules,
        trouble=beat.trouble,
        report=None if report is None else _report(report),
    )


def _report(report: ReportRow) -> BeatReport:
    return BeatReport(
        broken=Listed(report.broken_count or 0, _broken(report.broken)),
        broker_trouble=report.broker_trouble or "",
        broker_trouble_since=report.broker_trouble_since,
        last_tick=report.last_tick,
        last_late=report.last_late,
        clock_ahead=report.clock_ahead,
        environment=report.environment,
    )


def _broken(text: str) -> tuple[Broken, ...]:
    try:
        return tuple(Broken(str(name), str(reason)) for name, reason in json.loads(text))
    except (ValueError, TypeError):
        return ()


def _as_beat_reports(read: Status) -> Schedules:
    """Return the schedules; a Beat that sends knows better than we do which of them cannot run."""
    reports = [beat.report for beat in read.beats if beat.leads and beat.report is not None]
    return replace(read.schedules, broken=reports[0].broken) if reports else read.schedules


def _management(using: str, at: datetime, reader: ScheduleReader) -> Management:
    ledger, pauses = management.compared(using, reader.sums), reader.pauses.values()
    ids = management.entries_to_compare(using, ledger)
    held: Listed[Stopped] | None = None
    drifted: Listed[str] | None = None
    if ids is not None:
        observed = observe_entries(using, ids)
        difference = diff(as_applied(observed), observed, at)
        held = Listed.of(_held(using, difference, observed))
        drifted = Listed.of(sorted({change.name for change in difference.changes}))
    return Management(
        applies=management.last_applies(using),
        managed=ledger.entries,
        unmanaged=management.unmanaged(using, ledger),
        paused=Listed.of(sorted((_paused(pause) for pause in pauses if not pause.ended(at)), key=named)),
        standing=tuple(pause for pause in read_standing(using) if not pause.ended(at)),
        held=held,
        drifted=drifted,
        removing=removing(using),
    )


def as_applied(observed: Observed) -> Desired:
    """Return the schedules as they were applied last; ``ignore_changes`` is not known here."""
    return Desired.of(schedule for managed in observed.ledger.values() if (schedule := _schedule(managed)) is not None)


def _schedule(managed: Managed) -> Schedule | None:
    place = managed.location or Location("", 1, 1)
    return None if managed.spec is None else Schedule(managed.name, managed.spec, place)


def _held(using: str, difference: Difference, observed: Observed) -> list[Stopped]:
    rows = {held.name: observed.rows[held.name].id for held in difference.held if held.name in observed.rows}
    edits = last_edits(using, rows)
    stopped = []
    for name, row_id in sorted(rows.items()):
        edit = edits.get(row_id)
        stopped.append(Stopped(name, who=edit.user if edit else None, since=edit.time if edit else None))
    return stopped


def _paused(pause: Paused) -> Stopped:
    return Stopped(pause.name, pause.who, pause.reason, pause.since, pause.until)
