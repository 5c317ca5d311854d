from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest

from schedsync.core.open_run import OpenRun, run_of_reason

AT = datetime(2026, 11, 24, 1, 0, 3, tzinfo=timezone.utc)
LATER = AT + timedelta(minutes=10)


@pytest.mark.parametrize(
    ("run", "expires_after", "seconds"),
    [
        (OpenRun("a"), None, None),
        (OpenRun("a", sent_at=AT), None, 3600),
        (OpenRun("a", sent_at=AT), 60, 60),
        (OpenRun("a", sent_at=AT), 7200, 3600),
        (OpenRun("a", started_at=AT), None, 3600),
        (OpenRun("a", sent_at=AT - timedelta(days=1), started_at=AT), 60, 3600),
    ],
    ids=["dropped", "queued", "queued, expires", "queued, expires late", "not noted as sent", "started"],
)
def test_how_long_a_run_counts(run: OpenRun, expires_after: int | None, seconds: int | None) -> None:
    until = run.counts_until(3600, expires_after)

    assert until == (None if seconds is None else AT + timedelta(seconds=seconds))


def test_a_longest_runtime_beyond_the_calendar_counts_to_its_end() -> None:
    assert OpenRun("a", sent_at=AT).counts_until(10**15, None) == datetime.max.replace(tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("run", "reason"),
    [
        (OpenRun("5f3e", started_at=AT, worker="celery@worker 1"), "running 5f3e 2026-11-24T01:00:03Z celery@worker 1"),
        (OpenRun("5f3e", started_at=AT), "running 5f3e 2026-11-24T01:00:03Z"),
        (OpenRun("5f3e", sent_at=AT), "queued 5f3e 2026-11-24T01:00:03Z"),
    ],
    ids=["with a worker", "without one", "queued"],
)
def test_the_journal_names_the_run_in_one_line(run: OpenRun, reason: str) -> None:
    assert run.reason == reason
    assert run_of_reason(reason) == run


@pytest.mark.parametrize("reason", ["", "newer", "running", "running 5f3e", "running 5f3e yesterday w", "queued a b c"])
def test_another_reason_names_no_run(reason: str) -> None:
    assert run_of_reason(reason) is None
