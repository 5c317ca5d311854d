"""Judges the first run of each schedule that an apply has changed, by what Beat and workers left of it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from schedsync.calendar.overdue import Moment, next_tick
from schedsync.calendar.ticks import GRACE
from schedsync.core.change import KINDS, Change
from schedsync.core.first_run import FirstRun, FirstRunVerdict
from schedsync.core.observed import Row
from schedsync.core.open_run import OpenRun
from schedsync.core.schedule import ROW_FIELDS, Spec
from schedsync.core.task_id import task_id
from schedsync.core.why import Claimed, NotSent, Outcome
from schedsync.planning.converter import change_from
from schedsync.planning.why.outcomes import NOT_RUN
from schedsync.planning.why.words import clock_at, span_text, time_at

#: A change of one of these fields changes what runs, or when.
_RUNS = frozenset(ROW_FIELDS) - {"description"}
_WATCHED_KINDS = ("create", "update", "adopt", "rename")
#: A message without ``expires_after`` that no worker has started after this time counts as never received.
_START_WITHIN = timedelta(minutes=5)
#: Stock Beat writes its runs back only every three minutes.
_GRACE_OF_STOCK = timedelta(minutes=5)
#: How the id of a task that was sent ends: the states of Celery that say so.
_ENDED_WELL = frozenset({"SUCCESS", "IGNORED"})
_INSTALL = "set a result backend such as django-celery-results to know how runs end"


@dataclass(frozen=True, slots=True)
class Witnesses:
    """Who can tell what became of a message.

    ``results``: a result backend keeps how tasks end. ``starts``: it has their starts too (``task_track_started``).
    ``marks``: the workers note the runs of schedules with ``overlap: skip``.
    """

    results: bool = False
    starts: bool = False
    marks: bool = False


@dataclass(frozen=True, slots=True)
class Traces:
    """What is known of one schedule since an apply; ``row`` is None where the schedule is gone.

    ``sent`` is the first tick since then that a Beat has sent, or None; ``claim`` and ``not_sent`` are of the last
    tick, and ``open_run`` and ``outcome`` are of the task of ``sent``.
    """

    name: str
    row: Row | None
    sent: datetime | None = None
    claim: Claimed | None = None
    not_sent: NotSent | None = None
    open_run: OpenRun | None = None
    outcome: Outcome | None = None

    @property
    def task_id(self) -> str | None:
        """The id of the task that was sent."""
        return None if self.sent is None else task_id(self.name, self.sent)


def is_watched(change: Change) -> bool:
    """Say whether the first run after a change is of interest: it makes a schedule, or changes what runs or when."""
    after = {field.field: field.after for field in change.fields}
    if change.kind not in _WATCHED_KINDS or change.removing is not None or after.get("enabled") is False:
        return False
    return change.kind == "create" or not _RUNS.isdisjoint(after)


def watched_names(documents: Iterable[Any]) -> list[str]:
    """Return the names of the watched schedules in the changes of an audit record; damaged ones are left out."""
    return [change.name for change in map(_read, documents) if change is not None and is_watched(change)]


def _read(document: Any) -> Change | None:
    if not isinstance(document, Mapping) or document.get("kind") not in KINDS:
        return None
    try:
        change = change_from(document)
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
    return change if isinstance(change.name, str) else None


def judge(traces: Traces, witnesses: Witnesses, moment: Moment, since: datetime) -> FirstRun | None:
    """Return the verdict on the first run since an apply at ``since``.

    None where the schedule was deleted, paused or disabled since: nothing will run.
    """
    row, now = traces.row, moment.now
    if row is None:
        return None
    if row.spec is None:
        why = row.problems[0].message if row.problems else "it cannot be read"
        return FirstRun(traces.name, FirstRunVerdict.REJECTED, f"Beat cannot run its row: {why}")
    case = _Case(traces, witnesses, row, row.spec, now, since)
    if traces.sent is not None:
        return case.of_sent(traces.sent)
    return case.of_refused() or case.of_claimed() or case.of_stock_beat() or case.of_waiting(moment)


@dataclass(frozen=True, slots=True)
class _Case:
    """One schedule whose row can run."""

    traces: Traces
    witnesses: Witnesses
    row: Row
    spec: Spec
    now: datetime
    since: datetime

    def time(self, at: datetime) -> str:
        return time_at(at, self.spec, self.now)

    def clock(self, at: datetime) -> str:
        return clock_at(at, self.spec, self.now)

    def said(self, verdict: FirstRunVerdict, words: str, tick: datetime | None = None) -> FirstRun:
        return FirstRun(self.traces.name, verdict, words, tick, self.traces.task_id)

    def of_sent(self, tick: datetime) -> FirstRun:
        """Judge a run that was sent: its result says most, then what a worker noted."""
        outcome = self.traces.outcome
        if outcome is not None and outcome.state is not None:
            return self._of_result(tick, outcome, outcome.state)
        sent = f"sent for {self.time(tick)}"
        if self.traces.open_run is not None:
            return self._of_open_run(tick, sent, self.traces.open_run)
        if self.witnesses.results:
            is_pending = outcome is None or outcome.is_pending
            if self.witnesses.starts and is_pending and self._is_too_long(tick):
                return self._never_received(tick, sent)
            trouble = "" if is_pending or outcome is None else f": {outcome.trouble}"
            return self.said(FirstRunVerdict.RUNNING, f"{sent}, no result yet{trouble}", tick)
        if self.spec.skips and self.witnesses.marks:
            return self.said(FirstRunVerdict.UNKNOWN, f"{sent}, and ended; nothing keeps how: {_INSTALL}", tick)
        return self.said(FirstRunVerdict.UNKNOWN, f"{sent}; nothing tells how it ended: {_INSTALL}", tick)

    def _of_result(self, tick: datetime, outcome: Outcome, state: str) -> FirstRun:
        at = f" at {self.clock(outcome.at)}" if outcome.at else ""
        if state in _ENDED_WELL:
            return self.said(FirstRunVerdict.GOOD, f"ran for {self.time(tick)}, and ended well{at}", tick)
        error = outcome.error + (f": {outcome.text}" if outcome.text else "")
        if outcome.error == "NotRegistered":
            return self.said(FirstRunVerdict.REJECTED, NOT_RUN[outcome.error], tick)
        if state == "REVOKED" or outcome.error in NOT_RUN:
            return self.said(FirstRunVerdict.NEVER_RECEIVED, NOT_RUN["TaskRevokedError"], tick)
        if state == "FAILURE":
            return self.said(FirstRunVerdict.FAILED, error or "the task failed", tick)
        if state == "REJECTED":
            return self.said(FirstRunVerdict.REJECTED, "the worker rejected the task", tick)
        trouble = f": {error}" if error else ""
        return self.said(FirstRunVerdict.RUNNING, f"sent for {self.time(tick)}, {state}{trouble}", tick)

    def _of_open_run(self, tick: datetime, sent: str, run: OpenRun) -> FirstRun:
        if run.started_at is not None:
            on = f" on {run.worker}" if run.worker else ""
            return self.said(FirstRunVerdict.RUNNING, f"running{on} since {self.clock(run.started_at)}", tick)
        if self.witnesses.marks and self._is_too_long(run.sent_at or tick):
            return self._never_received(tick, sent)
        return self.said(FirstRunVerdict.RUNNING, f"{sent}, in its queue", tick)

    def _is_too_long(self, sent_at: datetime) -> bool:
        """Say whether a message should have been started by now."""
        return self.now - sent_at > self._start_within

    @property
    def _start_within(self) -> timedelta:
        seconds = self.spec.expires_after
        return _START_WITHIN if seconds is None else timedelta(seconds=seconds)

    def _never_received(self, tick: datetime, sent: str) -> FirstRun:
        queue = f"; does a worker read the queue `{self.spec.queue}`?" if self.spec.queue else ""
        within = span_text(self._start_within.total_seconds())
        words = f"{sent}, and no worker has started it within {within}{queue}"
        return self.said(FirstRunVerdict.NEVER_RECEIVED, words, tick)

    def of_refused(self) -> FirstRun | None:
        """Judge a tick that Beat could not send; one that it tries again counts only after a minute."""
        failed = self.traces.not_sent
        if failed is None or failed.tick < self.since:
            return None
        if failed.given_up:
            return self.said(FirstRunVerdict.REJECTED, f"the message can never be sent: {failed.reason}", failed.tick)
        words = f"the broker refused it: {failed.reason}; Beat tries again"
        is_long = self.now - failed.tick > GRACE
        return self.said(FirstRunVerdict.REJECTED if is_long else FirstRunVerdict.WAITING, words, failed.tick)

    def of_claimed(self) -> FirstRun | None:
        """Judge a tick that a Beat has claimed, and of which nobody has confirmed that it was sent."""
        claim = self.traces.claim
        if claim is None or claim.confirmed or claim.tick < self.since:
            return None
        words = f"claimed for {self.time(claim.tick)}, and nobody has confirmed that it was sent"
        return self.said(FirstRunVerdict.RUNNING, words, claim.tick)

    def of_stock_beat(self) -> FirstRun | None:
        """Judge a run that the row alone knows: stock Beat leaves nothing else."""
        ran, claim = self.row.last_run_at, self.traces.claim
        if ran is None or ran <= self.since or not self.row.total_run_count or claim is not None:
            return None
        words = f"its row has a run at {self.time(ran)}; a Beat that is not schedsync's tells no more"
        return self.said(FirstRunVerdict.UNKNOWN, words, ran)

    def of_waiting(self, moment: Moment) -> FirstRun | None:
        """Judge a schedule of which nothing was sent."""
        if not self.spec.enabled:
            return None
        tick = next_tick(self.row, moment)
        if tick is None:
            return self.said(FirstRunVerdict.WAITING, "no run is ahead")
        grace = GRACE if moment.leads_since is not None else _GRACE_OF_STOCK
        if tick + grace < self.now:
            words = f"due at {self.time(tick)}, and no Beat has sent it"
            return self.said(FirstRunVerdict.OVERDUE, words, tick)
        skipped = ", its last run had not ended" if self.traces.claim and self.traces.claim.passed_by else ""
        paused = ", everything is paused" if moment.full_pause and moment.full_pause.is_on(self.now) else ""
        return self.said(FirstRunVerdict.WAITING, f"runs at {self.time(tick)}{skipped}{paused}", tick)
