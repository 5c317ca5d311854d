"""Rows that nobody or another set manages: adopted, taken over only by the name of that set, and released."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django_celery_beat.models import ClockedSchedule, IntervalSchedule, PeriodicTask

from schedsync.models import ManagedSchedule, SyncRun
from schedsync.schemas.validator import PLAN, problems
from tests.conftest import NOW, Done, Project

ONE = "  one: {task: t.one, every: 30s}\n"


def row(name: str, **columns: Any) -> PeriodicTask:
    columns.setdefault("interval", IntervalSchedule.objects.create(every=5, period="hours"))
    made: PeriodicTask = PeriodicTask.objects.create(name=name, task="t", **columns)
    return made


def ledger() -> dict[str, str]:
    return dict(ManagedSchedule.objects.values_list("name", "set"))


def other(project: Project, verb: str, *words: str) -> Done:
    more = ("--yes", "--settle", "0") if verb == "apply" else ()
    return project.command(verb, "other/schedules", "--database", project.using, *more, *words)


@pytest.fixture
def two_sets(project: Project) -> Project:
    """Set `default` manages `one`; the files of set `other` name it too."""
    project.schedules(ONE + "  mine: {task: t.mine, every: 1h}\n")
    project.apply()
    project.write('set = "other"\n', "other/schedsync.toml")
    project.schedules("  one: {task: t.other, every: 1h}\n", "other/schedules/a.yaml")
    return project


@pytest.mark.parametrize("flag", [("--adopt", "one"), ("--adopt", "*"), ("--adopt-all",), ("--adopt-from", "third")])
def test_no_flag_that_names_no_set_takes_the_row_of_another_set(two_sets: Project, flag: tuple[str, ...]) -> None:
    refused = other(two_sets, "apply", *flag)

    assert refused.code == 3
    assert "a row `one` exists already, and set `default` manages it" in refused.err
    assert "take it over: --adopt-from 'default', or `adopt: {from: default}`" in refused.err
    assert ledger() == {"one": "default", "mine": "default"}


def test_adopt_true_in_the_file_does_not_take_the_row_of_another_set(two_sets: Project) -> None:
    two_sets.schedules("  one: {task: t.other, every: 1h, adopt: true}\n", "other/schedules/a.yaml")

    assert other(two_sets, "apply").code == 3
    assert ledger()["one"] == "default"


@pytest.mark.parametrize("where", ["schedule", "defaults", "flag"])
def test_a_row_moves_to_the_set_that_names_its_holder(two_sets: Project, where: str) -> None:
    before = PeriodicTask.objects.get(name="one").pk
    if where == "defaults":
        text = "version: 1\ndefaults: {adopt: {from: default}}\nschedules:\n  one: {task: t.other, every: 1h}\n"
        two_sets.write(text, "other/schedules/a.yaml")
    elif where == "schedule":
        two_sets.schedules("  one: {task: t.other, every: 1h, adopt: {from: default}}\n", "other/schedules/a.yaml")
    flags = ("--adopt-from", "default") if where == "flag" else ()
    plan = other(two_sets, "plan", *flags)
    done = other(two_sets, "apply", *flags)
    theirs = two_sets.apply()

    assert "set `default` no longer manages it, and must remove it from its files" in plan.out
    assert (done.code, PeriodicTask.objects.get(name="one").pk) == (0, before)
    assert ledger() == {"one": "other", "mine": "default"}
    assert (theirs.code, "set `other` manages it" in theirs.err) == (3, True)
    assert "hint: remove it from these files; or take it over: --adopt-from 'other'" in theirs.err
    two_sets.schedules("  mine: {task: t.mine, every: 1h}\n")
    assert two_sets.plan("--exit-code").code == 0
    assert PeriodicTask.objects.get(name="one").task == "t.other"


def test_a_rename_takes_no_name_and_no_row_of_another_set(two_sets: Project) -> None:
    PeriodicTask.objects.filter(name="one").delete()
    two_sets.schedules("  old: {task: t.other, every: 1h}\n", "other/schedules/a.yaml")
    other(two_sets, "apply")
    two_sets.schedules("  one: {task: t.other, every: 1h, renamed_from: old}\n", "other/schedules/a.yaml")
    to_their_name = other(two_sets, "apply")
    two_sets.schedules("  x: {task: t, every: 1h, renamed_from: mine, adopt: true}\n", "other/schedules/a.yaml")
    other(two_sets, "apply", "--allow-stops", "1")

    assert (to_their_name.code, "set `default` manages it" in to_their_name.err) == (3, True)
    assert ledger() == {"one": "default", "mine": "default", "x": "other"}


def test_globs_and_all_and_defaults_take_rows_that_nobody_manages(project: Project) -> None:
    for name in ("sync-a", "sync-b", "other"):
        row(name)
    names = "".join(f"  {name}: {{task: t, every: 5h}}\n" for name in ("sync-a", "sync-b", "other"))
    project.schedules(names)
    globbed = project.plan("--adopt", "sync-*")
    every = project.plan("--adopt-all")
    project.write(f"version: 1\ndefaults: {{adopt: true}}\nschedules:\n{names}")

    assert globbed.out.count("exists already, and no set manages it") == 1
    assert "Refused" not in every.out
    assert project.apply().code == 0
    assert sorted(ledger()) == ["other", "sync-a", "sync-b"]


def test_a_glob_that_fits_no_name_in_the_files_is_wrong_usage(project: Project) -> None:
    project.schedules(ONE)
    nothing, itself = project.plan("--adopt", "x-*"), project.plan("--adopt-from", "default")

    assert (nothing.code, "the files hold no schedule `x-*`" in nothing.err) == (64, True)
    assert (itself.code, "`default` is the set that is planned" in itself.err) == (64, True)
    assert project.plan("--adopt", "on*").code == 0


def test_a_null_in_an_environment_takes_the_default_of_adopt_back(project: Project) -> None:
    row("one")
    project.write('environments = ["staging"]\n', "schedsync.toml")
    text = "  one: {task: t, every: 5h, environments: {staging: {queue: q}}}\n"
    project.write("version: 1\ndefaults: {adopt: true}\nschedules:\n" + text.replace("5h,", "5h, adopt: null,"))

    assert "no set manages it" in project.plan("-e", "staging").out


def test_a_released_row_stays_and_is_managed_by_nobody(project: Project) -> None:
    project.schedules(ONE + "  two: {task: t.two, every: 1h}\n")
    project.apply()
    before = PeriodicTask.objects.filter(name="one").values().get()
    project.write("version: 1\nschedules:\n  two: {task: t.two, every: 1h}\nremoved: [{name: one, keep_row: true}]\n")
    plan, saved = project.plan("--allow-stops", "0"), project.plan("--format", "json")
    done = project.apply("--allow-stops", "0")

    assert "x 1 no longer managed" in plan.out
    assert "no longer managed, its row stays as it is" in plan.out
    assert "Refused" not in plan.out
    assert "stops" not in plan.out
    assert list(problems(json.loads(saved.out), PLAN)) == []
    assert (done.code, ": 1 no longer managed" in done.out, "confirmed" in done.out) == (0, True, False)
    assert PeriodicTask.objects.filter(name="one").values().get() == before
    assert ledger() == {"two": "default"}
    assert json.loads(SyncRun.objects.latest("at").summary) == {"release": 1}
    assert "`one` under `removed` is done" in project.plan("--exit-code").out
    assert project.apply("--allow-stops", "0").out.splitlines()[-1] == "Nothing to do, nothing was written"


def test_a_released_row_can_be_taken_over_by_another_set(two_sets: Project) -> None:
    two_sets.write(
        "version: 1\nschedules:\n  mine: {task: t.mine, every: 1h}\nremoved: [{name: one, keep_row: true}]\n"
    )
    two_sets.apply()

    assert other(two_sets, "apply", "--adopt", "one").code == 0
    assert ledger()["one"] == "other"


def test_removing_a_row_that_the_set_does_not_manage_says_that_it_stays(two_sets: Project) -> None:
    row("nobodys")
    two_sets.write("version: 1\nremoved: [one, nobodys, gone]\n", "other/schedules/a.yaml")
    plan = other(two_sets, "plan")

    assert "warning  SS177  `one` is under `removed`, but its row stays as it is: set `default` manages it" in plan.out
    assert "warning  SS177  `nobodys` is under `removed`, but its row stays as it is: no set manages it" in plan.out
    assert "adopt it by `adopt: true` first" in plan.out
    assert "info     SS161  `gone` under `removed` is done" in plan.out


def test_a_rename_of_a_row_that_the_set_does_not_manage_says_that_the_row_stays(two_sets: Project) -> None:
    row("nobodys")
    text = "  x: {task: t, every: 1h, renamed_from: one}\n  y: {task: t, every: 1h, renamed_from: nobodys}\n"
    two_sets.schedules(text, "other/schedules/a.yaml")
    before = other(two_sets, "plan")
    other(two_sets, "apply")
    after = other(two_sets, "plan")

    for plan in (before, after):
        assert "warning  SS177  `one` is under `renamed_from`, but its row stays as it is: set `default`" in plan.out
        assert "warning  SS177  `nobodys` is under `renamed_from`, but its row stays as it is: no set" in plan.out
        assert "SS161" not in plan.out
    two_sets.schedules(text.replace("}", ", adopt: {from: default}}").replace("x:", "z:"), "other/schedules/a.yaml")
    assert "`one` is under `renamed_from`" not in other(two_sets, "plan").out


def test_a_completed_row_is_adopted_as_it_is_and_can_then_be_removed(project: Project) -> None:
    past = ClockedSchedule.objects.create(clocked_time=NOW.replace(year=2020))
    before = row("launch", interval=None, clocked=past, one_off=True, enabled=False, total_run_count=0)
    project.schedules("  launch: {task: t, at: 2020-11-23T10:00:00Z, adopt: true}\n  one: {task: t, every: 1h}\n")
    adopted = project.apply()
    after = PeriodicTask.objects.get(name="launch")
    again = project.plan("--exit-code")
    project.write("version: 1\nschedules:\n  one: {task: t, every: 1h}\nremoved: [launch]\n")

    assert (adopted.code, "1 adopted" in adopted.out) == (0, True)
    assert (after.pk, after.enabled, after.total_run_count, after.last_run_at) == (before.pk, False, 0, None)
    assert again.code == 0, again.out
    assert project.apply().code == 0
    assert list(PeriodicTask.objects.values_list("name", flat=True)) == ["one"]


def test_what_is_done_is_one_line_with_a_count(project: Project) -> None:
    names = [f"job-{number}" for number in range(6)]
    for name in names:
        row(name)
    project.schedules("".join(f"  {name}: {{task: t, every: 5h, adopt: true}}\n" for name in names))
    project.apply()
    project.write((project.root / "schedules/shop.yaml").read_text() + "removed: [x, y]\n")
    plan, document = project.plan(), json.loads(project.plan("--format", "json").out)

    assert "info  SS161  6 `adopt` and 2 `removed` are done and can be removed" in plan.out
    assert plan.out.count("SS161") == 1
    assert list(problems(document, PLAN)) == []
    assert [finding["names"] for finding in document["findings"]] == [
        [*(f"adopt: {name}" for name in names), "removed: x", "removed: y"]
    ]
