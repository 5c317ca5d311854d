"""A secret that is anywhere in the input is nowhere in what any verb writes: the output, the files, the log."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from celery import current_app
from django.db import DatabaseError, connections
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from schedsync.database.faults import database_errors
from schedsync.errors import SchedsyncError
from tests.conftest import Done, Project

CANARY = "hunter2-canary-7f3a9c"

#: By place: the fields of a schedule that hold the secret there.
PLACES = {
    "args": f'args: ["--password", "{CANARY}", "--token={CANARY}", "mysql --password {CANARY} db"]',
    "kwargs": f'kwargs: {{password: {CANARY}, pass: {CANARY}, deep: [{{api_key: {CANARY}}}]}}',
    "headers": f'headers: {{Authorization: "Basic {CANARY}", x: "Authorization: {CANARY}"}}',
    "nested JSON": f"kwargs: {{body: '{{\"a\": [\"x\", {{\"db_password\": \"{CANARY}\"}}]}}'}}",
    "connection string": f'args: ["Server=h;User Id=sa;Password={CANARY}", "host=h password={CANARY}"]',
    "query": f'args: ["https://x.example/?token={CANARY}", "https://x.example/?a=1&api_key={CANARY}"]',
    "login": f'args: ["postgres://u:{CANARY}@h/x", "redis://:{CANARY}@h/0"]',
    "token": f'args: ["sk-proj-{CANARY}", "pass:{CANARY}", "Bearer {CANARY}"]',
    "webhooks": (
        f'args: ["https://hooks.slack.com/services/T0/B0/{CANARY}", "https://discord.com/api/webhooks/12/{CANARY}", '
        f'"https://acme.webhook.office.com/webhookb2/{CANARY}"]'
    ),
    "description": f'description: "postgres://u:{CANARY}@h/x"',
    "labels": f"labels: {{api_token: {CANARY}}}",
    "runbook": f'runbook: "https://u:{CANARY}@wiki.example/x"',
}  # fmt: skip
WRONG = {
    "syntax": f'kwargs: {{password: "{CANARY}}}',
    "a tag": f"kwargs: {{password: !{CANARY} x}}",
    "a wrong type": f"kwargs: {{password: {CANARY}}}\n    queue: [1]",
    "a wrong shape": f"kwargs: [{{password: {CANARY}}}]",
    "args as text": f"args: {CANARY}",
    "an alias": f"kwargs: {{password: *{CANARY}}}",
    "a long number": f"kwargs: {{password: 0{CANARY[:7]}}}",
}


@pytest.fixture(autouse=True)
def task() -> Iterator[None]:
    """The application's task, which a snapshot needs."""

    def work(*args: object, **kwargs: object) -> None: ...

    current_app.task(name="t", shared=False)(work)
    current_app.finalize(auto=True)
    yield
    current_app.tasks.pop("t", None)


@pytest.fixture(autouse=True)
def debug_log(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """The log of schedsync, with everything in it; Django's own log of SQL is Django's setting."""
    caplog.set_level(logging.DEBUG)
    caplog.set_level(logging.INFO, logger="django.db.backends")
    yield caplog
    assert CANARY not in caplog.text


def clean(done: Done, *codes: int) -> None:
    assert done.code in codes, done
    assert CANARY not in done.out + done.err
    assert "Traceback" not in done.err


def written(project: Project, *names: str) -> None:
    for name in names:
        assert CANARY not in (project.root / name).read_text(encoding="utf-8"), name


def schedules(project: Project, fields: str, every: str = "1h") -> None:
    project.schedules(f"  leaky:\n    task: t\n    every: {every}\n    {fields}\n")


@pytest.mark.parametrize("place", PLACES)
def test_no_verb_writes_a_secret(project: Project, place: str) -> None:
    schedules(project, PLACES[place])
    for format_ in ("text", "json", "github", "sarif"):
        clean(project.command("validate", "schedules", "--format", format_), 0, 64)
    for format_ in ("text", "json", "markdown", "github", "html"):
        clean(project.plan("--format", format_), 0, 64)
    clean(project.apply("--format", "json"), 0)
    schedules(project, PLACES[place].replace(CANARY, f"{CANARY}-2"), "2h")
    for format_ in ("text", "json", "markdown"):
        clean(project.plan("--format", format_), 0)
    PeriodicTask.objects.using(project.using).update(args=f'["password={CANARY}"]', kwargs=f'{{"token": "{CANARY}"}}')
    for format_ in ("text", "json", "markdown"):
        clean(project.drift("--format", format_), 2, 64)
    clean(project.command("snapshot", "schedules", "--database", project.using, "--out", "snapshot.json"), 0)
    clean(project.command("plan", "schedules", "--against", "snapshot.json", "--out", "plan.json"), 0)
    written(project, "snapshot.json", "plan.json")
    for words in (
        ("status",),
        ("doctor",),
        ("list",),
        ("why", "leaky", "--no-results"),
        ("pause", "leaky", "--reason", "x"),
        ("resume", "leaky"),
    ):
        clean(project.command(*words, "--database", project.using), 0, 1, 2, 64)
    clean(project.command("forecast", "schedules"), 0)
    clean(project.apply(), 0)


@pytest.mark.parametrize("place", WRONG)
def test_no_finding_quotes_a_secret(files: Project, place: str) -> None:
    schedules(files, WRONG[place])
    for format_ in ("text", "json", "github"):
        clean(files.command("validate", "schedules", "--format", format_), 0, 1)


#: By kind of damage: what it does to a document, of which one entry is given too.
DAMAGES: dict[str, Callable[[dict[str, Any], dict[str, Any]], object]] = {
    "people": lambda _, entry: entry.update(people=CANARY),
    "label": lambda _, entry: entry["people"]["labels"].update(password=12345678),
    "version": lambda document, _: document.update(version=f"password={CANARY}"),
    "name": lambda _, entry: entry.update(name=[f"password={CANARY}"]),
    "a key": lambda document, _: document.update({f"password={CANARY}": 1}),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.one_database
def test_an_error_about_a_plan_or_a_snapshot_quotes_no_secret(project: Project, damage: str) -> None:
    schedules(project, PLACES["kwargs"])
    clean(project.apply(), 0)
    clean(project.command("snapshot", "schedules", "--database", project.using, "--out", "snapshot.json"), 0)
    schedules(project, PLACES["kwargs"], "2h")
    clean(project.plan("--out", "plan.json"), 0)
    for name, entries in (("plan.json", "changes"), ("snapshot.json", "ledger")):
        document = json.loads((project.root / name).read_text())
        DAMAGES[damage](document, document[entries][0])
        project.write(json.dumps(document), name)
    for done in (
        project.apply("--plan", "plan.json"),
        project.command("plan", "schedules", "--against", "snapshot.json"),
        project.command("validate", "schedules", "--against", "snapshot.json", "--format", "json"),
    ):
        clean(done, 64)
        assert "12345678" not in done.out + done.err


def test_a_file_of_values_is_not_quoted_as_a_secret(files: Project) -> None:
    files.write(f"password={CANARY}\npassword={CANARY}\n", "schedules/values.txt")
    files.schedules('  "x-{v}": {task: t, every: 1h, for_each: {v: {file: values.txt}}}\n')
    clean(files.command("validate", "schedules"), 1)


@pytest.mark.parametrize("column", ["name", "task", "priority", "enabled"])
def test_an_error_of_the_database_shows_no_value_of_the_row(using: str, column: str) -> None:
    every = IntervalSchedule.objects.using(using).create(every=1, period="days")
    PeriodicTask.objects.using(using).create(name=CANARY, task="t", interval=every)
    values = {"name": CANARY, "task": CANARY * 20, "priority": CANARY, "enabled": CANARY}
    statement = f"INSERT INTO django_celery_beat_periodictask (name, {column}) VALUES (%s, %s)"
    if column == "name":
        statement = "INSERT INTO django_celery_beat_periodictask (description, name) VALUES (%s, %s)"
    with pytest.raises(SchedsyncError) as caught, database_errors(using), connections[using].cursor() as cursor:
        cursor.execute(statement, [f"x{CANARY}", values[column]])
    assert isinstance(caught.value.__cause__, DatabaseError)
    assert CANARY not in f"{caught.value.message} {caught.value.hint}"


@pytest.mark.parametrize("value", ["***", "*** (changed)", '{"password": "***"}'])
def test_a_mask_is_no_value(files: Project, value: str) -> None:
    text = json.dumps(value)
    files.schedules(f'  a: {{task: t, every: 1h, kwargs: {{password: {text}}}}}\n  b: {{task: "***", every: 1h}}\n')
    done = files.command("validate", "schedules")

    assert done.code == 1
    lines = [" ".join(line.split()) for line in done.out.splitlines()]
    assert "schedules/shop.yaml:3:46: error SS113 `***` is how schedsync shows a secret, not a value" in lines
    assert "schedules/shop.yaml:4:13: error SS113 `***` is how schedsync shows a secret, not a value" in lines


def test_a_mask_is_no_value_of_for_each(files: Project) -> None:
    files.write("***\n", "schedules/values.txt")
    files.schedules('  "x-{v}": {task: t, every: 1h, for_each: {v: {file: values.txt}}}\n')

    assert "schedules/values.txt:1:1: error  SS113" in files.command("validate", "schedules").out


def test_stars_that_are_no_mask_are_values(files: Project) -> None:
    files.schedules('  a: {task: t, crontab: "* * * * *", description: "***loud*** **** ***", expires_after: 1m}\n')

    assert files.command("validate", "schedules").code == 0


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32\nsize 12\n"
CONFLICT = (
    "version: 1\nschedules:\n<<<<<<< HEAD\n  a: {task: t, every: 1h}\n=======\n  a: {task: t, every: 2h}\n>>>>>>> x\n"
)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        (POINTER, "1:1: error SS114 a Git LFS pointer, not the file itself"),
        (CONFLICT, "3:1: error SS115 a merge conflict: `<<<<<<<`"),
        (CONFLICT.replace("\n", "\r\n"), "3:1: error SS115 a merge conflict: `<<<<<<<`"),
        ("version: 1\n=======\n", "2:1: error SS115 a merge conflict: `=======`"),
    ],
)
def test_what_git_writes_into_a_file_is_named(files: Project, text: str, finding: str) -> None:
    (files.root / "schedules/a.yaml").write_bytes(text.encode())
    files.schedules('  "x-{v}": {task: t, every: 1h, for_each: {v: {file: values.txt}}}\n')
    (files.root / "schedules/values.txt").write_bytes(text.encode())
    lines = files.command("validate", "schedules").out.splitlines()

    assert [" ".join(line.split()) for line in lines if "SS" in line] == [
        f"schedules/{name}:{finding}" for name in ("a.yaml", "values.txt")
    ]


def test_a_row_of_equals_signs_in_a_comment_is_no_conflict(files: Project) -> None:
    files.write("# =======\n# <<<<<<< x\nversion: 1\nx-a: |\n  =======\n  <<<<<<< x\n")

    assert files.command("validate", "schedules").code == 0
