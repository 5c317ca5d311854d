"""In a window of a freeze nothing is applied, and everyone is told when the change can go out."""

from __future__ import annotations

import json
import zlib
from datetime import timedelta
from typing import Any

import pytest
from django_celery_beat.models import PeriodicTask

from schedsync.models import AppliedFiles, ApplyFailure, SyncRun
from schedsync.schemas.validator import PLAN, problems
from tests.conftest import NOW, Project

# NOW is Monday 10:00 UTC.
FREEZE = """
[[freeze]]
crontab = "0 10 * * mon"
duration = "5h"
timezone = "Europe/Berlin"
reason = "the shop moves"
"""
SAYS = "frozen until Mon 23 Nov 15:00 Europe/Berlin (14:00 UTC): the shop moves"
JOB = "  job: {task: t, every: 1m}\n"


@pytest.fixture
def shop(project: Project, clock: Any) -> Project:
    """A set of one schedule that is applied, and a freeze that holds now."""
    project.write('environments = ["staging", "production"]\n', "schedsync.toml")
    project.schedules(JOB)
    assert project.apply("-e", "production").code == 0
    project.write('environments = ["staging", "production"]\n' + FREEZE, "schedsync.toml")
    return project


def test_an_apply_with_changes_is_refused_and_says_when_it_ends(shop: Project) -> None:
    shop.schedules(JOB + "  new: {task: t, every: 1m}\n")
    done, shown = shop.apply("-e", "production"), shop.plan("-e", "production", "--format", "json")

    assert (done.code, SAYS in done.err, "--allow-freeze" in done.err) == (3, True, True)
    assert (shown.code, list(problems(json.loads(shown.out), PLAN))) == (3, [])
    assert [(each["code"], each["message"]) for each in json.loads(shown.out)["refusals"]] == [("frozen", SAYS)]
    assert not PeriodicTask.objects.using(shop.using).filter(name="new").exists()
    # An apply that waits has not failed.
    assert not ApplyFailure.objects.using(shop.using).exists()


def test_an_apply_without_changes_is_not(shop: Project) -> None:
    assert shop.apply("-e", "production").code == 0
    assert shop.plan("-e", "production").code == 0
    assert shop.apply("-e", "production", "--allow-freeze").code == 0


def test_status_says_what_is_frozen_and_until_when(shop: Project) -> None:
    def shown() -> tuple[list[str], Any]:
        status = ["status", "--database", shop.using, "--format"]
        text, values = (shop.command(*status, kind).out for kind in ("text", "json"))
        return [line for line in text.splitlines() if line.startswith("Frozen")], json.loads(values)["frozen"]

    before = shown()
    # The apply changes no schedule; it keeps what the configuration says now.
    assert shop.apply("-e", "production").code == 0
    lines, frozen = shown()

    assert before == ([], [])
    assert lines == ["Frozen   no apply of default in production until Mon 23 Nov 14:00 UTC: the shop moves"]
    assert frozen == [
        {
            "set": "default",
            "environment": "production",
            "until": "2026-11-23T14:00:00Z",
            "reason": "the shop moves",
            "commit": "",
        }
    ]
    AppliedFiles.objects.using(shop.using).update(desired=b"no document")
    assert shown() == ([], [])


def test_a_pause_ends_in_a_freeze_too(shop: Project, clock: Any) -> None:
    words = ["--for", "1h", "--reason", "INC-42", "--settle", "0", "--database", shop.using, "-e", "production"]
    assert shop.command("pause", "job", *words).code == 0
    clock.move_to(NOW + timedelta(hours=2))
    shop.schedules(JOB.replace("1m", "2m"))
    assert shop.apply("-e", "production").code == 3
    shop.schedules(JOB)

    assert shop.apply("-e", "production").code == 0
    assert PeriodicTask.objects.using(shop.using).get(name="job").enabled


def test_an_apply_that_only_undoes_drift_is_refused(shop: Project) -> None:
    PeriodicTask.objects.using(shop.using).update(queue="other")

    assert shop.apply("-e", "production").code == 3
    assert shop.drift("-e", "production").code == 2


def test_pause_and_resume_are_not_frozen(shop: Project) -> None:
    rows = PeriodicTask.objects.using(shop.using)

    assert shop.command("pause", "job", "--reason", "r", "--database", shop.using).code == 0
    assert not rows.get().enabled
    assert shop.command("resume", "job", "--database", shop.using).code == 0
    assert rows.get().enabled


def test_the_flag_lifts_it_and_the_audit_record_says_so(shop: Project) -> None:
    shop.schedules(JOB + "  new: {task: t, every: 1m}\n")
    shown = shop.plan("-e", "production", "--allow-freeze")
    assert shop.apply("-e", "production", "--allow-freeze").code == 0
    records = [json.loads(zlib.decompress(bytes(run.changes))) for run in SyncRun.objects.using(shop.using).all()]

    assert shown.code == 0
    assert f"`--allow-freeze` lifts a freeze; without it, an apply would be refused: {SAYS}" in shown.out
    assert [document for changes in records for document in changes if document["kind"] == "lift"] == [
        {"kind": "lift", "rule": "frozen", "message": SAYS}
    ]


def test_other_environments_are_not_held(shop: Project) -> None:
    shop.write('environments = ["staging", "production"]\n' + FREEZE + 'environments = ["staging"]\n', "schedsync.toml")
    shop.schedules(JOB + "  new: {task: t, every: 1m}\n")

    assert shop.apply("-e", "production").code == 0


def test_a_set_without_environments_is_held(project: Project, clock: Any) -> None:
    project.write(FREEZE, "schedsync.toml")
    project.schedules(JOB)

    assert project.apply().code == 3
    clock.move_to(NOW.replace(hour=14))
    assert project.apply().code == 0


def test_a_freeze_that_begins_while_the_reader_is_asked_holds_too(
    project: Project, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(FREEZE, "schedsync.toml")
    project.schedules(JOB)
    clock.move_to(NOW.replace(hour=8, minute=59))
    from schedsync.commands import apply

    monkeypatch.setattr(apply, "has_terminal", lambda: True)
    monkeypatch.setattr("click.confirm", lambda *_words, **_more: bool(clock.move_to(NOW.replace(hour=9))) or True)
    done = project.command("apply", "schedules", "--database", project.using, "--settle", "0")

    assert (done.code, SAYS in done.err) == (3, True)
    assert not PeriodicTask.objects.using(project.using).exists()


def test_a_freeze_that_begins_while_an_apply_waits_for_the_lock_holds_too(
    project: Project, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(FREEZE, "schedsync.toml")
    project.schedules(JOB)
    clock.move_to(NOW.replace(hour=8, minute=59))
    from schedsync.database import transaction

    take = transaction.take

    def later(*words: Any) -> int:
        clock.move_to(NOW.replace(hour=9))
        return take(*words)

    monkeypatch.setattr(transaction, "take", later)
    done = project.apply()

    assert (done.code, SAYS in done.err) == (3, True)
    assert not PeriodicTask.objects.using(project.using).exists()


def test_a_freeze_that_never_opens_is_an_error(files: Project) -> None:
    files.write(
        'environments = ["staging", "production"]\n[[freeze]]\ncrontab = "@daily"\nduration = "1d"\n'
        'environments = ["production"]\nreason = "never again"\n',
        "schedsync.toml",
    )
    files.schedules(JOB)
    done = files.validate()

    assert (done.code, "SS181" in done.out, "the freeze never ends" in done.out) == (1, True, True)
    assert "`0 0 * * * UTC` for 1d in `production`: never again" in done.out
    assert files.validate("-e", "staging").code == 0
