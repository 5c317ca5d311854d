"""``schedsync status``: who leads, and what does not run as it should."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

from celery import current_app
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from schedsync.database.beats import last_number, wait_until_loaded
from schedsync.database.clock import DatabaseNow
from schedsync.database.transaction import WaitOptions
from schedsync.models import Beat as BeatRow
from schedsync.models import ManagedSchedule
from tests.beat.ours import Beat
from tests.conftest import NOW, Project

SCHEDULES = (
    "  late: {task: t, crontab: '*/10 * * * *'}\n  missed: {task: t, crontab: '*/10 * * * *', starting_deadline: 30s}\n"
    "  fine: {task: celery.ping, crontab: '0 3 * * *'}\n"
    "  off: {task: t, every: 1h, enabled: false, disabled_reason: r}\n"
)


def test_it_says_what_does_not_run(project: Project, clock: Any) -> None:
    project.schedules(SCHEDULES)
    assert project.apply().code == 0
    rows = PeriodicTask.objects.using(project.using)
    rows.filter(name__in=["late", "missed"]).update(last_run_at=NOW - timedelta(minutes=20), total_run_count=3)
    rows.filter(name="off").update(date_changed=NOW - timedelta(days=40))
    ManagedSchedule.objects.using(project.using).update(applied_at=NOW - timedelta(days=40))
    broken = CrontabSchedule.objects.using(project.using).create(minute="*/")
    rows.create(name="broken", task="t", crontab=broken)
    clock.move_to(NOW + timedelta(minutes=6))
    done = project.command("status", "--database", project.using, "--format", "json")
    found = json.loads(done.out)

    assert done.code == 2
    # Nobody leads who could have passed `missed` over.
    assert [one["name"] for one in found["overdue"]] == ["late", "missed"]
    assert found["overdue"][0]["tick"] == "2026-11-23T09:50:00Z"
    assert (found["due"], [one["name"] for one in found["broken"]], found["disabled_long"]) == ([], ["broken"], ["off"])
    assert found["never_ran"] == ["fine"]
    assert found["unregistered"] == ["fine", "late", "missed"]
    text = project.command("status", "--database", project.using)
    assert text.code == 2
    assert text.out.startswith("NOT OK  2 schedules overdue, 1 cannot run\n")
    assert "Overdue  late, due Mon 23 Nov 09:50 UTC (16 min)\n         missed, due" in text.out
    assert "\n         `schedsync why NAME` says why\n" in text.out
    assert "Broken   broken: " in text.out
    hint = " · 1 row managed by nobody: broken\n         `schedsync list --unmanaged` lists what nobody manages\n"
    assert hint in text.out


def test_what_the_leader_has_passed_over_is_not_overdue(project: Project, clock: Any) -> None:
    project.schedules(
        SCHEDULES + "  never: {task: t, crontab: '*/10 * * * *', missed_runs: none}\n"
        "  nightly: {task: t, crontab: '0 9 * * *'}\n  often: {task: t, every: 10m}\n"
    )
    assert project.apply().code == 0
    rows = PeriodicTask.objects.using(project.using).filter(enabled=True)
    rows.update(last_run_at=NOW - timedelta(days=1, hours=2), total_run_count=3)
    project.command("pause", "fine", "--reason", "r", "--settle", "0", "--database", project.using)
    now = DatabaseNow()
    BeatRow.objects.using(project.using).create(
        host="h", pid=1, election="database", started_at=now, seen_at=now, leads=True, leads_since=now
    )
    current_app.conf.beat_cron_starting_deadline = 300
    try:
        clock.move_to(NOW + timedelta(minutes=6))
        BeatRow.objects.using(project.using).update(leads_since=NOW + timedelta(minutes=5))
        found = json.loads(project.command("status", "--database", project.using, "--format", "json").out)
    finally:
        current_app.conf.beat_cron_starting_deadline = None

    assert [one["name"] for one in found["overdue"]] == ["often"]


def test_what_was_disabled_lately_is_not_disabled_for_long(project: Project, clock: Any) -> None:
    project.schedules("  x: {task: t, every: 1h}\n  y: {task: t, every: 1h}\n")
    assert project.apply().code == 0
    clock.move_to(NOW + timedelta(days=40))
    project.command("pause", "x", "--reason", "r", "--settle", "0", "--database", project.using)
    project.schedules("  x: {task: t, every: 1h}\n  y: {task: t, every: 1h, enabled: false, disabled_reason: r}\n")
    assert project.apply().code == 0

    def disabled() -> list[str]:
        done = project.command("status", "--database", project.using, "--format", "json")
        found: list[str] = json.loads(done.out)["disabled_long"]
        return found

    assert disabled() == []
    clock.shift(timedelta(days=31))
    assert disabled() == ["x", "y"]


def test_it_says_who_leads(project: Project, clock: Any) -> None:
    project.schedules(SCHEDULES)
    assert project.apply().code == 0
    one, two = Beat(clock), Beat(clock)
    one.settle()
    two.settle()
    one.scheduler._rivals.suspect(["late"])
    one.settle()
    done = project.command("status", "--database", project.using)

    assert done.code == 0
    assert done.out.startswith("OK\n")
    assert done.out.count("leading ") == 1
    assert done.out.count("standby ") == 1
    assert "broker up" in done.out
    assert "another scheduler runs beside this Beat, and sends late too" in done.out


def test_a_beat_that_is_behind_is_named(project: Project, clock: Any) -> None:
    beat = Beat(clock)
    beat.settle()
    before = beat.scheduler.reloader.change_number
    project.schedules(SCHEDULES)
    refused = project.apply("--wait", "--timeout", "1s")
    number = last_number(project.using)

    assert refused.code == 6
    assert "not loaded in time by" in refused.err
    assert number > before
    beat.step()
    assert beat.scheduler.reloader.change_number == number
    done = project.apply("--wait", "--timeout", "1s")
    assert (done.code, "1 Beat has loaded it: " in done.out) == (0, True)
    loaded, behind = wait_until_loaded(project.using, number, 1, WaitOptions().sleep)
    assert (len(loaded), behind) == (1, ())
    BeatRow.objects.using(project.using).update(loaded=number - 1)
    assert "1 change behind" in project.command("status", "--database", project.using).out


def test_a_beat_that_was_stopped_is_waited_for_and_named(project: Project, clock: Any) -> None:
    beat = Beat(clock)
    beat.settle()
    project.schedules(SCHEDULES)
    assert project.apply().code == 0

    def be_silent(_: float) -> None:
        BeatRow.objects.using(project.using).update(seen_at=NOW - timedelta(days=1))

    loaded, behind = wait_until_loaded(project.using, last_number(project.using), 0.3, be_silent)
    assert (loaded, len(behind)) == ((), 1)


def test_who_was_killed_leads_no_longer(project: Project, clock: Any) -> None:
    one, two = Beat(clock), Beat(clock)
    one.settle()
    two.settle()
    BeatRow.objects.using(project.using).update(leads=True, leads_since=DatabaseNow())
    BeatRow.objects.using(project.using).filter(pk=two.scheduler.holder).update(epoch=2)
    text = project.command("status", "--database", project.using).out
    assert (text.count("leading "), text.count("epoch 2"), text.count("standby ")) == (1, 1, 1)

    BeatRow.objects.using(project.using).update(election="none", epoch=0)
    text = project.command("status", "--database", project.using).out
    assert text.count(", without an election") == 2


def test_what_runs_often_is_overdue_where_nobody_runs_it(project: Project, clock: Any) -> None:
    project.schedules("  often: {task: t, every: 10s}\n  kept: {task: t, every: 10s, starting_deadline: 30s}\n")
    assert project.apply().code == 0
    PeriodicTask.objects.using(project.using).update(last_run_at=NOW, total_run_count=1)

    def overdue() -> list[str]:
        done = project.command("status", "--database", project.using, "--format", "json")
        found = [one["name"] for one in json.loads(done.out)["overdue"]]
        assert done.code == (2 if found else 0)
        return found

    clock.move_to(NOW + timedelta(minutes=4))
    assert overdue() == []
    clock.move_to(NOW + timedelta(minutes=6))
    assert overdue() == ["kept", "often"]
    now = DatabaseNow()
    BeatRow.objects.using(project.using).create(
        host="h", pid=1, election="database", started_at=now, seen_at=now, leads=True, leads_since=now
    )
    # Its ticks are passed over as they come.
    assert overdue() == ["often"]


def test_that_nobody_leads_and_much_never_ran_is_said(project: Project, clock: Any) -> None:
    project.schedules("".join(f"  s{number:02}: {{task: t, crontab: '0 3 * * *'}}\n" for number in range(23)))
    assert project.apply().code == 0
    Beat(clock).settle()
    BeatRow.objects.using(project.using).update(leads=False, loaded_at=None)
    text = project.command("status", "--database", project.using).out
    (beat,) = json.loads(project.command("status", "--database", project.using, "--format", "json").out)["beats"]

    assert text.startswith("NOT OK  nobody leads\n")
    assert "has loaded nothing yet, 23 schedules" in text
    assert "never ran: s00, s01," in text
    assert "s19 and 3 more" in text
    assert (beat["leads"], beat["schedules"], beat["loaded_at"]) == (False, 23, None)
