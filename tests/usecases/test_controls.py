"""Django's settings limit what the authors of the files may do: in plan, in apply, behind the lock, in snapshots."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import git
import pytest
from celery import current_app
from django.core import checks
from django_celery_beat.models import PeriodicTask

from schedsync.config import read_config
from schedsync.database.transaction import WaitOptions
from schedsync.errors import Refused
from schedsync.planning.plan import Plan
from schedsync.schemas.validator import PLAN, SNAPSHOT, problems
from schedsync.usecases import sync
from schedsync.usecases.target import Target
from tests.conftest import Project

GOOD = "  good: {task: shop.report, every: 5m}\n"
BAD = {
    "SCHEDSYNC_ALLOWED_TASKS": (["shop.*"], "  bad: {task: os.system, every: 5m}\n", "task_not_allowed", "SS171"),
    "SCHEDSYNC_ALLOWED_QUEUES": (["a"], "  bad: {task: shop.x, every: 5m, queue: b}\n", "queue_not_allowed", "SS172"),
    "SCHEDSYNC_MINIMUM_PERIOD": ("5m", "  bad: {task: shop.x, crontab: '*/4 * * * *'}\n", "too_often", "SS173"),
}


@pytest.fixture(autouse=True)
def tasks() -> Iterator[None]:
    def report() -> None: ...

    current_app.task(name="shop.report", shared=False)(report)
    current_app.finalize(auto=True)
    yield
    current_app.tasks.pop("shop.report", None)


def names(using: str) -> list[str]:
    return sorted(PeriodicTask.objects.using(using).values_list("name", flat=True))


@pytest.mark.parametrize("setting", BAD)
def test_plan_and_apply_refuse_what_a_setting_does_not_allow(project: Project, settings: Any, setting: str) -> None:
    value, bad, code, _ = BAD[setting]
    project.schedules(GOOD + bad)
    assert "Refused" not in project.plan().out
    setattr(settings, setting, value)
    shown, done = project.plan(), project.apply()
    document = json.loads(project.plan("--format", "json").out)

    assert re.search(rf"^  `bad` .*  {code}$", shown.out, re.MULTILINE)
    assert f"{setting} allows" in shown.out
    assert f"change {setting} in Django's settings; no flag lifts it" in shown.out
    assert (done.code, bool(re.search(rf"^  `bad` .*  {code}$", done.err, re.MULTILINE))) == (3, True)
    assert list(problems(document, PLAN)) == []
    assert [refusal["code"] for refusal in document["refusals"]] == [code]
    assert names(project.using) == []


def test_no_flag_and_no_entry_in_git_lifts_a_setting(project: Project, settings: Any) -> None:
    settings.SCHEDSYNC_ALLOWED_TASKS = ["shop.*"]
    project.schedules("  bad: {task: os.system, every: 5m}\n")
    project.write("[safety]\nallowed_tasks = ['*']\n", "schedsync.toml")
    flags = ["--allow-stops", "9", "--allow-empty", "--allow-older", "--allow-dual-writer", "--allow-move"]

    assert project.apply(*flags).code == 3
    assert names(project.using) == []


def test_the_files_narrow_what_the_settings_allow(project: Project, settings: Any) -> None:
    settings.SCHEDSYNC_MINIMUM_PERIOD = 60
    project.write("[safety]\nminimum_period = '10m'\n", "schedsync.toml")
    project.schedules(GOOD)
    done = project.apply()

    assert (done.code, "`[safety] minimum_period` allows at least 10m" in done.err) == (3, True)


def test_the_settings_are_asked_again_behind_the_lock(project: Project, settings: Any) -> None:
    project.schedules(GOOD + "  bad: {task: os.system, every: 5m}\n")

    def agree(plan: Plan) -> bool:
        assert plan.refusals == ()
        settings.SCHEDSYNC_ALLOWED_TASKS = ["shop.*"]
        return True

    with pytest.raises(Refused) as caught:
        sync.apply(Target(read_config("schedules"), project.using), agree, WaitOptions(settle=0))

    assert [(refusal.code, refusal.schedule) for refusal in caught.value.refusals] == [("task_not_allowed", "bad")]
    assert names(project.using) == []


def test_a_saved_plan_is_no_way_round_a_setting(project: Project, settings: Any) -> None:
    project.schedules("  bad: {task: os.system, every: 5m}\n")
    assert project.plan("--out", "plan.json").code == 0
    settings.SCHEDSYNC_ALLOWED_TASKS = ["shop.*"]
    done = project.command("apply", "--plan", "plan.json", "--yes", "--database", project.using, "--settle", "0")

    assert (done.code, "task_not_allowed" in done.err, names(project.using)) == (3, True, [])


def test_what_was_applied_before_a_setting_is_named_and_refuses_nothing_else(project: Project, settings: Any) -> None:
    old = "  old: {task: os.system, every: 5m}\n"
    project.schedules(GOOD + old)
    assert project.apply().code == 0
    settings.SCHEDSYNC_ALLOWED_TASKS = ["shop.*"]
    project.schedules(GOOD + old + "  more: {task: shop.report, every: 1h}\n")
    shown = project.plan()

    assert "schedules/shop.yaml:4:15: warning  SS171  1 managed schedule breaks SCHEDSYNC_ALLOWED_TASKS" in shown.out
    assert "old\n" in shown.out
    assert project.apply().code == 0
    assert names(project.using) == ["good", "more", "old"]
    project.schedules(GOOD + old.replace("}", ", args: [1]}"))
    assert project.apply("--allow-stops", "9").code == 3


def test_an_edit_of_a_forbidden_schedule_is_not_undone_but_named(project: Project, settings: Any) -> None:
    project.schedules(GOOD + "  old: {task: os.system, every: 5m}\n")
    assert project.apply().code == 0
    settings.SCHEDSYNC_ALLOWED_TASKS = ["shop.*"]
    PeriodicTask.objects.using(project.using).filter(name="old").update(args="[1]")

    assert project.drift().code == 2
    assert project.apply().code == 3
    project.schedules(GOOD)
    assert project.apply().code == 0
    assert names(project.using) == ["good"]


@pytest.mark.parametrize(
    "way", ["  old: {task: os.system, every: 5m, enabled: false}\n", "", "  old: {task: shop.x, every: 5m}\n"]
)
def test_a_schedule_that_breaks_a_setting_can_be_disabled_deleted_and_corrected(
    project: Project, settings: Any, way: str
) -> None:
    project.schedules(GOOD + "  old: {task: os.system, every: 5m}\n")
    assert project.apply().code == 0
    settings.SCHEDSYNC_ALLOWED_TASKS = ["shop.*"]
    project.schedules(GOOD + way)

    assert project.apply().code == 0
    running = PeriodicTask.objects.using(project.using).filter(enabled=True, task="os.system")
    assert not running.exists()


@pytest.mark.parametrize(
    ("setting", "value"),
    [("ALLOWED_TASKS", "shop.*"), ("ALLOWED_SETS", "a"), ("ALLOWED_QUEUES", [1]), ("MINIMUM_PERIOD", "often")],
)
def test_an_invalid_setting_is_an_error_everywhere(
    project: Project, settings: Any, setting: str, value: object
) -> None:
    project.schedules(GOOD)
    setattr(settings, f"SCHEDSYNC_{setting}", value)
    done = project.apply()
    doctor = project.command("doctor", "--database", project.using)

    assert done.code == 64
    assert f"SCHEDSYNC_{setting} takes " in done.err
    assert (doctor.code, f"SS174  SCHEDSYNC_{setting} takes " in doctor.out) == (1, True)
    assert "schedsync.SS174" in [message.id for message in checks.run_checks()]
    assert names(project.using) == []


@pytest.fixture
def snapshot(project: Project, settings: Any) -> Path:
    """A snapshot of an application that allows little, taken after one schedule was applied that it forbids."""
    project.schedules(GOOD + "  old: {task: os.system, every: 5m}\n")
    assert project.apply().code == 0
    for setting, (value, *_) in BAD.items():
        setattr(settings, setting, value)
    assert project.command("snapshot", "--database", project.using, "--out", "snapshot.json").code == 0
    for setting in BAD:
        delattr(settings, setting)
    return project.root / "snapshot.json"


def test_a_snapshot_carries_the_settings(snapshot: Path) -> None:
    document = json.loads(snapshot.read_text())

    assert list(problems(document, SNAPSHOT)) == []
    assert document["controls"] == {
        "allowed_tasks": ["shop.*"],
        "allowed_queues": ["a"],
        "minimum_period": "5m",
        "allowed_sets": None,
    }


@pytest.mark.parametrize("setting", BAD)
def test_validate_and_plan_check_by_a_snapshot(project: Project, snapshot: Path, setting: str) -> None:
    _, bad, code, finding = BAD[setting]
    project.schedules(GOOD + "  old: {task: os.system, every: 5m}\n" + bad)
    checked = project.validate("--against", str(snapshot))
    planned = project.command("plan", "schedules", "--against", str(snapshot), "--format", "json")
    lines = [line for line in checked.out.splitlines() if " SS17" in line]

    assert checked.code == 1
    assert "shop.yaml:5:" in lines[0]
    assert f"error    {finding}  `bad` " in lines[0]
    assert "warning  SS171  1 managed schedule breaks SCHEDSYNC_ALLOWED_TASKS" in lines[1]
    assert [each["code"] for each in json.loads(planned.out)["refusals"]] == [code]
    assert finding not in project.validate().out


def test_validate_refuses_a_snapshot_of_another_set(project: Project, snapshot: Path) -> None:
    project.write("set = 'other'\n", "schedsync.toml")

    assert project.validate("--against", str(snapshot)).code == 64


def test_validate_checks_the_controls_of_the_files_without_a_snapshot(files: Project) -> None:
    files.write("[safety]\nallowed_queues = ['a']\n", "schedsync.toml")
    files.schedules("  bad: {task: t, every: 5m, queue: b}\n")
    done = files.validate()

    assert done.code == 1
    assert (
        "schedules/shop.yaml:3:36: error  SS172  `bad` is sent by the queue `b`; `[safety] allowed_queues` allows `a`"
        in done.out
    )


#: By way: the set that team A's configuration claims, and its schedules.
CLAIMS = {
    "its name": ("b", "  x: {task: shop.report, every: 5m}\n"),
    "adopt": ("a", "  b1: {task: shop.report, every: 5m, adopt: {from: b}}\n"),
    "rename": ("a", "  x: {task: shop.report, every: 5m, renamed_from: b1, adopt: {from: b}}\n"),
}
LIFTED = "".join(
    f"[[safety.allow]]\nrule = '{rule}'\nuntil = 2999-01-01\nreason = 'x'\n{more}"
    for rule, more in (("moved_set", ""), ("too_many_stops", "limit = 99\n"), ("older_commit", ""))
)


@pytest.mark.parametrize("claim", CLAIMS)
def test_a_setting_holds_the_sets_of_other_teams_against_the_files(project: Project, settings: Any, claim: str) -> None:
    project.write("set = 'b'\n", "b/schedsync.toml")
    project.schedules("  b1: {task: shop.report, every: 5m}\n", "b/schedules/b.yaml")
    words = ("b/schedules", "--database", project.using, "--yes", "--settle", "0")
    assert project.command("apply", *words).code == 0
    set_name, schedules = CLAIMS[claim]
    project.write(f"set = '{set_name}'\n{LIFTED}", "schedsync.toml")
    project.schedules(schedules)
    assert project.plan().code == 0
    settings.SCHEDSYNC_ALLOWED_SETS = ["a", "a-*"]
    shown, done = project.plan("--format", "json"), project.apply("--allow-move", "--allow-stops", "9")
    document = json.loads(shown.out)

    assert (shown.code, done.code) == (3, 3)
    assert list(problems(document, PLAN)) == []
    assert [refusal["code"] for refusal in document["refusals"]] == ["set_not_allowed"]
    assert "set `b` must not be changed from here; SCHEDSYNC_ALLOWED_SETS allows `a`, `a-*`" in done.err
    assert names(project.using) == ["b1"]


def test_no_entry_in_git_takes_the_set_of_another_directory(project: Project) -> None:
    git.Repo.init(project.root)
    project.write("set = 'b'\n", "b/schedsync.toml")
    project.schedules("  b1: {task: shop.report, every: 5m}\n", "b/schedules/b.yaml")
    words = ("b/schedules", "--database", project.using, "--yes", "--settle", "0")
    assert project.command("apply", *words).code == 0
    project.write(f"set = 'b'\n{LIFTED}", "schedsync.toml")
    project.schedules(GOOD)
    refused, document = project.apply(), json.loads(project.plan("--format", "json").out)
    kept = names(project.using)
    shutil.rmtree(project.root / "b")

    assert (refused.code, kept) == (3, ["b1"])
    assert "  set `b` was last applied from `b/schedules`, whose configuration still" in refused.err
    assert list(problems(document, PLAN)) == []
    assert project.apply().code == 0
    assert names(project.using) == ["good"]


def test_a_flag_takes_the_set_of_another_directory(project: Project) -> None:
    git.Repo.init(project.root)
    project.write("set = 'b'\n", "b/schedsync.toml")
    project.schedules(GOOD, "b/schedules/b.yaml")
    assert project.command("apply", "b/schedules", "--database", project.using, "--yes", "--settle", "0").code == 0
    project.write("set = 'b'\n", "schedsync.toml")
    project.schedules(GOOD)

    assert project.apply("--allow-move").code == 0


def test_the_allowed_sets_are_asked_again_behind_the_lock(project: Project, settings: Any) -> None:
    project.schedules(GOOD)

    def agree(_plan: Plan) -> bool:
        settings.SCHEDSYNC_ALLOWED_SETS = ["a"]
        return True

    with pytest.raises(Refused) as caught:
        sync.apply(Target(read_config("schedules"), project.using), agree, WaitOptions(settle=0))

    assert [refusal.code for refusal in caught.value.refusals] == ["set_not_allowed"]
    assert names(project.using) == []


def test_an_allowed_set_is_written_and_a_snapshot_carries_the_setting(project: Project, settings: Any) -> None:
    settings.SCHEDSYNC_ALLOWED_SETS = ["def*"]
    project.schedules(GOOD)
    assert project.apply().code == 0
    project.command("snapshot", "--database", project.using, "--out", "snapshot.json")
    document = json.loads((project.root / "snapshot.json").read_text())
    document["controls"]["allowed_sets"] = ["other"]
    project.write(json.dumps(document), "snapshot.json")
    refused = project.command("plan", "schedules", "--against", "snapshot.json")

    assert (refused.code, "set_not_allowed" in refused.out) == (3, True)
    assert list(problems(document, SNAPSHOT)) == []
