from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

from django.db import connections
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks

from schedsync.models import ManagedSchedule, Pause, SyncRun
from tests.conftest import NOW, Project

TWO = "  one: {task: t.one, every: 30s}\n  two: {task: t.two, crontab: '0 2 * * *'}\n"


def rows(project: Project) -> dict[str, PeriodicTask]:
    return {row.name: row for row in PeriodicTask.objects.using(project.using).order_by("name")}


def changes(project: Project, *words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(project.plan("--format", "json", *words).out)["changes"]
    return found


def kinds(project: Project, *words: str) -> list[tuple[str, str, str]]:
    return [(change["kind"], change["name"], change["cause"]) for change in changes(project, *words)]


def test_the_first_apply_creates_and_the_second_does_nothing(project: Project) -> None:
    project.schedules(TWO)
    first = project.apply()
    runs, change = SyncRun.objects.count(), PeriodicTasks.objects.get().last_update
    second = project.apply()

    assert (first.code, second.code) == (0, 0)
    assert second.out.splitlines()[-1] == "Nothing to do, nothing was written"
    assert list(rows(project)) == ["one", "two"]
    assert (SyncRun.objects.count(), PeriodicTasks.objects.get().last_update) == (runs, change)
    assert project.plan("--exit-code").code == 0
    assert project.drift().code == 0


def test_every_field_is_written_as_the_table_holds_it(project: Project) -> None:
    project.schedules(
        """
  full:
    task: shop.tasks.full
    crontab: {minute: "*/15", hour: 9-17, day_of_week: mon-fri}
    timezone: Europe/Berlin
    args: [1, "zwei", null]
    kwargs: {b: 2, a: {deep: [true]}}
    headers: {x: y}
    queue: reports
    exchange: ex
    routing_key: key
    priority: 7
    expires_after: 5m
    start_at: 2030-01-01T00:00:00+01:00
    one_off: true
    enabled: false
    disabled_reason: not yet
    description: Totals of the day.
"""
    )
    assert project.apply().code == 0
    row = rows(project)["full"]

    assert str(row.crontab) == "*/15 9-17 * * 1-5 (m/h/dM/MY/d) Europe/Berlin"
    assert (json.loads(row.args), json.loads(row.kwargs)) == ([1, "zwei", None], {"a": {"deep": [True]}, "b": 2})
    assert (row.headers, row.queue, row.exchange, row.routing_key) == ('{"x": "y"}', "reports", "ex", "key")
    assert (row.priority, row.expire_seconds, row.expires, row.one_off, row.enabled) == (7, 300, None, True, False)
    assert row.start_time == datetime(2029, 12, 31, 23, tzinfo=timezone.utc)
    assert row.description == "Totals of the day."
    assert project.plan("--exit-code").code == 0


def test_all_four_timings_can_be_written_and_read_back(project: Project) -> None:
    project.schedules(
        """
  a: {task: t, crontab: "5 4 * * *"}
  b: {task: t, every: 90s}
  c: {task: t, solar: {event: sunset, latitude: 52.52, longitude: 13.405}}
  d: {task: t, at: 2030-01-01T00:00:00Z}
"""
    )
    assert project.apply().code == 0
    found = rows(project)

    assert (found["b"].interval.every, found["b"].interval.period) == (90, "seconds")
    assert (str(found["c"].solar.latitude), found["d"].one_off) == ("52.520000", True)
    assert [bool(found[name].schedule) for name in "abcd"] == [True] * 4
    assert project.plan("--exit-code").code == 0


def test_another_spelling_of_the_same_is_no_drift(project: Project) -> None:
    project.schedules("  a: {task: t, crontab: '*/15 * * * 0'}\n  b: {task: t, every: 60s, kwargs: {a: 1, b: 2}}\n")
    project.apply()
    spelled = CrontabSchedule.objects.create(minute="0,15,30,45", day_of_week="sun", timezone="Etc/UTC")
    PeriodicTask.objects.filter(name="a").update(crontab=spelled)
    seconds = IntervalSchedule.objects.create(every=60, period="seconds")
    PeriodicTask.objects.filter(name="b").update(interval=seconds, kwargs='{ "b":2, "a" : 1 }')

    assert project.plan("--exit-code").code == 0
    assert project.drift().code == 0


def test_each_difference_has_its_cause(project: Project) -> None:
    project.schedules("  a: {task: t, every: 1m}\n  b: {task: t, every: 1m}\n  c: {task: t, every: 1m}\n")
    project.apply()
    PeriodicTask.objects.filter(name__in=["b", "c"]).update(queue="elsewhere")
    project.schedules("  a: {task: t, every: 2m}\n  b: {task: t, every: 1m}\n  c: {task: t, every: 1m, queue: here}\n")

    assert kinds(project) == [("update", "a", "files"), ("update", "b", "drift"), ("update", "c", "both")]
    assert "queue   Git: none   now: elsewhere" in project.drift().out


def test_a_row_that_somebody_deleted_is_drift_and_made_again(project: Project) -> None:
    project.schedules(TWO)
    project.apply()
    PeriodicTask.objects.filter(name="one").delete()
    drift = project.drift()

    assert drift.code == 2
    assert "the row was deleted" in drift.out
    assert kinds(project) == [("create", "one", "drift")]
    assert project.apply().code == 0
    assert project.drift().code == 0


def test_a_row_that_somebody_renamed_gets_its_name_back(project: Project) -> None:
    project.schedules(TWO)
    project.apply()
    before = rows(project)["one"].pk
    PeriodicTask.objects.filter(name="one").update(name="mine")

    assert kinds(project) == [("rename", "one", "drift")]
    project.apply()
    assert rows(project)["one"].pk == before


def test_a_row_that_somebody_broke_is_drift_and_written_again(project: Project) -> None:
    project.schedules(TWO)
    project.apply()
    PeriodicTask.objects.filter(name="one").update(args="[oops", enabled=False)
    PeriodicTask.objects.filter(name="two").update(interval=IntervalSchedule.objects.create(every=1, period="days"))

    assert kinds(project) == [("update", "one", "drift"), ("update", "two", "drift")]
    assert project.apply().code == 0
    assert project.plan("--exit-code").code == 0
    assert rows(project)["one"].enabled


def test_a_rename_keeps_the_row_and_its_history(project: Project) -> None:
    project.schedules("  old: {task: t, every: 1d}\n")
    project.apply()
    ran = datetime.now(timezone.utc) - timedelta(hours=3)
    PeriodicTask.objects.update(last_run_at=ran, total_run_count=7)
    before = rows(project)["old"].pk
    project.schedules("  new: {task: t, every: 1d, renamed_from: old}\n")

    assert kinds(project) == [("rename", "new", "files")]
    project.apply()
    row = rows(project)["new"]
    assert (row.pk, row.total_run_count, list(rows(project))) == (before, 7, ["new"])
    assert "info  SS161  `renamed_from` of `new` is done" in project.plan().out


def test_two_names_can_be_swapped(project: Project) -> None:
    project.schedules("  a: {task: t.a, every: 1d}\n  b: {task: t.b, every: 1d}\n  c: {task: t.c, every: 1d}\n")
    project.apply()
    before = {name: row.pk for name, row in rows(project).items()}
    project.schedules(
        "  b2: {task: t.a, every: 1d, renamed_from: a}\n  a2: {task: t.b, every: 1d, renamed_from: b}\n"
        "  c: {task: t.c, every: 1d}\n"
    )
    project.apply()

    assert {name: row.pk for name, row in rows(project).items()} == {
        "a2": before["b"],
        "b2": before["a"],
        "c": before["c"],
    }


def test_an_unmanaged_row_is_never_touched(project: Project) -> None:
    project.schedules(TWO)
    mine = PeriodicTask.objects.create(
        name="mine", task="t", interval=IntervalSchedule.objects.create(every=5, period="hours")
    )
    project.apply()
    project.schedules("  one: {task: t.one, every: 31s}\n")
    project.apply("--allow-stops", "5")
    mine.refresh_from_db()

    assert list(rows(project)) == ["mine", "one"]
    assert mine.interval.every == 5


def test_a_name_that_nobody_manages_is_refused_until_it_is_adopted(project: Project) -> None:
    hours = IntervalSchedule.objects.create(every=5, period="hours")
    before = PeriodicTask.objects.create(name="one", task="t", interval=hours).pk
    project.schedules(TWO)
    refused = project.apply()

    assert refused.code == 3
    assert "a row `one` exists already, and no set manages it" in refused.err
    assert "hint: --adopt 'one', or `adopt: true` in the file" in refused.err
    assert list(rows(project)) == ["one"]
    assert project.apply("--adopt", "one").code == 0
    assert rows(project)["one"].pk == before


def test_a_flag_that_cannot_apply_is_an_error(project: Project) -> None:
    project.schedules(TWO)
    exact = project.apply("--exact")

    assert project.apply("--adopt", "nobody").code == 64
    assert (exact.code, "`--exact` needs a plan" in exact.err) == (64, True)


def test_two_sets_share_a_database_and_keep_to_themselves(project: Project) -> None:
    project.schedules(TWO)
    project.apply()
    project.write('set = "other"\n', "other/schedsync.toml")
    project.schedules("  three: {task: t, every: 1h}\n  one: {task: t, every: 1h}\n", "other/schedules/a.yaml")
    other = ["other/schedules", "--database", project.using, "--yes", "--settle", "0"]
    refused = project.command("apply", *other)

    assert refused.code == 3
    assert "a row `one` exists already, and set `default` manages it" in refused.err
    project.schedules("  three: {task: t, every: 1h}\n", "other/schedules/a.yaml")
    assert project.command("apply", *other).code == 0
    assert list(rows(project)) == ["one", "three", "two"]
    assert project.plan("--exit-code").code == 0


def test_deletes_collect_the_schedule_rows_that_nothing_uses(project: Project) -> None:
    shared = IntervalSchedule.objects.create(every=30, period="seconds")
    project.schedules(TWO + "  three: {task: t, every: 7m}\n")
    project.apply()
    PeriodicTask.objects.create(name="mine", task="t", interval=shared)
    project.schedules("  two: {task: t.two, crontab: '0 3 * * *'}\n")
    assert project.apply("--allow-stops", "9").code == 0

    assert [(row.every, row.period) for row in IntervalSchedule.objects.all()] == [(30, "seconds")]
    assert [row.hour for row in CrontabSchedule.objects.all()] == ["3"]


def test_duplicate_schedule_rows_are_no_obstacle(project: Project) -> None:
    for _ in range(3):
        IntervalSchedule.objects.create(every=30, period="seconds")
    project.schedules(TWO)

    assert project.apply().code == 0
    assert rows(project)["one"].interval_id == IntervalSchedule.objects.order_by("pk").first().pk  # type: ignore[union-attr]


def test_a_held_schedule_is_left_alone_until_it_is_released(project: Project) -> None:
    project.schedules(TWO)
    project.apply()
    PeriodicTask.objects.filter(name="one").update(enabled=False, last_run_at=None)
    drift = project.drift()

    assert (drift.code, "HELD  disabled by a human" in drift.out, "one: disabled since" in drift.out) == (2, True, True)
    project.schedules("  one: {task: t.one, every: 40s}\n  two: {task: t.two, crontab: '0 2 * * *'}\n")
    assert project.apply().code == 0
    assert (rows(project)["one"].interval.every, rows(project)["one"].enabled) == (40, False)
    assert project.drift().code == 2
    assert project.command("resume", "one", "--database", project.using).code == 0
    assert (rows(project)["one"].enabled, project.drift().code) == (True, 0)


def test_an_edit_of_enabled_in_the_files_releases_a_held_schedule(project: Project) -> None:
    project.schedules(TWO)
    project.apply()
    PeriodicTask.objects.filter(name="one").update(enabled=False)
    project.schedules(TWO.replace("every: 30s", "every: 30s, enabled: false"))
    assert project.apply().out.splitlines()[-1] == "No row changed, the ledger was brought in step"
    project.schedules(TWO)

    assert kinds(project) == [("update", "one", "files")]
    project.apply()
    assert rows(project)["one"].enabled


def test_what_somebody_enabled_that_git_has_disabled_is_healed(project: Project) -> None:
    project.schedules("  one: {task: t, every: 1m, enabled: false, disabled_reason: noise}\n")
    project.apply()
    PeriodicTask.objects.update(enabled=True)

    assert kinds(project) == [("update", "one", "drift")]
    project.apply()
    assert not rows(project)["one"].enabled


def test_a_pause_outlasts_deploys_and_ends_by_itself(project: Project, clock: Any) -> None:
    project.schedules(TWO)
    project.apply()
    pause = ["pause", "one", "--reason", "database is slow", "--for", "2h", "--database", project.using]
    done = project.command(*pause, "--settle", "0")

    assert (done.code, rows(project)["one"].enabled) == (0, False)
    assert "until Mon 23 Nov 12:00 UTC; schedsync's own Beat ends it then. Stock Beat cannot" in done.out
    project.schedules(TWO.replace("30s", "31s"))
    assert project.apply().code == 0
    assert (rows(project)["one"].interval.every, rows(project)["one"].enabled) == (31, False)
    assert "paused by" in project.plan().out
    assert project.drift().code == 0
    clock.move_to(NOW + timedelta(hours=2, minutes=1))
    assert kinds(project) == [("update", "one", "files")]
    project.apply()
    assert (rows(project)["one"].enabled, Pause.objects.count(), project.drift().code) == (True, 0, 0)


def test_a_pause_ends_with_resume_and_with_its_schedule(project: Project) -> None:
    project.schedules(TWO)
    project.apply()
    for name in ("one", "two"):
        project.command("pause", name, "--reason", "x", "--database", project.using, "--settle", "0")
    assert project.command("resume", "one", "--database", project.using).code == 0
    assert rows(project)["one"].enabled
    project.schedules("  one: {task: t.one, every: 30s}\nremoved: [two]\n")
    assert project.apply().code == 0

    assert Pause.objects.count() == 0


def test_pausing_what_is_not_managed_says_what_is_near(project: Project) -> None:
    project.schedules("  nightly-report: {task: t, every: 1m}\n")
    project.apply()
    done = project.command("pause", "nightly-reports", "--reason", "x", "--database", project.using)

    assert (done.code, "did you mean `nightly-report`?" in done.err) == (64, True)
    neither = project.command("resume", "nightly-report", "--database", project.using)
    assert (neither.code, "neither paused nor held" in neither.err) == (1, True)


def test_a_completed_clocked_schedule_cannot_be_resumed_into_firing(project: Project, clock: Any) -> None:
    project.schedules("  once: {task: t, at: 2026-11-23T11:00:00Z}\n")
    project.apply()
    project.command("pause", "once", "--reason", "x", "--database", project.using, "--settle", "0")
    clock.move_to(NOW + timedelta(hours=2))
    done = project.command("resume", "once", "--database", project.using)

    assert (done.code, rows(project)["once"].enabled) == (0, False)


def test_a_new_instant_arms_a_one_off_again(project: Project, clock: Any) -> None:
    project.schedules("  once: {task: t, at: 2026-11-23T11:00:00Z}\n")
    project.apply()
    PeriodicTask.objects.update(total_run_count=1, last_run_at=NOW, enabled=False)
    clock.move_to(NOW + timedelta(hours=2))
    assert project.plan("--exit-code").code == 0
    project.schedules("  once: {task: t, at: 2026-11-24T11:00:00Z}\n")
    assert project.apply().code == 0
    row = rows(project)["once"]

    assert (row.enabled, row.total_run_count, row.clocked.clocked_time.day) == (True, 0, 24)


def test_a_clocked_schedule_that_a_human_stopped_before_its_time_is_held(project: Project, clock: Any) -> None:
    project.schedules("  once: {task: t, at: 2026-11-24T11:00:00Z}\n")
    project.apply()
    PeriodicTask.objects.update(enabled=False)

    assert project.drift().code == 2
    assert project.apply().code == 0
    assert not rows(project)["once"].enabled


def test_ignored_fields_are_left_to_operators(project: Project) -> None:
    project.schedules("  one: {task: t, every: 1m, queue: ours, ignore_changes: [queue, enabled]}\n")
    project.apply()
    PeriodicTask.objects.update(queue="theirs", enabled=False)

    assert (project.plan("--exit-code").code, project.drift().code) == (0, 0)
    project.schedules("  one: {task: t, every: 2m, queue: ours, ignore_changes: [queue, enabled]}\n")
    project.apply()
    assert (rows(project)["one"].queue, rows(project)["one"].enabled) == ("theirs", False)


def test_the_checksum_that_was_reviewed_is_what_is_applied(project: Project) -> None:
    project.schedules(TWO)
    reviewed = json.loads(project.plan("--format", "json").out)["checksum"]
    project.schedules(TWO.replace("30s", "35s"))
    assert project.apply("--checksum", reviewed).code == 4
    project.schedules(TWO, "schedules/moved.yaml")
    (project.root / "schedules/shop.yaml").unlink()

    assert project.apply("--checksum", reviewed).code == 0


def test_more_stops_than_allowed_are_refused_and_say_how_to_go_on(project: Project) -> None:
    many = "".join(f"  job-{number}: {{task: t, every: 1m}}\n" for number in range(6))
    project.schedules(many)
    project.apply()
    project.schedules("".join(many.splitlines(keepends=True)[:4]))
    refused = project.apply()

    assert refused.code == 3
    assert "2 schedules would stop, 1 of 6 managed may (max_stop_percent: 30)" in refused.err
    assert "hint: name deleted ones under `removed`, or allow it once: --allow-stops 2, or in Git" in refused.err
    assert project.plan().code == 3
    assert "::error title=SS164::an apply would be refused: 2 sch" in project.plan("--format", "github").out
    assert project.apply("--allow-stops", "1").code == 3
    project.write("version: 1\nremoved: [job-4, job-5]\n", "schedules/removed.yaml")
    assert project.apply().code == 0


def test_an_empty_set_is_refused(project: Project) -> None:
    path = project.schedules(TWO)
    project.apply()
    path.unlink()
    refused = project.apply("--format", "json")

    assert refused.code == 3
    assert json.loads(refused.out)["refusals"][0]["code"] == "empty_set"
    assert project.apply("--allow-empty").code == 0
    assert rows(project) == {}


def test_names_that_stand_in_the_settings_too_are_refused(project: Project, settings: Any) -> None:
    settings.CELERY_BEAT_SCHEDULE = {"one": {"task": "t", "schedule": 5}}
    project.schedules(TWO)
    refused = project.apply()

    assert (refused.code, "is also defined in CELERY_BEAT_SCHEDULE" in refused.err) == (3, True)
    settings.CELERY_BEAT_SCHEDULE |= {"two": {"task": "t", "schedule": 5}}
    assert "`one`, `two` are also defined in CELERY_BEAT_SCHEDULE; Beat will overwrite these" in project.apply().err
    assert project.apply("--allow-dual-writer").code == 0


def test_environments_differ_and_bind_a_set(project: Project) -> None:
    project.write('environments = ["staging", "production"]\n', "schedsync.toml")
    project.schedules(
        """
  one:
    task: t
    every: 1m
    environments: {staging: {enabled: false, disabled_reason: quiet}, production: {crontab: "0 3 * * *"}}
  two: {task: t, every: 1m, only_in: [production]}
"""
    )
    assert project.apply().code == 64
    assert project.apply("-e", "stagign").code == 64
    assert project.apply("-e", "staging").code == 0
    assert [(row.name, row.enabled) for row in rows(project).values()] == [("one", False)]
    refused = project.apply("-e", "production")
    assert (refused.code, "last applied to environment `staging`" in refused.err) == (3, True)
    assert project.apply("-e", "production", "--allow-move").code == 0
    assert rows(project)["one"].crontab.hour == "3"


def test_tenants_get_a_row_each(project: Project) -> None:
    project.write("acme\n\n# gone: initech\nglobex\n", "schedules/tenants.txt")
    project.schedules(
        """
  sync-{tenant}-{kind}:
    task: t
    for_each: {tenant: {file: tenants.txt}, kind: [1, 2]}
    crontab: "H/15 * * * *"
    kwargs: {tenant: "{tenant}", kind: "{kind}", text: "is {{{kind}}}"}
"""
    )
    assert project.apply().code == 0

    assert list(rows(project)) == ["sync-acme-1", "sync-acme-2", "sync-globex-1", "sync-globex-2"]
    assert json.loads(rows(project)["sync-globex-2"].kwargs) == {"tenant": "globex", "kind": 2, "text": "is {2}"}


def test_queries_do_not_grow_with_the_number_of_schedules(project: Project) -> None:
    def queries(count: int, every: str, *words: str) -> tuple[int, int]:
        tenants = ", ".join(f"t{number}" for number in range(count))
        project.schedules(f"  sync-{{t}}: {{task: t, for_each: {{t: [{tenants}]}}, every: {every}, queue: q}}\n")
        with CaptureQueriesContext(connections[project.using]) as planning:
            project.plan(*words)
        with CaptureQueriesContext(connections[project.using]) as applying:
            assert project.apply(*words).code == 0
        return len(planning), len(applying)

    few = [queries(10, "1m"), queries(10, "2m"), queries(10, "2m")]
    many = [queries(1000, "1m"), queries(1000, "2m"), queries(1000, "2m")]

    assert [plan for plan, _ in few] == [plan for plan, _ in many]
    # On SQLite a statement takes fewer values, so that there are more batches of creates and ledger rows.
    room = {"default": 140, "postgresql": 12, "mariadb": 12}[project.using]
    assert [after - before for (_, before), (_, after) in zip(few[1:], many[1:], strict=True)][1] == 0
    assert all(0 <= after - before <= room for (_, before), (_, after) in zip(few, many, strict=True))


def test_the_ledger_remembers_where_a_schedule_comes_from(project: Project) -> None:
    project.schedules("  one: {task: t, every: 1m, owner: team-a, labels: {tier: gold}}\n")
    project.apply()
    entry = ManagedSchedule.objects.get()

    assert (entry.path, entry.line, entry.column) == ("schedules/shop.yaml", 3, 3)
    assert json.loads(entry.people)["owner"] == "team-a"


def test_a_plan_writes_nothing(project: Project) -> None:
    project.schedules(TWO)
    project.apply()
    project.schedules(TWO.replace("30s", "35s"))
    with CaptureQueriesContext(connections[project.using]) as seen:
        project.plan()
        project.drift()

    verbs = {query["sql"].split()[0] for query in seen}
    assert verbs <= {"SELECT", "BEGIN", "COMMIT", "SET"}


def test_a_pause_over_a_held_schedule_leaves_it_held_afterwards(project: Project, clock: Any) -> None:
    project.schedules(TWO)
    project.apply()
    PeriodicTask.objects.filter(name="one").update(enabled=False)
    words = ["pause", "one", "--reason", "x", "--for", "1h", "--settle", "0", "--database", project.using]
    assert project.command(*words).code == 0
    clock.move_to(NOW + timedelta(hours=2))
    drift = project.drift()

    assert (drift.code, "one: disabled since the last apply" in drift.out) == (2, True)
    assert project.apply().code == 0
    assert (rows(project)["one"].enabled, Pause.objects.count()) == (False, 0)


def test_a_pause_is_shown_where_there_is_no_drift_and_where_it_ends_with_its_schedule(project: Project) -> None:
    project.schedules(TWO)
    project.apply()
    project.command("pause", "one", "--reason", "incident", "--settle", "0", "--database", project.using)
    drift = project.drift()
    project.schedules("  two: {task: t.two, crontab: '0 2 * * *'}\n")

    assert (drift.code, "one: paused by" in drift.out) == (0, True)
    assert "ends: incident" in project.plan().out


def test_adopting_what_is_not_there_is_an_error(project: Project) -> None:
    project.schedules(TWO)

    assert project.apply("--adopt", "one").code == 64


def test_a_row_that_is_taken_from_another_set_names_it(project: Project) -> None:
    project.schedules(TWO)
    project.apply()
    project.write('set = "other"\n', "other/schedsync.toml")
    project.schedules("  one: {task: t, every: 1h}\n", "other/schedules/a.yaml")
    words = ["plan", "other/schedules", "--adopt-from", "default", "--database", project.using]

    assert "set `default` no longer manages it" in project.command(*words).out


def test_a_name_in_the_settings_warns_also_where_nothing_changes(project: Project, settings: Any) -> None:
    project.schedules(TWO)
    project.apply()
    settings.CELERY_BEAT_SCHEDULE = {"one": {"task": "t", "schedule": 5}}

    assert "warning  SS306  `one` is also defined in CELERY_BEAT_SCHEDULE" in project.plan().out
