"""A schedule that no file defines any more, with `[prune] grace`: disabled at once, and deleted later."""

from __future__ import annotations

import json
import os
import signal
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import time_machine
from django.db import connections
from django.db.models import F
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

from schedsync.database.pause_ends import end_pauses
from schedsync.models import ManagedSchedule, Pause, Removal, SyncRun
from tests.beat.test_tables import without
from tests.conftest import Done, Project

GRACE = '[prune]\ngrace = "7d"\n'
KEPT = "".join(f"  kept-{number}: {{task: t, every: 1h}}\n" for number in range(4))
OLD = "  old: {task: t.old, crontab: '0 5 * * *', kwargs: {a: 1}}\n"
RAN = datetime(2026, 11, 20, 5, 0, tzinfo=timezone.utc)


class Shop:
    """A set with a grace, whose schedule `old` was applied and has run."""

    def __init__(self, project: Project) -> None:
        self.project, self.using = project, project.using
        self.configure(GRACE)
        self.define(KEPT + OLD)

    def configure(self, text: str) -> None:
        self.project.write(f'set = "shop"\n{text}', "schedsync.toml")

    def define(self, schedules: str) -> None:
        self.project.schedules(schedules)

    def call(self, verb: str, *words: str) -> Done:
        return self.project.command(verb, *words, "--database", self.using)

    def plan(self, *words: str) -> Done:
        return self.call("plan", "schedules", "--exit-code", *words)

    def apply(self, *words: str) -> Done:
        return self.call("apply", "schedules", "--yes", "--settle", "0", *words)

    def applied(self, *words: str) -> str:
        done = self.apply(*words)
        assert done.code == 0, done.err + done.out
        return done.out

    def document(self, *words: str) -> Any:
        return json.loads(self.plan("--format", "json", *words).out)

    def changes(self) -> list[tuple[str, str]]:
        return [(change["kind"], change["name"]) for change in self.document()["changes"]]

    def drop(self) -> None:
        self.define(KEPT)
        self.applied()

    @property
    def row(self) -> PeriodicTask | None:
        return PeriodicTask.objects.using(self.using).filter(name="old").first()

    @property
    def is_enabled(self) -> bool | None:
        return None if self.row is None else self.row.enabled

    @property
    def removals(self) -> list[str]:
        return list(Removal.objects.using(self.using).order_by("name").values_list("name", flat=True))

    def end_grace(self) -> None:
        """Move the recorded instants as if the schedule had waited long enough."""
        earlier = {column: F(column) - timedelta(days=8) for column in ("since", "until")}
        Removal.objects.using(self.using).update(**earlier)


@pytest.fixture
def shop(project: Project) -> Shop:
    made = Shop(project)
    made.applied()
    PeriodicTask.objects.using(made.using).filter(name="old").update(last_run_at=RAN, total_run_count=3)
    return made


def test_a_dropped_schedule_is_disabled_first_and_deleted_after_the_grace(shop: Shop) -> None:
    shop.define(KEPT)
    document = shop.document()
    [change] = document["changes"]
    since, until = (datetime.fromisoformat(change["removing"][key][:-1]) for key in ("since", "until"))

    assert (change["kind"], change["name"], document["summary"]["update"]) == ("update", "old", 1)
    assert [(field["field"], field["after"]) for field in change["fields"]] == [("enabled", False)]
    assert [each["code"] for each in change["consequences"]] == ["stops", "removing"]
    assert until - since == timedelta(days=7)
    assert "1 updated" in shop.applied()
    assert (shop.is_enabled, shop.removals) == (False, ["old"])

    runs = SyncRun.objects.using(shop.using).count()
    assert (shop.plan().code, "nothing was written" in shop.applied()) == (0, True)
    assert (shop.call("drift", "schedules").code, SyncRun.objects.using(shop.using).count()) == (0, runs)

    shop.end_grace()
    assert shop.changes() == [("delete", "old")]
    assert "1 deleted" in shop.applied("--allow-stops", "0")
    assert (shop.row, shop.removals, shop.plan().code) == (None, [], 0)
    assert not ManagedSchedule.objects.using(shop.using).filter(name="old").exists()


def test_a_schedule_that_is_put_back_keeps_its_row_and_its_last_run(shop: Shop) -> None:
    before = shop.row
    shop.drop()
    shop.define(KEPT + OLD)

    assert shop.changes() == [("update", "old")]
    shop.applied()
    after = shop.row
    assert before is not None
    assert after is not None
    assert (after.pk, after.enabled, after.total_run_count) == (before.pk, True, 3)
    # Its last run is moved past what it missed meanwhile, as where a disabled schedule is enabled.
    assert after.last_run_at is not None
    assert after.last_run_at >= RAN
    assert (shop.removals, shop.plan().code) == ([], 0)


def test_a_machine_whose_clock_is_ahead_deletes_nothing_early(shop: Shop) -> None:
    shop.drop()
    with time_machine.travel(datetime.now(timezone.utc) + timedelta(days=8)):
        assert shop.changes() == [("delete", "old")]
        failed = shop.apply()
    assert (failed.code, "not over by the database's clock: this machine's clock is ahead" in failed.err) == (1, True)
    assert (shop.is_enabled, shop.removals) == (False, ["old"])


@pytest.mark.one_database
def test_one_removal_counts_as_one_stop(shop: Shop) -> None:
    shop.define("".join(KEPT.splitlines(keepends=True)[:3]))
    refused = shop.apply()

    assert (refused.code, "2 schedules would stop, 1 of 5 managed may" in refused.err) == (3, True)
    shop.applied("--allow-stops", "2")
    shop.end_grace()
    shop.applied()
    assert shop.plan().code == 0


@pytest.mark.one_database
def test_an_announced_removal_needs_no_allowance_and_still_waits(shop: Shop) -> None:
    shop.define("".join(KEPT.splitlines(keepends=True)[:3]) + "removed: [old, kept-3]\n")
    shop.applied()

    assert shop.removals == ["kept-3", "old"]
    assert "is done" not in shop.plan().out
    shop.end_grace()
    shop.applied()
    assert "remove the line" in shop.plan("--verbose").out


@pytest.mark.one_database
def test_a_set_that_is_emptied_is_refused_once(shop: Shop) -> None:
    shop.project.write("version: 1\nschedules: {}\n")
    assert shop.apply().code == 3
    shop.applied("--allow-empty")

    assert len(shop.removals) == 5
    shop.applied()
    shop.end_grace()
    shop.applied()
    assert not PeriodicTask.objects.using(shop.using).exists()


@pytest.mark.one_database
def test_text_markdown_and_json_name_what_waits(shop: Shop) -> None:
    shop.define(KEPT)
    said = "in no file any more: deleted 7d after this apply, unless a file defines it again"
    assert [said in shop.plan("--format", each).out for each in ("text", "markdown", "json")] == [True] * 3
    shop.applied()

    [waiting] = shop.document()["removing"]
    text, markdown = shop.plan().out, shop.plan("--format", "markdown").out
    assert (waiting["name"], waiting["commit"], waiting["location"]["path"]) == ("old", None, "schedules/shop.yaml")
    assert "4 unchanged, 1 removing\n\nREMOVING  disabled, to be deleted by a later apply" in text
    assert "! old: in no file any more, deleted after " in text
    assert "**Removing, to be deleted by a later apply:**\n\n- `old: in no file any more, deleted after " in markdown
    shop.end_grace()
    assert [
        "its grace is over: in no file since" in shop.plan("--format", each).out
        for each in ("text", "markdown", "json")
    ] == [True] * 3


def test_list_status_and_why_name_what_waits(shop: Shop) -> None:
    shop.drop()
    waits = json.loads(shop.call("list", "--state", "removing", "--format", "json").out)["schedules"]
    status = json.loads(shop.call("status", "--format", "json").out)

    assert [(each["name"], each["state"], sorted(each["removing"])) for each in waits] == [
        ("old", "removing", ["since", "until"])
    ]
    assert "deleted after" in shop.call("list").out
    assert (status["counts"]["removing"], status["removing"][0]["name"], status["counts"]["drifted"]) == (1, "old", 0)
    assert "Removing 1 in no file any more, disabled and deleted after " in shop.call("status").out
    assert "removed from the files, disabled at " in shop.call("why", "old").out


@pytest.mark.one_database
def test_why_says_of_a_tick_since_then_that_no_file_defines_it(shop: Shop) -> None:
    shop.drop()
    Removal.objects.using(shop.using).update(since=RAN)
    ManagedSchedule.objects.using(shop.using).filter(name="old").update(commit="a" * 40)
    answer = json.loads(shop.call("why", "old", "--format", "json").out)

    assert answer["answer"]["verdict"] in ("not_created", "disabled")
    assert "removed from the files in commit aaaaaaaaaaaa, disabled at" in shop.call("why", "old").out


def test_what_waits_is_disabled_again_where_somebody_enables_it(shop: Shop) -> None:
    shop.drop()
    ManagedSchedule.objects.using(shop.using).filter(name="old").update(commit="a" * 40)
    PeriodicTask.objects.using(shop.using).filter(name="old").update(enabled=True)
    until = Removal.objects.using(shop.using).get().until
    drift = shop.call("drift", "schedules")

    assert (drift.code, "old" in drift.out) == (2, True)
    shop.applied()
    assert (shop.is_enabled, Removal.objects.using(shop.using).get().until) == (False, until)
    assert "removed from the files in commit aaaaaaaaaaaa, " in shop.call("why", "old").out


@pytest.mark.one_database
def test_a_row_that_somebody_deletes_meanwhile_is_forgotten(shop: Shop) -> None:
    shop.drop()
    PeriodicTask.objects.using(shop.using).filter(name="old").delete()
    assert "its row is gone; `schedsync apply` forgets it" in shop.call("list").out
    shop.applied()

    assert (shop.removals, ManagedSchedule.objects.using(shop.using).filter(name="old").exists()) == ([], False)


@pytest.mark.one_database
def test_without_a_grace_the_next_apply_deletes_what_waits(shop: Shop) -> None:
    shop.drop()
    shop.configure("")

    assert "`[prune]` has no grace now" in shop.plan().out
    shop.applied()
    assert (shop.row, shop.removals) == (None, [])


@pytest.mark.one_database
def test_a_resume_does_not_enable_what_waits(shop: Shop) -> None:
    assert shop.call("pause", "old", "--reason", "INC-1", "--settle", "0").code == 0
    shop.drop()
    resumed = shop.call("resume", "old")

    assert (resumed.code, shop.is_enabled) == (0, False)
    assert not Pause.objects.using(shop.using).exists()
    shop.define(KEPT + OLD)
    shop.applied()
    assert shop.is_enabled


@pytest.mark.one_database
def test_a_held_schedule_is_held_again_when_it_is_put_back(shop: Shop) -> None:
    PeriodicTask.objects.using(shop.using).filter(name="old").update(enabled=False)
    shop.drop()
    assert Removal.objects.using(shop.using).get().held
    shop.define(KEPT + OLD)
    shop.applied()

    assert (shop.is_enabled, shop.removals) == (False, [])
    assert [each["name"] for each in shop.document()["held"]] == ["old"]


@pytest.mark.one_database
def test_what_was_held_is_held_again_also_after_a_pause_of_what_waits(shop: Shop) -> None:
    PeriodicTask.objects.using(shop.using).filter(name="old").update(enabled=False)
    shop.drop()
    resumed = shop.call("resume", "old")
    assert (resumed.code, "waits to be deleted; to keep it, define it again" in resumed.err) == (1, True)

    assert shop.call("pause", "old", "--for", "1h", "--reason", "INC-1", "--settle", "0").code == 0
    shop.define(KEPT + OLD)
    shop.applied()
    Pause.objects.using(shop.using).update(until=RAN)
    shop.applied()
    assert (shop.is_enabled, [each["name"] for each in shop.document()["held"]]) == (False, ["old"])


@pytest.mark.one_database
def test_another_set_cannot_take_what_waits_without_saying_so(shop: Shop) -> None:
    shop.drop()
    shop.project.write('set = "other"\n', "other/schedsync.toml")
    shop.project.schedules(OLD, "other/schedules/a.yaml")
    words = ["other/schedules", "--yes", "--settle", "0"]
    refused = shop.call("apply", *words, "--adopt", "old")

    assert (refused.code, "set `shop` manages it" in refused.err) == (3, True)
    assert shop.call("apply", *words, "--adopt-from", "shop").code == 0
    assert (shop.is_enabled, shop.removals) == (True, [])


def test_the_ledger_takes_what_waits_to_another_name_and_another_set(shop: Shop) -> None:
    shop.drop()
    assert shop.call("ledger", "rename", "shop", "store", "--yes").code == 0
    shop.project.write(f'set = "store"\n{GRACE}', "schedsync.toml")
    assert [each["name"] for each in shop.document()["removing"]] == ["old"]

    assert shop.call("ledger", "move", "old", "--to", "attic", "--yes").code == 0
    assert "removing" not in shop.document()
    assert shop.removals == ["old"]
    assert shop.call("ledger", "release", "old", "--yes").code == 0
    assert (shop.removals, shop.is_enabled) == ([], False)


@pytest.mark.one_database
def test_a_plan_file_from_within_the_grace_lets_the_delete_pass(shop: Shop) -> None:
    shop.drop()
    shop.project.write(json.dumps(shop.document()), "plan.json")
    Removal.objects.using(shop.using).update(until=RAN)
    early = shop.apply("--plan", "plan.json")
    assert (early.code, "the reviewed plan does not delete `old`" in early.err) == (3, True)

    reviewed = json.loads((shop.project.root / "plan.json").read_text())
    reviewed["removing"][0]["until"] = "2026-11-20T05:00:00Z"
    shop.project.write(json.dumps(reviewed), "plan.json")
    assert shop.apply("--plan", "plan.json", "--exact").code == 4
    assert shop.apply("--plan", "plan.json").code == 0
    assert shop.row is None


@pytest.mark.one_database
def test_a_removal_that_an_older_version_left_behind_does_not_count(shop: Shop) -> None:
    shop.drop()
    ManagedSchedule.objects.using(shop.using).filter(name="old").delete()
    PeriodicTask.objects.using(shop.using).filter(name="old").delete()
    Removal.objects.using(shop.using).update(until=RAN)
    before = Removal.objects.using(shop.using).get().row_id
    shop.define(KEPT + OLD)
    ids = {"id": before + 100}
    shop.applied()
    Removal.objects.using(shop.using).create(name="old", row_id=ids["id"], since=RAN, until=RAN)

    assert (shop.plan().code, json.loads(shop.call("status", "--format", "json").out)["removing"]) == (0, [])
    shop.define(KEPT)
    assert shop.changes() == [("update", "old")]
    shop.applied()
    assert Removal.objects.using(shop.using).get().until > RAN


def test_a_removal_of_what_an_older_version_put_back_does_not_count(shop: Shop) -> None:
    shop.drop()
    entries = ManagedSchedule.objects.using(shop.using).filter(name="old")
    applied = entries.get().applied
    enabled = applied.replace('"enabled":false', '"enabled":true')
    assert enabled != applied
    entries.update(applied=enabled)

    status = json.loads(shop.call("status", "--format", "json").out)
    listed = json.loads(shop.call("list", "--format", "json").out)
    assert (status["removing"], status["counts"]["removing"]) == ([], 0)
    assert not [each for each in listed["schedules"] if each["removing"]]


@pytest.mark.one_database("default", "postgresql")
def test_a_removal_takes_as_many_statements_however_much_is_dropped(project: Project) -> None:
    def statements(count: int) -> tuple[int, int, int]:
        tenants = ", ".join(f"t{number}" for number in range(count))
        shop.define(f"  sync-{{t}}: {{task: t, for_each: {{t: [{tenants}]}}, every: 1h}}\n{KEPT}")
        shop.applied()
        shop.define(KEPT)
        with CaptureQueriesContext(connections[shop.using]) as dropping:
            shop.applied("--allow-stops", str(count))
        with CaptureQueriesContext(connections[shop.using]) as waiting:
            shop.plan()
        shop.end_grace()
        with CaptureQueriesContext(connections[shop.using]) as deleting:
            shop.applied()
        assert PeriodicTask.objects.using(shop.using).count() == 4
        return len(dropping), len(waiting), len(deleting)

    shop = Shop(project)
    few, many = statements(10), statements(3_000)

    # PostgreSQL takes 1,000 rows in one statement; SQLite takes fewer values, so that there are more batches.
    batches = 3 if shop.using == "postgresql" else 15
    grown = [after - before for before, after in zip(few, many, strict=True)]
    assert (grown[0] <= 8 * batches, grown[1], grown[2] <= 8 * batches) == (True, 0, True), grown


@pytest.mark.one_database
def test_the_end_of_a_pause_does_not_enable_what_waits(shop: Shop) -> None:
    assert shop.call("pause", "old", "--for", "1h", "--reason", "INC-1", "--settle", "0").code == 0
    shop.drop()
    Pause.objects.using(shop.using).update(until=RAN)
    end_pauses(shop.using, ["old"], timedelta(seconds=10))

    assert (shop.is_enabled, Pause.objects.using(shop.using).exists(), shop.removals) == (False, False, ["old"])


@pytest.mark.one_database("default", "postgresql")
def test_before_the_migration_only_a_removal_with_a_grace_needs_its_table(shop: Shop) -> None:
    with without(shop.using, Removal):
        shop.define(KEPT + OLD + "  new: {task: t, every: 1m}\n")
        shop.applied()
        shop.define(KEPT + OLD)
        refused = shop.apply()
        looks = [shop.call(*words).code for words in (("list",), ("status",), ("why", "old"), ("plan", "schedules"))]
        shop.configure("")
        shop.applied()

    assert (refused.code, "is not migrated: no table schedsync_removal" in refused.err) == (69, True)
    assert "without `[prune] grace`, schedules are deleted at once" in refused.err
    # The status is NOT OK, because `old` is overdue.
    assert 69 not in looks
    assert not PeriodicTask.objects.using(shop.using).filter(name="new").exists()


@pytest.mark.one_database
def test_a_schedule_that_is_put_back_under_another_name_keeps_its_row(shop: Shop) -> None:
    before = shop.row
    shop.drop()
    shop.define(KEPT + "  new: {task: t.old, crontab: '0 5 * * *', renamed_from: old}\n")
    shop.applied()
    after = PeriodicTask.objects.using(shop.using).get(name="new")

    assert before is not None
    assert (after.pk, after.enabled, after.total_run_count, shop.removals) == (before.pk, True, 3, [])
    assert shop.plan().code == 0


@pytest.mark.one_database
def test_an_unreadable_grace_begins_anew(shop: Shop) -> None:
    shop.drop()
    with connections[shop.using].cursor() as cursor:
        cursor.execute("UPDATE schedsync_removal SET until = 'soon'")

    assert shop.changes() == [("update", "old")]
    shop.applied()
    assert (shop.removals, shop.plan().code, "old" in shop.call("status").out) == (["old"], 0, True)


def killed_at(shop: Shop, number: int) -> int:
    """Apply in a process that is killed before its n-th statement; returns how the process ended."""
    connections[shop.using].close()
    child = os.fork()
    if child == 0:
        count = 0

        def kill(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
            nonlocal count
            count += 1
            if count == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return execute(sql, params, many, context)

        try:
            with connections[shop.using].execute_wrapper(kill):
                os._exit(shop.apply().code)
        finally:
            os._exit(99)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


@pytest.mark.one_database("default", "postgresql")
def test_a_removal_that_is_killed_half_way_leaves_all_or_nothing(shop: Shop) -> None:
    shop.define(KEPT)
    number, code = 20, -signal.SIGKILL
    while code == -signal.SIGKILL:
        number += 1
        code = killed_at(shop, number)
        assert (shop.is_enabled, shop.removals) in ((True, []), (False, ["old"])), f"at statement {number}"

    assert number > 30
    shop.applied()
    assert (shop.is_enabled, shop.removals, shop.plan().code) == (False, ["old"], 0)


@pytest.mark.one_database
def test_an_edit_of_what_waits_to_be_deleted_is_shown_without_a_command_that_cannot_take_it(shop: Shop) -> None:
    shop.drop()
    PeriodicTask.objects.using(shop.using).filter(name="old").update(enabled=True)
    drift = shop.call("drift", "schedules")
    done = shop.call("accept", "old", "--yes", "--path", "schedules")

    assert (drift.code, "schedsync accept" in drift.out) == (2, False)
    assert (done.code, "not taken: old: no file defines it any more" in done.out) == (1, True)


@pytest.mark.one_database
def test_what_somebody_enabled_while_it_waits_is_not_said_to_be_disabled(shop: Shop) -> None:
    shop.drop()
    waiting = shop.call("list").out
    PeriodicTask.objects.using(shop.using).filter(name="old").update(enabled=True)

    assert "removing" in waiting
    assert "drifted" in shop.call("list").out
    assert "Next:   none" not in shop.call("why", "old").out
