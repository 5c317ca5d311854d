"""What is published is planned against as a file is, by those who have no access; a hostile one as a broken file."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from celery import current_app

from schedsync.agent.snapshots import Snapshots
from schedsync.core.published import Address, InBranch, InBucket
from schedsync.errors import Failed, Unavailable
from schedsync.planning.outcome import Outcome
from schedsync.usecases.agent import Turn
from schedsync.usecases.published import get_published
from schedsync.usecases.target import Target
from tests.commands.test_documents import SAVED, TEXTS
from tests.conftest import Project
from tests.git.remotes import Origin
from tests.http.servers import Documents, documents

TOKEN = "canary-Zq83vN1x-token"
SCHEDULES = "  report: {task: shop.report, every: 1h}\n"


@pytest.fixture(autouse=True)
def task() -> Iterator[None]:
    @current_app.task(name="shop.report", shared=False)
    def report() -> None: ...

    current_app.finalize(auto=True)
    yield
    current_app.tasks.pop("shop.report", None)


@pytest.fixture
def server() -> Iterator[Documents]:
    with documents() as found:
        yield found


def plan(files: Project, place: str, *words: str) -> Any:
    return files.command("plan", "schedules", "--against", place, *words)


@pytest.mark.one_database
def test_a_published_snapshot_is_planned_against(
    project: Project, server: Documents, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.schedules(SCHEDULES)
    assert project.apply().code == 0
    settings.SCHEDSYNC_PUBLISH_TOKEN = server.token = TOKEN
    monkeypatch.setenv("SCHEDSYNC_SNAPSHOT_TOKEN", TOKEN)
    origin = Origin(project.root / "origin.git")
    places = ["s.json", f"{server.url}/s.json", f"git+file://{origin.root}#snapshots"]
    for place in places:
        done = project.command("snapshot", "--database", project.using, "--publish", place)
        assert (done.code, done.out) == (0, ""), done.err
        assert re.fullmatch(r"published to \S+(:snapshot)?\.json\n", done.err)
    project.schedules(f"{SCHEDULES}  new: {{task: shop.report, every: 2h}}\n")
    plans = [plan(project, place, "--format", "json") for place in places]

    changes = [[(change["kind"], change["name"]) for change in json.loads(done.out)["changes"]] for done in plans]
    assert changes == [[("create", "new")]] * 3
    assert [bool(re.search(r"the snapshot is \d minutes? old, of ", done.err)) for done in plans] == [False, True, True]
    for verb in ("validate", "forecast"):
        assert project.command(verb, "schedules", "--against", places[1]).code == 0


@pytest.fixture
def store(server: Documents, monkeypatch: pytest.MonkeyPatch) -> Documents:
    """A store with the API of S3: by its paths it is a server of documents."""
    for name, value in {"ENDPOINT_URL": server.url, "ACCESS_KEY_ID": "shop", "SECRET_ACCESS_KEY": TOKEN}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    return server


@pytest.mark.one_database
def test_a_snapshot_in_a_bucket_is_planned_against(project: Project, store: Documents) -> None:
    project.schedules(SCHEDULES)
    words = ("snapshot", "--database", project.using, "--publish", "s3://shop-snapshots/eu/s.json")
    done = project.command(*words)
    planned = plan(project, "s3://shop-snapshots/eu/s.json", "--format", "json")

    assert (done.code, done.err) == (0, "published to s3://shop-snapshots/eu/s.json\n")
    assert list(store.at) == ["/shop-snapshots/eu/s.json"]
    assert [change["name"] for change in json.loads(planned.out)["changes"]] == ["report"]
    assert all(str(seen).startswith("AWS4-HMAC-SHA256 Credential=shop/") for seen in store.seen_tokens)


@pytest.mark.one_database
@pytest.mark.parametrize(("status", "code"), [(400, 1), (403, 69)])
def test_a_store_that_refuses_is_an_error_without_the_key(
    project: Project, store: Documents, status: int, code: int
) -> None:
    project.schedules(SCHEDULES)
    store.status = status
    put = project.command("snapshot", "--database", project.using, "--publish", "s3://shop-snapshots")
    got = plan(project, "s3://shop-snapshots/none.json")

    assert (put.code, got.code) == (code, 1)
    assert put.err.startswith(f"error: cannot put s3://shop-snapshots/snapshot.json: HTTP {status}\n")
    assert got.err.startswith("error: cannot get s3://shop-snapshots/none.json: HTTP 404\n")
    assert TOKEN not in put.err + got.err


def test_a_store_that_is_away_or_sends_too_much_is_an_error(
    files: Project, store: Documents, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.at["/shop-snapshots/s.json"] = b" " * 11
    with pytest.raises(Failed, match="larger"):
        get_published(InBucket("shop-snapshots", "s.json"), 10)
    files.schedules(SCHEDULES)
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    away = plan(files, "s3://shop-snapshots/s.json")

    assert (away.code, away.err.splitlines()[0]) == (
        69, "error: cannot get s3://shop-snapshots/s.json: no answer from the store: EndpointConnectionError",
    )  # fmt: skip


@pytest.mark.one_database
def test_a_snapshot_is_written_to_a_file_and_published_too(project: Project) -> None:
    project.schedules(SCHEDULES)
    words = ("snapshot", "--database", project.using, "--out", "s.json", "--publish", "p.json")
    assert project.command(*words).code == 0

    assert (project.root / "s.json").read_text() == (project.root / "p.json").read_text()


@pytest.mark.one_database
def test_an_apply_publishes_what_it_applied_and_a_place_that_takes_none_fails_nothing(
    project: Project, server: Documents
) -> None:
    project.schedules(SCHEDULES)
    assert project.apply("--publish", "s.json").code == 0
    assert [row["name"] for row in json.loads((project.root / "s.json").read_text())["rows"]] == ["report"]
    server.status = 403
    done = project.apply("--publish", f"{server.url}/s.json")

    assert (done.code, "warning: committed, but the snapshot was not published: cannot put" in done.err) == (0, True)
    assert project.command("apply", "schedules", "--all", "--publish", "s.json").code == 64


@pytest.mark.one_database
def test_a_place_that_takes_no_snapshot_is_an_error(project: Project, server: Documents) -> None:
    server.status = 403
    done = project.command("snapshot", "--database", project.using, "--publish", f"{server.url}/s.json?sig={TOKEN}")

    assert (done.code, f"cannot put {server.url}/s.json: HTTP 403" in done.err) == (69, True)
    assert TOKEN not in done.err


@pytest.mark.parametrize("name", TEXTS)
def test_a_hostile_snapshot_is_refused_as_a_file_is(files: Project, server: Documents, name: str) -> None:
    files.schedules(SCHEDULES)
    edit, message = TEXTS[name]
    server.at["/s.json"] = edit((SAVED / "snapshot.json").read_text())
    done = plan(files, f"{server.url}/s.json")

    assert (done.code, message in done.err) == (64, True), done.err
    assert done.err.startswith(f"error: `{server.url}/s.json` is no snapshot: ")


def test_an_old_snapshot_is_warned_about_and_a_missing_one_is_an_error(files: Project, server: Documents) -> None:
    files.schedules(SCHEDULES)
    values = json.loads((SAVED / "snapshot.json").read_text())
    for age, said in ((timedelta(days=9), "warning: the snapshot is 9 days old"), (timedelta(hours=30), "is 30 hours")):
        values["created_at"] = (datetime.now(timezone.utc) - age).strftime("%Y-%m-%dT%H:%M:%SZ")
        server.at["/s.json"] = json.dumps(values).encode()
        assert said in plan(files, f"{server.url}/s.json").err
    missing = plan(files, f"{server.url}/t.json?sig={TOKEN}")

    assert (missing.code, missing.err.splitlines()[0]) == (1, f"error: cannot get {server.url}/t.json: HTTP 404")
    assert plan(files, "http://127.0.0.1:1/s.json").code == 69
    assert plan(files, "gs://bucket/s.json").code == 64
    assert plan(files, f"git+file://{files.root}/nowhere.git#b").code == 69


@pytest.mark.one_database
def test_an_agent_publishes_at_its_start_and_after_each_apply(
    using: str, target: Target, caplog: pytest.LogCaptureFixture
) -> None:
    taken: list[str] = []
    snapshots = Snapshots(taken.append, "s.json")
    turn = Turn("a" * 40, using=using, target=target)
    for each in (replace(turn, commit=None), turn, turn, replace(turn, outcome=Outcome()), turn):
        snapshots(each)
        snapshots.background.wait(30)
    assert [json.loads(text)["set"] for text in taken] == ["default", "default"]

    def refuse(_text: str) -> None:
        raise Unavailable("the disk is full")

    snapshots.publish = refuse
    caplog.set_level(logging.INFO, "schedsync.agent")
    for _ in range(3):
        snapshots(replace(turn, outcome=Outcome()))
        snapshots.background.wait(30)
    assert [record.message for record in caplog.records] == [
        "a snapshot is not published to s.json, and it is tried again: the disk is full"
    ]


@pytest.fixture
def target(using: str, tmp_path: Path) -> Target:
    from schedsync.config import Config

    return Target(Config(paths=(tmp_path,)), using)


def test_a_place_shows_no_secret() -> None:
    places = [Address(f"https://e.org/s?sig={TOKEN}"), InBranch(f"https://me:{TOKEN}@e.org/a.git", "b")]

    assert TOKEN not in "".join(map(str, places))
