"""Reads for one scrape what the database knows: the same as ``schedsync status``, and a few numbers more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from fnmatch import fnmatchcase

from celery import current_app
from django_celery_beat.models import PeriodicTask

from schedsync.calendar.overdue import Moment, next_tick
from schedsync.core.counters import Counters
from schedsync.core.status import Status
from schedsync.database.apply_failures import FailedApply, failed_applies
from schedsync.database.beats import count_leaders, read_counters
from schedsync.database.bulk import rows_of
from schedsync.database.full_pause import full_pause
from schedsync.database.observe import observe_ids
from schedsync.database.standing import read_standing
from schedsync.database.status import read_status
from schedsync.database.values import read_values
from schedsync.models import Lease, ManagedSchedule, Pause
from schedsync.monitoring.settings import chosen_schedules

#: The schedules of which each scrape exports runs, at most: each is two time series.
MOST_SCHEDULES = 1000
#: For how long a failed apply is told of a set that manages nothing: nobody may ever apply it again.
_FAILURES_KEPT = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Runs:
    """The next and the last run of one schedule; None where there is none."""

    name: str
    next: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class ChosenRuns:
    """The runs of the schedules that the settings name, and how many others are left out."""

    shown: tuple[Runs, ...] = ()
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Reading:
    """The values of one scrape; ``counters`` are by the id of the Beat. ``runs`` is None where nobody asks for them.

    ``leaders`` counts the live Beats whose row says that they lead. ``managing`` are the sets that manage a schedule.
    """

    status: Status
    leaders: int = 0
    epoch: int = 0
    disabled: int = 0
    oldest_pause: datetime | None = None
    counters: Mapping[str, Counters] = field(default_factory=dict)
    managing: frozenset[str] = frozenset()
    failed_applies: Sequence[FailedApply] = ()
    runs: ChosenRuns | None = None


def read(using: str) -> Reading:
    """Read everything in a constant number of statements; raises what the database raises."""
    status, managing = read_status(using), _managing(using)
    return Reading(
        status=status,
        leaders=count_leaders(using),
        epoch=Lease.objects.using(using).filter(pk=1).values_list("epoch", flat=True).first() or 0,
        disabled=rows_of(PeriodicTask, using).filter(enabled=False).count(),
        oldest_pause=_oldest_pause(using),
        counters={str(beat): counters for beat, counters in read_counters(using).items()},
        managing=managing,
        failed_applies=[
            failure
            for failure in failed_applies(using)
            if failure.set in managing or failure.at > status.at - _FAILURES_KEPT
        ],
        runs=_runs(using, status, names) if (names := chosen_schedules()) else None,
    )


def _managing(using: str) -> frozenset[str]:
    sets = ManagedSchedule.objects.using(using).order_by().distinct()
    return frozenset(str(name) for (name,) in read_values(sets, ["set"]))


def _oldest_pause(using: str) -> datetime | None:
    """Return since when the oldest pause lasts that nobody has given an end; a pause of everything always has one."""
    endless = Pause.objects.using(using).filter(until=None).order_by("since").values_list("since", flat=True)[:1]
    standing = (pause.since for pause in read_standing(using) if pause.until is None)
    return min([*endless, *standing], default=None)


def _runs(using: str, status: Status, chosen: Sequence[str]) -> ChosenRuns:
    """Read the runs of the enabled schedules that a pattern names, the first ones by name."""
    enabled = read_values(rows_of(PeriodicTask, using).filter(enabled=True).order_by("name"), ["pk", "name"])
    ids = [row_id for row_id, name in enabled if any(fnmatchcase(str(name), pattern) for pattern in chosen)]
    since = next((beat.leads_since for beat in status.beats if beat.leads), None)
    moment = Moment(status.at, since, current_app.conf.beat_cron_starting_deadline, full_pause(using))
    rows = observe_ids(using, ids[:MOST_SCHEDULES])
    shown = tuple(Runs(row.name, next_tick(row, moment), row.last_run_at) for row in rows if not row.problems)
    return ChosenRuns(shown, max(len(ids) - MOST_SCHEDULES, 0))
