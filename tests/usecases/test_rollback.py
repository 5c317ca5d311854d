"""A rollback brings a set back to an earlier state, and holds it there until its files change."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from celery import current_app
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

from schedsync.database.audit import packed
from schedsync.models import ManagedSchedule, Pause, RolledBack, SyncRun
from schedsync.schemas.validator import PLAN, SNAPSHOT, problems
from tests.beat.test_tables import without
from tests.conftest import NOW, Done, Project

JOB = "  job: {task: t, every: 1m}\n"
BAD = "  job: {task: t, every: 1s, queue: wrong}\n"
FIX = "  job: {task: t, every: 2m}\n"
OLD = [1, "minutes", None, True]
#: What the databases do alike is tested in one of them.
one = pytest.mark.one_database


def back(project: Project, *words: str) -> Done:
    return project.command(
        "rollback", "--database", project.using, "--yes", "--settle", "0", "--reason", "INC-42", *words
    )


def rows(project: Project) -> dict[str, list[Any]]:
    fields = ("interval__every", "interval__period", "queue", "enabled")
    tasks = PeriodicTask.objects.using(project.using)
    return {name: values for name, *values in tasks.values_list("name", *fields)}


def runs(project: Project, verb: str = "apply") -> list[str]:
    """Return the ids of the runs of a verb, the last one first."""
    records = SyncRun.objects.using(project.using).filter(verb=verb).order_by("-at")
    return [str(run) for run in records.values_list("pk", flat=True)]


def marks(project: Project) -> list[str]:
    return list(RolledBack.objects.using(project.using).order_by("name").values_list("name", flat=True))


@pytest.fixture
def applied(project: Project, clock: Any) -> Callable[..., Done]:
    """A function that applies schedules, each time a minute later."""
    times = iter(range(1000))

    def apply(schedules: str, *words: str) -> Done:
        clock.move_to(NOW + timedelta(minutes=next(times)))
        project.schedules(schedules)
        done = project.apply("--allow-stops", "9", *words)
        assert done.code == 0, done.err
        return done

    return apply


@pytest.fixture
def shop(project: Project, applied: Callable[..., Done]) -> Project:
    """A set with one schedule that was applied, and then broken by a second apply."""
    applied(JOB)
    applied(BAD)
    return project


def test_a_bad_deploy_stays_rolled_back_until_its_fix_is_applied(shop: Project, applied: Callable[..., Done]) -> None:
    done = back(shop)
    assert (done.code, rows(shop)["job"]) == (0, OLD)

    for hour in range(1, 4):
        later = applied(BAD + f"  new-{hour}: {{task: t, every: 1h}}\n")

        assert ("`job` is rolled back by" in later.out, "INC-42" in later.out) == (True, True)
        assert rows(shop)["job"] == OLD
    assert shop.drift().code == 2

    ends = applied(FIX)
    assert "Rolled back no longer, the files have changed: job" in ends.out
    assert (rows(shop), marks(shop)) == ({"job": [2, "minutes", None, True]}, [])
    assert shop.drift().code == 0


def test_every_kind_of_change_goes_back(project: Project, applied: Callable[..., Done]) -> None:
    before = (
        "  gone: {task: t, every: 3m, queue: q, kwargs: {a: 1}}\n"
        "  old: {task: t, every: 4m}\n"
        "  on: {task: t, every: 5m}\n"
        "  off: {task: t, every: 6m, enabled: false, disabled_reason: r}\n"
        "  same: {task: t, every: 7m}\n"
    )
    applied(before)
    PeriodicTask.objects.using(project.using).filter(name="gone").update(total_run_count=7)
    PeriodicTask.objects.using(project.using).create(
        name="theirs", task="t", interval=PeriodicTask.objects.using(project.using).get(name="same").interval
    )
    there = rows(project)
    renamed = PeriodicTask.objects.using(project.using).get(name="old").pk
    after = (
        "  new: {task: t, every: 4m, queue: q, renamed_from: old}\n"
        "  on: {task: t, every: 5m, enabled: false, disabled_reason: r}\n"
        "  off: {task: t, every: 6m}\n"
        "  same: {task: t, every: 7m}\n"
        "  theirs: {task: t, every: 1h, adopt: true}\n"
        "  made: {task: t, every: 1m}\n"
    )
    applied(after)
    assert back(project, "--allow-stops", "9").code == 0

    tasks = PeriodicTask.objects.using(project.using)
    assert rows(project) == there
    assert (tasks.get(name="old").pk, tasks.get(name="gone").total_run_count) == (renamed, 7)
    assert json.loads(tasks.get(name="gone").kwargs) == {"a": 1}
    assert not ManagedSchedule.objects.using(project.using).filter(name__in=["theirs", "made", "new"]).exists()
    assert marks(project) == ["gone", "made", "new", "off", "on", "theirs"]

    applied(after)
    assert rows(project) == there

    assert back(project, runs(project, "rollback")[0], "--allow-stops", "9").code == 0
    assert sorted(rows(project)) == ["made", "new", "off", "on", "same", "theirs"]
    assert tasks.get(name="new").pk == renamed
    assert marks(project) == []
    assert "no changes" in project.plan().out


@one
def test_a_deleted_schedule_has_its_last_run_and_its_pause_again(
    project: Project, applied: Callable[..., Done]
) -> None:
    applied("  gone: {task: t, every: 3h}\n" + JOB)
    ran = NOW - timedelta(hours=1)
    PeriodicTask.objects.using(project.using).filter(name="gone").update(last_run_at=ran, total_run_count=7)
    words = ["--reason", "INC-1", "--settle", "0", "--database", project.using]
    assert project.command("pause", "gone", *words).code == 0
    applied(JOB)
    assert not Pause.objects.using(project.using).exists()
    assert back(project).code == 0

    task = PeriodicTask.objects.using(project.using).get(name="gone")
    assert (task.last_run_at, task.total_run_count, task.enabled) == (ran, 7, False)
    assert Pause.objects.using(project.using).get().reason == "INC-1"
    assert project.command("resume", "gone", "--database", project.using).code == 0
    assert PeriodicTask.objects.using(project.using).get(name="gone").enabled


@one
def test_a_dry_run_writes_nothing(shop: Project) -> None:
    with CaptureQueriesContext(connections[shop.using]) as queries:
        shown = shop.command("rollback", "--dry-run", "--database", shop.using)

    assert shown.code == 0
    assert shown.out.startswith(f"Back to before run {runs(shop)[0][:8]}: apply by ")
    assert not [each for each in queries if each["sql"].split()[0] in ("INSERT", "UPDATE", "DELETE")]
    assert (rows(shop)["job"], marks(shop)) == ([1, "seconds", "wrong", True], [])


@one
def test_its_plan_conforms_to_the_schema_and_names_what_is_kept(shop: Project) -> None:
    words = ["--database", shop.using, "--format", "json"]
    shown = shop.command("rollback", "--dry-run", *words)
    done = back(shop, "--format", "json")
    later = shop.plan("--format", "json")

    assert list(problems(json.loads(shown.out), PLAN)) == []
    assert [mark["name"] for mark in json.loads(shown.out)["rolls_back"]] == ["job"]
    assert [mark["reason"] for mark in json.loads(done.out)["rolled_back"]] == ["INC-42"]
    assert list(problems(json.loads(later.out), PLAN)) == []
    assert [mark["run"] for mark in json.loads(later.out)["rolled_back"]] == runs(shop, "rollback")
    assert "Rolled back, left alone" in shop.plan("--format", "markdown").out


@one
def test_a_rollback_needs_a_reason_where_nobody_can_be_asked(shop: Project) -> None:
    done = shop.command("rollback", "--yes", "--database", shop.using)

    assert (done.code, "--reason" in done.err, marks(shop)) == (64, True, [])


@one
def test_a_terminal_asks_why_and_whether(shop: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    from schedsync.commands import rollback

    asked: list[str] = []
    monkeypatch.setattr(rollback, "has_terminal", lambda: True)
    monkeypatch.setattr("click.prompt", lambda *_words, **_more: "INC-7")
    monkeypatch.setattr("click.confirm", lambda text, **_more: bool(asked.append(text)) or len(asked) > 1)
    words = ["rollback", "--database", shop.using, "--settle", "0"]
    no, yes = shop.command(*words), shop.command(*words)

    assert (no.code, no.err, yes.code) == (1, "Nothing was written.\n", 0)
    assert asked[0] == f"\nRoll back 1 change of default on {shop.using}?"
    assert RolledBack.objects.using(shop.using).get().reason == "INC-7"


@one
def test_flags_that_contradict_are_wrong_usage(shop: Project) -> None:
    where = ["--database", shop.using]

    assert shop.command("rollback", "--end", "--dry-run", *where).code == 64
    assert shop.command("rollback", "a", "b", "--dry-run", *where).code == 64
    assert shop.command("rollback", "--yes", "--reason", " ", *where).code == 64
    assert json.loads(shop.command("rollback", "--end", "--format", "json", *where).out)["ended"] == []


@one
def test_a_schedule_that_changed_again_is_refused_by_name_and_run(shop: Project, applied: Callable[..., Done]) -> None:
    bad = runs(shop)[0]
    applied(BAD.replace("1s", "5s"))
    done = back(shop, bad)

    assert done.code == 3
    assert f"1 schedule was changed again since run {bad[:8]} (run {runs(shop)[0][:8]}): job" in done.err
    assert back(shop).code == 0
    assert back(shop, bad).code == 0
    assert rows(shop)["job"] == OLD
    for form in (BAD, BAD.replace("1s", "5s")):
        applied(form)
        assert rows(shop)["job"] == OLD


@one
def test_the_same_rollback_twice_does_nothing(shop: Project) -> None:
    assert back(shop).code == 0
    again = back(shop)

    assert (again.code, "1 schedule is as before already" in again.out) == (0, True)
    assert "Nothing to do, nothing was written" in again.out
    assert len(runs(shop, "rollback")) == 1


@one
@pytest.mark.parametrize("reference", ["ffffffff", "no-such-branch", "12345678-1234-1234-1234-123456789abc"])
def test_an_unknown_run_is_named(shop: Project, reference: str) -> None:
    done = back(shop, reference)

    assert (done.code, f"there is no run `{reference}`" in done.err) == (64, True)


@one
def test_a_run_that_is_no_apply_or_of_another_set_is_not_rolled_back(
    shop: Project, applied: Callable[..., Done]
) -> None:
    words = ["--reason", "r", "--settle", "0", "--database", shop.using]
    assert shop.command("pause", "job", *words).code == 0
    paused = back(shop, runs(shop, "pause")[0])
    bad = runs(shop)[0]
    shop.write('set = "other"\n', "schedsync.toml")
    other = back(shop, bad)
    nothing = back(shop)

    assert (paused.code, "`schedsync resume` ends a pause" in paused.err) == (64, True)
    assert (other.code, f"run {bad[:8]} is of set `default`, and this is `other`" in other.err) == (64, True)
    assert (nothing.code, "nothing to go back to" in nothing.err) == (1, True)


@one
def test_an_edit_in_the_admin_is_shown_as_drift_and_overwritten(shop: Project) -> None:
    PeriodicTask.objects.using(shop.using).update(priority=3)
    shown = shop.command("rollback", "--dry-run", "--database", shop.using)
    assert "1 drifted" in shown.out

    assert back(shop).code == 0
    assert PeriodicTask.objects.using(shop.using).get().priority is None


@one
def test_a_human_stop_and_a_pause_stay(shop: Project) -> None:
    PeriodicTask.objects.using(shop.using).update(enabled=False)
    assert back(shop).code == 0

    assert rows(shop)["job"] == [1, "minutes", None, False]
    assert "HELD" in shop.plan().out


@one
def test_other_schedules_are_left_alone(project: Project, applied: Callable[..., Done]) -> None:
    other = "  other: {task: t, every: 1h}\n"
    applied(JOB + other)
    applied(BAD + other)
    PeriodicTask.objects.using(project.using).filter(name="other").update(queue="by-hand")
    assert back(project).code == 0

    assert rows(project) == {"job": OLD, "other": [1, "hours", "by-hand", True]}


@one
def test_stops_are_limited_as_in_an_apply(project: Project, applied: Callable[..., Done]) -> None:
    applied(JOB)
    applied(JOB + "".join(f"  new-{number}: {{task: t, every: 1h}}\n" for number in range(3)))
    refused = back(project)

    assert (refused.code, "3 schedules would stop" in refused.err, len(rows(project))) == (3, True, 4)
    assert back(project, "--allow-stops", "3").code == 0
    assert list(rows(project)) == ["job"]


@one
def test_a_freeze_holds_until_a_flag_lifts_it(shop: Project) -> None:
    shop.write('[[freeze]]\ncrontab = "0 10 * * mon"\nduration = "5h"\nreason = "the shop moves"\n', "schedsync.toml")

    assert back(shop).code == 3
    assert back(shop, "--allow-freeze").code == 0


@one
def test_ending_lets_the_files_count_again(shop: Project) -> None:
    assert back(shop).code == 0
    wrong = shop.command("rollback", "--end", "jib", "--database", shop.using)
    ended = shop.command("rollback", "--end", "jo*", "--database", shop.using)
    assert (wrong.code, ended.code, "Rolled back no longer: job" in ended.out) == (64, 0, True)
    assert (rows(shop)["job"], marks(shop)) == (OLD, [])

    assert "Nothing to end" in shop.command("rollback", "--end", "--database", shop.using).out
    assert shop.apply().code == 0
    assert rows(shop)["job"] == [1, "seconds", "wrong", True]


@one
def test_a_revert_in_git_ends_it_without_a_change(shop: Project, applied: Callable[..., Done]) -> None:
    assert back(shop).code == 0
    applied(JOB)

    assert (rows(shop)["job"], marks(shop)) == (OLD, [])


@one
def test_a_plan_from_before_a_rollback_is_stale(shop: Project, applied: Callable[..., Done]) -> None:
    shop.schedules(BAD.replace("1s", "5s"))
    assert shop.plan("--out", "plan.json").code == 0
    shop.schedules(BAD)
    assert back(shop).code == 0
    shop.schedules(BAD.replace("1s", "5s"))

    assert shop.apply("--plan", "plan.json", "--exact").code == 4
    assert rows(shop)["job"] == OLD


@one
def test_a_snapshot_carries_what_was_rolled_back(shop: Project) -> None:
    def task() -> None: ...

    current_app.task(name="t", shared=False)(task)
    current_app.finalize(auto=True)
    assert back(shop).code == 0
    taken = shop.command("snapshot", "--database", shop.using, "--out", "snapshot.json")
    current_app.tasks.pop("t", None)
    assert taken.code == 0, taken.err
    document = json.loads((shop.root / "snapshot.json").read_text())
    shown = shop.command("plan", "schedules", "--against", "snapshot.json")

    assert list(problems(document, SNAPSHOT)) == []
    assert (shown.code, "no changes" in shown.out, "INC-42" in shown.out) == (0, True, True)


@one
def test_every_verb_that_looks_names_it(shop: Project) -> None:
    assert back(shop).code == 0
    where = ["--database", shop.using]

    listed = shop.command("list", "--state", "rolled-back", *where, "--format", "json")
    assert [each["rolled_back"]["reason"] for each in json.loads(listed.out)["schedules"]] == ["INC-42"]
    assert "Rollback job by " in shop.command("status", *where).out
    assert "rolled back by" in shop.command("why", "job", *where).out
    assert "rolled back by" in shop.command("why", "job", *where, "--format", "json").out
    drifted = shop.drift()
    assert (drifted.code, "1 rolled back" in drifted.out, "INC-42" in drifted.out) == (2, True, True)


@one
def test_the_json_of_an_apply_lists_what_it_leaves_alone(shop: Project) -> None:
    assert back(shop).code == 0
    left = json.loads(shop.apply("--format", "json").out)["rolled_back"]

    assert [(each["name"], each["kept_name"], each["reason"]) for each in left] == [("job", "job", "INC-42")]


@one
def test_the_audit_record_says_why_and_of_what(shop: Project) -> None:
    from schedsync.database.runs import changes_of, find_run

    bad = runs(shop)[0]
    assert back(shop).code == 0
    record = find_run(shop.using, runs(shop, "rollback")[0])
    assert record is not None
    changes = {each["kind"]: each for each in changes_of(shop.using, record.id)}

    assert changes["reason"]["text"] == "INC-42"
    assert changes["rollback_of"]["run"] == bad
    assert changes["rolled_back"]["name"] == "job"


@one
def test_the_history_says_in_plain_words_what_a_rollback_did_and_why(shop: Project) -> None:
    def history(*words: str) -> str:
        return shop.command("history", "--database", shop.using, *words).out

    assert back(shop).code == 0
    of_all, of_one = history("--verb", "rollback"), history("job", "--verb", "rollback")
    assert ("rollback: 1 updated" in of_all, "INC-42" in of_all) == (True, True)
    assert "updated, rolled back by " in of_one
    assert (of_one.count("INC-42"), "undo" in of_one, "kept name" in of_one) == (1, False, False)

    ended = shop.command("rollback", "--database", shop.using, "--end", "--reason", "fixed")
    assert ended.code == 0, ended
    of_end = history("job", "--verb", "rollback_end")
    assert "its rollback ended by " in of_end
    assert of_end.count("fixed") == 1


@one
def test_two_sets_and_environments_in_one_database_do_not_meet(project: Project, clock: Any) -> None:
    def applied(set_name: str, environment: str, schedules: str) -> Done:
        project.write(f'set = "{set_name}"\nenvironments = ["eu", "us"]\n', f"{set_name}/schedsync.toml")
        project.schedules(schedules, f"{set_name}/schedules/s.yaml")
        words = ["--database", project.using, "--yes", "--settle", "0", "-e", environment]
        return project.command("apply", f"{set_name}/schedules", *words)

    for minute, every in enumerate(("1m", "1s")):
        clock.move_to(NOW + timedelta(minutes=minute))
        assert applied("one", "eu", f"  a: {{task: t, every: {every}}}\n").code == 0
        assert applied("two", "us", f"  b: {{task: t, every: {every}}}\n").code == 0
    clock.move_to(NOW + timedelta(minutes=5))
    wrong = back(project, "--path", "one/schedules", "-e", "us")
    done = back(project, "--path", "one/schedules")

    assert (wrong.code, "to environment `eu`, not to `us`" in wrong.err) == (64, True)
    assert (done.code, list(rows(project).values())) == (0, [OLD, [1, "seconds", None, True]])
    assert applied("two", "us", "  b: {task: t, every: 1s}\n").code == 0
    later = applied("one", "eu", "  a: {task: t, every: 1s}\n")
    assert (later.code, rows(project)["a"]) == (0, OLD)
    renamed = project.command("ledger", "rename", "one", "three", "--yes", "--database", project.using, "-e", "eu")
    assert (renamed.code, list(RolledBack.objects.using(project.using).values_list("set", "name"))) == (
        0,
        [("three", "a")],
    )


@one
def test_what_came_from_another_set_is_refused(project: Project, clock: Any) -> None:
    project.write('set = "one"\n', "schedsync.toml")
    project.schedules(JOB)
    assert project.apply().code == 0
    clock.move_to(NOW + timedelta(minutes=1))
    project.write('set = "two"\n', "schedsync.toml")
    project.schedules(BAD)
    assert project.apply("--adopt-from", "one").code == 0
    done = back(project)

    assert (done.code, "took over job from set `one`" in done.err) == (3, True)
    assert rows(project)["job"] == [1, "seconds", "wrong", True]


@one
def test_before_the_migration_applies_go_on_and_a_rollback_says_what_to_do(
    shop: Project, applied: Callable[..., Done]
) -> None:
    with without(shop.using, RolledBack):
        applied(BAD.replace("1s", "5s"))
        looks = [shop.command(verb, "--database", shop.using).code for verb in ("status", "list")]
        done = back(shop)

    assert (done.code, "is not migrated: no table schedsync_rolledback" in done.err, looks) == (69, True, [0, 0])
    assert rows(shop)["job"] == [5, "seconds", "wrong", True]


@one
def test_a_damaged_record_is_no_crash(shop: Project) -> None:
    record = SyncRun.objects.using(shop.using).get(pk=runs(shop)[0])
    for damage in (b"x", packed([{"kind": "update"}]), packed([{"kind": "update", "name": "job", "fields": 7}])):
        record.changes = damage
        record.save(using=shop.using)
        done = back(shop)

        assert (done.code, "cannot be read" in done.err, "rollback COMMIT" in done.err) == (1, True, True)


@one
def test_a_record_of_an_earlier_version_can_be_rolled_back(shop: Project) -> None:
    from schedsync.database.runs import changes_of

    record = SyncRun.objects.using(shop.using).get(pk=runs(shop)[0])
    record.changes = packed([{**each, "undo": {}} for each in changes_of(shop.using, record.pk)])
    record.save(using=shop.using)

    assert (back(shop).code, rows(shop)["job"]) == (0, OLD)


@one
def test_a_damaged_mark_leaves_its_schedule_alone_until_a_human_ends_it(shop: Project) -> None:
    assert back(shop).code == 0
    RolledBack.objects.using(shop.using).update(rejected="{")

    for schedules in (BAD, BAD.replace("1s", "5s"), "  other: {task: t, every: 1h}\n"):
        shop.schedules(schedules)
        done = shop.apply()
        assert (done.code, rows(shop)["job"], marks(shop)) == (0, OLD, ["job"])
        assert "`job` is left alone: its rollback cannot be read" in done.out + done.err

    shop.schedules(BAD)
    assert shop.command("rollback", "--end", "job", "--database", shop.using).code == 0
    assert (shop.apply("--allow-stops", "9").code, rows(shop)["job"]) == (0, [1, "seconds", "wrong", True])


@one
def test_thousands_of_schedules_need_as_many_queries_as_ten(project: Project, applied: Callable[..., Done]) -> None:
    def counted(schedules: int) -> int:
        text = "  s-{n}: {task: t, every: %s, for_each: {n: [" + ", ".join(map(str, range(schedules))) + "]}}\n"
        applied(text % "1m")
        applied(text % "2m")
        with CaptureQueriesContext(connections[project.using]) as queries:
            assert back(project).code == 0
        return len([each for each in queries if not each["sql"].startswith(("UPDATE", "INSERT", "DELETE"))])

    few, many = counted(10), counted(3000)

    # Batches of a thousand names or ids.
    assert many - few <= 30


@one
def test_a_removal_with_a_grace_stays_rolled_back_until_a_file_defines_the_schedule(
    shop: Project, applied: Callable[..., Done]
) -> None:
    shop.write('[prune]\ngrace = "7d"\n', "schedsync.toml")
    other = "  other: {task: t, every: 1h}\n"
    applied(JOB + other)
    applied(other)
    dropped = rows(shop)["job"]
    assert back(shop).code == 0
    later = applied(other)
    kept, drift = rows(shop)["job"], shop.drift()
    history = shop.command("history", "job", "--database", shop.using)
    applied(JOB + other)

    assert (dropped, kept, rows(shop)["job"]) == ([*OLD[:3], False], OLD, OLD)
    assert "`job` is rolled back by" in later.out
    assert (drift.code, "schedsync accept" in drift.out, marks(shop)) == (2, False, [])
    assert "disabled, as no file defines it any more, by" in history.out
    assert "to be deleted after" in history.out


@one
def test_an_edit_of_what_was_rolled_back_is_not_taken_into_its_rejected_file(shop: Project) -> None:
    assert back(shop).code == 0
    PeriodicTask.objects.using(shop.using).update(priority=7)
    file = shop.schedules(BAD)
    before = file.read_text()
    drift = shop.drift()
    edited = shop.command("accept", "--all", "--yes", "--database", shop.using)
    reverted = shop.command("accept", "job", "--yes", "--database", shop.using)

    assert "accept" not in drift.out
    assert "hint: `schedsync apply` puts back what Git says" in drift.out
    assert json.loads(shop.drift("--format", "json").out)["accept"] is None
    assert "To keep it" not in shop.drift("--format", "markdown").out
    assert (edited.code, reverted.code, file.read_text()) == (1, 1, before)
    assert "not taken: job: it is rolled back" in edited.out


@one
def test_accept_does_not_say_that_the_files_of_a_rolled_back_schedule_are_right(shop: Project) -> None:
    assert back(shop).code == 0
    done = shop.command("accept", "--all", "--yes", "--database", shop.using)

    assert (done.code, "not taken: job: it is rolled back" in done.out) == (1, True)


@one
def test_the_summary_of_an_apply_lists_what_it_leaves_alone(shop: Project) -> None:
    assert back(shop).code == 0
    nothing = shop.apply("--format", "markdown")
    shop.schedules(BAD + "  more: {task: t, every: 1h}\n")
    done = shop.apply("--format", "summary")

    for shown in (nothing.out, done.out):
        assert "**Rolled back, left alone until the files change:**" in shown
        assert "INC-42" in shown


@one
def test_a_created_schedule_that_waits_for_its_deletion_is_back_already(
    project: Project, applied: Callable[..., Done]
) -> None:
    project.write('[prune]\ngrace = "7d"\n', "schedsync.toml")
    applied(JOB)
    applied(JOB + "  new: {task: t, every: 1h}\n")
    first, again = back(project), back(project)
    undone = back(project, runs(project, "rollback")[0])

    assert (first.code, again.code, undone.code) == (0, 0, 0)
    assert "1 schedule is as before already" in again.out
    assert (rows(project)["new"], marks(project)) == ([1, "hours", None, True], [])


@one
def test_a_set_that_took_a_name_over_does_not_show_the_rollback_of_the_other_set(shop: Project) -> None:
    assert back(shop).code == 0
    before = shop.command("list", "--database", shop.using).out
    RolledBack.objects.using(shop.using).update(set="other")
    after = shop.command("list", "--database", shop.using).out
    why = shop.command("why", "job", "--database", shop.using).out

    assert ("rolled-back" in before, "rolled-back" in after, "INC-42" in why) == (True, False, False)
    assert "INC-42" in shop.command("status", "--database", shop.using).out
