"""The first line of ``status``, its exit code, and what it says of Git's side."""

from __future__ import annotations

import json
import re
import socket
import sys
from datetime import timedelta
from typing import Any

import pytest
from django.db.models import F
from django_celery_beat.models import CrontabSchedule, PeriodicTask

from schedsync.commands import status as command
from schedsync.database.clock import DatabaseNow
from schedsync.models import Beat as BeatRow
from schedsync.models import BeatReport, Lease, ManagedSchedule, SyncRun
from tests.beat.ours import Beat
from tests.beat.test_like_stock import TIMINGS, make
from tests.beat.test_tables import without
from tests.conftest import NOW, Project


def look(project: Project, *words: str) -> tuple[int, dict[str, Any]]:
    done = project.command("status", "--database", project.using, "--format", "json", *words)
    assert done.err == ""
    return done.code, json.loads(done.out)


def first_line(project: Project, *words: str) -> tuple[int, str]:
    done = project.command("status", "--database", project.using, *words)
    return done.code, done.out.split("\n")[0]


UNKNOWN = "UNKNOWN  no Beat of schedsync's own is running; stock Beat cannot be seen"


def test_without_any_beat_ever_it_cannot_tell(project: Project, clock: Any) -> None:
    Lease.objects.using(project.using).all().delete()
    assert first_line(project) == (0, UNKNOWN)
    assert first_line(project, "--expect-beats", "1") == (2, "NOT OK  no Beat is live, 1 expected")


def test_a_beat_that_ended_is_missed_until_none_is_wanted(project: Project, clock: Any) -> None:
    beat = Beat(clock)
    beat.settle()
    assert first_line(project) == (0, "OK")
    beat.scheduler.close()

    assert first_line(project) == (2, "NOT OK  no Beat is live")
    code, found = look(project)
    assert (code, [problem["code"] for problem in found["problems"]]) == (2, ["no_beat"])
    assert found["last_beat"]["name"].startswith(socket.gethostname())
    assert found["last_beat"]["ended_at"] is not None
    assert first_line(project, "--expect-beats", "0") == (0, UNKNOWN)


def test_a_beat_that_was_killed_is_missed(project: Project, clock: Any) -> None:
    Beat(clock).settle()
    BeatRow.objects.using(project.using).update(seen_at=DatabaseNow() - timedelta(days=2))
    text = project.command("status", "--database", project.using).out
    assert "none is live; " in text
    assert " did not end in good order\n" in text


def test_a_beat_of_an_older_version_is_remembered_by_the_epoch(project: Project, clock: Any) -> None:
    Lease.objects.using(project.using).update_or_create(pk=1, defaults={"epoch": 7})
    assert first_line(project) == (2, "NOT OK  no Beat is live")
    with without(project.using, BeatReport):
        assert first_line(project) == (2, "NOT OK  no Beat is live")


def test_without_an_election_a_beat_is_remembered_too(
    project: Project, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("django.conf.settings.SCHEDSYNC_LEADER", None, raising=False)
    Lease.objects.using(project.using).all().delete()
    beat = Beat(clock)
    beat.settle()
    assert first_line(project) == (0, "OK")
    beat.scheduler.close()
    assert first_line(project) == (2, "NOT OK  no Beat is live")


def test_fewer_beats_than_expected(project: Project, clock: Any) -> None:
    Beat(clock).settle()
    assert first_line(project, "--expect-beats", "1") == (0, "OK")
    assert first_line(project, "--expect-beats", "2") == (2, "NOT OK  1 Beat is live, 2 expected")


def test_nobody_leads_where_there_is_an_election(project: Project, clock: Any) -> None:
    Beat(clock).settle()
    BeatRow.objects.using(project.using).update(leads=False)
    assert first_line(project) == (2, "NOT OK  nobody leads")
    BeatRow.objects.using(project.using).update(election="none")
    assert first_line(project) == (0, "OK")


def test_what_cannot_run_is_what_the_leader_reports(project: Project, clock: Any) -> None:
    make(project.using, "bad", {**TIMINGS["each minute"], "args": "{"})
    make(project.using, "off", {**TIMINGS["each minute"], "args": "{", "enabled": False})
    without_beat = look(project)[1]["broken"]
    Beat(clock).settle()
    code, found = look(project)

    assert [one["name"] for one in without_beat] == ["bad"]
    assert (code, found["broken"]) == (2, [{"name": "bad", "reason": "its args are no JSON list"}])
    assert first_line(project)[1] == "NOT OK  1 cannot run"
    BeatReport.objects.using(project.using).update(broken="nonsense")
    assert look(project)[1]["counts"]["broken"] == 1


def test_a_broker_that_refuses_and_clocks_that_differ(project: Project, clock: Any) -> None:
    Beat(clock).settle()
    reports = BeatReport.objects.using(project.using)
    reports.update(clock_ahead=-0.4)
    assert " · clocks agree · broker up\n" in project.command("status", "--database", project.using).out
    reports.update(clock_ahead=120.0, broker_trouble="refused", broker_trouble_since=NOW)
    done = project.command("status", "--database", project.using)

    assert (done.code, done.out.split("\n")[0]) == (2, "NOT OK  the broker is away, a clock differs")
    assert re.search(
        r" · the clock of \S+ is 120\.0 s ahead · broker away since Mon 23 Nov 10:00 UTC: refused", done.out
    )


def test_it_says_how_late_the_last_tick_was(project: Project, clock: Any) -> None:
    make(project.using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - timedelta(minutes=1)})
    beat = Beat(clock)
    beat.settle()
    beat.scheduler.heartbeat._next = 0.0
    beat.step()
    BeatReport.objects.using(project.using).update(last_tick=DatabaseNow() - timedelta(seconds=90), last_late=0.031)
    assert (
        ", last tick 1 min ago, 0.03 s late, 1 schedules" in project.command("status", "--database", project.using).out
    )


SCHEDULES = "".join(f"  s{number}: {{task: t, crontab: '0 3 * * *', owner: o}}\n" for number in range(7))


def test_it_names_the_last_apply_and_who_stopped_what(project: Project, clock: Any) -> None:
    using = project.using
    project.schedules(SCHEDULES)
    assert project.apply().code == 0
    SyncRun.objects.using(using).update(commit="8b434ce0123456789", who="pipeline 8812", environment="production")
    assert (
        project.command("pause", "s0", "--for", "2h", "--reason", "INC-42", "--settle", "0", "--database", using).code
        == 0
    )
    rows = PeriodicTask.objects.using(using)
    rows.filter(name="s1").update(enabled=False)
    rows.filter(name="s2").update(queue="q", date_changed=F("date_changed") + timedelta(seconds=1))
    rows.filter(name="s3").delete()
    rows.filter(name="s4").update(name="renamed")
    other = CrontabSchedule.objects.using(using).create(minute="1")
    rows.filter(name="s5").update(crontab=other)
    rows.filter(name="s6").update(date_changed=F("date_changed") + timedelta(seconds=1))
    make(using, "mine", TIMINGS["each minute"])
    make(using, "celery.backend_cleanup", TIMINGS["each minute"])
    clock.move_to(NOW + timedelta(hours=1))
    _, found = look(project)

    assert [(one["set"], one["commit"], one["who"], one["environment"]) for one in found["applies"]] == [
        ("default", "8b434ce01234", "pipeline 8812", "production")
    ]
    assert found["applies"][0]["counts"]["create"] == 7
    assert [(one["name"], one["reason"], one["until"]) for one in found["paused"]] == [
        ("s0", "INC-42", "2026-11-23T12:00:00Z")
    ]
    assert [one["name"] for one in found["held"]] == ["s1"]
    assert found["drifted"] == ["s2", "s3", "s4", "s5"]
    assert (found["unmanaged"], found["managed"], found["counts"]["unmanaged"]) == (["mine"], 7, 1)
    text = project.command("status", "--database", using).out
    assert "Apply    default@8b434ce01234 in production 1 h 00 min ago by pipeline 8812: 7 created\n" in text
    assert re.search(
        r"Stopped  paused s0 until Mon 23 Nov 12:00 UTC by .*: INC-42\n         held s1 by an unknown user\n", text
    )
    assert "Drift    4 edited since the last apply: s2, s3, s4, s5\n" in text


def test_a_schedule_row_that_was_edited_in_place_is_drift(project: Project, clock: Any) -> None:
    project.schedules(SCHEDULES)
    assert project.apply().code == 0
    assert look(project)[1]["drifted"] == []
    CrontabSchedule.objects.using(project.using).update(hour="4")
    assert look(project)[1]["drifted"] == [f"s{number}" for number in range(7)]


def test_too_many_saved_rows_are_not_compared(project: Project, clock: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    project.schedules(SCHEDULES)
    assert project.apply().code == 0
    PeriodicTask.objects.using(project.using).update(date_changed=NOW + timedelta(seconds=1))
    assert look(project)[1]["drifted"] == []
    monkeypatch.setattr("schedsync.database.management.MOST", 3)
    _, found = look(project)

    assert (found["drifted"], found["held"], found["counts"]["drifted"]) == (None, None, None)
    text = project.command("status", "--database", project.using).out
    assert "Drift    not compared: too many rows were saved since the last apply; ask `schedsync drift`\n" in text


def test_a_row_made_again_by_hand_is_managed_by_its_name(project: Project, clock: Any) -> None:
    project.schedules(SCHEDULES)
    assert project.apply().code == 0
    ManagedSchedule.objects.using(project.using).filter(name="s0").update(row_id=10**9)
    assert look(project)[1]["unmanaged"] == []


def test_self_asks_for_a_beat_on_this_host(project: Project, clock: Any) -> None:
    assert first_line(project, "--self") == (2, "NOT OK  no Beat is live on this host")
    beat = Beat(clock)
    beat.settle()
    code, found = look(project, "--self")
    assert (code, found["verdict"], len(found["beats"])) == (0, "OK", 1)
    BeatRow.objects.using(project.using).update(leads=False)
    assert first_line(project, "--self") == (0, "OK")
    BeatRow.objects.using(project.using).update(host="elsewhere")
    assert look(project, "--self")[0] == 2


def test_flags_that_cannot_apply_are_wrong_usage(project: Project) -> None:
    where = ("status", "--database", project.using)
    watched = project.command(*where, "--watch")
    assert (watched.code, watched.err.split("\n")[0]) == (64, "error: `--watch` needs a terminal")
    assert project.command(*where, "--self", "--expect-beats", "1").code == 64
    assert project.command(*where, "--expect-beats", "-1").code == 64


def test_watch_looks_again_until_it_is_interrupted(
    project: Project, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(command.time, "sleep", nap)
    monkeypatch.setattr("schedsync.commands.status.is_terminal", lambda stream: stream is sys.stdout)
    done = project.command("status", "--database", project.using, "--watch")

    assert (done.code, naps) == (0, [2.0, 2.0, 2.0])
    assert done.out.count("\x1b[H\x1b[2J") == 3
    assert done.out.count("Managed") == 3
