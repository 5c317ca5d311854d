"""``forecast --compare``: is it safe to switch from the settings, a crontab, the tables or another revision?"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import git
import pytest
from celery import current_app
from django_celery_beat.models import PeriodicTask

from schedsync.schemas.validator import COMPARISON, problems
from tests.conftest import Done, Project

SCHEDULES = """\
  nightly: {task: shop.report, crontab: "0 2 * * *", timezone: Europe/Berlin, args: [1], queue: reports}
  often: {task: shop.poll, every: 30s}
  sunday: {task: shop.week, crontab: "0 5 * * 0", timezone: Europe/Berlin}
"""
ASSUMED = (
    "Assumed:\n"
    "  Beat runs all the time, and sends each run in its second; no run is overdue at the start\n"
    "  the last runs are not known: intervals are counted from Mon 23 Nov 2026 10:00 UTC\n"
)


def compared(project: Project, *words: str, code: int = 2) -> dict[str, Any]:
    done = project.command("forecast", "schedules", "--format", "json", "--compare", *words)
    assert done.code == code, done
    said: dict[str, Any] = json.loads(done.out)
    assert list(problems(said, COMPARISON)) == []
    assert said["differs"] == (code == 2)
    return said


def only(said: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """The runs that only the files make, and that only the source makes."""
    return {one["name"]: (one["files"]["count"], one["source"]["count"]) for one in said["differences"]}


@pytest.fixture
def files_(files: Project, clock: Any) -> Project:
    files.schedules(SCHEDULES)
    return files


# A Git revision


@pytest.fixture
def checkout(files_: Project) -> Iterator[Project]:
    with git.Repo.init(files_.root, initial_branch="main") as repository:
        with repository.config_writer() as config:
            config.set_value("user", "name", "Sam")
            config.set_value("user", "email", "sam@example.org")
        repository.git.add(all=True)
        repository.index.commit("start")
        yield files_


def test_files_that_did_not_change_run_alike(checkout: Project) -> None:
    done = checkout.command("forecast", "schedules", "--compare", "main")
    lines = done.out.splitlines()

    assert (done.code, lines[0]) == (0, "Compared 30 days: 86,433 runs, none differs.")
    assert lines[1].startswith("  source: main at ")
    assert lines[1].endswith("; from Mon 23 Nov 2026 10:00 UTC until before Wed 23 Dec 2026 10:00 UTC")
    assert done.out.endswith(f"{ASSUMED}  schedules are matched by name, or by `renamed_from`\n")


def test_each_run_that_differs_from_a_revision_is_listed(checkout: Project) -> None:
    checkout.schedules(
        SCHEDULES.replace("0 2 * * *", "0 3 * * *").replace("sunday", "weekly").replace("args: [1]", "args: [2]")
        + '  yearly: {task: t, crontab: "0 0 1 7 *"}\n'
    )
    done = checkout.command("forecast", "schedules", "--compare", "main", "--for", "3d")

    assert done.code == 2
    assert done.out.split("\n\n")[1:-1] == [
        "nightly  3 runs only in the files, 3 runs only in the source\n"
        "    source 0 2 * * * Europe/Berlin → files 0 3 * * * Europe/Berlin\n"
        "    Tue 24 Nov 02:00 Europe/Berlin  only in the source\n"
        "    Tue 24 Nov 03:00 Europe/Berlin  only in the files\n"
        "    Wed 25 Nov 02:00 Europe/Berlin  only in the source\n"
        "    Wed 25 Nov 03:00 Europe/Berlin  only in the files\n"
        "    Thu 26 Nov 02:00 Europe/Berlin  only in the source\n"
        "    Thu 26 Nov 03:00 Europe/Berlin  only in the files",
        "sunday  0 runs only in the source\n    0 5 * * 0 Europe/Berlin; not in the files",
        "weekly  0 runs only in the files\n    0 5 * * 0 Europe/Berlin; not in the source",
        "yearly  0 runs only in the files\n    0 0 1 7 * UTC; not in the source",
        "Other messages (at the same or other instants):\n  nightly: args",
    ]
    assert done.out.splitlines()[0] == (
        "Compared 3 days: 8,642 runs in the files, 8,642 in the source; 6 differ, in 4 of 5 schedules."
    )


def test_a_long_list_is_cut_in_the_text_and_whole_in_json(checkout: Project) -> None:
    checkout.schedules(SCHEDULES.replace("30s", "20s"))
    done = checkout.command("forecast", "schedules", "--compare", "main")
    said = compared(checkout, "main")
    difference = said["differences"][0]

    assert "often  86,400 runs only in the files, 43,200 runs only in the source" in done.out
    assert done.out.split("\n\n")[1].splitlines()[2:] == [
        "    Mon 23 Nov 10:00:20 UTC  only in the files",
        "    Mon 23 Nov 10:00:30 UTC  only in the source",
        "    Mon 23 Nov 10:00:40 UTC  only in the files",
        "    … 129,594 more",
        "    Wed 23 Dec 09:59:20 UTC  only in the files",
        "    Wed 23 Dec 09:59:30 UTC  only in the source",
        "    Wed 23 Dec 09:59:40 UTC  only in the files",
    ]
    assert only(said) == {"often": (86_400, 43_200)}
    assert (len(difference["files"]["runs"]), difference["files"]["more"]) == (86_400, False)
    assert difference["files"]["runs"][:2] == ["2026-11-23T10:00:20Z", "2026-11-23T10:00:40Z"]
    assert said["runs"] == {"files": 129_633, "source": 86_433, "differing": 129_600}
    assert (said["from"], said["until"]) == ("2026-11-23T10:00:00Z", "2026-12-23T10:00:00Z")


def test_a_renamed_schedule_is_compared_with_its_old_name(checkout: Project) -> None:
    checkout.schedules(SCHEDULES.replace("sunday: {", "weekly: {renamed_from: sunday, "))

    assert compared(checkout, "main", code=0)["differences"] == []


def test_only_schedules_that_match_are_compared(checkout: Project) -> None:
    checkout.schedules(SCHEDULES.replace("30s", "20s"))

    assert compared(checkout, "main", "--name", "n*", code=0)["schedules"] == 1
    assert only(compared(checkout, "main", "--name", "o*", "--for", "1h")) == {"often": (120, 60)}


def test_a_message_that_differs_is_no_safe_switch(checkout: Project) -> None:
    checkout.schedules(SCHEDULES.replace("queue: reports", "queue: other"))
    done = checkout.command("forecast", "schedules", "--compare", "main")

    assert (done.code, done.out.splitlines()[0]) == (
        2,
        "Compared 30 days: 86,433 runs, none differs; but 1 schedule would send another message.",
    )
    assert compared(checkout, "main")["messages"] == [{"name": "nightly", "fields": ["queue"]}]


def test_a_revision_that_cannot_be_read_is_an_error(checkout: Project) -> None:
    checkout.schedules("  broken: {task: t, every: never}\n")
    with git.Repo(checkout.root) as repository:
        repository.git.commit("--all", "--message", "break")
        repository.git.branch("broken")
        repository.git.rm("-r", "schedules")
        repository.git.commit("--message", "empty")
    checkout.schedules(SCHEDULES)
    messages = {
        "nowhere": (64, "no commit `nowhere` in this repository"),
        "broken": (1, "the files of `broken` have errors: schedules/shop.yaml"),
        "main": (64, "there are no files at `schedules` in `main`"),
    }
    for revision, expected in messages.items():
        done = checkout.command("forecast", "schedules", "--compare", revision)

        assert (done.code, done.err.splitlines()[0]) == (expected[0], f"error: {expected[1]}")


# A crontab


def test_lines_of_a_crontab_are_matched_by_name_or_by_command(files_: Project) -> None:
    files_.schedules(
        '  nightly: {task: shell, crontab: "0 2 * * *", timezone: Europe/Berlin}\n'
        '  sessions: {task: shell, crontab: "15 * * * *", args: ["./manage.py  clearsessions"]}\n'
        '  words: {task: shell, crontab: "@daily", kwargs: {command: [tar, -x, f.tar]}}\n'
    )
    files_.write(
        "15 * * * * ./manage.py clearsessions\n@daily tar -x f.tar\n"
        "CRON_TZ=Europe/Berlin\n0 2 * * * /srv/bin/nightly --now\n",
        "crontab.txt",
    )
    said = compared(files_, "crontab:crontab.txt", code=0)

    assert said["runs"] == {"files": 780, "source": 780, "differing": 0}
    assert said["source"] == "crontab.txt"
    assert said["assumptions"][1:] == [
        "lines are matched with schedules by name, else by the command in a schedule's arguments",
        "what a command does is not compared with what a task does",
        "lines without CRON_TZ run in UTC (--crontab-timezone)",
    ]


def test_a_crontab_s_zone_is_given_or_assumed(files_: Project) -> None:
    files_.schedules('  nightly: {task: t, crontab: "30 2 * * *", timezone: Europe/Berlin}\n')
    files_.write("TZ=Asia/Tokyo\n30 2 * * * nightly\n", "crontab.txt")
    words = ("crontab:crontab.txt", "--from", "2027-03-20")
    said = compared(files_, *words, "--crontab-timezone", "Europe/Berlin", code=0)

    assert only(compared(files_, *words)) == {"nightly": (30, 30)}
    assert said["assumptions"][-3:] == [
        "lines without CRON_TZ run in Europe/Berlin (--crontab-timezone)",
        "TZ in line 1 is for the commands: it does not move the times of cron",
        "when the clocks change in Europe/Berlin, cron runs as Celery does",
    ]


def test_what_cannot_be_compared_is_no_safe_switch(files_: Project) -> None:
    files_.schedules('  nightly: {task: t, crontab: "0 2 * * *"}\n')
    files_.write("0 2 * * * root nightly\n@reboot root warm-up\n0 0 1 * mon root both\n", "crontab.txt")
    done = files_.command("forecast", "schedules", "--compare", "system-crontab:crontab.txt")

    assert (done.code, done.out.splitlines()[0]) == (
        2,
        "Compared 30 days: 30 runs, none differs; but 2 could not be compared.",
    )
    assert "  crontab.txt:2: line 2: `@reboot` runs when the host starts" in done.out
    assert "  crontab.txt:3: both: cron runs it on the days of the month and also on the days of the week" in done.out


# A snapshot


@pytest.fixture
def applied(project: Project, clock: Any) -> Iterator[Project]:
    """A set that is applied, of an application that has a task."""

    def report(number: int) -> None: ...

    current_app.task(name="shop.report", shared=False)(report)
    current_app.finalize(auto=True)
    project.schedules(SCHEDULES)
    assert project.apply().code == 0
    yield project
    current_app.tasks.pop("shop.report", None)


def snapshot(project: Project) -> None:
    done = project.command("snapshot", "--database", project.using, "--out", "snapshot.json")
    assert done.code == 0, done


def test_rows_that_were_applied_run_as_the_files_say(applied: Project) -> None:
    last = datetime(2026, 11, 23, 9, 59, 45, tzinfo=timezone.utc)
    PeriodicTask.objects.filter(name="often").update(last_run_at=last)
    snapshot(applied)
    said = compared(applied, "snapshot.json", code=0)

    assert said["source"] == "the snapshot of Mon 23 Nov 2026 10:00 UTC"
    assert said["runs"] == {"files": 86_434, "source": 86_434, "differing": 0}
    assert said["assumptions"][1] == "1 of 1 intervals are counted from the last runs that the snapshot knows"


def test_edited_rows_and_rows_that_would_be_deleted_differ(applied: Project) -> None:
    row = PeriodicTask.objects.get(name="nightly")
    PeriodicTask.objects.create(name="foreign", task="t", crontab=row.crontab)
    PeriodicTask.objects.filter(name="often").update(kwargs='{"token": "correct-horse"}')
    row.crontab = PeriodicTask.objects.get(name="sunday").crontab
    row.save()
    snapshot(applied)
    applied.schedules("".join(SCHEDULES.splitlines(keepends=True)[:2]))
    said = compared(applied, "snapshot.json")

    assert only(said) == {"nightly": (30, 4), "sunday": (0, 4)}
    assert said["messages"] == [{"name": "often", "fields": ["kwargs"]}]
    assert said["assumptions"][-1] == "rows that the set neither manages nor names go on as they are: foreign"
    assert "correct-horse" not in json.dumps(said)


def test_a_row_that_a_human_stopped_stays_stopped(applied: Project) -> None:
    PeriodicTask.objects.filter(name="nightly").update(enabled=False)
    snapshot(applied)
    said = compared(applied, "snapshot.json", code=0)

    assert "paused or stopped by a human, they stay stopped: nightly" in said["assumptions"]


def test_a_snapshot_is_of_the_same_set(applied: Project) -> None:
    snapshot(applied)
    applied.write('set = "other"\n', "schedsync.toml")
    done = applied.command("forecast", "schedules", "--compare", "snapshot.json")

    assert (done.code, done.err.splitlines()[0]) == (64, "error: the snapshot is of set `default`, not of `other`")


# The settings

PROJECT = {
    "settings.py": """\
from datetime import timedelta

from celery.schedules import crontab

SECRET_KEY = "x"
USE_TZ = True
INSTALLED_APPS = ["django_celery_beat", "schedsync"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
CELERY_TIMEZONE = "Europe/Berlin"
CELERY_BEAT_SCHEDULE = {
    "nightly": {"task": "shop.report", "schedule": crontab(minute=0, hour=2), "args": (1,), "options": OPTIONS},
    "often": {"task": "shop.poll", "schedule": timedelta(seconds=30)},
}
""",
    "shop/__init__.py": "from shop.app import app\n",
    "shop/app.py": """\
from celery import Celery
from celery.schedules import crontab

app = Celery("shop")
app.config_from_object("django.conf:settings", namespace="CELERY")


@app.task(name="shop.week")
def week():
    pass


@app.on_after_finalize.connect
def add(sender, **kwargs):
    sender.add_periodic_task(crontab(minute=0, hour=5, day_of_week=0), week.s(), name="sunday")
""",
}


def write_project(files: Project, options: str = '{"queue": "reports"}') -> None:
    for name, text in PROJECT.items():
        files.write(text.replace("OPTIONS", options), name)
    files.write("import shop\n" + (files.root / "settings.py").read_text(encoding="utf-8"), "settings.py")


def in_project(files: Project, *words: str) -> Done:
    environment = {key: value for key, value in os.environ.items() if key != "DJANGO_SETTINGS_MODULE"}
    done = subprocess.run(
        [sys.executable, "-m", "schedsync", "forecast", "schedules", "--from", "2026-11-23T10:00:00Z",
         "--compare", "settings", *words],
        capture_output=True, text=True, check=False, env=environment, cwd=files.root,
    )  # fmt: skip
    return Done(done.returncode, done.stdout, done.stderr)


def test_settings_of_a_real_app_run_alike(files_: Project) -> None:
    write_project(files_)
    done = in_project(files_, "--settings", "settings")

    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == "Compared 30 days: 86,433 runs, none differs."


def test_settings_that_differ_are_named(files_: Project) -> None:
    write_project(files_, '{"queue": "other", "expires": 240}')
    files_.schedules(SCHEDULES.replace("0 2 * * *", "0 2 * * 1-5").replace("30s", "1m"))
    done = in_project(files_, "--settings", "settings", "--format", "json")
    said = json.loads(done.out)

    assert list(problems(said, COMPARISON)) == []
    assert (done.code, said["source"]) == (2, "CELERY_BEAT_SCHEDULE")
    assert only(said) == {"nightly": (0, 8), "often": (0, 43_200)}
    assert said["messages"] == [{"name": "nightly", "fields": ["queue", "expires_after"]}]


def test_an_entry_that_files_cannot_say_is_named(files_: Project) -> None:
    write_project(files_, '{"countdown": 5}')
    done = in_project(files_, "--settings", "settings")

    assert done.code == 2
    assert "2 of 3 schedules" not in done.out
    assert "  nightly: the option `countdown` has no place in a row (set it on the task)" in done.out


def test_a_project_without_an_app_or_with_an_error_is_named(files_: Project) -> None:
    write_project(files_)
    no_settings = in_project(files_)
    files_.write("raise RuntimeError('broken')\n", "shop/app.py")
    broken = in_project(files_, "--settings", "settings")
    files_.write("", "shop/__init__.py")
    without = in_project(files_, "--settings", "settings")

    assert (no_settings.code, no_settings.err.splitlines()[0]) == (64, "error: no Django settings")
    assert (broken.code, "shop/app.py:1: RuntimeError: broken" in broken.err) == (64, True)
    assert (without.code, without.err.splitlines()[0]) == (64, "error: the project has no Celery app")


# The command line


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--for", "3d"], "`--for` needs `--compare`"),
        (["--crontab-timezone", "UTC"], "`--crontab-timezone` needs `--compare`"),
        (["--compare", "main", "--until", "3d"], "`--compare` takes neither `--until` nor `--count`"),
        (["--compare", "main", "--count", "3"], "`--compare` takes neither `--until` nor `--count`"),
        (["--compare", "main", "--format", "html"], "`--compare` has no format `html`"),
        (["--compare", "main", "--for", "367d"], "`--for` is out of range: at least one minute, at most 366 days"),
        (["--compare", "main", "--for", "30s"], "`--for` is out of range: at least one minute, at most 366 days"),
        (["--compare", "main", "--for", "soon"], "`soon` is not a duration"),
        (["--compare", "main", "--crontab-timezone", "UTC"], "`--crontab-timezone` needs `--compare crontab:FILE`"),
        (["--compare", "crontab:x", "--crontab-timezone", "Mars"], "unknown time zone `Mars`"),
        (["--compare", "crontab"], "`crontab` is no source; write `settings`, `crontab:FILE`"),
        (["--compare", "crontab:"], "`crontab:` is no source"),
        (["--compare", "revision:"], "`revision:` is no source"),
        (["--compare", ""], "`` is no source"),
        (["--compare", "crontab:nowhere"], "`nowhere` cannot be read: No such file or directory"),
        (["--compare", "nowhere.json"], "`nowhere.json` is no snapshot: No such file or directory"),
        (["--compare", "s.json", "--against", "s.json"], "`--against` has no effect here"),
        (["--compare", "main", "--from", "9999-12-30"], "within the years 1970 and 9990"),
    ],
)
def test_wrong_usage_is_named(files_: Project, words: list[str], message: str) -> None:
    files_.write("{}", "s.json")
    done = files_.command("forecast", "schedules", *words)

    assert (done.code, message in done.err) == (64, True), done.err


def test_only_the_settings_need_django(checkout: Project) -> None:
    checkout.write("0 2 * * * nightly\n", "crontab.txt")
    script = (
        "import sys; from schedsync.cli import run; code = run(sys.argv[1:]);"
        "print(code, 'django.db' in sys.modules, 'django_celery_beat' in sys.modules)"
    )
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "nowhere.settings"}
    for source in ("main", "crontab:crontab.txt"):
        done = subprocess.run(
            [sys.executable, "-c", script, "forecast", "schedules", "--compare", source],
            capture_output=True, text=True, check=True, env=environment,
        )  # fmt: skip

        assert done.stdout.splitlines()[-1].split()[1:] == ["False", "False"]


def test_a_window_begins_at_a_whole_minute(checkout: Project) -> None:
    said = compared(checkout, "main", "--from", "2026-11-23T10:00:00.5Z", "--for", "90s", code=0)

    assert (said["from"], said["until"]) == ("2026-11-23T10:01:00Z", "2026-11-23T10:03:00Z")


def test_a_prefix_chooses_the_kind_of_source(checkout: Project, command: Callable[..., Done]) -> None:
    with git.Repo(checkout.root) as repository:
        repository.git.branch("settings")
    Path("main").write_text("a file of the same name", encoding="utf-8")

    assert compared(checkout, "revision:settings", code=0)["source"].startswith("settings at ")
    assert compared(checkout, "revision:main", code=0)["source"].startswith("main at ")
    assert "`main` is no snapshot" in command("forecast", "schedules", "--compare", "main").err
