"""Reports how Beat is doing: which one leads, the change it has loaded, and the schedules that do not run."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from celery import current_app

from schedsync.calendar.ticks import GRACE, Lateness, first_after, first_tick, last_tick, tick_after
from schedsync.core.full_pause import FullyPaused, left_out_of
from schedsync.core.observed import Observed, Row
from schedsync.core.schedule import Spec, completed_at
from schedsync.core.status import BeatStatus, Failed, Late, Status
from schedsync.core.timing import MICROSECOND, Crontab
from schedsync.database.beats import last_number, live_beats
from schedsync.database.clock import DatabaseNow, now
from schedsync.database.failures import send_failures
from schedsync.database.faults import database_errors
from schedsync.database.full_pause import full_pause
from schedsync.database.observe import observe_rows
from schedsync.database.use_tz import require_use_tz
from schedsync.database.values import read_values
from schedsync.models import ApplyLock, Beat, ManagedSchedule, SendFailure
from schedsync.usecases.celery_settings import import_tasks

#: A tick is overdue when it is later than this. Stock Beat writes its runs back only every three minutes.
OVERDUE = timedelta(seconds=60)
OVERDUE_WITH_STOCK = timedelta(seconds=300)
#: A schedule that is disabled for longer than this was perhaps forgotten.
LONG = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class _Moment:
    """The state to report on, and its time; ``leads_since`` is None where no Beat of schedsync's own leads.

    ``full_pause`` is the last pause of everything, None where there was none.
    """

    observed: Observed
    now: datetime
    grace: timedelta
    leads_since: datetime | None
    full_pause: FullyPaused | None = None


def status(using: str) -> Status:
    """Read how Beat and the schedules are doing.

    Raises Unavailable where the database is not there or not migrated, WrongUsage where ``USE_TZ`` is off.
    """
    require_use_tz()
    at = now()
    with database_errors(using):
        beats = live_beats(using)
        # A Beat that was killed still has ``leads`` set: the true leader has the highest epoch.
        epoch = max((beat.epoch for beat in beats if beat.leads), default=0)
        for beat in beats:
            beat.leads = beat.leads and beat.epoch == epoch
        since = next((beat.leads_since or at for beat in beats if beat.leads), None)
        moment = _Moment(observe_rows(using), at, OVERDUE if beats else OVERDUE_WITH_STOCK, since, full_pause(using))
        recent = ManagedSchedule.objects.using(using).filter(applied_at__gt=at - LONG)
        applied = {str(name) for (name,) in read_values(recent, ["name"])}
        # The Beats' times come from the database's clock, so their ages are computed with it.
        database_now = ApplyLock.objects.using(using).values_list(DatabaseNow(), flat=True).first()
        number = last_number(using)
        failures = send_failures(using)
    import_tasks(current_app)
    return _status(beats, database_now or at, number, moment, applied, failures)


def _status(
    beats: list[Beat],
    database_now: datetime,
    number: int,
    moment: _Moment,
    applied: Collection[str],
    failures: Mapping[int, SendFailure],
) -> Status:
    rows = sorted(moment.observed.rows.values(), key=lambda row: row.name)
    enabled = [row for row in rows if row.spec is not None and row.spec.enabled and not row.problems]
    late = list(_late(enabled, moment))
    registered = current_app.tasks
    return Status(
        at=moment.now,
        number=number,
        beats=tuple(_beat(beat, database_now) for beat in beats),
        full_pause=_lasting(moment),
        enabled=len(enabled),
        due=tuple(schedule for schedule in late if moment.now - schedule.tick <= moment.grace),
        overdue=tuple(schedule for schedule in late if moment.now - schedule.tick > moment.grace),
        failed=tuple(_failed(rows, failures)),
        never_ran=tuple(row.name for row in enabled if not row.total_run_count and row.last_run_at is None),
        disabled_long=tuple(row.name for row in rows if row.name not in applied and _is_disabled_long(row, moment)),
        unregistered=tuple(row.name for row in enabled if row.spec and row.spec.task not in registered),
        broken=tuple(row.name for row in rows if row.problems and (row.spec is None or row.spec.enabled)),
    )


def _beat(beat: Beat, database_now: datetime) -> BeatStatus:
    return BeatStatus(
        id=str(beat.pk),
        name=str(beat),
        election=beat.election,
        leads=beat.leads,
        leads_since=beat.leads_since,
        epoch=beat.epoch,
        started_at=beat.started_at,
        seen=database_now - beat.seen_at,
        loaded=beat.loaded,
        loaded_at=beat.loaded_at,
        schedules=beat.schedules,
        trouble=beat.trouble,
    )


def _failed(rows: list[Row], failures: Mapping[int, SendFailure]) -> Iterator[Failed]:
    for row in rows:
        failure = failures.get(row.id)
        if failure is not None and _is_last(failure, row):
            yield Failed(row.name, failure.tick, failure.failed_at, failure.reason, failure.given_up)


def _is_last(failure: SendFailure, row: Row) -> bool:
    """Say whether nothing was sent since, and nobody has stopped the schedule or made it anew."""
    last, spec = row.last_run_at, row.spec
    if spec is None or not (spec.enabled or (failure.given_up and spec.one_off)):
        return False
    if last is None:
        return row.date_changed is None or row.date_changed <= failure.failed_at
    # The run of a message that was given up is written back too.
    return last <= failure.tick if failure.given_up else last < failure.tick


def _late(rows: list[Row], moment: _Moment) -> Iterator[Late]:
    for row in rows:
        if row.spec is not None and not completed_at(row.spec, moment.now):
            tick = _tick(row, row.spec, moment)
            if tick is not None:
                yield Late(row.name, tick)


def _tick(row: Row, spec: Spec, moment: _Moment) -> datetime | None:
    """Return the oldest missed tick that is still due, or None."""
    if spec.one_off and row.total_run_count:
        return None
    last = row.last_run_at or row.date_changed or moment.now
    tick = first_tick(spec.timing, last, spec.start_at, ran=row.last_run_at is not None)
    tick = _after_full_pause(row, spec, tick, moment)
    if tick is None or tick > moment.now:
        return None
    # Only a leader skips missed ticks.
    earliest = None if moment.leads_since is None else _earliest(_lateness(spec), moment.now, moment.leads_since)
    if earliest is not None and tick < earliest:
        following = tick_after(spec.timing, last_tick(spec.timing, tick, earliest - MICROSECOND))
        return following if following is not None and following <= moment.now else None
    return tick


def _lasting(moment: _Moment) -> FullyPaused | None:
    return moment.full_pause if moment.full_pause and moment.full_pause.is_on(moment.now) else None


def _after_full_pause(row: Row, spec: Spec, tick: datetime | None, moment: _Moment) -> datetime | None:
    """Return the first tick that a pause of everything does not leave out; None while the pause lasts."""
    pause = moment.full_pause
    if tick is None or pause is None:
        return tick
    if pause.is_on(moment.now):
        return None
    until = left_out_of(pause.left_out(moment.now), last_run=row.last_run_at, changed=row.date_changed)
    return tick if until is None else first_after(spec.timing, tick, until)[0]


def _earliest(lateness: Lateness, now: datetime, leads_since: datetime) -> datetime | None:
    """Return the instant since which missed ticks are still sent; None where all of them are."""
    if lateness.deadline is not None:
        return now - lateness.deadline
    return leads_since - GRACE if lateness.missed == "none" else None


def _lateness(spec: Spec) -> Lateness:
    seconds = spec.starting_deadline
    if seconds is None and isinstance(spec.timing, Crontab):
        seconds = current_app.conf.beat_cron_starting_deadline
    return Lateness(spec.missed_runs, None if seconds is None else timedelta(seconds=seconds))


def _is_disabled_long(row: Row, moment: _Moment) -> bool:
    """Say whether a row was disabled long ago; an UPDATE by hand records no time, so it is not noticed."""
    if row.spec is None or row.spec.enabled or row.date_changed is None or completed_at(row.spec, moment.now):
        return False
    paused = moment.observed.pauses.get(row.name)
    since = row.date_changed if paused is None else max(row.date_changed, paused.since)
    return moment.now - since > LONG
