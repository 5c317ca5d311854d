"""What a Beat reports with its heartbeat: rows that cannot run, the broker, its last tick."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from django.db import connections
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

from schedsync.models import Beat as BeatRow
from schedsync.models import BeatReport
from tests.beat.ours import Beat
from tests.beat.test_like_stock import TIMINGS, make
from tests.beat.test_tables import without
from tests.conftest import NOW


def report(using: str) -> BeatReport:
    return BeatReport.objects.using(using).get()


def regularly(beat: Beat) -> None:
    """Let it be time for the regular heartbeat."""
    beat.scheduler.heartbeat._next = 0.0
    beat.step()


def test_it_reports_its_last_tick_and_how_late_that_was(using: str, clock: Any) -> None:
    make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - timedelta(minutes=1)})
    clock.move_to(NOW + timedelta(seconds=2))
    beat = Beat(clock)
    beat.settle()
    before = report(using)
    regularly(beat)
    after = report(using)

    assert (before.last_tick, before.last_late) == (None, None)
    assert (after.last_tick, after.last_late, after.ended_at) == (NOW, 2.0, None)
    assert after.name == str(BeatRow.objects.using(using).get())
    assert (after.clock_ahead, after.environment) == (0.0, None)


def test_it_names_the_first_rows_that_cannot_run_at_once(using: str, clock: Any) -> None:
    beat = Beat(clock)
    beat.settle()
    assert (report(using).broken_count, report(using).broken) == (0, "[]")
    for number in range(23):
        make(using, f"n{number:02}", {**TIMINGS["each minute"], "args": "{" if number else "7"})
    beat.settle()
    broken = json.loads(report(using).broken)

    assert report(using).broken_count == 23
    assert broken[:2] == [["n00", "its args are no JSON list"], ["n01", "its args are no JSON list"]]
    assert [name for name, _ in broken] == [f"n{number:02}" for number in range(20)]
    PeriodicTask.objects.using(using).all().delete()
    beat.settle()
    assert (report(using).broken_count, report(using).broken) == (0, "[]")


def test_it_reports_a_broker_that_is_away_at_once_and_since_when(using: str, clock: Any) -> None:
    make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - timedelta(minutes=1)})
    beat = Beat(clock)
    beat.scheduler.dies_at = 0
    beat.step_until(lambda: BeatReport.objects.using(using).exclude(broker_trouble="").exists())
    away = report(using)
    beat.scheduler.sender.broker.down(OSError("and for another reason"))
    beat.scheduler._write_heartbeat()
    later = report(using)
    beat.scheduler.dies_at = None
    beat.tried_again()
    beat.step()
    back = report(using)

    assert away.broker_trouble == "OSError: the broker is gone"
    assert away.broker_trouble_since is not None
    assert later.broker_trouble == "OSError: and for another reason"
    assert later.broker_trouble_since == away.broker_trouble_since
    assert (back.broker_trouble, back.broker_trouble_since) == ("", None)


def test_the_report_stays_when_the_beat_has_ended_until_another_one_comes(using: str, clock: Any) -> None:
    first = Beat(clock)
    first.settle()
    first.scheduler.close()

    assert not BeatRow.objects.using(using).exists()
    ended = report(using)
    assert ended.ended_at is not None
    second = Beat(clock)
    second.settle()
    assert (report(using).pk, report(using).ended_at) == (second.scheduler.holder, None)
    assert report(using).pk != ended.pk


def test_two_beats_have_a_report_each(using: str, clock: Any) -> None:
    one, two = Beat(clock), Beat(clock)
    one.settle()
    two.settle()
    regularly(one)

    assert set(BeatReport.objects.using(using).values_list("pk", flat=True)) == {
        one.scheduler.holder,
        two.scheduler.holder,
    }


def test_the_clock_and_the_environment_wait_for_the_heartbeat(using: str, clock: Any) -> None:
    beat = Beat(clock)
    beat.settle()
    beat.scheduler.report.clock_ahead, beat.scheduler.report.environment = 1.5, "production"
    beat.scheduler._write_heartbeat()
    assert (report(using).clock_ahead, report(using).environment) == (0.0, None)
    regularly(beat)
    assert (report(using).clock_ahead, report(using).environment) == (1.5, "production")


def test_nothing_is_written_where_nothing_changed(using: str, clock: Any) -> None:
    beat = Beat(clock)
    beat.settle()
    with CaptureQueriesContext(connections[using]) as queries:
        regularly(beat)
    assert not [query["sql"] for query in queries if "beatreport" in query["sql"]]


def test_without_its_table_it_works_and_reports_once_the_table_is_there(using: str, clock: Any, caplog: Any) -> None:
    make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - timedelta(minutes=1)})
    with without(using, BeatReport):
        beat = Beat(clock)
        beat.settle()
        assert [message.name for _, message in beat.scheduler.sent] == ["x"]
        assert BeatRow.objects.using(using).get().leads
    beat.scheduler._tables._next_look = 0.0
    regularly(beat)

    assert report(using).last_tick == NOW
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []
