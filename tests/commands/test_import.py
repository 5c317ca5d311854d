"""``import database`` as a user types it: what it prints, what it writes, and what it refuses."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from schedsync.commands.new_files import write_new
from schedsync.errors import Failed, WrongUsage
from tests.conftest import Done, Project

SECRET = '{"token": "sk_live_4f9c2d71e8aa77b2c3"}'


def row(name: str, **columns: Any) -> None:
    columns.setdefault("interval", IntervalSchedule.objects.create(every=5, period="hours"))
    PeriodicTask.objects.create(name=name, **{"task": f"shop.tasks.{name.partition('-')[0]}", **columns})


def imported(project: Project, *words: str) -> Done:
    return project.command("import", "database", "--database", project.using, *words)


def test_without_a_directory_one_document_is_printed(project: Project) -> None:
    row("b", queue="reports")
    row("a", kwargs='{"kind":"full"}')
    row("celery.backend_cleanup")
    done = imported(project)

    assert (done.code, done.out) == (
        0,
        """\
version: 1

defaults:
  # Takes over the rows that exist. Remove this line once it is applied.
  adopt: true

schedules:
  a:
    task: shop.tasks.a
    every: 5h
    kwargs: {kind: full}

  b:
    task: shop.tasks.b
    every: 5h
    queue: reports

# Left out:
# - `celery.backend_cleanup`: Beat makes this row itself
""",
    )
    assert done.err == (
        "took 2 of 3 rows that nobody manages\n"
        "left out 1:\n"
        "  `celery.backend_cleanup`: Beat makes this row itself\n"
        f"next: save it below schedules/, then: schedsync plan --database {project.using}\n"
    )


def test_three_commands_take_a_database_over(project: Project) -> None:
    for name in ("sync-a", "sync-b", "sync-c", "report"):
        row(name)
    before = list(PeriodicTask.objects.order_by("pk").values())
    done = imported(project, "--out", "schedules")
    plan, applied = project.plan("--exit-code"), project.apply()

    assert (done.code, done.out) == (0, "")
    assert done.err == (
        f"took 4 of 4 rows that nobody manages: {Path('schedules/schedules.yaml')} (4)\n"
        f"next: schedsync plan schedules --database {project.using}\n"
    )
    assert (plan.code, "<4 adopt" in plan.out) == (2, True)
    assert (applied.code, list(PeriodicTask.objects.order_by("pk").values())) == (0, before)
    assert project.plan("--exit-code").code == 0
    again = imported(project)
    assert (again.code, again.out) == (0, "")
    assert again.err == "set `default` manages 4 rows already\n"


@pytest.mark.one_database
def test_files_are_made_by_application_or_queue(project: Project) -> None:
    row("one", task="apps.billing.tasks.a")
    row("two", task="apps.shop.tasks.a", queue="slow mails")
    imported(project, "--out", "apps", "--by", "app")
    imported(project, "--out", "queues/new", "--by", "queue")

    assert sorted(path.name for path in Path("apps").iterdir()) == ["billing.yaml", "shop.yaml"]
    assert sorted(path.name for path in Path("queues/new").iterdir()) == ["no-queue.yaml", "slow-mails.yaml"]


@pytest.mark.one_database
def test_a_file_that_exists_is_never_touched(project: Project) -> None:
    row("one", task="billing.tasks.a")
    row("two", task="shop.tasks.a")
    project.write("mine", "out/shop.yaml")
    done = imported(project, "--out", "out", "--by", "app")

    assert done.code == 64
    assert done.err == (
        "error: `out/shop.yaml` exists already\n"
        "  hint: give another directory to `--out`, or move the files away; nothing was written\n"
    )
    assert [(path.name, path.read_text()) for path in Path("out").iterdir()] == [("shop.yaml", "mine")]


def test_files_are_written_completely_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    files = {tmp_path / "a" / "b" / "1.yaml": "1", tmp_path / "a" / "b" / "2.yaml": "2", tmp_path / "c" / "3.yaml": "3"}
    link = os.link

    def full(source: Any, target: Any) -> None:
        if target.name == "3.yaml":
            raise OSError(28, "No space left on device", str(target))
        link(source, target)

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(Failed, match=r"cannot write .*3\.yaml`: No space left on device"):
        write_new(files)
    assert list(tmp_path.iterdir()) == []

    monkeypatch.undo()
    write_new(files)
    assert [path.read_text() for path in files] == ["1", "2", "3"]
    with pytest.raises(WrongUsage, match="exists already"):
        write_new({tmp_path / "a" / "b" / "0.yaml": "new", **files})
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == ["1.yaml", "2.yaml"]


@pytest.mark.one_database
def test_a_place_that_is_no_directory_is_wrong_usage(project: Project) -> None:
    row("one")
    project.write("x", "file")

    assert imported(project, "--out", "file/below").code == 64


@pytest.mark.one_database
def test_what_looks_like_a_secret_is_named_and_can_be_left_out(project: Project) -> None:
    row("crm", kwargs=SECRET)
    row("ping")
    taken, without = imported(project), imported(project, "--no-secrets")

    assert "kwargs: {token: sk_live_4f9c2d71e8aa77b2c3}" in taken.out
    assert "secret? `crm` kwargs.token looks like one (SS212)\n" in taken.err
    assert "sk_live" not in taken.err + without.err + without.out
    assert "# - `crm`: kwargs.token looks like a secret\n" in without.out
    assert "took 1 of 2 rows" in without.err


@pytest.mark.one_database
def test_families_are_folded_on_demand(project: Project) -> None:
    for tenant in ("acme", "globex", "initech"):
        row(f"sync-{tenant}", kwargs=f'{{"tenant": "{tenant}"}}')
    done = imported(project, "--fold")
    project.write(done.out)

    assert "  sync-{tenant}:\n    task: shop.tasks.sync\n    for_each: {tenant: [acme, globex, initech]}\n" in done.out
    assert "took 3 of 3 rows" in done.err
    assert project.apply().code == 0
    assert project.plan("--exit-code").code == 0


@pytest.mark.one_database
def test_names_choose_rows_and_export_is_another_name(project: Project) -> None:
    for name in ("sync-a", "sync-b", "other"):
        row(name)
    chosen = imported(project, "sync-*")
    wrong = imported(project, "nothing-*")

    assert ("sync-a" in chosen.out, "other" in chosen.out) == (True, False)
    assert (wrong.code, "no row has the name `nothing-*`" in wrong.err) == (64, True)
    assert project.command("export", "database", "sync-*", "--database", project.using) == chosen
    assert project.command("export", "sync-*", "--database", project.using) == chosen
    assert "--no-secrets" in project.command("export", "--help").out


@pytest.mark.one_database
def test_an_empty_table_is_said(project: Project) -> None:
    done = imported(project, "--out", "new")

    assert (done.code, done.out, done.err) == (0, "", "the tables hold no schedules\n")
    assert not Path("new").exists()


@pytest.mark.one_database
@override_settings(CELERY_BEAT_SCHEDULE={"rates": {"task": "t", "schedule": 9}})
def test_names_in_the_settings_are_said(project: Project) -> None:
    row("rates")
    done = imported(project)

    assert "  # Also in CELERY_BEAT_SCHEDULE: remove it there first.\n  rates:\n" in done.out
    assert "also in CELERY_BEAT_SCHEDULE, remove them there before you apply: `rates`\n" in done.err
    assert "  hint: `import settings` takes them from there instead, and writes a patch" in done.err


@pytest.mark.one_database
def test_a_source_is_needed_and_settings_may_be_before_the_verb(project: Project) -> None:
    row("one")

    assert "database" in project.command("import", "--help").out
    assert project.command("import", "nothing").code == 64
    assert project.command("--settings", "tests.settings", "import", "database", "--database", project.using).code == 0


@pytest.mark.one_database
def test_text_of_a_row_cannot_reach_the_terminal_or_the_file(project: Project) -> None:
    row("evil\n\x1b[31mx: {}\n::error::y", task="t")
    row("fine", description="\x1b[31m\u202e")
    done = imported(project)

    assert "\x1b" not in done.out + done.err
    assert "\n::error" not in done.out + done.err
    assert "\u202e" not in done.out
