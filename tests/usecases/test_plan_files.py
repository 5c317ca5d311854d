"""A plan file is an assertion: it only allows changes that the files of the work tree ask for, and writes none."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from schedsync.database.schedule_rows import TIMING_MODELS
from schedsync.models import ManagedSchedule, Pause, SyncRun
from schedsync.planning.documents import saved_plan
from schedsync.planning.plan import checksum
from tests.conftest import Project

TWO = "  one: {task: t, every: 1m}\n  two: {task: t, every: 1h}\n"
GUIDE = Path(__file__).parents[2] / "docs/guides/ci.md"
SECRET = "correct-horse-battery"


def rows(project: Project) -> dict[str, PeriodicTask]:
    return {row.name: row for row in PeriodicTask.objects.using(project.using).order_by("name")}


def saved(project: Project, schedules: str = TWO, *words: str) -> dict[str, Any]:
    """Save a plan of these schedules, and return its document."""
    project.schedules(schedules)
    project.plan("--out", "plan.json", *words)
    values: dict[str, Any] = json.loads((project.root / "plan.json").read_text())
    return values


def test_a_plan_is_applied_and_what_is_left_of_it_too(project: Project) -> None:
    saved(project)
    project.schedules(TWO.splitlines(keepends=True)[0])
    part = project.apply("--plan", "plan.json")
    project.schedules(TWO)
    rest = project.apply("--plan", "plan.json")
    again = project.apply("--plan", "plan.json")

    assert (part.code, rest.code, again.code) == (0, 0, 0), part.err + rest.err
    assert "1 created" in rest.out
    assert list(rows(project)) == ["one", "two"]
    assert SyncRun.objects.using(project.using).count() == 2


def test_the_files_say_what_is_written_and_not_the_plan(project: Project) -> None:
    saved(project, "  one: {task: t, every: 3m}\n")
    project.schedules("  one: {task: t, every: 4m}\n  two: {task: t, every: 1h}\n")
    refused = project.apply("--plan", "plan.json")

    assert refused.code == 3
    assert "the reviewed plan has other values to create `one`: timing" in refused.err
    assert "the reviewed plan does not create `two`" in refused.err
    assert rows(project) == {}


def test_a_field_that_was_reviewed_cannot_be_left_out(project: Project) -> None:
    """Without it the schedule would be another one: here it would run."""
    saved(project, "  one: {task: t, every: 3m, enabled: false}\n")
    project.schedules("  one: {task: t, every: 3m}\n")
    created = project.apply("--plan", "plan.json")
    project.schedules(TWO)
    assert project.apply().code == 0
    saved(project, TWO.replace("1m", "2m, queue: q"))
    project.schedules(TWO.replace("1m", "2m"))
    updated = project.apply("--plan", "plan.json")

    assert (created.code, "to create `one`: enabled" in created.err) == (3, True), created.err
    assert (updated.code, "to update `one`: queue" in updated.err) == (3, True), updated.err


def test_a_field_that_is_written_already_may_be_left_out(project: Project) -> None:
    project.schedules(TWO)
    project.apply()
    saved(project, TWO.replace("1m", "2m, queue: q"))
    project.schedules(TWO.replace("1m", "1m, queue: q"))
    assert project.apply().code == 0
    project.schedules(TWO.replace("1m", "2m, queue: q"))
    exact = project.apply("--plan", "plan.json", "--exact")
    done = project.apply("--plan", "plan.json")

    assert (exact.code, done.code) == (4, 0), done.err


def test_exactly_a_plan_is_stale_if_anything_differs(project: Project) -> None:
    saved(project)
    project.schedules(TWO.splitlines(keepends=True)[0])
    missing = project.apply("--plan", "plan.json", "--exact", "--format", "json")
    project.schedules(TWO + "  three: {task: t, every: 1h}\n")
    more = project.apply("--plan", "plan.json", "--exact")
    project.schedules(TWO)
    done = project.apply("--plan", "plan.json", "--exact")

    assert (missing.code, json.loads(missing.out)["failure_reason"]) == (4, "stale")
    assert json.loads(missing.out)["message"].endswith("the files and the tables need other changes now: two")
    assert (more.code, "other changes now: three" in more.err, done.code) == (4, True, 0)


def test_an_edit_of_the_table_since_the_plan_is_refused(project: Project) -> None:
    project.schedules(TWO)
    project.apply()
    saved(project, TWO.replace("1m", "2m"))
    timing = IntervalSchedule.objects.using(project.using).create(every=7, period="hours")
    PeriodicTask.objects.using(project.using).filter(name="one").update(interval=timing)
    refused = project.apply("--plan", "plan.json")

    assert (refused.code, "other values to update `one`: timing" in refused.err) == (3, True)


def test_a_lifted_rule_is_lifted_again_at_the_apply(project: Project) -> None:
    project.schedules(TWO)
    project.apply()
    values = saved(project, TWO.splitlines(keepends=True)[0].replace("one", "new"))
    assert [refusal["code"] for refusal in values["refusals"]] == ["too_many_stops"]
    values["refusals"] = []
    project.write(json.dumps(values), "plan.json")
    refused = project.apply("--plan", "plan.json")
    done = project.apply("--plan", "plan.json", "--allow-stops", "2")

    assert (refused.code, "too_many_stops" in refused.err, done.code) == (3, True, 0)


def test_a_saved_plan_holds_no_secret_and_says_what_was_not_compared(project: Project) -> None:
    schedules = f"  one: {{task: t, every: 1m, kwargs: {{api_token: {SECRET}, kind: full}}}}\n"
    saved(project, schedules)
    text = (project.root / "plan.json").read_text()
    project.schedules(schedules.replace("full", "half"))
    other = project.apply("--plan", "plan.json")
    project.schedules(schedules)
    done = project.apply("--plan", "plan.json")
    saved(project, schedules.replace(SECRET, f"{SECRET}-2"))
    again = project.apply("--plan", "plan.json")

    assert SECRET not in text
    assert (other.code, "to create `one`: kwargs" in other.err) == (3, True)
    assert (done.code, "1 masked value was not compared" in done.err) == (0, True)
    assert (again.code, "2 masked values were not compared" in again.err) == (0, True)
    assert json.loads(rows(project)["one"].kwargs)["api_token"] == f"{SECRET}-2"


def test_set_and_environment_must_match(project: Project) -> None:
    project.write('environments = ["staging", "production"]\n', "schedsync.toml")
    saved(project, TWO, "-e", "staging")
    refused = project.apply("--plan", "plan.json", "-e", "production")
    exact = project.apply("--plan", "plan.json", "-e", "production", "--exact")
    done = project.apply("--plan", "plan.json", "-e", "staging")

    assert (refused.code, exact.code, done.code) == (3, 3, 0)
    assert (
        "the reviewed plan is of set `default` in `staging`, this one of set `default` in `production`" in refused.err
    )


@pytest.mark.parametrize("required", [True, ["production"], ("production", "other"), {"production"}])
def test_a_setting_requires_a_plan(project: Project, settings: Any, required: Any) -> None:
    settings.SCHEDSYNC_REQUIRE_PLAN = required
    project.write('environments = ["staging", "production"]\n', "schedsync.toml")
    values = saved(project, TWO, "-e", "production")
    refused = project.apply("-e", "production")
    by_checksum = project.apply("-e", "production", "--checksum", values["checksum"])
    done = project.apply("-e", "production", "--plan", "plan.json")
    elsewhere = project.apply("-e", "staging", "--allow-move")

    assert "  SCHEDSYNC_REQUIRE_PLAN requires a reviewed plan for an apply in `production`" in refused.err
    assert "save one by `plan --out FILE`, then `apply --plan FILE`" in refused.err
    assert (refused.code, by_checksum.code, done.code, elsewhere.code) == (3, 3, 0, 3 if required is True else 0)


@pytest.mark.parametrize("required", ["production", [None], {"production": True}, 1])
@pytest.mark.one_database
def test_a_setting_that_may_mean_anything_lets_nothing_through(project: Project, settings: Any, required: Any) -> None:
    settings.SCHEDSYNC_REQUIRE_PLAN = required
    project.schedules(TWO)
    done = project.apply()

    assert (done.code, "SCHEDSYNC_REQUIRE_PLAN is neither True nor a list of environments" in done.err) == (1, True)
    assert rows(project) == {}


def test_a_plan_that_would_be_refused_exits_3_also_against_a_snapshot(shop: Project) -> None:
    shop.schedules("  theirs: {task: shop.nothing, every: 1h}\n  ours: {task: shop.nothing, every: 1h}\n")
    shop.command("snapshot", "--database", shop.using, "--out", "snapshot.json")
    live = [shop.plan(), shop.plan("--exit-code"), shop.plan("--format", "json")]
    offline = shop.command("plan", "schedules", "--against", "snapshot.json")

    assert [done.code for done in (*live, offline)] == [3, 3, 3, 3]
    assert shop.plan("--adopt", "theirs", "--exit-code").code == 2
    shop.schedules("  ours: {task: shop.nothing, every: 1h}\n")
    assert [shop.plan().code, shop.plan("--exit-code").code] == [0, 2]


def commands_of_the_guide() -> list[list[str]]:
    """Return the commands below the heading about applying what was reviewed."""
    section = GUIDE.read_text().partition("## Apply what was reviewed\n")[2].partition("\n## ")[0]
    block = section.partition("```console\n")[2].partition("```")[0]
    return [shlex.split(line.partition(" schedsync ")[2]) for line in block.splitlines()]


def test_the_commands_of_the_guide_work(shop: Project) -> None:
    shop.write('set = "a"\nenvironments = ["production"]\n', "schedsync.toml")
    shop.command("snapshot", "--database", shop.using, "--out", "snapshot.json")
    shop.schedules(OURS)
    offline, live, applied = commands_of_the_guide()
    database = ("--database", shop.using)
    planned = [shop.command(*offline), shop.command(*live, *database)]
    shop.schedules(OURS.replace("1h", "2h"))
    refused = shop.command(*applied, *database, "--settle", "0")
    shop.schedules(OURS)
    done = shop.command(*applied, *database, "--settle", "0")

    assert [offline[0], live[0], applied[0]] == ["plan", "plan", "apply"]
    assert [result.code for result in (*planned, refused, done)] == [0, 0, 3, 0]
    assert "ours" in rows(shop)


# Two teams in one database. Team A has a text editor, and every file that schedsync writes or reads.

OURS = "  ours: {task: shop.nothing, every: 1h}\n"
THEIRS = "  b1: {task: shop.nothing, every: 1h}\n  b2: {task: shop.nothing, every: 2h, kwargs: {kind: full}}\n"


@pytest.fixture
def shop(project: Project) -> Iterator[Project]:
    """The rows of team B, of nobody and of Beat; team A works in the project's directory."""

    def nothing() -> None: ...

    current_app.task(name="shop.nothing", shared=False)(nothing)
    current_app.finalize(auto=True)
    project.write('set = "b"\n', "b/schedsync.toml")
    project.schedules(THEIRS, "b/schedules/b.yaml")
    words = ("b/schedules", "--database", project.using, "--yes", "--settle", "0")
    assert project.command("apply", *words).code == 0
    hourly = IntervalSchedule.objects.using(project.using).get(every=1, period="hours")
    make = PeriodicTask.objects.using(project.using)
    make.bulk_create(
        PeriodicTask(name=name, task=task, interval=hourly)
        for name, task in (("theirs", "shop.nothing"), ("celery.backend_cleanup", "celery.backend_cleanup"))
    )
    project.write('set = "a"\n', "schedsync.toml")
    yield project
    current_app.tasks.pop("shop.nothing", None)


def tables(using: str) -> dict[str, list[Any]]:
    """Return every row that an apply can write, except those of team A."""
    ours = set(ManagedSchedule.objects.using(using).filter(set="a").values_list("row_id", flat=True))
    models = (PeriodicTask, *TIMING_MODELS.values(), ManagedSchedule, Pause)
    found = {model.__name__: list(model._default_manager.using(using).order_by("pk").values()) for model in models}
    found["PeriodicTask"] = [row for row in found["PeriodicTask"] if row["id"] not in ours]
    found["ManagedSchedule"] = [row for row in found["ManagedSchedule"] if row["set"] != "a"]
    return found


def field(name: str, before: Any, after: Any) -> dict[str, Any]:
    return {"field": name, "before": before, "after": after, "cause": "files"}


def change(values: dict[str, Any], row: int | None, kind: str, name: str, *fields: Any, **extra: Any) -> None:
    """Add a change to a plan, as one that schedsync wrote looks like."""
    template = deepcopy(values["changes"][0])
    apply = {"row": row, "edit_may_fire": True, "rearm": True, "announced": True, "ledger_enabled": None}
    values["changes"].append(template | {"kind": kind, "name": name, "fields": list(fields), "apply": apply} | extra)


def resealed(values: dict[str, Any]) -> str:
    """Return the text of a plan with its sums computed again, as anybody can."""
    plan = saved_plan(values)
    return json.dumps(values | {"checksum": checksum(plan.set, plan.environment, plan.changes)})


EVERY = field("timing", {"every": "1h"}, {"every": "1s"})
EDITS: dict[str, Callable[[dict[str, Any], dict[str, int]], None]] = {
    "update": lambda plan, ids: change(plan, ids["b1"], "update", "b1", EVERY),
    "delete": lambda plan, ids: change(plan, ids["b1"], "delete", "b1", field("task", "shop.nothing", None)),
    "rename": lambda plan, ids: change(plan, ids["b1"], "rename", "x", field("name", "b1", "x"), old_name="b1"),
    "adopt": lambda plan, ids: change(plan, ids["b1"], "adopt", "b1", EVERY),
    "update of nobody's": lambda plan, ids: change(plan, ids["theirs"], "update", "theirs", EVERY),
    "delete of nobody's": lambda plan, ids: change(plan, ids["theirs"], "delete", "theirs"),
    "adopt of nobody's": lambda plan, ids: change(plan, ids["theirs"], "adopt", "theirs"),
    "Beat's own": lambda plan, ids: change(
        plan, ids["celery.backend_cleanup"], "update", "celery.backend_cleanup",
        field("task", "celery.backend_cleanup", "shop.nothing"),
    ),
    "priority": lambda plan, ids: change(plan, ids["b1"], "update", "b1", field("priority", None, 99999)),
    "a long task": lambda plan, ids: change(plan, None, "create", "long", field("task", None, "t" * 5000), EVERY),
    "another row": lambda plan, ids: plan["changes"][0]["apply"].update(row=ids["b1"]),
    "a task of ours": lambda plan, ids: plan["changes"][0]["fields"][0].update(after="t" * 5000),
    "forgotten": lambda plan, ids: plan.update(forgotten=["b1"]),
    "refusals": lambda plan, ids: plan.update(refusals=[]),
    "the set": lambda plan, ids: plan.update(set="b"),
}  # fmt: skip


@pytest.mark.parametrize("edit", EDITS, ids=lambda edit: edit.replace(" ", "-"))
@pytest.mark.parametrize("flags", [(), ("--exact",)], ids=["part", "exact"])
def test_an_edited_plan_touches_no_row_of_another_team_and_none_of_nobody(
    shop: Project, edit: str, flags: tuple[str, ...]
) -> None:
    values = saved(shop, OURS)
    EDITS[edit](values, {row.name: row.pk for row in rows(shop).values()})
    shop.write(resealed(values), "plan.json")
    before = tables(shop.using)
    done = shop.apply("--plan", "plan.json", *flags)

    assert done.code in (0, 3, 4), done.err
    assert rows(shop).keys() - {"ours"} == {"b1", "b2", "celery.backend_cleanup", "theirs"}
    assert tables(shop.using) == before
    if "ours" in rows(shop):
        assert rows(shop)["ours"].task == "shop.nothing"


SNAPSHOTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "everything is ours": lambda values: values.update(
        elsewhere={},
        ledger=[
            {
                "name": row["name"], "row": row["id"], "applied": row["fields"], "location": None, "commit": None,
                "people": {"owner": None, "runbook": None, "labels": {}, "disabled_reason": None},
            }
            for row in values["rows"]
        ],
    ),
    "nobody manages them": lambda values: values.update(elsewhere={}),
    "no rows": lambda values: values.update(rows=[], elsewhere={}),
}  # fmt: skip


@pytest.mark.parametrize("edit", SNAPSHOTS, ids=lambda edit: edit.replace(" ", "-"))
@pytest.mark.parametrize(
    "schedules",
    [OURS, OURS + THEIRS.replace("2h", "1s"), OURS + "  x: {task: t, every: 1s, renamed_from: b1}\n"],
    ids=["without", "with", "renamed"],
)
def test_an_edited_snapshot_touches_no_row_of_another_team(shop: Project, edit: str, schedules: str) -> None:
    shop.schedules(schedules)
    shop.command("snapshot", "--database", shop.using, "--out", "snapshot.json")
    values = json.loads((shop.root / "snapshot.json").read_text())
    SNAPSHOTS[edit](values)
    shop.write(json.dumps(values), "snapshot.json")
    shop.command("plan", "schedules", "--against", "snapshot.json", "--out", "plan.json")
    before = tables(shop.using)
    done = shop.apply("--plan", "plan.json", "--allow-stops", "100")

    assert done.code in (0, 3), done.err
    assert {name: row for name, row in tables(shop.using).items() if name != "IntervalSchedule"} == {
        name: row for name, row in before.items() if name != "IntervalSchedule"
    }
    assert "Traceback" not in done.err
