"""``accept``: what somebody changed in the tables comes into the files, and only the lines that must change do."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from difflib import unified_diff
from pathlib import Path
from typing import Any

import git
import pytest
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth import get_user_model
from django.contrib.contenttypes.models import ContentType
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

from tests.conftest import NOW, Done, Project

pytestmark = pytest.mark.one_database

CONFIG = 'paths = ["schedules"]\nset = "shop"\nenvironments = ["staging", "production"]\n'
#: A file as people write them: comments, anchors, defaults, several styles, and text that is not ASCII.
SHOP = """\
# Zeitpläne des Ladens – Änderungen nur mit Freigabe
version: 1
x-often: &often {expires_after: 5m, priority: 3}
defaults:
  timezone: Europe/Berlin   # für alle
  queue: reports

schedules:
  # The report that everybody reads
  nightly-report:
    task: shop.tasks.nightly_report  # since 2019
    crontab: "30 2 * * mon-fri"      # before the shop opens
    kwargs:
      kind: full                     # or `short`
      # who gets it
      to: [anna, jürgen]
    description: 'Tagesabschluß'

  heartbeat: {task: shop.tasks.ping, every: 30s}   # in one line

  merged:
    <<: *often
    task: shop.tasks.merged
    every: 1h

  hashed:
    task: shop.tasks.hashed
    crontab: {minute: H, hour: 3}
    args: [1, 2]

  off:
    task: shop.tasks.off
    every: 5m
    enabled: false      # too loud
    disabled_reason: noise

  by-env:
    task: shop.tasks.by_env
    every: 10m
    environments:
      staging: {every: 1h}  # cheaper
      production:
        queue: fast

  # Each tenant has its own
  sync-{tenant}:
    task: shop.tasks.sync
    for_each: {tenant: [acme, globex, initech]}
    crontab: "H/15 * * * *"
    kwargs: {tenant: "{tenant}"}

  text:
    task: shop.tasks.text
    every: 2h
    description: |
      Two lines,
      as it should be.
  last: {task: shop.tasks.last, every: 7m}
"""


def accept(project: Project, *words: str) -> Done:
    return project.command("accept", *words, "--database", project.using)


def lines_changed(before: str, after: str) -> list[str]:
    lines = list(unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm=""))[2:]
    return [line for line in lines if not line.startswith("@@")]


@pytest.fixture
def shop(project: Project, clock: Any) -> Project:
    project.write(CONFIG, "schedsync.toml")
    project.write(SHOP)
    assert project.apply("-e", "production").code == 0
    return project


def row(project: Project, name: str) -> PeriodicTask:
    return PeriodicTask.objects.using(project.using).get(name=name)


def change(project: Project, named: str, **values: Any) -> None:
    rows = PeriodicTask.objects.using(project.using).filter(name=named)
    assert rows.update(**values, date_changed=NOW) == 1


def crontab(project: Project, text: str, zone: str = "Europe/Berlin") -> Any:
    names = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")
    values = dict(zip(names, text.split(), strict=True))
    return CrontabSchedule.objects.using(project.using).create(**values, timezone=zone)


def interval(project: Project, every: int, period: str) -> Any:
    return IntervalSchedule.objects.using(project.using).create(every=every, period=period)


def planned(project: Project, environment: str = "production") -> list[tuple[str, str, int]]:
    """The changes that are left, as kind, name and number of fields."""
    plan = json.loads(project.plan("-e", environment, "--format", "json").out)
    return [(change["kind"], change["name"], len(change["fields"])) for change in plan["changes"]]


Edit = Callable[[Project], Any]
#: Each edit in the admin, the schedule, and the lines of the file that change, with `--everywhere`.
EDITS: dict[str, tuple[str, Edit, list[str]]] = {
    "queue": (
        "nightly-report",
        lambda p: change(p, "nightly-report", queue="crm"),
        ["+    queue: crm"],
    ),
    "crontab-minute": (
        "nightly-report",
        lambda p: change(p, "nightly-report", crontab=crontab(p, "45 2 * * 1-5")),
        ['-    crontab: "30 2 * * mon-fri"      # before the shop opens',
         '+    crontab: "45 2 * * mon-fri"      # before the shop opens'],
    ),
    "time-zone": (
        "nightly-report",
        lambda p: change(p, "nightly-report", crontab=crontab(p, "30 2 * * 1-5", "UTC")),
        ["+    timezone: UTC"],
    ),
    "other-kind": (
        "nightly-report",
        lambda p: change(p, "nightly-report", crontab=None, interval=interval(p, 90, "minutes")),
        ['-    crontab: "30 2 * * mon-fri"      # before the shop opens',
         "+    every: 90m      # before the shop opens"],
    ),
    "one-argument": (
        "nightly-report",
        lambda p: change(p, "nightly-report", kwargs='{"kind": "short", "to": ["anna", "jürgen"]}'),
        ["-      kind: full                     # or `short`", "+      kind: short                     # or `short`"],
    ),
    "list-in-arguments": (
        "nightly-report",
        lambda p: change(p, "nightly-report", kwargs='{"kind": "full", "to": ["anna", "jürgen", "zoë, x"], "n": 1}'),
        ["-      to: [anna, jürgen]", '+      to: [anna, jürgen, "zoë, x"]', "+      n: 1"],
    ),
    "no-arguments": (
        "nightly-report",
        lambda p: change(p, "nightly-report", kwargs="{}"),
        ["-    kwargs:", "-      kind: full                     # or `short`", "-      # who gets it",
         "-      to: [anna, jürgen]"],
    ),
    "description": (
        "nightly-report",
        lambda p: change(p, "nightly-report", description="Größer: it's 100 %"),
        ["-    description: 'Tagesabschluß'", "+    description: 'Größer: it''s 100 %'"],
    ),
    "default-taken-away": (
        "nightly-report",
        lambda p: change(p, "nightly-report", queue=None),
        ["+    queue: null"],
    ),
    "between-brackets": (
        "heartbeat",
        lambda p: change(p, "heartbeat", interval=interval(p, 45, "seconds"), priority=9),
        ["-  heartbeat: {task: shop.tasks.ping, every: 30s}   # in one line",
         "+  heartbeat: {task: shop.tasks.ping, every: 45s, priority: 9}   # in one line"],
    ),
    "merged-key": (
        "merged",
        lambda p: change(p, "merged", priority=7),
        ["+    priority: 7"],
    ),
    "merged-expiry": (
        "merged",
        lambda p: change(p, "merged", expire_seconds=None),
        ["+    expires_after: null"],
    ),
    "crontab-of-keys": (
        "hashed",
        lambda p: change(p, "hashed", crontab=crontab(p, f"{row(p, 'hashed').crontab.minute} 4 * * 0")),
        ["-    crontab: {minute: H, hour: 3}", "+    crontab: {minute: H, hour: 4, day_of_week: sun}"],
    ),
    "item": (
        "hashed",
        lambda p: change(p, "hashed", args="[2]"),
        ["-    args: [1, 2]", "+    args: [2]"],
    ),
    "enabled-again": (
        "off",
        lambda p: change(p, "off", enabled=True),
        ["-    enabled: false      # too loud", "-    disabled_reason: noise"],
    ),
    "held": (
        "heartbeat",
        lambda p: change(p, "heartbeat", enabled=False),
        ["-  heartbeat: {task: shop.tasks.ping, every: 30s}   # in one line",
         "+  heartbeat: {task: shop.tasks.ping, every: 30s, enabled: false, disabled_reason: disabled in the database}"
         "   # in one line"],
    ),
    "environment-keeps-its-value": (
        "by-env",
        lambda p: change(p, "by-env", queue="slow"),
        ["+    queue: slow", "-      production:", "-        queue: fast"],
    ),
    "lines-of-text": (
        "text",
        lambda p: change(p, "text", description="Two lines,\r\nas it must be.\r\n"),
        ["-      as it should be.", "+      as it must be."],
    ),
    "clocked": (
        "last",
        lambda p: change(
            p, "last", interval=None, one_off=True,
            clocked=ClockedSchedule.objects.using(p.using).create(clocked_time="2027-01-01T12:00:00Z"),
        ),
        ["-  last: {task: shop.tasks.last, every: 7m}", "+  last: {task: shop.tasks.last, at: 2027-01-01T12:00:00Z}"],
    ),
    "deleted": (
        "nightly-report",
        lambda p: row(p, "nightly-report").delete(),
        [f"-{line}" for line in SHOP.splitlines()[8:18]],
    ),
    "deleted-in-brackets": (
        "heartbeat",
        lambda p: row(p, "heartbeat").delete(),
        ["-", "-  heartbeat: {task: shop.tasks.ping, every: 30s}   # in one line"],
    ),
    "deleted-tenant": (
        "sync-globex",
        lambda p: row(p, "sync-globex").delete(),
        ["-    for_each: {tenant: [acme, globex, initech]}", "+    for_each: {tenant: [acme, initech]}"],
    ),
    "tenant": (
        "sync-globex",
        lambda p: change(p, "sync-globex", crontab=crontab(p, "*/5 * * * *")),
        ["-    for_each: {tenant: [acme, globex, initech]}", "+    for_each: {tenant: [acme, initech]}",
         "+", "+  sync-globex:", "+    task: shop.tasks.sync", '+    crontab: "*/5 * * * *"',
         "+    kwargs: {tenant: globex}"],
    ),
}  # fmt: skip


@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize("edit", EDITS)
def test_an_edit_changes_only_the_lines_that_must_change(project: Project, clock: Any, edit: str, newline: str) -> None:
    name, make, expected = EDITS[edit]
    project.write(CONFIG, "schedsync.toml")
    file = project.write("")
    file.write_bytes(b"\xef\xbb\xbf" + SHOP.replace("\n", newline).encode())
    assert project.apply("-e", "production").code == 0
    make(project)

    done = accept(project, name, "-e", "production", "--everywhere", "--yes")

    assert done.code == 0, done.out + done.err
    after = file.read_bytes()
    assert after.startswith(b"\xef\xbb\xbf")
    assert after.count(b"\n") == after.count(newline.encode())
    assert lines_changed(SHOP, after.decode("utf-8-sig").replace("\r\n", "\n")) == expected
    assert planned(project) == []
    assert project.drift("-e", "production").code == 0


def test_an_edit_of_one_environment_is_written_below_its_name(shop: Project) -> None:
    change(shop, "nightly-report", queue="crm", priority=4)
    change(shop, "by-env", queue="slow")

    done = accept(shop, "--all", "-e", "production", "--yes")

    assert done.code == 0, done.err
    assert lines_changed(SHOP, (shop.root / "schedules/shop.yaml").read_text()) == [
        "+    environments:",
        "+      production: {queue: crm, priority: 4}",
        "-        queue: fast",
        "+        queue: slow",
    ]
    assert planned(shop) == []


def test_a_schedule_that_is_deleted_in_one_environment_stays_in_the_others(shop: Project) -> None:
    row(shop, "by-env").delete()
    row(shop, "sync-acme").delete()

    done = accept(shop, "by-env", "sync-acme", "-e", "production", "--yes")

    assert done.code == 0, done.out + done.err
    assert lines_changed(SHOP, (shop.root / "schedules/shop.yaml").read_text()) == [
        "-      production:",
        "-        queue: fast",
        "+    only_in: [staging]",
        "-    for_each: {tenant: [acme, globex, initech]}",
        "+    for_each: {tenant: [globex, initech]}",
        "+",
        "+  sync-acme:",
        "+    task: shop.tasks.sync",
        '+    crontab: "H/15 * * * *"',
        "+    kwargs: {tenant: acme}",
        "+    only_in: [staging]",
    ]
    assert planned(shop) == []


def test_a_row_that_nobody_manages_becomes_a_schedule(shop: Project) -> None:
    PeriodicTask.objects.using(shop.using).create(
        name="neu: ü", task="shop.tasks.new", interval=interval(shop, 3, "hours"), kwargs='{"b": 1, "a": "x: y"}'
    )
    assert accept(shop, "--all", "-e", "production", "--yes").out == (
        "Nothing to accept in shop (production): the files say what the table holds\n"
    )

    done = accept(shop, "neu*", "-e", "production", "--yes")

    assert done.code == 0, done.out + done.err
    assert lines_changed(SHOP, (shop.root / "schedules/shop.yaml").read_text()) == [
        "+",
        '+  "neu: ü": {task: shop.tasks.new, every: 3h, kwargs: {b: 1, a: "x: y"}, queue: null, adopt: true, '
        "only_in: [production]}",
    ]
    assert planned(shop) == [("adopt", "neu: ü", 0)]
    assert shop.apply("-e", "production").code == 0


def test_the_history_has_what_was_accepted(shop: Project) -> None:
    change(shop, "heartbeat", queue="fast")
    row(shop, "last").delete()
    assert accept(shop, "heartbeat", "last", "-e", "production", "--yes", "--everywhere").code == 0

    assert shop.apply("-e", "production").out.splitlines()[-1] == "No row changed, the ledger was brought in step"

    edited, gone = (shop.command("history", name, "--database", shop.using).out for name in ("heartbeat", "last"))
    assert "accepted by" in edited
    assert "reports → fast" in edited
    assert "forgotten by" in gone
    assert "apply: 1 accepted, 1 forgotten" in shop.command("history", "--database", shop.using).out


def test_a_renamed_row_gives_its_schedule_the_new_name(shop: Project) -> None:
    change(shop, "hashed", name="hashed-2")

    done = accept(shop, "hashed", "-e", "production", "--yes")
    assert (done.code, "`--everywhere` renames it there too" in done.out) == (1, True)

    done = accept(shop, "hashed-2", "-e", "production", "--yes", "--everywhere")
    assert done.code == 0, done.out + done.err
    minute = row(shop, "hashed-2").crontab.minute
    assert lines_changed(SHOP, (shop.root / "schedules/shop.yaml").read_text()) == [
        "-  hashed:",
        "+  hashed-2:",
        "-    crontab: {minute: H, hour: 3}",
        f"+    crontab: {{minute: {minute}, hour: 3}}",
        "+    adopt: true",
        "+    renamed_from: hashed",
    ]
    assert planned(shop) == [("adopt", "hashed-2", 0)]
    assert shop.apply("-e", "production").code == 0
    assert planned(shop) == []


@pytest.mark.parametrize("name", ["off", "off-2", "off*"])
def test_a_name_that_the_files_have_changed_is_accepted_by_both(shop: Project, name: str) -> None:
    text = SHOP.replace("  off:\n", "  off-2:\n    renamed_from: off\n")
    file_of(shop).write_text(text)
    change(shop, "off", queue="crm")
    assert "accept off-2 " in shop.drift("-e", "production").out

    done = accept(shop, name, "-e", "production", "--yes", "--everywhere")

    assert (done.code, done.err.split(" ")[0]) == (0, "Wrote"), done.out + done.err
    assert lines_changed(text, file_of(shop).read_text()) == ["+    queue: crm"]


def test_instants_and_durations_keep_their_spelling(project: Project, clock: Any) -> None:
    project.schedules(
        "  a: {task: t, every: 60m, start_at: 2030-01-01T00:00:00+02:00, expires_at: 2032-02-01T00:00:00Z}\n"
        "  b: {task: t, at: 2030-01-01T00:00:00-0330}\n"
    )
    assert project.apply().code == 0
    change(project, "a", name="c", start_time="2031-01-01T00:00:00Z", priority=3)
    clocked = ClockedSchedule.objects.using(project.using).create(clocked_time="2031-01-01T00:00:00Z")
    change(project, "b", clocked=clocked)

    done = accept(project, "--all", "--yes")

    assert done.code == 0, done.out + done.err
    assert (
        file_of(project)
        .read_text()
        .endswith(
            "  c: {task: t, every: 60m, priority: 3, start_at: 2031-01-01T02:00:00+02:00, "
            "expires_at: 2032-02-01T00:00:00Z, adopt: true}\n"
            "  b: {task: t, at: 2030-12-31T20:30:00-03:30}\n"
        )
    )
    assert planned_here(project) == ["adopt"]


def planned_here(project: Project) -> list[str]:
    return [change["kind"] for change in json.loads(project.plan("--format", "json").out)["changes"]]


def file_of(project: Project) -> Path:
    return project.root / "schedules/shop.yaml"


def test_the_difference_is_shown_and_nothing_is_written_in_a_dry_run(shop: Project) -> None:
    change(shop, "heartbeat", queue="crm")

    done = accept(shop, "heartbeat", "-e", "production", "--dry-run")

    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines() == [
        "--- a/schedules/shop.yaml",
        "+++ b/schedules/shop.yaml",
        "@@ -16,7 +16,7 @@",
        "       to: [anna, jürgen]",
        "     description: 'Tagesabschluß'",
        " ",
        "-  heartbeat: {task: shop.tasks.ping, every: 30s}   # in one line",
        "+  heartbeat: {task: shop.tasks.ping, every: 30s, environments: {production: {queue: crm}}}   # in one line",
        " ",
        "   merged:",
        "     <<: *often",
        "",
        "heartbeat: edited (queue)",
    ]
    assert file_of(shop).read_text() == SHOP


def test_nothing_is_written_where_nobody_can_be_asked(shop: Project) -> None:
    change(shop, "heartbeat", queue="crm")

    assert accept(shop, "heartbeat", "-e", "production").code == 64
    assert accept(shop, "heartbeat", "-e", "production", "--format", "json").code == 64
    assert file_of(shop).read_text() == SHOP


def test_nothing_to_accept_is_said(shop: Project) -> None:
    done = accept(shop, "heartbeat", "-e", "production")

    assert (done.code, done.out) == (0, "Nothing to accept in shop (production): the files say what the table holds\n")
    assert accept(shop, "heartbeet", "-e", "production").code == 64
    assert accept(shop, "-e", "production").code == 64


def test_the_result_as_json(shop: Project) -> None:
    change(shop, "heartbeat", queue="crm")
    change(shop, "merged", args="[")

    done = accept(shop, "--all", "-e", "production", "--yes", "--format", "json")
    document = json.loads(done.out)

    assert done.code == 1
    assert document.pop("diff").startswith("--- a/schedules/shop.yaml\n+++ b/schedules/shop.yaml\n")
    assert document.pop("not_accepted")[0]["name"] == "merged"
    assert document == {
        "version": 1,
        "set": "shop",
        "environment": "production",
        "accepted": [
            {"name": "heartbeat", "kind": "edit", "new_name": None, "fields": ["queue"], "waiting": [], "by": None}
        ],
        "secrets": {},
        "files": ["schedules/shop.yaml"],
        "written": True,
        "branch": None,
        "commit": None,
    }


def test_secrets_are_masked_and_named(shop: Project) -> None:
    change(shop, "heartbeat", kwargs='{"token": "4f9c2d71e8", "url": "https://u:pass@example.org"}')

    done = accept(shop, "heartbeat", "-e", "production", "--everywhere", "--yes")

    assert "4f9c2d71e8" not in done.out + done.err
    assert "u:pass" not in done.out + done.err
    assert "warning: heartbeat: kwargs.token, kwargs.url look like secrets (SS212)" in done.out
    assert "kwargs: {token: 4f9c2d71e8, url: " in file_of(shop).read_text()


def test_what_the_files_have_changed_meanwhile_stays(shop: Project) -> None:
    file_of(shop).write_text(SHOP.replace("every: 7m", "every: 8m"))
    change(shop, "last", queue="crm")

    done = accept(shop, "last", "-e", "production", "--everywhere", "--yes")

    assert "last: edited (queue); the files have changed timing since the last apply" in done.out
    assert "  last: {task: shop.tasks.last, every: 8m, queue: crm}" in file_of(shop).read_text()
    assert planned(shop) == [("update", "last", 1)]


UNACCEPTABLE = {
    "two-keys": (
        "  x-{a}-{b}: {task: t, every: 1m, for_each: {a: [1, 2], b: [3]}}\n",
        "x-1-3",
        "its `for_each` multiplies several keys",
    ),
    "text-file": (
        "  x-{a}: {task: t, every: 1m, for_each: {a: {file: names.txt}}}\n",
        "x-1",
        "its `for_each` has no list of its own",
    ),
    "shared-anchor": (
        "  x: &x {task: t, every: 1m}\n  y: {<<: *x, queue: q}\n",
        "x",
        "`y` would change too",
    ),
}


@pytest.mark.parametrize("case", UNACCEPTABLE)
def test_a_value_that_others_share_is_not_written(project: Project, clock: Any, case: str) -> None:
    schedules, name, reason = UNACCEPTABLE[case]
    project.write("1\n2\n", "schedules/names.txt")
    file = project.schedules(schedules)
    before = file.read_text()
    assert project.apply().code == 0
    change(project, name, interval=interval(project, 5, "minutes"), kwargs='{"token": "4f9c2d71e8"}')

    done = accept(project, "--all", "--yes")

    assert done.code == 1
    assert "      kwargs: {token: ***}\n" in done.out
    assert f"not taken: {name}: {reason}\n  to write it by hand:\n    {name}:\n      task: t\n" in done.out
    assert file.read_text() == before


def test_one_that_cannot_be_taken_stops_no_other(project: Project, clock: Any) -> None:
    project.schedules("  x: &x {task: t, every: 1m}\n  y: {<<: *x, queue: q}\n  z: {task: t, every: 1m}\n")
    assert project.apply().code == 0
    for name in "xz":
        change(project, name, interval=interval(project, 5, "minutes"))

    done = accept(project, "--all", "--yes")

    assert (done.code, "not taken: x: `y` would change too" in done.out) == (1, True)
    assert file_of(project).read_text().endswith("  z: {task: t, every: 5m}\n")


#: Beside `a`, which has an edit of its own: what cannot be taken, how its row changes, and why it stays.
AT_FAULT: dict[str, tuple[str, Edit, str]] = {
    "anchor-that-goes": (
        "  x: &x {task: t, every: 1m}\n  y: {<<: *x, queue: q}\n",
        lambda p: row(p, "x").delete(),
        "not taken: x: its file would be wrong: unknown alias `*x`",
    ),
    "values-from-an-anchor": (
        "  d-{n}: {task: t, every: 1m, for_each: &f {n: [1, 2]}}\n  e-{n}: {<<: {for_each: *f}, task: t, every: 1m}\n",
        lambda p: row(p, "e-1").delete(),
        "not taken: e-1: its `for_each` has no list of its own",
    ),
}


@pytest.mark.parametrize("case", AT_FAULT)
def test_only_what_is_at_fault_is_left(project: Project, clock: Any, case: str) -> None:
    schedules, make, reason = AT_FAULT[case]
    project.write(CONFIG, "schedsync.toml")
    project.schedules(f"  a: {{task: t, every: 1m}}\n{schedules}")
    assert project.apply("-e", "production").code == 0
    change(project, "a", queue="crm")
    make(project)
    PeriodicTask.objects.using(project.using).create(name="neu", task="t", interval=interval(project, 3, "hours"))

    done = accept(project, "*", "-e", "production", "--yes", "--everywhere")

    assert (done.code, reason in done.out) == (1, True), done.out
    text = file_of(project).read_text()
    assert "  a: {task: t, every: 1m, queue: crm}\n" in text
    assert "  neu: {task: t, every: 3h, adopt: true}\n" in text


@pytest.mark.parametrize("where", ["schedule", "defaults"])
def test_a_timing_that_no_service_can_watch_is_not_taken(project: Project, clock: Any, where: str) -> None:
    defaults, own = ("defaults: {monitor: true}\n", "") if where == "defaults" else ("", ", monitor: true")
    text = f"version: 1\n{defaults}schedules:\n  a: {{task: t, every: 5m{own}}}\n  b: {{task: u, every: 5m}}\n"
    project.write(text)
    assert project.apply().code == 0
    sunset = SolarSchedule.objects.create(event="sunset", latitude=1, longitude=2)
    PeriodicTask.objects.filter(name="a").update(interval=None, solar=sunset)
    PeriodicTask.objects.filter(name="b").update(queue="q")
    done = project.command("accept", "--all", "--yes", "--path", "schedules")

    reason = "no service can watch `a`: it follows the sun, which no service knows"
    assert f"not taken: a: its file would be wrong: {reason}\n" in done.err + done.out
    after = (project.root / "schedules/shop.yaml").read_text()
    assert after == text.replace("{task: u, every: 5m}", "{task: u, every: 5m, queue: q}")


def test_a_symbolic_link_is_not_written(shop: Project, tmp_path: Path) -> None:
    real = file_of(shop).rename(shop.root / "schedules/real.txt")
    file_of(shop).symlink_to(real)
    change(shop, "heartbeat", queue="crm")

    done = accept(shop, "heartbeat", "-e", "production", "--yes")

    assert (done.code, "is a symbolic link" in done.err) == (1, True)
    assert real.read_text() == SHOP


def test_the_mode_of_a_file_stays_and_nothing_is_left_beside_it(shop: Project) -> None:
    file_of(shop).chmod(0o640)
    change(shop, "heartbeat", queue="crm")

    assert accept(shop, "heartbeat", "-e", "production", "--yes").code == 0
    assert stat.S_IMODE(file_of(shop).stat().st_mode) == 0o640
    assert [path.name for path in (shop.root / "schedules").iterdir()] == ["shop.yaml"]


def test_a_new_schedule_goes_into_the_file_that_is_named(shop: Project) -> None:
    shop.write("version: 1\n", "schedules/new.yaml")
    PeriodicTask.objects.using(shop.using).create(name="neu", task="t", interval=interval(shop, 3, "hours"))

    assert accept(shop, "neu", "-e", "production", "--yes", "--file", "schedules/other.yaml").code == 64
    done = accept(shop, "neu", "-e", "production", "--yes", "--everywhere", "--file", "schedules/new.yaml")

    assert done.code == 0, done.err
    assert (shop.root / "schedules/new.yaml").read_text() == (
        "version: 1\nschedules:\n  neu:\n    task: t\n    every: 3h\n    adopt: true\n"
    )
    assert planned(shop) == [("adopt", "neu", 0)]


def test_two_tenants_leave_one_list(shop: Project) -> None:
    row(shop, "sync-acme").delete()
    change(shop, "sync-globex", queue="own")

    done = accept(shop, "sync-*", "-e", "production", "--yes", "--everywhere")

    assert done.code == 0, done.out
    assert "for_each: {tenant: [initech]}" in file_of(shop).read_text()
    assert planned(shop) == []


@pytest.fixture
def checkout(shop: Project) -> git.Repo:
    """The project as a repository, with one commit, in which somebody works on something else."""
    repository = git.Repo.init(shop.root, initial_branch="main")
    with repository.config_writer() as config:
        config.set_value("user", "name", "sam")
        config.set_value("user", "email", "sam@example.org")
    repository.git.add("schedules", "schedsync.toml")
    repository.git.commit("-m", "x")
    shop.write("in work", "notes.txt")
    repository.git.add("notes.txt")
    shop.write("changed", "notes.txt")
    return repository


def test_a_branch_gets_the_commit_and_the_work_tree_stays(shop: Project, checkout: git.Repo) -> None:
    user = get_user_model().objects.using(shop.using).create(username="ben")
    edited = row(shop, "heartbeat")
    change(shop, "heartbeat", queue="crm")
    LogEntry.objects.using(shop.using).create(
        user=user, action_flag=CHANGE, object_id=str(edited.pk), object_repr="", change_message="", action_time=NOW,
        content_type=ContentType.objects.db_manager(shop.using).get_for_model(PeriodicTask),
    )  # fmt: skip
    before = checkout.git.status("--porcelain")

    done = accept(shop, "heartbeat", "-e", "production", "--yes", "--branch", "accept/heartbeat")

    assert done.code == 0, done.err
    branch = checkout.heads["accept/heartbeat"]
    assert done.err == (
        f"Committed {branch.commit.hexsha[:12]} on accept/heartbeat; the work tree is as before. "
        "git push origin accept/heartbeat\n"
    )
    assert branch.commit.message == (
        "Accept 1 change of production into shop\n\nSomebody changed these in the table behind Git's back:\n\n"
        "heartbeat: edited (queue) by ben at Mon 23 Nov 2026 10:00 UTC\n"
    )
    assert branch.commit.parents == (checkout.head.commit,)
    assert checkout.git.diff("--stat", "main", "accept/heartbeat").splitlines()[-1].strip() == (
        "1 file changed, 1 insertion(+), 1 deletion(-)"
    )
    assert (checkout.git.status("--porcelain"), checkout.active_branch.name) == (before, "main")
    assert file_of(shop).read_text() == SHOP


def test_a_branch_that_cannot_be_made_is_an_error(shop: Project, checkout: git.Repo) -> None:
    change(shop, "heartbeat", queue="crm")
    words = ["heartbeat", "-e", "production", "--yes", "--branch"]

    assert accept(shop, *words, "main").code == 64
    assert accept(shop, *words, "-x").code == 64
    assert accept(shop, *words, "a..b").code == 64
    file_of(shop).write_text(f"{SHOP}\n")
    done = accept(shop, *words, "new")
    assert (done.code, "differs from the current commit" in done.err) == (1, True)
    assert [head.name for head in checkout.heads] == ["main"]


def test_drift_names_the_command(shop: Project) -> None:
    change(shop, "heartbeat", enabled=False)
    change(shop, "nightly-report", queue="crm")

    out = shop.drift("-e", "production").out

    assert out.splitlines()[-1] == (
        "hint: `schedsync apply` puts back what Git says; to keep it, take it into the files: "
        "`schedsync accept heartbeat nightly-report -e production --path schedules`"
    )
    assert (
        "`schedsync accept heartbeat nightly-report -e production`"
        in shop.drift("-e", "production", "--format", "markdown").out
    )
