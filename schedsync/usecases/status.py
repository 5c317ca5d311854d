"""Reports how Beat is doing: which one leads, the change it has loaded, and the schedules that do not run."""

from __future__ import annotations

import socket
from dataclasses import replace
from typing import Any

from celery import current_app

from schedsync.core.status import Listed, Status, Stopped, Verdict
from schedsync.core.verdict import judge
from schedsync.database.break_glass import opened
from schedsync.database.faults import database_errors
from schedsync.database.monitors import count_waiting
from schedsync.database.rollbacks import every_rolled_back
from schedsync.database.status import read_status, read_status_of_host
from schedsync.database.tables import tables_read_once
from schedsync.database.use_tz import require_use_tz
from schedsync.errors import WrongUsage
from schedsync.monitors.settings import service_names
from schedsync.usecases.celery_settings import import_tasks
from schedsync.usecases.frozen_sets import frozen_sets


def status(using: str, expected_beats: int | None = None) -> Status:
    """Read how Beat and the schedules are doing, and judge it; ``expected_beats`` is how many Beats should be live.

    Raises Unavailable where the database is not there or not migrated, WrongUsage where ``USE_TZ`` is off.
    """
    require_use_tz()
    import_tasks(current_app)
    with database_errors(using), tables_read_once():
        read = _with_rest(using, read_status(using))
    verdict, problems = judge(read, expected_beats)
    return replace(read, verdict=verdict, problems=problems)


def _with_rest(using: str, read: Status) -> Status:
    """Return a status with what no metric needs: what is rolled back, open or frozen, and the monitors that wait."""
    marks = every_rolled_back(using)
    kept = Listed.of([Stopped(mark.name, mark.who, mark.reason, mark.since) for mark in marks])
    rest: dict[str, Any] = {
        "rolled_back": kept,
        "monitors_waiting": count_waiting(using, _services()),
        "opened": Listed.of(Stopped(each.name, each.who, each.reason, each.since) for each in opened(using).values()),
        "frozen": frozen_sets(using, read.at),
    }
    return replace(read, management=replace(read.management, **rest))


def _services() -> tuple[str, ...]:
    try:
        return service_names()
    except WrongUsage:
        return ()


def status_of_host(using: str) -> Status:
    """Read whether a Beat is live on this host; nothing else is read.

    Raises Unavailable where the database is not there or not migrated, WrongUsage where ``USE_TZ`` is off.
    """
    require_use_tz()
    with database_errors(using):
        read = read_status_of_host(using, socket.gethostname()[:200])
    if read.beats:
        return replace(read, verdict=Verdict.OK)
    return replace(read, verdict=Verdict.NOT_OK, problems={"no_beat": "no Beat is live on this host"})
