"""One schedule as Beat keeps it in memory: small, because there may be a million of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import Enum
from functools import lru_cache
from typing import Any, TypeVar

from schedsync.beat.scan import TimingRow
from schedsync.beat.task_rows import TaskRow
from schedsync.calendar.ticks import Lateness, first_tick
from schedsync.core.observed import Problem
from schedsync.core.timing import Clocked, Crontab, Interval, Timing
from schedsync.database.columns import ManagedColumns, TaskColumns
from schedsync.database.schedule_rows import KINDS

T = TypeVar("T", bound="tuple[Any, ...]")

_AT_MOST_ONCE = "at_most_once"
_SKIP = "skip"
_decode = json.JSONDecoder().decode
NO_NEXT_RUN = "its next run cannot be worked out"


class CannotRun(Exception):
    """An enabled row cannot run; the text says why."""


class Trace(Enum):
    """The trace of another scheduler in a row.

    It is sure if the row's count grew, and faint if only its last run moved, which an edit by hand may have done.
    """

    SURE = "sure"
    FAINT = "faint"


@dataclass(slots=True, eq=False)
class LoadedSchedule:
    """An enabled row that can run: what is sent, when, and what Beat knows of its last run.

    Its arguments and headers are read when a tick is claimed. ``expires_after`` is in seconds. ``last_run`` is None if
    it never ran, and ``changed`` then takes its place. ``tick`` is the next tick, or None if there is none;
    ``noted_at`` is the instant at which the agenda holds the schedule.
    """

    row_id: int
    fingerprint: int
    name: str
    task: str
    options: tuple[Any, ...]
    expires_after: int | None
    expires: datetime | None
    start: datetime | None
    one_off: bool
    timing: Timing
    timing_row: TimingRow
    last_run: datetime | None
    count: int
    changed: datetime
    managed: ManagedColumns
    at_most_once: bool
    lateness: Lateness
    tick: datetime | None = None
    noted_at: datetime | None = None

    def schedule_next(self) -> None:
        """Work out the next tick from the last run."""
        last = self.last_run if self.last_run is not None else self.changed
        self.tick = first_tick(self.timing, last, self.start, ran=self.last_run is not None)

    @property
    def wakes_at(self) -> datetime | None:
        """When Beat has something to do with it: at its tick, or at its end if that comes first."""
        if self.expires is not None and (self.tick is None or self.expires < self.tick):
            return self.expires
        return self.tick

    @property
    def skips(self) -> bool:
        """Whether its ticks wait for its last run; one that runs once would be lost, so it never waits."""
        managed = self.managed
        return managed.overlap == _SKIP and bool(managed.max_runtime) and not self.one_off

    def trace(self, last_run: datetime | None, count: int, *, by_apply: bool) -> Trace | None:
        """Return the trace that another scheduler has left in the row's runs as they are now, or None.

        ``by_apply`` says that an apply wrote the last run; an apply may also set it before a start in the future.
        """
        if last_run is None or by_apply or (self.last_run is not None and last_run <= self.last_run):
            return None
        if count > self.count:
            return Trace.SURE
        return Trace.FAINT if count == self.count and last_run <= datetime.now(timezone.utc) else None

    @property
    def is_done(self) -> bool:
        """Whether it was to run once, and has (django_celery_beat/schedulers.py ``ModelEntry.is_due``)."""
        return self.one_off and self.count > 0


def load(
    row: TaskRow, columns: TaskColumns, timings: Mapping[TimingRow, Timing | Problem], cron_deadline: int | None
) -> LoadedSchedule:
    """Build a schedule from its row, its ledger's columns and its timing; raises CannotRun.

    ``cron_deadline`` is in seconds, and holds for crontabs that say nothing themselves.
    """
    timing_rows = _timing_rows(columns.interval_id, columns.crontab_id, columns.solar_id, columns.clocked_id)
    if len(timing_rows) != 1:
        raise CannotRun("it has no schedule, or more than one")
    timing = timings.get(timing_rows[0])
    if timing is None or isinstance(timing, Problem):
        raise CannotRun("its schedule is gone" if timing is None else timing.message)
    if isinstance(timing, Interval) and timing.microseconds <= 0:
        raise CannotRun("an interval of 0")
    _check_json(columns)
    try:
        schedule = _built(row, columns, timing_rows[0], timing, cron_deadline)
        schedule.schedule_next()
    except Exception as error:
        # One row that Celery or a library of Celery's rejects must not stop the others.
        raise CannotRun(f"{NO_NEXT_RUN}: {error}") from error
    return schedule


def _check_json(columns: TaskColumns) -> None:
    # Most values are empty: they are compared here, because a call takes longer.
    if columns.args != "[]" and not _is_json(columns.args, list):
        raise CannotRun("its args are no JSON list")
    if columns.kwargs != "{}" and not _is_json(columns.kwargs, dict):
        raise CannotRun("its kwargs are no JSON object")
    if columns.headers != "{}" and not _is_json(columns.headers, dict):
        raise CannotRun("its headers are no JSON object")


def _built(
    row: TaskRow, columns: TaskColumns, timing_row: TimingRow, timing: Timing, cron_deadline: int | None
) -> LoadedSchedule:
    managed, at_most_once, lateness = _terms(row.managed, cron_deadline if isinstance(timing, Crontab) else None)
    return LoadedSchedule(
        row_id=columns.id,
        fingerprint=row.fingerprint,
        name=columns.name,
        # Equal values share one object: in a large table most of them repeat.
        task=sys.intern(columns.task),
        options=_shared((columns.queue, columns.exchange, columns.routing_key, columns.priority)),
        expires_after=columns.expire_seconds,
        expires=columns.expires,
        start=columns.start_time,
        one_off=columns.one_off or isinstance(timing, Clocked),
        timing=timing,
        timing_row=timing_row,
        last_run=columns.last_run_at,
        count=columns.total_run_count,
        changed=columns.date_changed or columns.last_run_at or datetime.now(timezone.utc),
        managed=managed,
        at_most_once=at_most_once,
        lateness=lateness,
    )


@lru_cache(maxsize=65536)
def _shared(value: T) -> T:
    return value


def _is_json(text: str | None, kind: type) -> bool:
    try:
        return not text or isinstance(_decode(text), kind)
    except (TypeError, ValueError, RecursionError):
        # SQLite may give bytes.
        return False


@lru_cache(maxsize=65536)
def _timing_rows(*ids: int | None) -> tuple[TimingRow, ...]:
    """Return the timings' rows that a task's row names, by their ids in the order of ``KINDS``; the value is shared."""
    return tuple((kind, row_id) for kind, row_id in zip(KINDS, ids, strict=True) if row_id is not None)


@lru_cache(maxsize=65536)
def _terms(managed: ManagedColumns, default_deadline: int | None) -> tuple[ManagedColumns, bool, Lateness]:
    """Return the ledger's columns, whether to send at most once, and what holds for late runs; the values are shared.

    The deadline is in seconds.
    """
    seconds = default_deadline if managed.starting_deadline is None else managed.starting_deadline
    deadline = None if seconds is None else timedelta(seconds=seconds)
    return managed, managed.delivery == _AT_MOST_ONCE, Lateness(managed.missed_runs or "latest", deadline)
