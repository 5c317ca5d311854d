"""Runs that failed in the workers are alarms, as far as django-celery-results keeps them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DatabaseError, connections

from schedsync.beat import failed_runs
from schedsync.beat.failed_runs import FailedRuns
from schedsync.database.clock import now
from schedsync.database.failed_runs import failing_schedules
from tests.alarms.http_service import Service
from tests.beat.test_alarms import clerk_of, inbox, sight
from tests.beat.test_like_stock import TIMINGS, make

__all__ = ["inbox"]
TABLE = "django_celery_results_taskresult"
NAMES = ("good", "bad", "once", "first", "stopped", "mended", "naughty ' %s")


@pytest.fixture
def results(using: str) -> Iterator[str]:
    """The table of django-celery-results, which is not installed here, with the columns that are read."""
    kind = "datetime(6)" if connections[using].vendor == "mysql" else "timestamp with time zone"
    kind = "datetime" if connections[using].vendor == "sqlite" else kind
    run(using, f"CREATE TABLE {TABLE} (periodic_task_name varchar(255), status varchar(50), date_done {kind})")
    for name in NAMES:
        make(using, name, {**TIMINGS["each minute"], "last_run_at": now()})
    run(using, "UPDATE django_celery_beat_periodictask SET enabled = %s WHERE name = 'stopped'", False)
    yield using
    run(using, f"DROP TABLE {TABLE}")


def run(using: str, sql: str, *values: Any) -> None:
    with connections[using].cursor() as cursor:
        cursor.execute(sql, values or None)


def ended(using: str, name: str | None, *states: str, at: datetime | None = None) -> None:
    """Write the results of runs, the last one a minute ago."""
    for number, state in enumerate(states):
        done = (at or now()) - timedelta(minutes=len(states) - number)
        adapted = connections[using].ops.adapt_datetimefield_value(done)
        run(using, f"INSERT INTO {TABLE} VALUES (%s, %s, %s)", name, state, adapted)


def failing(using: str) -> dict[str, int]:
    return failing_schedules(using, using, now() - timedelta(days=15))


def test_the_last_runs_count(results: str) -> None:
    ended(results, "good", "FAILURE", "FAILURE", "SUCCESS")
    ended(results, "bad", "FAILURE", "SUCCESS", "FAILURE", "RETRY", "FAILURE")
    ended(results, "once", "SUCCESS", "FAILURE")
    ended(results, "first", "FAILURE")
    ended(results, "stopped", "FAILURE", "FAILURE")
    ended(results, "gone", "FAILURE", "FAILURE")
    ended(results, "mended", "FAILURE", "FAILURE", "FAILURE", at=now() - timedelta(days=20))
    ended(results, "naughty ' %s", "FAILURE", "FAILURE", "FAILURE")
    ended(results, None, "FAILURE", "FAILURE")

    assert failing(results) == {"bad": 2, "first": 1, "naughty ' %s": 3}


@pytest.mark.one_database
def test_many_failures_take_three_statements(results: str, django_assert_num_queries: Any) -> None:
    for name in NAMES:
        ended(results, name, *["FAILURE"] * 30)
    with django_assert_num_queries(3, connection=connections[results]):
        assert set(failing(results)) == set(NAMES) - {"stopped"}


@pytest.mark.one_database
def test_a_schedule_whose_runs_fail_is_an_alarm_until_one_succeeds(results: str, inbox: Service) -> None:
    clerk = clerk_of(results, inbox)
    ended(results, "bad", "SUCCESS", "FAILURE", "FAILURE")
    for _ in range(2):
        clerk._failed_runs._next = 0.0
        clerk.work(sight())
    ended(results, "bad", "SUCCESS", at=now() + timedelta(minutes=1))
    clerk._failed_runs._next = 0.0
    clerk.work(sight())

    assert inbox.titles == ["schedsync production: bad is failing", "schedsync production: bad is no longer failing"]
    assert inbox.got[0]["message"] == "- bad: its last 2 runs failed\nNext: schedsync why bad"


@pytest.mark.one_database
def test_results_that_cannot_be_read_end_no_alarm(
    results: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    runs = FailedRuns(results)
    ended(results, "bad", "FAILURE", "FAILURE")
    assert [alarm.subject for alarm in runs.alarms()] == ["bad"]

    def fails(*_words: Any) -> Any:
        raise DatabaseError("permission denied")

    monkeypatch.setattr(failed_runs, "failing_schedules", fails)
    runs._next = 0.0

    assert [alarm.subject for alarm in runs.alarms()] == ["bad"]
    assert "the results of runs cannot be read: DatabaseError: permission denied" in caplog.text


@pytest.mark.one_database
def test_without_the_table_nothing_is_asked_for_ten_minutes(using: str, django_assert_num_queries: Any) -> None:
    runs = FailedRuns(using)
    assert [*runs.alarms()] == []
    with django_assert_num_queries(0, connection=connections[using]):
        assert [*runs.alarms()] == []
