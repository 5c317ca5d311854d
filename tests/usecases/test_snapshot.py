"""A snapshot stands for the application and its database: plans, reviews and forecasts that need neither."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import Any

import jsonschema
import pytest
from celery import current_app
from django_celery_beat.models import PeriodicTask

from schedsync.schemas.validator import PLAN, SNAPSHOT, problems
from tests.conftest import Project

SECRET = "correct-horse-battery"
SCHEDULES = (
    "  nightly: {task: shop.report, crontab: '0 2 * * *', kwargs: {kind: full}, queue: reports}\n"
    f"  export: {{task: shop.export, every: 1d, kwargs: {{api_token: {SECRET}}}}}\n"
)


@pytest.fixture(autouse=True)
def tasks() -> Iterator[None]:
    """The tasks of an application, registered with Celery's current app as `shared_task` does."""

    def report(kind: str, deep: bool = False) -> None: ...

    def export(**options: Any) -> None: ...

    made = {"shop.report": report, "shop.export": export}
    for name, function in made.items():
        current_app.task(name=name, shared=False)(function)
    current_app.finalize(auto=True)
    yield
    for name in made:
        current_app.tasks.pop(name, None)


@pytest.fixture
def shop(project: Project) -> Project:
    """A set that is applied, a row of somebody else, and a snapshot of both."""
    project.schedules(SCHEDULES)
    assert project.apply().code == 0
    template = PeriodicTask.objects.get(name="nightly")
    PeriodicTask.objects.create(name="foreign", task="t", crontab=template.crontab)
    PeriodicTask.objects.create(name="vault", task="t", crontab=template.crontab, kwargs=f'{{"password": "{SECRET}"}}')
    done = project.command("snapshot", "--database", project.using, "--out", "snapshot.json")
    assert (done.code, done.err) == (0, "wrote snapshot.json\n")
    return project


def against(shop: Project, *words: str) -> dict[str, Any]:
    done = shop.command("plan", "schedules", "--against", "snapshot.json", "--format", "json", *words)
    said: dict[str, Any] = json.loads(done.out)
    return said


def test_a_snapshot_conforms_and_masks_secrets(shop: Project) -> None:
    text = (shop.root / "snapshot.json").read_text()
    said = json.loads(text)

    assert list(problems(said, SNAPSHOT)) == []
    assert SECRET not in text
    assert sorted(row["name"] for row in said["rows"]) == ["export", "foreign", "nightly", "vault"]
    assert {"shop.report", "shop.export"} <= set(said["application"]["tasks"])


@pytest.mark.one_database
def test_a_snapshot_knows_what_waits_to_be_deleted(shop: Project) -> None:
    shop.write('[prune]\ngrace = "7d"\n', "schedsync.toml")
    both = SCHEDULES
    shop.schedules(both.splitlines(keepends=True)[0])
    assert shop.apply().code == 0
    done = shop.command("snapshot", "--database", shop.using, "--out", "snapshot.json")
    assert (done.code, list(problems(json.loads((shop.root / "snapshot.json").read_text()), SNAPSHOT))) == (0, [])

    live = json.loads(shop.plan("--format", "json").out)
    assert [each["name"] for each in live["removing"]] == ["export"]
    assert (against(shop)["changes"], against(shop)["removing"]) == ([], live["removing"])
    shop.schedules(both)
    [change] = against(shop)["changes"]
    assert (change["kind"], change["consequences"][-1]["code"]) == ("update", "put_back")


def test_a_plan_against_a_snapshot_is_the_plan_against_the_database(shop: Project, clock: Any) -> None:
    shop.schedules(
        "  nightly: {task: shop.report, crontab: '0 3 * * *', kwargs: {kind: full}}\n"
        f"  export: {{task: shop.export, every: 1d, kwargs: {{api_token: {SECRET}}}}}\n"
        "  more: {task: shop.report, every: 2h, kwargs: {kind: half}}\n"
        "  foreign: {task: shop.report, every: 2h, kwargs: {kind: half}}\n"
    )
    live = json.loads(shop.plan("--format", "json").out)
    snapshot = against(shop)

    assert list(problems(snapshot, PLAN)) == []
    assert snapshot["changes"] == live["changes"]
    assert snapshot["refusals"] == live["refusals"] != []
    assert snapshot["checksum"] == live["checksum"]


def test_a_secret_is_no_change_and_its_change_is_not_seen(shop: Project) -> None:
    assert against(shop)["changes"] == []


def test_what_the_workers_do_not_know_heads_the_plan(shop: Project) -> None:
    shop.schedules(SCHEDULES + "  fresh: {task: shop.repotr, every: 2h}\n")
    text = shop.command("plan", "schedules", "--against", "snapshot.json").out
    markdown = shop.command("plan", "schedules", "--against", "snapshot.json", "--format", "markdown").out

    assert text.splitlines()[3:6] == [
        "Deploy the workers first:",
        "schedules/shop.yaml:5:17: warning  SS219  fresh: the application does not register the task `shop.repotr`",
        "  hint: did you mean `shop.report`?",
    ]
    assert markdown.index("Deploy the workers first") < markdown.index("`fresh` created")


def test_arguments_that_do_not_fit_are_found(shop: Project) -> None:
    shop.schedules(SCHEDULES.replace("kind: full", "knid: full, mode: 1"))
    found = {(one["message"], one["hint"]) for one in against(shop)["findings"] if one["code"] == "SS220"}

    assert found == {
        ("the arguments don't fit the task: missing a required argument: 'kind'", "it takes (kind, deep=…)"),
        ("the task takes no argument `knid`", "did you mean `kind`?"),
        ("the task takes no argument `mode`", "it takes (kind, deep=…)"),
    }


def test_a_plan_against_a_snapshot_needs_no_django(shop: Project) -> None:
    import os
    import subprocess
    import sys

    probe = (
        "import sys; from schedsync.cli import run; code = run(sys.argv[1:]); "
        "assert 'schedsync.models' not in sys.modules; sys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", probe, "plan", "schedules", "--against", "snapshot.json"], cwd=shop.root,
        env={key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    assert "no changes  2 unchanged" in done.stdout


def test_an_interval_is_forecast_from_its_last_run(shop: Project, clock: Any) -> None:
    PeriodicTask.objects.filter(name="export").update(last_run_at=datetime(2026, 11, 23, 7, 30, tzinfo=timezone.utc))
    shop.command("snapshot", "--database", shop.using, "--out", "snapshot.json")
    words = ("forecast", "schedules", "--name", "export", "--count", "2", "--format", "json")
    alone = json.loads(shop.command(*words).out)["schedules"][0]
    known = json.loads(shop.command(*words, "--against", "snapshot.json").out)["schedules"][0]

    assert (alone["counted_from"], alone["runs"][0]) == ("2026-11-23T10:00:00Z", "2026-11-24T10:00:00Z")
    assert known["counted_from"] == "2026-11-23T07:30:00Z"
    assert known["runs"] == ["2026-11-24T07:30:00Z", "2026-11-25T07:30:00Z"]


def test_an_editor_knows_the_application(shop: Project) -> None:
    done = shop.command("schema", "--snapshot", "snapshot.json")
    schema = json.loads(done.out)
    validator = jsonschema.Draft7Validator(schema)

    def wrong(fields: dict[str, Any]) -> int:
        document = {"version": 1, "schedules": {"a": {"every": "1h", **fields}}}
        return len(list(validator.iter_errors(document)))

    jsonschema.Draft7Validator.check_schema(schema)
    assert wrong({"task": "shop.report", "kwargs": {"kind": 1}}) == 0
    assert wrong({"task": "shop.export", "kwargs": {"anything": 1}}) == 0
    assert wrong({"task": "shop.repotr"}) == 1
    assert wrong({"task": "shop.report", "kwargs": {"knid": 1}}) == 1
    assert shop.command("schema", "plan", "--snapshot", "snapshot.json").code == 64


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "is no snapshot"),
        ("[]", "is no snapshot"),
        ('{"version": 1}', "is no snapshot: the document lacks `set`"),
    ],
)
@pytest.mark.one_database
def test_a_file_that_is_no_snapshot_is_named(shop: Project, text: str, message: str) -> None:
    (shop.root / "snapshot.json").write_text(text)
    done = shop.command("plan", "schedules", "--against", "snapshot.json")

    assert (done.code, message in done.err) == (64, True), done.err


@pytest.mark.one_database
def test_flags_that_cannot_apply_to_a_snapshot_are_refused(shop: Project) -> None:
    shop.write('set = "other"\n', "schedsync.toml")
    other = shop.command("plan", "schedules", "--against", "snapshot.json")
    database = shop.command("plan", "schedules", "--against", "snapshot.json", "--database", "default")

    assert (other.code, "the snapshot is of set `default`, not of `other`" in other.err) == (64, True)
    assert (database.code, "`--database` cannot apply to a snapshot" in database.err) == (64, True)


def test_only_what_was_reviewed_is_applied(shop: Project) -> None:
    shop.schedules(SCHEDULES + "  one: {task: t, every: 1h}\n  two: {task: t, every: 2h}\n")
    saved = shop.command("plan", "schedules", "--against", "snapshot.json", "--out", "reviewed.json")
    shop.schedules(
        SCHEDULES + "  one: {task: t, every: 1h}\n  two: {task: t, every: 3h}\n  slipped: {task: t, every: 1d}\n"
    )
    refused = shop.apply("--reviewed", "reviewed.json")
    shop.schedules(SCHEDULES + "  two: {task: t, every: 2h}\n")
    part = shop.apply("--reviewed", "reviewed.json")
    shop.schedules(SCHEDULES + "  one: {task: t, every: 1h}\n  two: {task: t, every: 2h}\n")
    rest = shop.apply("--reviewed", "reviewed.json")

    assert saved.code == 0
    assert refused.code == 3
    assert "the reviewed plan does not create `slipped`" in refused.err
    assert "the reviewed plan has other values to create `two`: timing" in refused.err
    assert "`one`" not in refused.err
    assert (part.code, rest.code) == (0, 0)
    assert set(PeriodicTask.objects.values_list("name", flat=True)) >= {"one", "two"}


@pytest.mark.one_database
def test_a_plan_that_was_reviewed_for_another_place_reviews_nothing(shop: Project) -> None:
    shop.schedules(SCHEDULES + "  one: {task: t, every: 1h}\n")
    shop.command("plan", "schedules", "--against", "snapshot.json", "--out", "reviewed.json")
    shop.write('environments = ["staging"]\n', "schedsync.toml")
    done = shop.apply("--reviewed", "reviewed.json", "-e", "staging", "--allow-move")
    shutil.copy(shop.root / "reviewed.json", shop.root / "saved.json")
    both = shop.apply("--plan", "saved.json", "--reviewed", "reviewed.json")

    assert (done.code, "the reviewed plan is of set `default`" in done.err) == (3, True), done.err
    assert (both.code, "two plan files were given" in both.err) == (64, True)


@pytest.mark.one_database
def test_a_review_knows_what_a_snapshot_tells(shop: Project) -> None:
    import git

    with git.Repo.init(shop.root, initial_branch="main") as repository:
        repository.git.add("schedules")
        repository.git.execute(["git", "-c", "user.name=s", "-c", "user.email=s@example.org", "commit", "-m", "x"])
        shop.schedules(
            SCHEDULES.replace("kind: full", "mode: full") + "  foreign: {task: shop.report, every: 1h, args: [x]}\n"
        )
        done = shop.command("review", "--against", "snapshot.json", "--format", "json")
        adopted = shop.command("review", "--against", "snapshot.json", "--adopt", "foreign")
    found = {one["code"]: one["message"] for one in json.loads(done.out)["findings"] if one["new"]}

    assert found["SS220"].startswith("the ")
    assert found["SS164"] == "an apply would be refused: a row `foreign` exists already, and no set manages it"
    assert (done.code, adopted.code) == (1, 0)


def test_a_plan_against_a_snapshot_knows_the_standing_pauses(shop: Project) -> None:
    pause = ["pause", "night*", "--queue", "reports", "--reason", "INC-42", "--settle", "0"]
    assert shop.command(*pause, "--database", shop.using).code == 0
    shop.schedules(SCHEDULES + "  nightly-new: {task: shop.report, every: 1d, kwargs: {kind: x}, queue: reports}\n")
    done = shop.command("snapshot", "--database", shop.using, "--out", "snapshot.json")
    here, there = json.loads(shop.plan("--format", "json").out), against(shop)

    assert (done.code, list(problems(json.loads((shop.root / "snapshot.json").read_text()), SNAPSHOT))) == (0, [])
    assert [pause["name"] for pause in there["paused"]] == ["nightly", "nightly-new"]
    assert there["checksum"] == here["checksum"]
