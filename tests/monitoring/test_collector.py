"""A scrape says what the database knows."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test import override_settings
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from schedsync.database.bulk import rows_of
from schedsync.models import ApplyFailure, BeatCounters, ManagedSchedule, Pause, StandingPause, SyncRun
from schedsync.models import Beat as BeatRow
from tests.beat.ours import Beat
from tests.beat.test_like_stock import TIMINGS, make
from tests.conftest import NOW, Project
from tests.monitoring.scraped import scrape

SCHEDULES = (
    "  late: {task: t, crontab: '*/10 * * * *'}\n  fine: {task: t, crontab: '0 3 * * *'}\n"
    "  stopped: {task: t, crontab: '0 3 * * *'}\n  edited: {task: t, crontab: '0 4 * * *'}\n"
    "  taken: {task: t, crontab: '0 5 * * *'}\n  off: {task: t, every: 1h, enabled: false, disabled_reason: r}\n"
)


def test_it_counts_the_schedules_by_their_states(project: Project, clock: Any) -> None:
    project.schedules(SCHEDULES)
    assert project.apply().code == 0
    project.command("pause", "stopped", "--reason", "r", "--settle", "0", "--database", project.using)
    rows = PeriodicTask.objects.using(project.using)
    rows.filter(name="late").update(last_run_at=NOW - timedelta(minutes=20), total_run_count=3)
    clock.shift(timedelta(minutes=6))
    rows.filter(name="edited").update(queue="q", date_changed=NOW + timedelta(minutes=5))
    rows.filter(name="taken").update(enabled=False, date_changed=NOW + timedelta(minutes=5))
    broken = CrontabSchedule.objects.using(project.using).create(minute="*/")
    rows.create(name="broken", task="t", crontab=broken)
    found = scrape(project.using)

    counts = {
        "enabled": 3, "disabled": 3, "managed": 6, "unmanaged": 1, "due": 0, "overdue": 1, "failed": 0, "broken": 1,
        "never_ran": 2, "paused": 1, "held": 1, "drifted": 1,
    }  # fmt: skip
    assert {name: found.value(f"schedsync_schedules_{name}") for name in counts} == counts
    assert found.value("schedsync_database_up") == 1
    assert found.value("schedsync_everything_paused") == 0
    assert found.value("schedsync_oldest_pause_timestamp_seconds") == NOW.timestamp()
    assert found.value("schedsync_beats_alive") == found.value("schedsync_leaders") == 0
    assert found.labels("schedsync_leader_info") == []


def test_it_names_the_last_apply_of_each_set(project: Project, clock: Any) -> None:
    project.schedules(SCHEDULES)
    assert project.apply().code == 0
    SyncRun.objects.using(project.using).update(commit="8b434ce")
    found = scrape(project.using)

    assert found.labels("schedsync_last_apply_info") == [{"set": "default", "environment": "", "commit": "8b434ce"}]
    assert found.value("schedsync_last_apply_timestamp_seconds", set="default") == NOW.timestamp()
    assert found.value("schedsync_last_apply_changes", set="default", kind="create") == 6


def test_a_pause_of_everything_is_seen_and_has_an_end(project: Project, clock: Any) -> None:
    project.command("pause", "--all", "--for", "1h", "--reason", "r", "--database", project.using)
    clock.shift(timedelta(minutes=6))
    found = scrape(project.using)

    assert found.value("schedsync_everything_paused") == 1
    assert found.value("schedsync_oldest_pause_timestamp_seconds") is None


def test_the_oldest_pause_is_of_those_without_an_end(project: Project, clock: Any) -> None:
    def pause(*words: str) -> float | None:
        words = ("pause", *words, "--reason", "r", "--settle", "0", "--database", project.using)
        assert project.command(*words).code == 0
        clock.shift(timedelta(minutes=6))
        return scrape(project.using).value("schedsync_oldest_pause_timestamp_seconds")

    project.schedules(SCHEDULES)
    assert project.apply().code == 0
    seen = [pause("fine", "--for", "1h"), pause("st*"), pause("late")]
    StandingPause.objects.using(project.using).all().delete()
    Pause.objects.using(project.using).filter(name="stopped").delete()
    later = scrape(project.using).value("schedsync_oldest_pause_timestamp_seconds")

    begin = (NOW + timedelta(minutes=6)).timestamp()
    assert seen == [None, begin, begin]
    assert later == (NOW + timedelta(minutes=12)).timestamp()


def test_a_standing_pause_without_an_end_counts(using: str, clock: Any) -> None:
    StandingPause.objects.using(using).create(selector='{"queues":["q"]}', reason="r", who="w", since=NOW)

    assert scrape(using).value("schedsync_oldest_pause_timestamp_seconds") == NOW.timestamp()


def test_it_says_how_each_beat_is_doing(using: str, clock: Any) -> None:
    make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - timedelta(minutes=1)})
    clock.move_to(NOW + timedelta(seconds=2))
    leader, standby = Beat(clock), Beat(clock)
    leader.settle()
    standby.settle()
    for beat in (leader, standby):
        beat.scheduler.heartbeat._next = 0.0
        beat.step()
    leading, other = (str(BeatRow.objects.using(using).get(pk=beat.scheduler.holder)) for beat in (leader, standby))
    found = scrape(using)

    # Both run in this process, so their names are the same: one of them is shown.
    assert leading == other
    assert (found.value("schedsync_beats_alive"), found.value("schedsync_leaders")) == (2, 1)
    assert found.labels("schedsync_leader_info") == [{"beat": leading, "election": "database"}]
    assert found.value("schedsync_lease_epoch") == leader.scheduler.leadership.epoch
    assert found.value("schedsync_beat_leads", beat=leading) == 1
    assert found.value("schedsync_beat_schedules", beat=leading) == 1
    assert found.value("schedsync_beat_broker_up", beat=leading) == 1
    assert found.value("schedsync_beat_trouble", beat=leading) == 0
    assert found.value("schedsync_beat_clock_skew_seconds", beat=leading) == 0
    assert found.value("schedsync_beat_lag_seconds", beat=leading) == 2
    assert found.value("schedsync_beat_last_tick_timestamp_seconds", beat=leading) == NOW.timestamp()


def test_of_beats_that_say_that_they_lead_all_are_counted(using: str, clock: Any) -> None:
    beat = Beat(clock)
    beat.settle()
    row = BeatRow.objects.using(using).get()
    row.pk, row.pid = "00000000-0000-0000-0000-000000000001", 1
    row.save(force_insert=True, using=using)
    found = scrape(using)

    assert found.value("schedsync_leaders") == 2
    assert found.value("schedsync_beats_alive") == 2


def test_without_an_election_all_beats_lead_and_count_as_one(using: str, clock: Any) -> None:
    for _ in range(2):
        Beat(clock).settle()
    BeatRow.objects.using(using).update(election="none", leads=True)

    assert scrape(using).value("schedsync_leaders") == 1


def test_counters_are_those_that_beat_has_written(using: str, clock: Any) -> None:
    make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - timedelta(minutes=5)})
    beat = Beat(clock)
    beat.settle()
    beat.scheduler.heartbeat._next = 0.0
    beat.step()
    counters = BeatCounters.objects.using(using).get()
    found = scrape(using)

    assert (counters.sent, counters.passed_over) == (1, 4)
    names = ("messages_sent", "messages_refused", "messages_given_up", "messages_unsure", "ticks_passed_over")
    assert [found.value(f"schedsync_beat_{name}_total") for name in names] == [1, 0, 0, 0, 4]
    assert found.value("schedsync_beat_lease_losses_total") == 0
    assert found.value("schedsync_beat_reload_seconds_count") == counters.reloads
    assert found.value("schedsync_beat_reload_seconds_sum") == counters.reload_seconds


def many(using: str, count: int) -> None:
    """Make schedules that are due, and a few that never ran."""
    rows_of(PeriodicTask, using).all()._raw_delete(using)
    interval = IntervalSchedule.objects.using(using).create(every=1, period="minutes")
    PeriodicTask.objects.using(using).bulk_create(
        PeriodicTask(
            name=f"n{number:05}", task=f"t{number % 7}", interval=interval, enabled=number % 5 > 0,
            last_run_at=NOW - timedelta(minutes=number % 3) if number % 4 else None,
        )
        for number in range(count)
    )  # fmt: skip


@override_settings(SCHEDSYNC_METRICS_SCHEDULES=["n*"])
def test_a_scrape_takes_as_many_statements_for_ten_schedules_as_for_a_thousand(using: str, clock: Any) -> None:
    Beat(clock).settle()
    statements = []
    for count in (10, 1000):
        many(using, count)
        scrape(using)
        with CaptureQueriesContext(
            connections[using],
        ) as captured:
            found = scrape(using)
        statements.append(len(captured))
        assert found.value("schedsync_schedules_enabled") == count * 4 // 5

    assert statements[0] == statements[1]
    assert statements[0] <= 55


def test_no_series_for_a_schedule_unless_the_settings_name_it(using: str, clock: Any) -> None:
    many(using, 10)

    assert "n0000" not in scrape(using).text


@override_settings(SCHEDSYNC_METRICS_SCHEDULES=["n0000[1-4]", "daily"])
def test_the_settings_name_schedules_whose_runs_are_exported(using: str, clock: Any) -> None:
    many(using, 10)
    make(using, "daily", {"crontab": {"minute": "0", "hour": "12"}, "last_run_at": NOW - timedelta(hours=22)})
    found = scrape(using)
    next_runs, last_runs = (
        {labels["schedule"]: found.value(name, **labels) for labels in found.labels(name)}
        for name in ("schedsync_schedule_next_run_timestamp_seconds", "schedsync_schedule_last_run_timestamp_seconds")
    )

    assert sorted(next_runs) == ["daily", "n00001", "n00002", "n00003", "n00004"]
    assert next_runs["daily"] == (NOW + timedelta(hours=2)).timestamp()
    assert next_runs["n00001"] == NOW.timestamp()
    assert next_runs["n00003"] == (NOW + timedelta(minutes=1)).timestamp()
    assert last_runs["n00002"] == (NOW - timedelta(minutes=2)).timestamp()
    assert "n00004" not in last_runs
    assert found.value("schedsync_schedules_left_out") == 0


@override_settings(SCHEDSYNC_METRICS_SCHEDULES=["*"])
def test_the_number_of_series_is_bounded(using: str, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("schedsync.monitoring.reading.MOST_SCHEDULES", 3)
    many(using, 10)
    found = scrape(using)

    assert len(found.labels("schedsync_schedule_next_run_timestamp_seconds")) == 3
    assert found.value("schedsync_schedules_left_out") == 5


@override_settings(SCHEDSYNC_METRICS_SCHEDULES=["*"])
def test_a_name_with_control_characters_breaks_no_scrape(using: str, clock: Any) -> None:
    for name in ('quo"te\nline', "esc\x1b[31m", "back\\slash", "back\\\\slash"):
        make(using, name, TIMINGS["each minute"])
    names = {labels["schedule"] for labels in scrape(using).labels("schedsync_schedule_next_run_timestamp_seconds")}

    assert names == {'quo"te\\nline', "esc\\x1b[31m", "back\\slash", "back\\\\slash"}


def test_a_scrape_waits_for_no_apply(using: str, clock: Any) -> None:
    many(using, 10)
    other = connections.create_connection(using)
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            cursor.execute("UPDATE schedsync_applylock SET holder = 'x'")
            cursor.execute("UPDATE django_celery_beat_periodictask SET enabled = (1 = 1)")
            found = scrape(using)
        other.rollback()
    finally:
        other.close()

    assert found.value("schedsync_database_up") == 1
    assert found.value("schedsync_schedules_enabled") == 8


def test_a_database_that_is_away_is_a_metric(using: str, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    connections[using].close()
    monkeypatch.setitem(connections[using].settings_dict, "PORT", "1")
    monkeypatch.setitem(connections[using].settings_dict, "HOST", "127.0.0.1")
    monkeypatch.setitem(connections[using].settings_dict, "NAME", "/nowhere/at/all")
    found = scrape(using)
    monkeypatch.undo()
    connections[using].close()

    assert (found.value("schedsync_database_up"), len(found.samples)) == (0, 1)


def test_an_apply_that_failed_is_seen_until_the_set_is_applied(project: Project, clock: Any) -> None:
    project.schedules("  x: {task: t, every: 1h}\n")
    assert project.apply().code == 0
    before = scrape(project.using)
    PeriodicTask.objects.using(project.using).create(
        name="theirs", task="t", interval=IntervalSchedule.objects.using(project.using).first()
    )
    project.schedules("  x: {task: t, every: 1h}\n  theirs: {task: t, every: 1h}\n")
    clock.shift(timedelta(minutes=6))
    assert project.apply().code == 3
    refused = scrape(project.using)
    assert project.apply("--adopt-all").code == 0
    after = scrape(project.using)

    name = "schedsync_last_apply_failed"
    assert (before.labels(name), before.value(name)) == ([{"set": "default", "reason": ""}], 0)
    assert (refused.labels(name), refused.value(name)) == ([{"set": "default", "reason": "refused"}], 1)
    at = (NOW + timedelta(minutes=6)).timestamp()
    assert refused.value("schedsync_last_apply_failure_timestamp_seconds", set="default") == at
    assert (after.value(name), after.value("schedsync_last_apply_failure_timestamp_seconds")) == (0, None)


def test_of_a_set_that_manages_nothing_a_failure_is_told_for_a_week(project: Project, clock: Any) -> None:
    project.schedules(SCHEDULES)
    assert project.apply().code == 0
    for name in ("default", "gone"):
        ApplyFailure.objects.using(project.using).create(set=name, at=NOW, reason="refused", who="w")

    def failing() -> list[str]:
        found = scrape(project.using)
        return [labels["set"] for labels in found.labels("schedsync_last_apply_failed") if labels["reason"]]

    clock.shift(timedelta(days=6))
    first = failing()
    clock.shift(timedelta(days=2))

    assert (first, failing()) == (["default", "gone"], ["default"])


def test_a_set_that_manages_nothing_is_not_old(project: Project, clock: Any) -> None:
    project.schedules(SCHEDULES)
    assert project.apply().code == 0
    managing = scrape(project.using).value("schedsync_last_apply_timestamp_seconds", set="default")
    ManagedSchedule.objects.using(project.using).all().delete()

    assert managing == NOW.timestamp()
    assert scrape(project.using).labels("schedsync_last_apply_timestamp_seconds") == []
