"""A Beat on tables that are not its own version's: missing ones are waited for, newer ones are worked on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.core.management import call_command
from django.db import connections, migrations, models
from django.db.migrations.loader import MigrationLoader
from django_celery_beat.models import PeriodicTask

from schedsync.models import Beat as BeatRow
from schedsync.models import Claim, Lease, ManagedSchedule, SyncRun
from tests.beat.ours import Beat, app, row
from tests.beat.test_like_stock import TIMINGS, make
from tests.beat.test_standing_by import gone
from tests.conftest import NOW, Project

OURS: tuple[type[models.Model], ...] = tuple(apps.get_app_config("schedsync").get_models())


@contextlib.contextmanager
def without(using: str, model: type[models.Model]) -> Iterator[None]:
    """Let one table of schedsync or of django-celery-beat be missing."""
    there, away = model._meta.db_table, "schedsync_not_there_yet"
    with connections[using].schema_editor() as editor:
        editor.alter_db_table(model, there, away)
    try:
        yield
    finally:
        with connections[using].schema_editor() as editor:
            editor.alter_db_table(model, away, there)


@contextlib.contextmanager
def at_first_migration(using: str) -> Iterator[None]:
    """Let the tables be as before there was a Beat of schedsync's own."""
    call_command("migrate", "schedsync", "0001", database=using, verbosity=0)
    try:
        yield
    finally:
        call_command("migrate", "schedsync", database=using, verbosity=0)


@contextlib.contextmanager
def of_a_later_version(using: str) -> Iterator[None]:
    """Let each of our tables have columns that this version does not know, as a later migration may add them."""
    added = {"added_null": "varchar(20) NULL", "added_default": "integer DEFAULT 7 NOT NULL"}
    with connections[using].cursor() as cursor:
        for model in OURS:
            for name, kind in added.items():
                cursor.execute(f"ALTER TABLE {model._meta.db_table} ADD COLUMN {name} {kind}")
    try:
        yield
    finally:
        with connections[using].cursor() as cursor:
            for model in OURS:
                for name in added:
                    cursor.execute(f"ALTER TABLE {model._meta.db_table} DROP COLUMN {name}")


def trouble(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname in ("ERROR", "WARNING")]


@pytest.mark.parametrize("model", [BeatRow, Claim, ManagedSchedule, PeriodicTask], ids=lambda model: model.__name__)
def test_it_waits_for_a_missing_table_with_one_line_and_goes_on_when_it_is_there(
    using: str, clock: Any, caplog: pytest.LogCaptureFixture, model: type[models.Model]
) -> None:
    make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - timedelta(minutes=1)})
    with without(using, model):
        beat = Beat(clock)
        assert [beat.step() for _ in range(3)] == [beat.scheduler.times.retry] * 3
        assert beat.scheduler.sent == []
        assert trouble(caplog) == [f"waiting until `python manage.py migrate` has run: no table {model._meta.db_table}"]
    beat.settle()

    assert [message.name for _, message in beat.scheduler.sent] == ["x"]
    assert Lease.objects.using(using).get().epoch == 1
    assert trouble(caplog)[1:] == ["leading, epoch 1"]


def test_it_waits_on_the_tables_of_the_first_migration(
    using: str, clock: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also without an election: without claims two Beats would send each tick twice."""
    monkeypatch.setattr("django.conf.settings.SCHEDSYNC_LEADER", None, raising=False)
    make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - timedelta(minutes=1)})
    with at_first_migration(using):
        beat = Beat(clock)
        assert beat.step() > 0
        assert trouble(caplog) == [
            "waiting until `python manage.py migrate` has run: "
            "no table schedsync_lease, schedsync_claim, schedsync_beat"
        ]
    beat.settle()

    assert [message.name for _, message in beat.scheduler.sent] == ["x"]
    assert Claim.objects.using(using).get().confirmed


def test_the_entries_of_the_settings_are_written_when_the_tables_are_there(using: str, clock: Any) -> None:
    app.conf.beat_schedule = {"from settings": {"task": "t", "schedule": 60.0}}
    try:
        with without(using, BeatRow):
            beat = Beat(clock)
            beat.step()
            assert not PeriodicTask.objects.using(using).exists()
        beat.settle()
    finally:
        app.conf.beat_schedule = {}

    assert list(PeriodicTask.objects.using(using).values_list("name", flat=True)) == ["from settings"]


def test_tables_that_are_taken_away_while_it_runs_are_waited_for_too(
    using: str, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - timedelta(minutes=1)})
    beat = Beat(clock)
    beat.settle()
    clock.shift(60)
    with without(using, Claim):
        for _ in range(4):
            beat.step()
        assert not beat.scheduler.leadership.leads
        assert [line for line in trouble(caplog) if "migrate" in line] == trouble(caplog)[-1:]
    beat.scheduler.leadership.hurry()
    beat.settle()

    assert [f"{message.tick:%H:%M}" for _, message in beat.scheduler.sent] == ["10:00", "10:01"]


def test_a_database_that_cannot_be_asked_is_taken_neither_for_migrated_nor_for_not(
    using: str, clock: Any, caplog: pytest.LogCaptureFixture
) -> None:
    make(using, "x", {**TIMINGS["each minute"], "last_run_at": NOW - timedelta(minutes=1)})
    with connections[using].execute_wrapper(gone):
        beat = Beat(clock)
        assert beat.step() > 0
    assert {line.rpartition(": ")[2] for line in trouble(caplog)} == {"gone"}
    with without(using, BeatRow):
        assert beat.step() > 0
        assert "no table schedsync_beat" in trouble(caplog)[-1]
    beat.settle()

    assert [message.name for _, message in beat.scheduler.sent] == ["x"]


def test_it_works_on_the_tables_of_a_later_version(project: Project, clock: Any, caplog: Any) -> None:
    """Two of them: one leads and hands over, and all that they write is inserted into tables with more columns."""
    using = project.using
    project.schedules("  x: {task: t, crontab: '* * * * *'}\n  y: {task: t, crontab: '* * * * *'}\n")
    Lease.objects.using(using).all().delete()
    with of_a_later_version(using):
        assert project.apply().code == 0
        paused = project.command("pause", "y", "--for", "90s", "--reason", "r", "--settle", "0", "--database", using)
        assert paused.code == 0, paused.err
        one, two = Beat(clock), Beat(clock)
        sent = one.run(timedelta(minutes=2, seconds=1))
        one.scheduler.close()
        two.scheduler.leadership.hurry()
        sent += two.run(timedelta(minutes=1))
        assert project.apply().code == 0
        with connections[using].cursor() as cursor:
            for model in (BeatRow, Claim, Lease, ManagedSchedule, SyncRun):
                cursor.execute(f"SELECT DISTINCT added_default FROM {model._meta.db_table}")
                assert [tuple(values) for values in cursor.fetchall()] == [(7,)], model
        epoch = Lease.objects.using(using).get().epoch
        connections[using].close()

    assert sorted(f"{at:%H:%M} {name}" for at, name in sent) == [
        "10:01 x", "10:02 x", "10:02 y", "10:03 x", "10:03 y",
    ]  # fmt: skip
    assert epoch == 2
    assert [line for line in trouble(caplog) if "database failed" in line] == []
    assert row(using, "y").enabled


#: Migrations up to this one came before the promise: no released Beat of a version before runs on their tables.
LAST_BEFORE_PROMISE = "0002_beat"


def not_additive(operation: Any, before: Any) -> str:
    """Return why a Beat of the version before could not run on, or nothing; ``before`` is the state of the models."""
    # The options are names and permissions: they change no table.
    harmless = (migrations.CreateModel, migrations.AddIndex, migrations.AlterModelOptions, migrations.RunPython)
    if isinstance(operation, harmless):
        return ""
    if isinstance(operation, migrations.AlterField) and without_index(operation.field) == without_index(
        before.models["schedsync", operation.model_name].fields[operation.name]
    ):
        return ""
    if not isinstance(operation, migrations.AddField):
        return f"{type(operation).__name__} changes what is there"
    has_default = getattr(operation.field, "db_default", models.NOT_PROVIDED) is not models.NOT_PROVIDED
    if operation.field.null or has_default:
        return ""
    return f"`{operation.name}` has neither null=True nor a db_default: an insert that does not know it fails"


def without_index(field: Any) -> tuple[Any, ...]:
    _, path, args, options = field.deconstruct()
    return path, args, {name: value for name, value in options.items() if name != "db_index"}


def test_migrations_are_additive() -> None:
    loader = MigrationLoader(None)
    names = sorted(name for app_label, name in loader.disk_migrations if app_label == "schedsync")
    problems = {
        (name, problem)
        for name in names
        if name > LAST_BEFORE_PROMISE and (before := loader.project_state(("schedsync", name), at_end=False))
        for operation in loader.disk_migrations["schedsync", name].operations
        if (problem := not_additive(operation, before))
    }

    assert LAST_BEFORE_PROMISE in names
    assert problems == set()


@pytest.mark.parametrize(
    ("operation", "is_additive"),
    [
        (migrations.AddField("claim", "sent_at", models.DateTimeField(null=True)), True),
        (migrations.AddField("claim", "sent", models.IntegerField(default=0)), False),
        (migrations.RemoveField("claim", "epoch"), False),
        (migrations.RenameField("claim", "epoch", "era"), False),
        (migrations.AlterField("claim", "epoch", models.TextField()), False),
        (migrations.AlterField("claim", "epoch", models.BigIntegerField(db_index=True)), True),
        (migrations.DeleteModel("claim"), False),
        (migrations.CreateModel("Other", []), True),
    ],
    ids=["null", "default in Python only", "remove", "rename", "alter", "alter the index", "delete", "create"],
)
def test_the_check_of_migrations_knows_what_is_additive(operation: Any, is_additive: bool) -> None:
    now = MigrationLoader(None).project_state()

    assert (not_additive(operation, now) == "") is is_additive
