"""A real terminal shows lines that break between words, colour, and progress; a pipe gets none of them."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path

import click
import pytest

from schedsync.commands.run import _stopping
from schedsync.commands.terminal import _wrapped_line
from schedsync.config import read_config
from schedsync.usecases.validate import validate
from tests.conftest import NOW, Project

WIDTHS = (60, 80, 100)
ESCAPE = "\x1b"
#: Findings with long messages, hints and a name that is longer than a line of 60 columns.
WRONG = f"""  {"n" * 70}: {{task: t, every: 1m, evry: 2m, another_unknown_key_of_some_length: 3}}
  nightly: {{task: t, crontab: "0 2 31 2 *", timezone: Europe/Berlin, qeue: reports, expires_after: never ever again}}
  yearly: {{task: t, crontab: "30 2 * * *", timezone: Europe/Berlin}}
"""


def on_terminal(command: list[str], width: int, **environment: str) -> str:
    """Run a command on a pseudo-terminal of this width, and return everything that it wrote there."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, width, 0, 0))
    kept = {key: value for key, value in os.environ.items() if key not in ("COLUMNS", "LINES", "NO_COLOR")}
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env={**kept, "TERM": "xterm", **environment}
    )
    os.close(theirs)
    written = bytearray()
    while True:
        try:
            data = os.read(ours, 65536)
        except OSError:  # Linux says so when the last writer has closed the terminal.
            break
        if not data:
            break
        written += data
    os.close(ours)
    process.wait(30)
    return written.decode().replace("\r\n", "\n")


def schedsync(*words: str) -> list[str]:
    return [sys.executable, "-m", "schedsync", *words]


def in_pipes(command: list[str]) -> str:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.stdout


def assert_wrapped(shown: str, piped: str, width: int) -> None:
    """The same words in the same order, and a line is too long only where it is a single word.

    Only a terminal shows the lines of the files.
    """
    words = [word for line in shown.splitlines() if not re.match(r" +[0-9]* \|", line) for word in line.split()]

    assert words == piped.split()
    for line in shown.splitlines():
        assert len(line) <= width or len(line.split()) == 1


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("words", [("validate", "schedules"), ("rules",), ("rules", "SS201"), ("rules", "SS202")])
def test_a_terminal_s_lines_break_between_words(files: Project, words: tuple[str, ...], width: int) -> None:
    files.schedules(WRONG)
    piped = in_pipes(schedsync(*words))

    assert ESCAPE not in piped
    assert any(len(line) > 60 for line in piped.splitlines())
    assert_wrapped(click.unstyle(on_terminal(schedsync(*words), width)), piped, width)


@pytest.mark.parametrize("width", WIDTHS)
def test_wrong_usage_is_wrapped_too(files: Project, width: int) -> None:
    command = schedsync("plan", "--against", "a file with a rather long name that is not here at all.json", "schedules")

    assert_wrapped(on_terminal(command, width), in_pipes(command), width)


def test_the_rest_of_a_line_is_indented_by_more_than_its_beginning(files: Project) -> None:
    files.schedules("  one: {task: t, every: 1m}\n")
    lines = on_terminal(schedsync("validate", "schedules"), 60, NO_COLOR="1").splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith("schedules/"))

    assert lines[first + 1].startswith("    ")
    assert not lines[first + 1].startswith("     ")


def test_a_terminal_shows_the_line_of_an_error_but_no_argument(files: Project) -> None:
    files.schedules("  one:\n    task: t\n    evry: 5m\n  two: {task: t, every: 1d, kwargs: {password: hunter22}}\n")

    assert on_terminal(schedsync("validate", "schedules"), 80, NO_COLOR="1").splitlines() == [
        "schedules/shop.yaml:5:5:  error    SS120  one: unknown key `evry`",
        "    5 |     evry: 5m",
        "      |     ^^^^",
        "  hint: did you mean `every`?",
        "schedules/shop.yaml:6:37: warning  SS212  two: `password` looks like a secret",
        "  hint: pass the name of the secret, and let the task fetch it",
        "1 error, 1 warning · 2 schedules in 1 file",
    ]


def test_no_color_leaves_no_escape_codes(files: Project) -> None:
    files.schedules(WRONG)

    assert ESCAPE in on_terminal(schedsync("validate", "schedules"), 60)
    assert ESCAPE not in on_terminal(schedsync("validate", "schedules"), 60, NO_COLOR="1")


def test_the_time_to_wrap_a_line_grows_with_its_length_only() -> None:
    line = "  " + "\x1b[31mlabel key=value\x1b[0m, " * 6_000
    begin = time.process_time()
    parts = list(_wrapped_line(line, 80))

    assert time.process_time() - begin < 4
    assert " ".join(click.unstyle(part).strip() for part in parts) == click.unstyle(line).strip()


def test_colour_goes_on_where_a_line_is_broken(files: Project) -> None:
    from schedsync.commands.terminal import _wrapped_line

    red = list(_wrapped_line(click.style("one two three", fg="red"), 8))

    assert red == ["\x1b[31mone two\x1b[0m", "    \x1b[31mthree\x1b[0m"]


def test_a_file_gets_neither_colour_nor_broken_lines(files: Project) -> None:
    files.schedules("  nightly: {task: t, crontab: '0 2 * * *', timezone: Europe/Berlin}\n")
    on_terminal(schedsync("forecast", "schedules", "--from", "2027-03-28", "--out", "forecast.txt"), 60)
    piped = in_pipes(schedsync("forecast", "schedules", "--from", "2027-03-28"))

    assert Path("forecast.txt").read_text(encoding="utf-8") == piped


@pytest.mark.parametrize("words", [("validate", "schedules"), ("forecast", "schedules")])
def test_a_pipe_never_imports_rich(files: Project, words: tuple[str, ...]) -> None:
    files.schedules(WRONG)
    script = (
        "import sys; from schedsync.cli import run; run(sys.argv[1:]);"
        "print([name for name in sys.modules if name.split('.')[0] == 'rich'])"
    )

    assert in_pipes([sys.executable, "-c", script, *words]).splitlines()[-1] == "[]"


def test_what_is_quick_shows_no_progress(files: Project) -> None:
    files.schedules("  one: {task: t, every: 1m}\n")
    shown = on_terminal(schedsync("validate", "schedules"), 80, NO_COLOR="1")

    assert "reading" not in shown
    assert ESCAPE not in shown


SLOW = """
import sys, time
from schedsync.commands.terminal import progress_line
with progress_line() as progress:
    for done in range(30):
        progress(f"reading {done} of 30 files")
        time.sleep(0.1)
    progress.clear()
    print("the result")
"""


@pytest.mark.parametrize("environment", [{}, {"NO_COLOR": "1"}])
def test_progress_appears_after_a_second_and_is_erased(environment: dict[str, str]) -> None:
    shown = on_terminal([sys.executable, "-c", SLOW], 80, **environment)
    steps = [int(number) for number in re.findall(r"reading (\d+) of 30 files", shown)]

    assert steps
    assert min(steps) >= 8
    assert steps == sorted(steps)
    after = shown.rpartition("of 30 files")[2]
    assert f"{ESCAPE}[2K" in after, "the line is erased"
    assert after.rstrip().endswith("the result")
    assert not re.search(r"\x1b\[[\d;]*m", shown), "no colour"


def test_progress_needs_a_terminal() -> None:
    assert in_pipes([sys.executable, "-c", SLOW]) == "the result\n"


def test_reading_reports_how_many_files_are_done(files: Project) -> None:
    for name in ("a", "b"):
        files.schedules(f"  {name}: {{task: t, every: 1m}}\n", f"schedules/{name}.yaml")
    steps: list[str] = []
    validate(read_config("schedules"), None, NOW, steps.append)

    assert steps == ["looking for files", "reading 0 of 2 files", "reading 1 of 2 files", "checking"]


SETTINGS = """
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "django_celery_beat", "schedsync"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
USE_TZ = True
"""


@pytest.fixture
def migrated(files: Project) -> Project:
    files.write(SETTINGS, "shop_settings.py")
    migrate = [sys.executable, "-m", "django", "migrate", "--settings", "shop_settings", "--pythonpath", ".", "-v0"]
    subprocess.run(migrate, check=True, env={k: v for k, v in os.environ.items() if k != "DJANGO_SETTINGS_MODULE"})
    return files


def test_an_apply_that_waits_says_so_on_a_terminal_and_erases_it(migrated: Project) -> None:
    migrated.schedules("  nightly: {task: t, crontab: '0 2 * * *', expires_after: 1h}\n")
    words = ("apply", "schedules", "--settings", "shop_settings", "--yes", "--settle", "3s")
    shown = on_terminal(schedsync(*words), 60, NO_COLOR="1")

    assert "waiting 3 s for a poll of Beat" in " ".join(shown.split())
    assert f"{ESCAPE}[2K" in shown.rpartition("waiting 3 s")[2]
    assert ": 1 created" in shown
    migrated.schedules("  nightly: {task: t, crontab: '0 3 * * *', expires_after: 1h}\n")
    piped = in_pipes(schedsync(*words))
    assert re.search(r"^committed as run \S+; waiting 3 s for a poll of Beat, to see that it holds$", piped, re.M)
    assert ESCAPE not in piped


def test_a_terminal_keeps_the_line_that_says_what_was_not_compared(migrated: Project) -> None:
    migrated.schedules("  nightly: {task: t, every: 1h, kwargs: {api_token: hunter2-hunter2}}\n")
    where = ("schedules", "--settings", "shop_settings")
    in_pipes(schedsync("plan", *where, "--out", "plan.json"))
    shown = on_terminal(schedsync("apply", *where, "--plan", "plan.json", "--yes", "--settle", "0"), 80, NO_COLOR="1")

    assert "1 masked value was not compared" in shown.splitlines()
    assert ": 1 created" in shown


def test_an_interrupt_in_the_middle_of_a_wait_is_no_deadlock() -> None:
    with _stopping() as wait:
        lock = wait.__self__._cond  # type: ignore[attr-defined]
        with lock:
            signal.raise_signal(signal.SIGINT)

        assert wait(30)
