"""Looks at the first run of each schedule that an apply has changed, once or until all of them are known."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from celery import current_app
from django.db import connections

from schedsync.calendar.overdue import Moment
from schedsync.core.first_run import FINAL, FirstRun, FirstRuns
from schedsync.core.why import Outcome
from schedsync.database.beats import live_beats
from schedsync.database.clock import now
from schedsync.database.faults import database_errors
from schedsync.database.first_runs import read_traces
from schedsync.database.full_pause import full_pause
from schedsync.database.runs import changes_of, find_run
from schedsync.errors import Failed, Unavailable
from schedsync.planning.first_runs import Traces, Witnesses, judge, watched_names
from schedsync.usecases.task_results import keeps_results, outcomes
from schedsync.worker.marks import is_tracked

Ask = Callable[[list[str]], dict[str, Outcome]]
Note = Callable[[FirstRuns], bool]

#: Seconds between two looks.
_PAUSE = 2.0


def first_runs(using: str, run: uuid.UUID, ask: Ask = outcomes) -> FirstRuns:
    """Return what is known now of the first runs after the apply that wrote the audit record ``run``.

    ``ask`` asks the result backend for tasks by their ids. Raises Failed where there is no such record, or it is
    damaged, Unavailable where the database does not answer.
    """
    with database_errors(using):
        record = find_run(using, str(run))
        if record is None:
            raise Failed(f"there is no run {str(run)[:8]}", hint="see `schedsync history`")
        names = watched_names(changes_of(using, run))
    before = FirstRuns(run, record.set, record.environment, record.binding.commit, record.at, record.at)
    return _looked(using, before, names, ask)


def looked_again(using: str, before: FirstRuns, ask: Ask = outcomes) -> FirstRuns:
    """Return what is known now; a verdict that stays is not looked at again."""
    names = [run.name for run in before.runs if run.verdict not in FINAL]
    return _looked(using, before, names, ask) if names else before


def watched(
    using: str,
    run: uuid.UUID,
    until: datetime,
    note: Note,
    ask: Ask = outcomes,
    sleep: Callable[[float], Any] = time.sleep,
) -> FirstRuns:
    """Look again and again until every verdict stays, or until an instant; returns what is known then.

    ``note`` gets what is known after each look, and returns whether that is enough. A database that is away for a while
    ends nothing, and a KeyboardInterrupt ends it early. Raises Unavailable where the database did not answer at all.
    """
    known: FirstRuns | None = None
    try:
        while True:
            try:
                known = first_runs(using, run, ask) if known is None else looked_again(using, known, ask)
            except Unavailable:
                connections[using].close()
                if now() >= until:
                    raise
            else:
                if note(known) or not known.is_open(until):
                    return known
            if (left := (until - now()).total_seconds()) <= 0:
                break
            sleep(min(_PAUSE, left))
    except (KeyboardInterrupt, Unavailable):
        if known is None:
            raise
    return known or first_runs(using, run, ask)


def _looked(using: str, before: FirstRuns, names: list[str], ask: Ask) -> FirstRuns:
    with database_errors(using):
        moment = _moment(using)
        traces = read_traces(using, names, before.at, moment.now)
    witnesses = Witnesses(keeps_results(), bool(current_app.conf.task_track_started), is_tracked(current_app))
    found = {run.name: run for run in before.runs if run.verdict in FINAL}
    for each in _with_outcomes(traces, ask):
        verdict: FirstRun | None = judge(each, witnesses, moment, before.at)
        if verdict is not None:
            found[each.name] = verdict
    return replace(before, now=moment.now, runs=tuple(found[name] for name in sorted(found)))


def _with_outcomes(traces: list[Traces], ask: Ask) -> list[Traces]:
    ids = [each.task_id for each in traces if each.task_id is not None]
    known = ask(ids) if ids else {}
    return [replace(each, outcome=known.get(each.task_id or "")) for each in traces]


def _moment(using: str) -> Moment:
    leading = [beat.leads_since for beat in live_beats(using) if beat.leads and beat.leads_since]
    deadline = current_app.conf.beat_cron_starting_deadline
    return Moment(now(), max(leading, default=None), deadline, full_pause(using))


def watch_until(seconds: float) -> datetime:
    """Return the instant after a number of seconds from now."""
    return now() + timedelta(seconds=seconds)
