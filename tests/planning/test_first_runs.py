"""The verdict on a first run, from each trace that Beat and workers leave."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from schedsync.calendar.overdue import Moment
from schedsync.core.change import KINDS, Change, FieldChange
from schedsync.core.first_run import FirstRun, FirstRunVerdict
from schedsync.core.observed import Problem, Row
from schedsync.core.open_run import OpenRun
from schedsync.core.removing import Removing
from schedsync.core.schedule import Spec
from schedsync.core.task_id import task_id
from schedsync.core.timing import Interval
from schedsync.core.why import Claimed, NotSent, Outcome
from schedsync.planning.converter import change_document
from schedsync.planning.first_runs import Traces, Witnesses, is_watched, judge, watched_names

SINCE = datetime(2026, 11, 23, 10, 0, tzinfo=timezone.utc)
SECOND, MINUTE, HOUR = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1)
TICK, NOW = SINCE + 5 * MINUTE, SINCE + 6 * MINUTE
SPEC = Spec("shop.report", Interval(300 * 10**6))
SKIPS = replace(SPEC, overlap="skip", max_runtime=600)
PENDING = Outcome(None, trouble="the result backend has nothing of it", is_pending=True)
SILENT = Outcome(None, trouble="the result backend does not answer")
RESULTS, STARTS, MARKS = Witnesses(results=True), Witnesses(results=True, starts=True), Witnesses(marks=True)
CLAIM = Claimed(TICK, TICK, 1, confirmed=True)


def verdict(
    spec: Spec | None = SPEC,
    witnesses: Witnesses = RESULTS,
    *,
    now: datetime = NOW,
    leads: bool = True,
    row: dict[str, Any] | None = None,
    **traces: Any,
) -> FirstRun | None:
    values: dict[str, Any] = {"last_run_at": SINCE, "date_changed": SINCE, **(row or {})}
    known = Traces("report", Row(7, "report", spec, **values), **traces)
    return judge(known, witnesses, Moment(now, SINCE if leads else None), SINCE)


def sent(outcome: Outcome | None = PENDING, **known: Any) -> FirstRun | None:
    return verdict(sent=TICK, claim=CLAIM, outcome=outcome, **known)


def of_result(state: str, error: str = "", text: str = "") -> FirstRun | None:
    return sent(Outcome(state, TICK + SECOND, error, text=text))


def refused(at: datetime = TICK, *, given_up: bool = False) -> NotSent:
    return NotSent(at, at, "OperationalError: away", given_up)


ENDED = "ran for Mon 23 Nov 10:05 UTC, and ended well at Mon 23 Nov 10:05:01"
TOLD = "set a result backend such as django-celery-results to know how runs end"
CASES: dict[str, tuple[FirstRun | None, str, str]] = {
    "ahead": (verdict(now=SINCE + MINUTE), "waiting", "runs at Mon 23 Nov 10:05 UTC"),
    "due a moment ago": (verdict(now=TICK + SECOND), "waiting", "runs at Mon 23 Nov 10:05 UTC"),
    "due long ago": (verdict(now=TICK + 2 * MINUTE), "overdue", "due at Mon 23 Nov 10:05 UTC, and no Beat has sent it"),
    "stock Beat may still write it": (
        verdict(now=TICK + 2 * MINUTE, leads=False), "waiting", "runs at Mon 23 Nov 10:05 UTC",
    ),
    "no Beat at all": (
        verdict(now=TICK + 6 * MINUTE, leads=False), "overdue", "due at Mon 23 Nov 10:05 UTC, and no Beat has sent it",
    ),
    "stock Beat ran it": (
        verdict(leads=False, row={"last_run_at": TICK, "total_run_count": 1}), "unknown",
        "its row has a run at Mon 23 Nov 10:05 UTC; a Beat that is not schedsync's tells no more",
    ),
    "skipped": (
        verdict(claim=replace(CLAIM, passed_by=True), row={"last_run_at": TICK}), "waiting",
        "runs at Mon 23 Nov 10:10 UTC, its last run had not ended",
    ),
    "claimed": (
        verdict(claim=replace(CLAIM, confirmed=False)), "running",
        "claimed for Mon 23 Nov 10:05 UTC, and nobody has confirmed that it was sent",
    ),
    "refused a moment ago": (
        verdict(now=TICK + SECOND, not_sent=refused()), "waiting",
        "the broker refused it: OperationalError: away; Beat tries again",
    ),
    "refused for long": (
        verdict(now=TICK + 2 * MINUTE, not_sent=refused()), "rejected",
        "the broker refused it: OperationalError: away; Beat tries again",
    ),
    "given up": (
        verdict(not_sent=refused(given_up=True)), "rejected",
        "the message can never be sent: OperationalError: away",
    ),
    "refused before the apply": (
        verdict(now=SINCE + MINUTE, not_sent=refused(SINCE - HOUR)), "waiting", "runs at Mon 23 Nov 10:05 UTC",
    ),
    "no result yet": (sent(), "running", "sent for Mon 23 Nov 10:05 UTC, no result yet"),
    "a silent backend": (
        sent(SILENT, now=NOW + HOUR, witnesses=STARTS), "running",
        "sent for Mon 23 Nov 10:05 UTC, no result yet: the result backend does not answer",
    ),
    "no result for an hour": (sent(now=NOW + HOUR), "running", "sent for Mon 23 Nov 10:05 UTC, no result yet"),
    "not started": (
        sent(now=NOW + HOUR, witnesses=STARTS), "never_received",
        "sent for Mon 23 Nov 10:05 UTC, and no worker has started it within 5 min",
    ),
    "not started, in a queue": (
        sent(now=NOW + HOUR, witnesses=STARTS, spec=replace(SPEC, queue="slow", expires_after=60)), "never_received",
        "sent for Mon 23 Nov 10:05 UTC, and no worker has started it within 1 min; "
        "does a worker read the queue `slow`?",
    ),
    "it may wait": (
        sent(now=NOW + HOUR, witnesses=STARTS, spec=replace(SPEC, expires_after=7200)), "running",
        "sent for Mon 23 Nov 10:05 UTC, no result yet",
    ),
    "good": (of_result("SUCCESS"), "good", ENDED),
    "ignored": (of_result("IGNORED"), "good", ENDED),
    "failed": (of_result("FAILURE", "ValueError", "boom"), "failed", "ValueError: boom"),
    "failed without a text": (of_result("FAILURE", "KeyError"), "failed", "KeyError"),
    "not registered": (of_result("FAILURE", "NotRegistered"), "rejected", "the worker does not know the task"),
    "rejected by the worker": (of_result("REJECTED"), "rejected", "the worker rejected the task"),
    "revoked": (
        of_result("REVOKED", "TaskRevokedError"), "never_received", "it had expired in its queue, or was revoked",
    ),
    "started": (of_result("STARTED"), "running", "sent for Mon 23 Nov 10:05 UTC, STARTED"),
    "tried again": (
        of_result("RETRY", "OSError", "away"), "running", "sent for Mon 23 Nov 10:05 UTC, RETRY: OSError: away",
    ),
    "nothing tells": (
        sent(None, witnesses=Witnesses()), "unknown",
        f"sent for Mon 23 Nov 10:05 UTC; nothing tells how it ended: {TOLD}",
    ),
    "a result tells in any case": (sent(Outcome("SUCCESS", TICK + SECOND), witnesses=Witnesses()), "good", ENDED),
    "on a worker": (
        sent(spec=SKIPS, witnesses=MARKS, open_run=OpenRun("x", TICK, TICK, "worker-1")), "running",
        "running on worker-1 since Mon 23 Nov 10:05",
    ),
    "in its queue": (
        sent(spec=SKIPS, witnesses=MARKS, open_run=OpenRun("x", TICK)), "running",
        "sent for Mon 23 Nov 10:05 UTC, in its queue",
    ),
    "in its queue for long": (
        sent(spec=SKIPS, witnesses=MARKS, open_run=OpenRun("x", TICK), now=NOW + HOUR), "never_received",
        "sent for Mon 23 Nov 10:05 UTC, and no worker has started it within 5 min",
    ),
    "ended, as its worker noted": (
        sent(None, spec=SKIPS, witnesses=MARKS), "unknown",
        f"sent for Mon 23 Nov 10:05 UTC, and ended; nothing keeps how: {TOLD}",
    ),
    "a row that cannot run": (
        verdict(None, row={"problems": (Problem("SS301", "its arguments are no JSON"),)}), "rejected",
        "Beat cannot run its row: its arguments are no JSON",
    ),
    "never again": (verdict(replace(SPEC, one_off=True), row={"total_run_count": 1}), "waiting", "no run is ahead"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_each_trace_has_its_verdict(case: str) -> None:
    found, verdict, words = CASES[case]

    assert found is not None
    assert (found.verdict.value, found.words) == (verdict, words)
    assert found.task_id in (None, task_id("report", TICK))


def test_what_will_not_run_has_no_verdict() -> None:
    paused = verdict(replace(SPEC, enabled=False))

    assert (paused, judge(Traces("gone", None), RESULTS, Moment(NOW), SINCE)) == (None, None)
    # Beat disables a one-off after its run.
    ran = sent(Outcome("SUCCESS"), spec=replace(SPEC, enabled=False, one_off=True))
    assert ran is not None
    assert ran.verdict is FirstRunVerdict.GOOD


@pytest.mark.parametrize(
    ("verdict", "tick", "now_open", "open_until_noon"),
    [
        ("waiting", NOW, True, True),
        ("waiting", NOW + 9 * HOUR, True, False),
        ("waiting", None, False, False),
        ("running", TICK, True, True),
        ("unknown", TICK, False, False),
        ("overdue", TICK, False, False),
    ],
)
def test_a_verdict_is_open_until_it_can_no_longer_change(
    verdict: str, tick: datetime | None, now_open: bool, open_until_noon: bool
) -> None:
    run = FirstRun("report", FirstRunVerdict(verdict), "", tick)

    assert (run.is_open(), run.is_open(NOW + 2 * HOUR)) == (now_open, open_until_noon)


def change(kind: str, *fields: tuple[str, Any], **values: Any) -> Change:
    edits = tuple(FieldChange(field, None, after) for field, after in fields)
    return KINDS[kind](name=kind, fields=edits, **values)


WATCHED = {
    "a new one": (change("create", ("task", "t")), True),
    "a new one that is disabled": (change("create", ("task", "t"), ("enabled", False)), False),
    "other arguments": (change("update", ("args", [1])), True),
    "another timing": (change("update", ("timing", "every 1m"), ("description", "x")), True),
    "enabled again": (change("update", ("enabled", True)), True),
    "disabled": (change("update", ("enabled", False), ("args", [1])), False),
    "another description": (change("update", ("description", "x")), False),
    "a monitor": (change("update", ("monitor", {})), False),
    "taken over as it is": (change("adopt"), False),
    "taken over and changed": (change("adopt", ("queue", "slow")), True),
    "another name": (change("rename", old_name="old"), False),
    "another name and task": (change("rename", ("task", "u"), old_name="old"), True),
    "deleted": (change("delete"), False),
    "released": (change("release", ("queue", "slow")), False),
    "being removed": (change("update", ("queue", "slow"), removing=Removing(SINCE, NOW)), False),
}


@pytest.mark.parametrize("case", WATCHED)
def test_what_changes_runs_is_watched(case: str) -> None:
    made, expected = WATCHED[case]

    assert is_watched(made) == expected
    assert watched_names([change_document(made)]) == ([made.name] if expected else [])


def test_damaged_changes_are_left_out() -> None:
    sound = change_document(change("create", ("task", "t")))
    damaged = [None, 7, {}, {"kind": "create"}, {**sound, "fields": [3]}, {**sound, "name": 7}, {"kind": "pause"}]

    assert watched_names([*damaged, sound]) == ["create"]
