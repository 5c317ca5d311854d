"""``list``: one line for each schedule with its state, and the matrix of environments."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.test.utils import CaptureQueriesContext
from django_celery_beat.models import PeriodicTask

from schedsync.core.open_run import PASSED_BY
from schedsync.models import Claim, ManagedSchedule
from tests.conftest import NOW, Done, Project

SHOP = """\
  ran: {task: t, crontab: '0 9 * * *', owner: team-data, labels: {tier: free}}
  broken: {task: t, every: 1m}
  stopped: {task: t, every: 1m}
  edited: {task: t, every: 1m, queue: crm}
  off: {task: t, every: 1m, enabled: false, disabled_reason: noise}
  once: {task: t, at: 2026-11-23T10:30:00Z}
  halted: {task: t, crontab: '30 * * * *', owner: team-ops}
"""


def listed(project: Project, *words: str) -> Done:
    return project.command("list", *words, "--database", project.using)


def states(project: Project, *words: str) -> dict[str, str]:
    done = listed(project, "--format", "json", *words)
    assert done.code == 0, done.err
    return {schedule["name"]: schedule["state"] for schedule in json.loads(done.out)["schedules"]}


@pytest.fixture
def shop(project: Project, clock: Any, monkeypatch: pytest.MonkeyPatch) -> Project:
    """Schedules of every state, as of 11 o'clock."""
    monkeypatch.setenv("GITHUB_ACTOR", "jo")
    project.schedules(SHOP)
    assert project.apply().code == 0
    rows = PeriodicTask.objects.using(project.using)
    pause = ["pause", "halted", "--for", "2h", "--reason", "INC-42", "--settle", "0", "--database", project.using]
    assert project.command(*pause).code == 0
    clock.move_to(NOW + timedelta(hours=1))
    at = NOW + timedelta(hours=1)
    rows.filter(name="stopped").update(enabled=False, date_changed=at)
    rows.filter(name="edited").update(queue="theirs", date_changed=at)
    rows.filter(name="broken").update(args="[", date_changed=at)
    rows.filter(name="ran").update(last_run_at=NOW - timedelta(hours=1), total_run_count=3)
    ran = rows.get(name="ran")
    for name in ("by-hand", "celery.backend_cleanup"):
        rows.create(name=name, task="t", crontab=ran.crontab)
    tick = NOW - timedelta(hours=1)
    Claim.objects.using(project.using).create(
        row_id=ran.pk, tick=tick, batch="1" * 32, epoch=1, claimed_at=tick + timedelta(seconds=0.25), confirmed=True
    )
    return project


def test_each_schedule_has_one_state(shop: Project) -> None:
    assert states(shop) == {
        "broken": "drifted",
        "by-hand": "unmanaged",
        "edited": "drifted",
        "halted": "paused",
        "off": "disabled",
        "once": "completed",
        "ran": "ok",
        "stopped": "held",
    }
    document = json.loads(listed(shop, "--format", "json").out)
    assert document["counts"] == {
        "ok": 1, "paused": 1, "held": 1, "drifted": 2, "disabled": 1, "completed": 1, "unmanaged": 1,
    }  # fmt: skip
    [ran] = [schedule for schedule in document["schedules"] if schedule["name"] == "ran"]
    assert (ran["next_run"], ran["due_since"]) == ("2026-11-24T09:00:00Z", None)
    assert (ran["last_run"], ran["late_seconds"]) == ("2026-11-23T09:00:00Z", 0.25)
    assert (ran["timing_text"], ran["people"]["owner"], ran["set"]) == ("daily 09:00", "team-data", "default")


def test_a_tick_that_was_left_out_for_an_open_run_is_no_last_run(shop: Project) -> None:
    Claim.objects.using(shop.using).update(batch=PASSED_BY)
    document = json.loads(listed(shop, "ran", "--format", "json").out)

    assert "skipped Mon 23 Nov 09:00" in listed(shop, "ran").out
    assert (document["schedules"][0]["late_seconds"], document["schedules"][0]["skipped"]) == (None, True)


def test_the_text_is_a_table_with_the_counts_below(shop: Project) -> None:
    lines = listed(shop).out.splitlines()

    assert lines[0].split() == ["state", "name", "timing", "next", "run,", "UTC", "last", "run", "owner"]
    assert lines[1].startswith("drifted    broken   args that are not JSON")
    assert lines[4].split("  ")[0] == "paused"
    assert "after Mon 23 Nov 12:00" in lines[4]
    assert " ".join(lines[7].split()) == "ok ran daily 09:00 Tue 24 Nov 09:00 Mon 23 Nov 09:00, 0.25 s late team-data"
    assert lines[-1] == ("8 schedules: 1 ok, 1 paused, 1 held, 2 drifted, 1 disabled, 1 completed, 1 unmanaged")


def test_a_selector_and_states_choose(shop: Project) -> None:
    assert states(shop, "--unmanaged") == {"by-hand": "unmanaged"}
    assert set(states(shop, "--state", "held", "--state", "drifted")) == {"stopped", "edited", "broken"}
    assert set(states(shop, "*e*", "--queue", "theirs")) == {"edited"}
    assert set(states(shop, "--owner", "team-data", "--label", "tier=free")) == {"ran"}
    assert set(states(shop, "o*", "ran", "--state", "ok")) == {"ran"}
    assert len(states(shop, "--all")) == 8
    assert listed(shop, "--state", "removing", "--path", "schedules").out == "No schedule\n"


def test_what_the_files_no_longer_define_is_being_removed(shop: Project) -> None:
    shop.schedules(SHOP.replace("  off: {task: t, every: 1m, enabled: false, disabled_reason: noise}\n", ""))

    assert states(shop, "--path", "schedules")["off"] == "removing"
    assert states(shop)["off"] == "disabled"


def test_a_row_that_is_renamed_or_kept_is_not_being_removed(shop: Project) -> None:
    job = "  off: {task: t, every: 1m, enabled: false, disabled_reason: noise}\n"
    shop.schedules(SHOP.replace(job, job.replace("off: {", "other: {renamed_from: off, ")))
    assert states(shop, "--path", "schedules")["off"] == "disabled"
    shop.write("version: 1\nschedules:\n  ok: {task: t, every: 1m}\nremoved: [{name: off, keep_row: true}]\n")

    assert states(shop, "--path", "schedules")["off"] == "disabled"
    assert states(shop, "--path", "schedules")["ran"] == "removing"


def test_a_schedule_whose_row_is_gone_or_renamed_is_listed_once(shop: Project) -> None:
    rows = PeriodicTask.objects.using(shop.using)
    rows.filter(name="edited").delete()
    rows.filter(name="off").update(name="off-by-hand")
    lines = listed(shop, "edited", "off*").out.splitlines()

    assert "its row is gone; `schedsync apply` makes it again" in lines[1]
    assert [line.split()[:2] for line in lines[1:-1]] == [["drifted", "edited"], ["drifted", "off"]]


def test_what_is_due_says_since_when(shop: Project, clock: Any) -> None:
    rows = PeriodicTask.objects.using(shop.using)
    rows.filter(name="ran").update(last_run_at=NOW - timedelta(days=1, hours=1))
    clock.move_to(NOW)

    assert "due since Mon 23 Nov 09:00" in listed(shop, "ran").out


def test_a_pause_of_everything_is_said_first(shop: Project) -> None:
    words = ["pause", "--all", "--for", "1h", "--reason", "INC-43", "--database", shop.using]
    assert shop.command(*words).code == 0

    assert listed(shop).out.startswith("everything is paused by jo")
    document = json.loads(listed(shop, "--format", "json").out)
    assert document["everything_paused"]["reason"] == "INC-43"
    assert "ok" not in document["counts"]


def test_a_pause_of_everything_pauses_each_schedule_that_would_run(shop: Project) -> None:
    words = ["pause", "--all", "--for", "22h", "--reason", "INC-43", "--database", shop.using]
    assert shop.command(*words).code == 0
    [ran] = json.loads(listed(shop, "ran", "--format", "json").out)["schedules"]

    assert (ran["state"], ran["next_run"]) == ("paused", "2026-11-24T09:00:00Z")
    assert "after Tue 24 Nov 09:00" in listed(shop, "ran").out
    assert states(shop, "--state", "paused") == {"halted": "paused", "ran": "paused"}
    assert states(shop)["off"] == "disabled"


def test_standing_pauses_are_said_by_list_and_status(shop: Project) -> None:
    words = ["pause", "r*", "--reason", "INC-44", "--settle", "0", "--database", shop.using]
    assert shop.command(*words).code == 0
    said = "paused `'r*'`, and schedules added later that fit it, until `schedsync resume` by jo: INC-44"

    assert said in listed(shop).out
    status = shop.command("status", "--database", shop.using)
    assert f"Stopped  {said}" in status.out
    for verb in ("list", "status"):
        done = shop.command(verb, "--database", shop.using, "--format", "json")
        assert [pause["selector"] for pause in json.loads(done.out)["standing_pauses"]] == [{"globs": ["r*"]}]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["rann"], "no schedule is named `rann`"),
        (["x*"], "no schedule fits `x*`"),
        (["--unmanaged", "--state", "ok"], "`--unmanaged` and another `--state` exclude each other"),
        (["--differ"], "`--differ` compares environments"),
        (["--state", "fine"], "is not one of"),
        (["-e", "production"], "`--environment` needs the files"),
        (["--environments"], "`--database` cannot apply to `--environments`"),
    ],
)
def test_wrong_usage_is_said(shop: Project, words: list[str], message: str) -> None:
    done = listed(shop, *words)

    assert (done.code, message in done.err) == (64, True), done.err


def test_names_cannot_break_a_line(shop: Project) -> None:
    PeriodicTask.objects.using(shop.using).filter(name="by-hand").update(name="by\n\x1b[31mhand")
    lines = listed(shop, "--unmanaged").out.splitlines()

    assert len(lines) == 3
    assert "by\\u000a\\u001b[31mhand" in lines[1]


def test_queries_do_not_grow_and_nothing_is_written(project: Project) -> None:
    def queries(count: int) -> int:
        tenants = ", ".join(f"t{number}" for number in range(count))
        project.schedules(f"  sync-{{t}}: {{task: t, for_each: {{t: [{tenants}]}}, every: 1m}}\n")
        assert project.apply("--allow-stops", "1000").code == 0
        with CaptureQueriesContext(connections[project.using]) as seen:
            assert len(states(project)) == count
        assert {query["sql"].split()[0] for query in seen} <= {"SELECT", "BEGIN", "COMMIT", "SET"}
        return len(seen)

    assert queries(20) == queries(400)


def test_a_damaged_ledger_is_drift(shop: Project) -> None:
    ManagedSchedule.objects.using(shop.using).filter(name="ran").update(applied="{")

    assert states(shop, "ran") == {"ran": "drifted"}


ENVIRONMENTS = """\
  same: {task: t, every: 1m}
  other: {task: t, every: 1m, environments: {staging: {every: 1h}}}
  off: {task: t, every: 1m, environments: {staging: {enabled: false, disabled_reason: x}}}
  launch: {task: t, every: 1m, owner: team-ops, only_in: [production]}
  args: {task: t, every: 1m, kwargs: {a: 1}, environments: {staging: {kwargs: {a: 2}}}}
"""


@pytest.fixture
def two(files: Project) -> Project:
    files.write('environments = ["staging", "production"]\n', "schedsync.toml")
    files.schedules(ENVIRONMENTS)
    return files


def test_the_matrix_shows_each_schedule_in_each_environment(two: Project) -> None:
    done = two.command("list", "--environments")

    assert done.code == 0, done.err
    assert done.out.splitlines() == [
        "name    staging             production  other fields that differ",
        "args    every 1m            every 1m    kwargs",
        "launch  absent              every 1m",
        "off     every 1m, disabled  every 1m",
        "other   every 1h            every 1m",
        "same    every 1m            every 1m",
        "5 schedules, 4 not the same in all environments",
    ]


def test_the_matrix_lists_only_what_differs_and_what_is_selected(two: Project) -> None:
    document = json.loads(two.command("list", "o*", "same", "--environments", "--differ", "--format", "json").out)

    assert [row["name"] for row in document["schedules"]] == ["off", "other"]
    assert document["schedules"][0]["fields"] == ["enabled"]
    assert document["schedules"][1]["environments"]["staging"] == {
        "timing": {"every": "1h"}, "timing_text": "every 1h", "enabled": True,
    }  # fmt: skip
    launch = json.loads(two.command("list", "--owner", "team-ops", "--environments", "--format", "json").out)
    assert launch["schedules"][0]["environments"]["staging"] is None


def test_a_matrix_needs_environments_and_files_without_errors(two: Project) -> None:
    two.schedules("  bad: {task: t, evry: 1m}\n")
    wrong = two.command("list", "--environments")
    two.write("", "schedsync.toml")
    none = two.command("list", "--environments")

    assert (wrong.code, "did you mean `every`?" in wrong.err) == (1, True)
    assert (none.code, "the configuration declares no environments" in none.err) == (64, True)
