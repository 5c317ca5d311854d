"""``pause --all`` and ``resume --all``: what they say, what they write down, and what everyone else then reads."""

from __future__ import annotations

import json
import zlib
from datetime import timedelta
from typing import Any

import pytest
from django_celery_beat.models import PeriodicTask

from schedsync.database.clock import DatabaseNow
from schedsync.models import Beat as BeatRow
from schedsync.models import FullPause, Pause, SyncRun
from schedsync.schemas.validator import PLAN, problems
from tests.beat.ours import Beat
from tests.beat.test_tables import without
from tests.conftest import NOW, Done, Project

SCHEDULES = "  one: {task: t, crontab: '5 * * * *'}\n  two: {task: t, every: 10m, missed_runs: all}\n"


@pytest.fixture
def jo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GITHUB_ACTOR", "jo")


def pause(project: Project, *words: str, reason: str = "INC-42", span: str = "30m") -> Done:
    return project.command("pause", "--all", "--for", span, "--reason", reason, "--database", project.using, *words)


def resume(project: Project, *words: str) -> Done:
    return project.command("resume", *words, "--database", project.using)


def audit(using: str) -> list[dict[str, Any]]:
    runs = SyncRun.objects.using(using).filter(verb__in=["pause_all", "resume_all"]).order_by("at", "verb")
    return [json.loads(zlib.decompress(bytes(run.changes)))[0] for run in runs]


def a_beat(using: str, **columns: Any) -> None:
    now = DatabaseNow()
    BeatRow.objects.using(using).create(
        host="h", pid=1, election="database", started_at=now, seen_at=now, leads=True, leads_since=now, **columns
    )


def test_everyone_reads_that_everything_is_paused(project: Project, clock: Any, jo: None) -> None:
    project.schedules(SCHEDULES)
    assert project.apply().code == 0
    done = pause(project)
    sentence = "verything is paused by jo until 10:30 UTC: INC-42"

    assert (done.code, done.out.splitlines()[0]) == (0, f"E{sentence}")
    for text in (project.plan().out, project.drift().out, project.command("status", "--database", project.using).out):
        assert f"e{sentence}" in text
    assert f"e{sentence}" in project.plan("--format", "markdown").out
    assert (project.plan("--exit-code").code, project.drift().code) == (0, 0)
    document = json.loads(project.plan("--format", "json").out)
    assert list(problems(document, PLAN)) == []
    expected = {"who": "jo", "reason": "INC-42", "since": "2026-11-23T10:00:00Z", "until": "2026-11-23T10:30:00Z"}
    assert document["everything_paused"] == expected
    status = json.loads(project.command("status", "--database", project.using, "--format", "json").out)
    assert status["everything_paused"] == expected
    clock.shift(timedelta(minutes=30))
    assert "paused" not in project.plan().out + project.drift().out
    assert "everything_paused" not in json.loads(project.plan("--format", "json").out)


@pytest.mark.parametrize(
    ("words", "message", "hint"),
    [
        (["pause", "--all", "--reason", "x"], "a pause of everything needs an end", "give `--for 30m`"),
        (["pause", "one", "--all", "--for", "1h", "--reason", "x"], "exclude each other", "pause `one`, or everything"),
        (["pause", "--reason", "x"], "nothing to pause is named", "`--all --for 30m`"),
        (["pause", "--all", "--for", "1h", "--reason", " "], "a pause needs a reason", "--reason TEXT"),
        (["resume"], "nothing to resume is named", "give names, a glob in quotes such as 'sync-*'"),
        (["resume", "one", "--all"], "exclude each other", "resume `one`, or everything"),
    ],
)
def test_wrong_usage_names_the_way_out(project: Project, words: list[str], message: str, hint: str) -> None:
    done = project.command(*words, "--database", project.using)

    assert (done.code, message in done.err, hint in done.err) == (64, True, True), done.err
    assert not FullPause.objects.using(project.using).exists()


def test_a_second_pause_replaces_the_first_and_the_audit_keeps_both(project: Project, clock: Any, jo: None) -> None:
    pause(project)
    clock.shift(timedelta(minutes=10))
    pause(project, span="1h", reason="INC-42, still")
    clock.shift(timedelta(minutes=10))
    assert resume(project, "--all").out.startswith("Everything runs again; what fell due meanwhile is not sent")

    first, second, end = audit(project.using)
    assert (first["kind"], first["who"], first["reason"], first["until"]) == (
        "pause_all", "jo", "INC-42", "2026-11-23T10:30:00Z",
    )  # fmt: skip
    assert (second["since"], second["until"]) == ("2026-11-23T10:00:00Z", "2026-11-23T11:10:00Z")
    assert second["replaces"]["reason"] == "INC-42"
    assert (end["kind"], end["reason"], end["catch_up"]) == ("resume_all", "INC-42, still", False)


def test_resume_ends_only_the_pause_of_everything_and_says_where_there_is_none(project: Project, clock: Any) -> None:
    project.schedules(SCHEDULES)
    assert project.apply().code == 0
    project.command("pause", "one", "--reason", "r", "--settle", "0", "--database", project.using)
    nothing = resume(project, "--all")
    pause(project)
    done = resume(project, "--all")

    assert (nothing.code, nothing.out) == (0, "Nothing to resume: no pause of everything is on\n")
    assert done.out.splitlines()[1] == "1 schedule has a pause of its own, which goes on"
    assert Pause.objects.using(project.using).count() == 1
    assert not PeriodicTask.objects.using(project.using).get(name="one").enabled
    pause(project, span="1m")
    clock.shift(timedelta(minutes=2))
    assert resume(project, "--all", "--catch-up").out.startswith("Nothing to resume")


def test_it_says_what_it_cannot_stop(project: Project, clock: Any) -> None:
    alone = pause(project)
    assert "No Beat of schedsync's own is running. Stock Beat cannot be paused" in alone.out
    a_beat(project.using)
    assert pause(project).out.splitlines()[1:] == ["1 Beat obeys within two seconds"]
    BeatRow.objects.using(project.using).update(trouble="another scheduler runs here")
    beside = pause(project).out.splitlines()
    assert beside[2:] == [
        "Stock Beat cannot be paused: where it runs, it goes on with all rows, managed or not",
        "  another scheduler runs here",
    ]
    document = json.loads(pause(project, "--format", "json").out)
    assert (document["beats"], document["trouble"]) == (["h:1"], ["another scheduler runs here"])


def test_nothing_is_overdue_while_everything_is_paused_nor_for_what_was_passed_over(
    project: Project, clock: Any
) -> None:
    project.schedules(SCHEDULES + "  old: {task: t, crontab: '0 9 * * *'}\n")
    assert project.apply().code == 0
    PeriodicTask.objects.using(project.using).update(last_run_at=NOW - timedelta(days=1), total_run_count=3)
    pause(project)
    clock.shift(timedelta(minutes=20))
    during = project.command("status", "--database", project.using, "--format", "json")
    resume(project, "--all")
    clock.shift(timedelta(minutes=1))
    after = project.command("status", "--database", project.using, "--format", "json")
    clock.shift(timedelta(minutes=20))
    later = json.loads(project.command("status", "--database", project.using, "--format", "json").out)

    assert (during.code, after.code, json.loads(after.out)["overdue"]) == (0, 0, [])
    assert [schedule["name"] for schedule in later["overdue"]] == ["two"]


def test_catching_up_says_first_how_many_runs_that_are(project: Project, clock: Any) -> None:
    project.schedules(SCHEDULES)
    assert project.apply().code == 0
    PeriodicTask.objects.using(project.using).update(last_run_at=NOW, total_run_count=3)
    pause(project, span="2h")
    clock.shift(timedelta(minutes=35))
    done = resume(project, "--all", "--catch-up")

    assert done.err == "catching up: 4 runs are sent at once, of 2 schedules\n"
    assert done.out == "Everything runs again; what fell due meanwhile counts as missed\n"


@pytest.mark.parametrize("catch_up", [False, True])
def test_one_schedule_catches_up_too(project: Project, clock: Any, catch_up: bool) -> None:
    project.schedules(SCHEDULES + "  once: {task: t, at: 2026-11-23T10:15:00Z}\n")
    assert project.apply().code == 0
    PeriodicTask.objects.using(project.using).exclude(name="once").update(last_run_at=NOW, total_run_count=3)
    beat = Beat(clock)
    beat.settle()
    names = ("one", "two", "once")
    for name in names:
        project.command("pause", name, "--reason", "r", "--settle", "0", "--database", project.using)
    beat.settle()
    clock.shift(timedelta(minutes=35))
    done = [resume(project, name, *["--catch-up"] * catch_up) for name in names]
    beat.settle()
    sent = [(message.name, f"{message.tick:%H:%M}") for _, message in beat.news()]

    assert [one.code for one in done] == [0, 0, 0]
    every = [("once", "10:15"), ("one", "10:05"), ("two", "10:10"), ("two", "10:20"), ("two", "10:30")]
    assert sorted(sent) == (every if catch_up else [])
    if catch_up:
        assert done[1].err == "catching up: 3 runs are sent at once, of 1 schedule\n"
    assert project.plan("--exit-code").code == 0


def test_an_apply_during_the_pause_that_may_fire_fires_for_nothing_of_it(project: Project, clock: Any) -> None:
    project.schedules("  one: {task: t, crontab: '5 * * * *', edit_may_fire: true}\n")
    assert project.apply().code == 0
    PeriodicTask.objects.using(project.using).update(last_run_at=NOW - timedelta(hours=1), total_run_count=3)
    beat = Beat(clock)
    beat.settle()
    beat.news()
    pause(project)
    clock.shift(timedelta(minutes=20))
    project.schedules("  one: {task: t, crontab: '10 * * * *', edit_may_fire: true}\n")
    assert project.apply().code == 0
    beat.step()
    resume(project, "--all")
    clock.shift(timedelta(seconds=1))
    project.schedules("  one: {task: t, crontab: '15 * * * *', edit_may_fire: true}\n")
    assert project.apply().code == 0
    beat.step()
    beat.settle()

    assert beat.news() == []
    clock.move_to(NOW + timedelta(minutes=76))
    beat.settle()
    assert [f"{message.tick:%H:%M}" for _, message in beat.news()] == ["11:15"]


def test_before_the_table_is_made_the_others_work_and_pause_says_what_to_do(project: Project) -> None:
    project.schedules(SCHEDULES)
    with without(project.using, FullPause):
        assert project.apply().code == 0
        assert project.command("status", "--database", project.using).code == 0
        done = pause(project)

    assert (done.code, "python manage.py migrate" in done.err) == (69, True), done.err
