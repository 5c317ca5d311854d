"""``import crontab`` as a user types it: what it prints, what it writes, and what it refuses."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import Done, Project

CRONTAB = """\
PATH=/usr/local/bin:/usr/bin
MAILTO=ops@example.org
*/15 * * * * /srv/bin/poll --all # every tenant
@reboot /srv/bin/warm-up
30 3 1,15 * fri ./manage.py report >> /var/log/report 2>&1
"""


@pytest.fixture
def crontab(files: Project, clock: Any) -> Project:
    files.write(CRONTAB, "crontab.txt")
    return files


def imported(project: Project, *words: str) -> Done:
    return project.command("import", "crontab", *words, "--task", "shop.run")


def test_lines_become_schedules_of_one_task(crontab: Project) -> None:
    done = imported(crontab, "crontab.txt")

    assert (done.code, done.out) == (
        0,
        """\
version: 1

schedules:
  poll:
    task: shop.run
    crontab: "*/15 * * * *"
    args: ["/srv/bin/poll --all # every tenant"]

# Left out:
# - `line 4`: `@reboot` runs when the host starts, which Beat cannot see (start it
#   with the host)
# - `line 5, report`: cron runs it on the days of the month and also on the days
#   of the week; Celery only where both match (make a schedule for each kind of
#   day, as `import crontab --split` does)
""",
    )
    assert done.err == (
        "took 1 of 3 lines\n"
        "left out 2:\n"
        "  `line 4`: `@reboot` runs when the host starts, which Beat cannot see (start it with the host)\n"
        "  `line 5, report`: cron runs it on the days of the month and also on the days of the week; Celery only where "
        "both match (make a schedule for each kind of day, as `import crontab --split` does)\n"
        "lines without CRON_TZ: taken in UTC (--crontab-timezone)\n"
        "the crontab sets `PATH`: a task does not get them\n"
        "next: save it below schedules/, then: schedsync plan\n"
    )


def test_a_split_line_is_two_schedules_and_the_dates_with_two_runs_are_listed(crontab: Project) -> None:
    done = imported(crontab, "crontab.txt", "--split", "--out", "schedules", "--crontab-timezone", "Europe/Berlin")
    text = (crontab.root / "schedules/schedules.yaml").read_text(encoding="utf-8")
    compare = ["forecast", "schedules", "--compare", "crontab:crontab.txt", "--crontab-timezone", "Europe/Berlin"]
    soon, year = crontab.command(*compare), crontab.command(*compare, "--for", "90d")

    assert (done.code, "took 2 of 3 lines: schedules/schedules.yaml (3)" in done.err) == (0, True)
    assert (
        "line 5 is two schedules, `report`, `report-2`; "
        "twice on Fri 2027-01-01, Fri 2027-01-15, Fri 2027-10-01, Fri 2027-10-15\n"
    ) in done.err
    assert (
        "  # Runs in addition to report-2 on Fri 2027-01-01, Fri 2027-01-15, Fri 2027-10-01,\n"
        "  # Fri 2027-10-15.\n  report:\n"
    ) in text
    assert "adopt" not in text
    assert crontab.validate().code == 0
    assert soon.out.splitlines()[0].endswith(" runs, none differs; but 1 could not be compared.")
    assert "report: cron runs it once" not in soon.out
    assert "report: cron runs it once, and the files run it twice, on Fri 2027-01-01, Fri 2027-01-15" in year.out


def test_a_crontab_comes_from_the_standard_input_and_a_system_crontab_has_users(
    crontab: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = b"CRON_TZ=Asia/Tokyo\n@daily root /srv/bin/poll\n"
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(data), isatty=lambda: False))
    done = imported(crontab, "-", "--system")

    assert done.err == (
        "took 1 of 1 line\n"
        "the commands ran as `root`: a task runs as the worker's user\n"
        "next: save it below schedules/, then: schedsync plan\n"
    )
    assert done.out == (
        "version: 1\n\nschedules:\n  # Line 2 of the crontab, as user root.\n  poll:\n    task: shop.run\n"
        '    crontab: "0 0 * * *"\n    timezone: Asia/Tokyo\n    args: [/srv/bin/poll]\n'
    )


def test_the_place_of_a_file_says_whether_it_has_users(crontab: Project) -> None:
    crontab.write("@daily root poll\n", "cron.d/shop")

    assert "args: [poll]" in imported(crontab, "cron.d/shop").out
    assert "args: [root poll]" in imported(crontab, "cron.d/shop", "--user").out


def test_a_crontab_without_commands_says_so(crontab: Project) -> None:
    crontab.write("# nothing\nPATH=/bin\n", "crontab.txt")
    done = imported(crontab, "crontab.txt", "--out", "new")

    assert (done.code, done.out, done.err) == (0, "", "the crontab has no lines that run a command\n")
    assert not Path("new").exists()


def test_a_secret_in_a_command_is_named(crontab: Project) -> None:
    crontab.write("@daily curl -H 'Authorization: Bearer sk_live_4f9c2d71e8aa77b2c3' https://x.org\n", "crontab.txt")
    taken, without = imported(crontab, "crontab.txt"), imported(crontab, "crontab.txt", "--no-secrets")

    assert "secret? `curl` args[0] looks like one (SS212)\n" in taken.err
    assert "sk_live" not in taken.err + without.err + without.out
    assert "took 0 of 1 line" in without.err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nowhere", "--task", "t"], "`nowhere` cannot be read: No such file or directory"),
        (["crontab.txt"], "missing option `--task`"),
        (["crontab.txt", "--task", ""], "the name of a task has 1 to 200 characters"),
        (["crontab.txt", "--task", "t" * 201], "the name of a task has 1 to 200 characters"),
        (["crontab.txt", "--task", "t", "--crontab-timezone", "Mars"], "unknown time zone `Mars`"),
        (["crontab.txt", "--task", "t", "--out", "schedules"], "`schedules/schedules.yaml` exists already"),
    ],
)
def test_wrong_usage_is_named(crontab: Project, words: list[str], message: str) -> None:
    crontab.write("mine", "schedules/schedules.yaml")
    done = crontab.command("import", "crontab", *words)

    assert (done.code, message in done.err) == (64, True), done.err


def test_text_of_a_crontab_cannot_reach_the_terminal(crontab: Project) -> None:
    crontab.write("@daily echo \x1b[31mred\n@daily x\x00y\n9 \x1b[31m * * * x\n", "crontab.txt")
    done = imported(crontab, "crontab.txt")

    assert "\x1b" not in done.out + done.err
    assert "\x00" not in done.out + done.err


def test_a_crontab_needs_no_django(crontab: Project) -> None:
    script = (
        "import sys; from schedsync.cli import run; code = run(sys.argv[1:]);"
        "print(code, {'django.conf', 'django.db', 'django_celery_beat', 'git'} & sys.modules.keys())"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "import", "crontab", "crontab.txt", "--task", "t"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip

    assert done.stdout.splitlines()[-1] == "0 set()"
