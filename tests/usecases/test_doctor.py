"""What surrounds the schedules: each trap that a row or a setting can be, found before Beat stumbles over it."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from celery import VERSION, current_app
from celery.schedules import crontab
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connections
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    PeriodicTasks,
)

from schedsync.database.observe import observe
from schedsync.database.schedule_rows import crontab_of
from schedsync.models import ManagedSchedule
from schedsync.usecases.system_checks import check_database
from tests.conftest import NOW, Project
from tests.integration.beat import Beat


@pytest.fixture
def healthy(project: Project) -> Project:
    PeriodicTasks.update_changed()
    project.schedules("  one: {task: t, every: 1m}\n")
    project.apply()
    return project


def codes(project: Project, *words: str) -> list[str]:
    done = project.command("doctor", "--database", project.using, "--format", "json", *words)
    found = [one["code"] for one in json.loads(done.out)["findings"]]
    # The settings of these tests name no scheduler, and an older installed version is a warning of its own.
    # So are the rows that the tests write.
    return [code for code in found if code not in ("SS305", "SS307", "SS335")]


def bad_row(**columns: Any) -> PeriodicTask:
    """Write a row as ``bulk_create`` or a migration can: past every check."""
    values = {"name": "bad", "task": "t", "interval": IntervalSchedule.objects.create(every=7, period="minutes")}
    row = PeriodicTask(**{**values, **columns})
    PeriodicTask.objects.bulk_create([row])
    return row


def test_a_healthy_project_has_no_findings(healthy: Project) -> None:
    done = healthy.command("doctor", "--database", healthy.using)

    assert (codes(healthy), done.code) == ([], 0)


BROKEN = {
    "no schedule": ({"interval": None}, "SS320"),
    "headers that are a list": ({"headers": "[]"}, "SS320"),
    "headers that are not JSON": ({"headers": "{oops"}, "SS321"),
    "args that are not JSON": ({"args": "[oops"}, "SS322"),
    "args that are an object": ({"args": '{"a": 1}'}, "SS322"),
    "kwargs that are a list": ({"kwargs": "[]", "args": "[]"}, None),
    "kwargs that are text": ({"kwargs": '"abc"'}, "SS322"),
    "two expiries": ({"expires": NOW + timedelta(days=9), "expire_seconds": 5}, "SS320"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_a_row_that_beat_stumbles_over_is_named(healthy: Project, name: str) -> None:
    columns, code = BROKEN[name]
    bad_row(**columns)

    assert codes(healthy) == [code or "SS322"] if name != "no schedule" else codes(healthy)[0] == code


def test_timings_that_beat_cannot_run_are_named(healthy: Project) -> None:
    far = ClockedSchedule.objects.create(clocked_time=NOW + timedelta(days=9))
    bad_row(name="clocked", interval=None, clocked=far)
    bad_row(name="period", interval=IntervalSchedule.objects.create(every=1, period="weeks"))
    bad_row(name="zero", interval=IntervalSchedule.objects.create(every=0, period="seconds"))
    bad_row(name="huge", interval=IntervalSchedule.objects.create(every=2_000_000_000, period="days"))
    bad_row(name="seven", interval=None, crontab=CrontabSchedule.objects.create(day_of_week="7"))
    bad_row(name="step", interval=None, crontab=CrontabSchedule.objects.create(minute="*/"))
    bad_row(name="never", interval=None, crontab=CrontabSchedule.objects.create(day_of_month="31", month_of_year="2"))
    found = {name: [one.code for one in row.problems] for name, row in observe(healthy.using, "").rows.items()}

    assert found == {
        "one": [],
        "clocked": ["SS320"],
        "period": ["SS320"],
        "zero": ["SS320"],
        "huge": ["SS320"],
        "seven": ["SS321"],
        "step": ["SS320"],
        # Before 5.7 Celery builds it, and Beat stops when it computes its next run.
        "never": ["SS321" if VERSION >= (5, 7) else "SS320"],
    }


def test_a_zone_that_this_host_does_not_know_is_named_even_of_an_orphan(healthy: Project) -> None:
    row = CrontabSchedule.objects.create(minute="5")
    table = CrontabSchedule._meta.db_table
    with connections[healthy.using].cursor() as cursor:
        cursor.execute(f"UPDATE {table} SET timezone = 'Mars/Olympus' WHERE id = %s", [row.pk])

    assert "SS323" in codes(healthy)
    assert healthy.plan("--exit-code").code == 0


def test_a_managed_row_that_never_runs_is_no_equal_of_one_that_does(healthy: Project) -> None:
    healthy.schedules("  one: {task: t, crontab: '0 5 * * 7'}\n")
    healthy.apply()
    PeriodicTask.objects.update(crontab=CrontabSchedule.objects.create(hour="5", minute="0", day_of_week="7"))

    assert healthy.drift().code == 2
    healthy.apply()
    assert PeriodicTask.objects.get().crontab.day_of_week == "0"


def test_fix_mends_what_is_ours_and_nothing_else(healthy: Project) -> None:
    CrontabSchedule.objects.create(minute="7")
    PeriodicTask.objects.all().delete()
    PeriodicTasks.objects.all().delete()
    assert {"SS312", "SS331", "SS332"} <= set(codes(healthy))
    done = healthy.command("doctor", "--fix", "--database", healthy.using, "--format", "json")

    assert json.loads(done.out)["fixed"] == ["deleted 1 orphaned interval row", "made the change row"]
    assert (IntervalSchedule.objects.count(), CrontabSchedule.objects.count()) == (0, 1)
    assert PeriodicTasks.objects.count() == 1


def test_a_ledger_entry_without_its_row_is_forgotten_by_the_next_apply(healthy: Project) -> None:
    healthy.schedules("  one: {task: t, every: 1m}\n  two: {task: t, every: 2m}\n")
    healthy.apply()
    PeriodicTask.objects.filter(name="two").delete()
    healthy.schedules("  one: {task: t, every: 1m}\n")
    assert healthy.apply().code == 0

    assert list(ManagedSchedule.objects.values_list("name", flat=True)) == ["one"]
    assert "SS332" not in codes(healthy)


def test_settings_are_looked_at(healthy: Project, settings: Any) -> None:
    settings.USE_TZ = False
    settings.DJANGO_CELERY_BEAT_TZ_AWARE = False
    settings.CELERY_BEAT_SCHEDULE = {"one": {"task": "t", "schedule": 5}}
    current_app.conf.beat_cron_starting_deadline = 60
    try:
        done = healthy.command("doctor", "--database", healthy.using, "--format", "json")
    finally:
        current_app.conf.beat_cron_starting_deadline = None
    found = {one["code"] for one in json.loads(done.out)["findings"]}

    assert {"SS301", "SS302", "SS304", "SS306"} <= found
    assert done.code == 1


@pytest.mark.one_database
def test_a_skip_that_nobody_tracks_is_named(healthy: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    healthy.schedules("  one: {task: t, every: 1m, overlap: skip, max_runtime: 1h}\n")
    healthy.apply()
    done = healthy.command("doctor", "--database", healthy.using, "--format", "json")
    found = [one for one in json.loads(done.out)["findings"] if one["code"] == "SS313"]
    monkeypatch.setattr("schedsync.usecases.untracked.is_tracked", lambda _app: True)

    assert [one["message"] for one in found] == [
        "`overlap: skip` has no effect, as the application does not track runs: one"
    ]
    assert "SS313" not in codes(healthy)


def test_the_system_checks_carry_the_same_codes(healthy: Project, settings: Any) -> None:
    bad_row(headers="[]")
    settings.DJANGO_CELERY_BEAT_TZ_AWARE = False
    with pytest.raises(SystemCheckError) as caught:
        call_command("check", databases=[healthy.using])

    assert "schedsync.SS302" in str(caught.value)
    assert "schedsync.SS320" in str(caught.value)


@pytest.mark.one_database("postgresql")
def test_missing_rights_are_named(healthy: Project) -> None:
    connection = connections[healthy.using]
    with connection.cursor() as cursor:
        cursor.execute("DROP ROLE IF EXISTS reader")
        cursor.execute("CREATE ROLE reader")
        cursor.execute("GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
        cursor.execute("SET ROLE reader")
    try:
        done = healthy.command("doctor", "--database", healthy.using)
        refused = healthy.apply("--allow-stops", "0")
        healthy.schedules("  one: {task: t, every: 2m}\n")
        written = healthy.apply()
    finally:
        with connection.cursor() as cursor:
            cursor.execute("RESET ROLE")
            cursor.execute("DROP OWNED BY reader")
            cursor.execute("DROP ROLE reader")

    assert "SS311  no right to update in django_celery_beat_periodictask" in done.out
    assert (refused.code, written.code) == (0, 69)
    assert "rights are missing" in written.err


@pytest.mark.parametrize("text", ["22-2", "monday", "MON", "*/60", "0, 30"])
def test_a_row_counts_as_what_celery_makes_of_it(text: str) -> None:
    fields = {"22-2": "hour", "monday": "day_of_week", "MON": "day_of_week"}
    field = fields.get(text, "minute")
    celery = crontab(**{field: text})
    ours = crontab_of(*(text if name == field else "*" for name in _ORDER), "UTC")

    again = crontab(**{name: getattr(ours, name) for name in ("minute", "hour", "day_of_week")})
    assert (again.minute, again.hour, again.day_of_week) == (celery.minute, celery.hour, celery.day_of_week)


_ORDER = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


def test_reading_never_disables_a_row_as_beat_does(healthy: Project, clock: Any) -> None:
    bad_row(args="[oops")
    healthy.command("doctor", "--database", healthy.using)
    healthy.plan()
    assert PeriodicTask.objects.get(name="bad").enabled
    Beat(clock)

    assert not PeriodicTask.objects.get(name="bad").enabled


def test_a_change_is_seen_where_the_clock_lags(healthy: Project, clock: Any) -> None:
    ahead = NOW + timedelta(hours=1)
    PeriodicTasks.objects.update(last_update=ahead)
    healthy.schedules("  one: {task: t, every: 2m}\n")
    healthy.apply()

    assert PeriodicTasks.objects.get().last_update == ahead + timedelta(microseconds=1)


def test_a_running_beat_loads_a_change_at_its_next_poll(healthy: Project, clock: Any) -> None:
    beat = Beat(clock)
    healthy.schedules("  one: {task: t, every: 30s}\n")
    healthy.apply()
    beat.run(timedelta(seconds=10))

    assert beat.scheduler.schedule["one"].schedule.run_every == timedelta(seconds=30)


@pytest.mark.one_database
@pytest.mark.parametrize("scheduler", ["schedsync.beat:Scheduler", "celery.beat:PersistentScheduler"])
def test_a_scheduler_that_does_not_read_the_tables_is_named(project: Project, scheduler: str) -> None:
    before = current_app.conf.beat_scheduler
    current_app.conf.beat_scheduler = scheduler
    try:
        done = project.command("doctor", "--database", project.using)
    finally:
        current_app.conf.beat_scheduler = before

    assert ("SS307" in done.out) is (scheduler != "schedsync.beat:Scheduler")


def infos(project: Project) -> dict[str, tuple[str, str]]:
    """The messages and hints of severity info about what Git does not manage."""
    done = project.command("doctor", "--database", project.using, "--format", "json")
    assert done.code == 0, done.out
    found = json.loads(done.out)["findings"]
    return {one["code"]: (one["message"], one["hint"]) for one in found if one["code"] in ("SS308", "SS335")}


def test_rows_that_nobody_manages_are_counted_and_named(healthy: Project) -> None:
    assert infos(healthy) == {}
    every = IntervalSchedule.objects.create(every=7, period="minutes")
    names = ["celery.backend_cleanup", *(f"r{number:02}" for number in range(12))]
    PeriodicTask.objects.bulk_create([PeriodicTask(name=name, task="t", interval=every) for name in names])
    message = "12 rows are managed by nobody: r00, r01, r02, r03, r04, r05, r06, r07, r08, r09 and 2 more"

    assert infos(healthy) == {"SS335": (message, "`schedsync import database` writes them as YAML")}
    PeriodicTask.objects.filter(name__gt="r00").delete()
    assert infos(healthy)["SS335"][0] == "1 row is managed by nobody: r00"


def test_what_the_settings_define_is_named_before_it_is_managed(healthy: Project, settings: Any) -> None:
    settings.CELERY_BEAT_SCHEDULE = {
        name: {"task": "t", "schedule": 5} for name in ("b", "a", "celery.backend_cleanup")
    }
    message, hint = infos(healthy)["SS308"]

    assert message == (
        "2 schedules are defined in CELERY_BEAT_SCHEDULE, so that Beat writes each row again at its start: a, b"
    )
    assert hint == "`schedsync import settings` writes them as YAML, and a patch that deletes them there"
    settings.CELERY_BEAT_SCHEDULE["one"] = settings.CELERY_BEAT_SCHEDULE["a"]
    assert "SS306" in codes(healthy)


def test_what_git_does_not_manage_is_no_system_check(healthy: Project, settings: Any) -> None:
    every = IntervalSchedule.objects.create(every=7, period="minutes")
    PeriodicTask.objects.bulk_create([PeriodicTask(name="mine", task="t", interval=every)])
    settings.CELERY_BEAT_SCHEDULE = {"a": {"task": "t", "schedule": 5}}
    found = [message.id for message in check_database(databases=[healthy.using])]

    assert {"SS308", "SS335"}.isdisjoint(str(code).removeprefix("schedsync.") for code in found)
