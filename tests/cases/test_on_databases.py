"""The cases that need tables: on each database, with everything that the command line does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from celery import current_app
from django.core.management import call_command
from django_celery_beat.models import PeriodicTask

from schedsync.beat import Scheduler
from schedsync.errors import WrongUsage
from schedsync.models import ApplyLock, ManagedSchedule, Pause, SyncRun
from tests.beat.ours import app
from tests.conftest import Project

CASES = Path(__file__).parent
SAID = "error: `USE_TZ` is off: Beat crashes, or first runs come at a wrong time (SS301)\n  hint: set `USE_TZ = True`\n"


def text_of(case: str) -> str:
    return (CASES / f"{case}.yaml").read_text(encoding="utf-8")


# Swapped names


def rows_of(using: str) -> dict[str, int]:
    return dict(PeriodicTask.objects.using(using).values_list("name", "pk"))


def test_a_swap_is_refused_and_done_in_two_applies_as_the_hint_says(project: Project) -> None:
    project.schedules("  a: {task: t, every: 2h}\n  c: {task: t, every: 1h}\n")
    project.apply()
    before = rows_of(project.using)
    project.write(text_of("rename-swap"))
    refused = project.apply()
    untouched = rows_of(project.using)
    project.schedules(
        "  a-new: {task: t, every: 1h, renamed_from: c}\n  c-new: {task: t, every: 2h, renamed_from: a}\n"
    )
    first = project.apply()
    project.schedules(
        "  a: {task: t, every: 1h, renamed_from: a-new}\n  c: {task: t, every: 2h, renamed_from: c-new}\n"
    )
    second = project.apply()

    assert (refused.code, first.code, second.code) == (1, 0, 0)
    assert "`a-new: {renamed_from: c}`" in refused.err
    assert untouched == before
    assert rows_of(project.using) == {"a": before["c"], "c": before["a"]}
    assert "no changes" in project.plan().out


def test_a_chain_of_renames_is_refused_and_done_in_two_applies_as_the_hint_says(project: Project) -> None:
    project.schedules("  a: {task: t, every: 1h}\n  b: {task: t, every: 2h}\n")
    project.apply()
    before = rows_of(project.using)
    project.schedules("  b: {task: t, every: 1h, renamed_from: a}\n  c: {task: t, every: 2h, renamed_from: b}\n")
    refused = project.apply()
    project.schedules("  a: {task: t, every: 1h}\n  c: {task: t, every: 2h, renamed_from: b}\n")
    project.apply()
    project.schedules("  b: {task: t, every: 1h, renamed_from: a}\n  c: {task: t, every: 2h}\n")
    done = project.apply()

    assert "use two applies: rename `b` to `c`, and then define `b` again" in refused.err
    assert (refused.code, done.code) == (1, 0)
    assert rows_of(project.using) == {"b": before["a"], "c": before["b"]}


# A schedule that leaves the files


def test_a_schedule_that_leaves_the_files_is_deleted(project: Project) -> None:
    project.write(text_of("holds-removed"))
    project.schedules("  b: {task: t, every: 1h}\n", "schedules/other.yaml")
    project.apply()
    (project.root / "schedules/shop.yaml").unlink()
    done = project.apply()

    assert done.code == 0
    assert list(rows_of(project.using)) == ["b"]
    assert list(ManagedSchedule.objects.using(project.using).values_list("name", flat=True)) == ["b"]


# USE_TZ = False


@pytest.fixture
def task() -> Iterator[None]:
    """A task of the application, without which it has no snapshot."""

    def nothing() -> None: ...

    current_app.task(name="shop.nothing", shared=False)(nothing)
    current_app.finalize(auto=True)
    yield
    current_app.tasks.pop("shop.nothing", None)


@pytest.fixture
def without_zones(project: Project, settings: Any) -> Project:
    """A project that was applied, with a plan saved and a schedule to pause, whose `USE_TZ` is then switched off."""
    project.schedules("  a: {task: t, every: 1h}\n  b: {task: t, every: 1h, start_at: 2026-01-01T00:00:00Z}\n")
    assert project.apply().code == 0
    project.command("pause", "b", "--reason", "test", "--database", project.using, "--settle", "0")
    project.write(text_of("use-tz-off-apply"))
    project.plan("--out", "plan.json", "--max-stops", "1")
    settings.USE_TZ = False
    return project


def written(using: str) -> list[Any]:
    """Return everything that a verb could have written."""
    models = (PeriodicTask, ManagedSchedule, SyncRun, Pause, ApplyLock)
    return [list(model._default_manager.using(using).order_by("pk").values()) for model in models]


@pytest.mark.parametrize(
    "words",
    [
        ("plan", "schedules"),
        ("apply", "schedules", "--yes", "--settle", "0"),
        ("apply", "--plan", "plan.json", "--yes", "--settle", "0"),
        ("drift", "schedules"),
        ("status",),
        ("pause", "a", "--reason", "test", "--settle", "0"),
        ("resume", "b"),
        ("snapshot", "--out", "snapshot.json"),
        ("doctor", "--fix"),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("task")
def test_every_verb_refuses_with_the_sentence_of_the_check_before_it_writes(
    without_zones: Project, words: tuple[str, ...]
) -> None:
    before = written(without_zones.using)
    done = without_zones.command(*words, "--database", without_zones.using)

    assert (done.code, done.err) == (64, SAID)
    assert written(without_zones.using) == before


def test_our_beat_refuses_to_start(without_zones: Project) -> None:
    with pytest.raises(WrongUsage, match="`USE_TZ` is off"):
        Scheduler(app=app)


@pytest.mark.parametrize("name", ["check", "migrate"])
def test_the_commands_of_the_host_project_go_on_with_a_warning(
    without_zones: Project, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    using = without_zones.using
    options = {"check": {"databases": [using]}, "migrate": {"database": using, "skip_checks": False}}
    call_command(name, **options[name])

    assert "(schedsync.SS301) `USE_TZ` is off" in capsys.readouterr().err
