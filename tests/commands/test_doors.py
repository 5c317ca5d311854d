"""The doors: console script, module and management command are one parser, and start at once."""

from __future__ import annotations

import io
import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import click
import pytest
from django.apps import apps
from django.core.management import call_command, load_command_class
from django.test import modify_settings

import schedsync
from schedsync.cli import main, run
from schedsync.commands import django as project_setup
from schedsync.commands.output import paint
from schedsync.core.finding import CODES
from schedsync.errors import WrongUsage
from tests.conftest import Project

ROOT = Path(__file__).parents[2]
ONE = "  one: {task: t, every: 1m}\n"


def test_the_management_command_writes_to_the_streams_it_is_given(project: Project) -> None:
    project.schedules(ONE)
    out, err = io.StringIO(), io.StringIO()
    words = ["schedules", "--database", project.using]
    call_command("schedsync", "apply", *words, "--yes", "--settle", "0", stdout=out, stderr=err)
    assert ": 1 created" in out.getvalue()
    project.schedules(ONE.replace("1m", "2m"))
    with pytest.raises(SystemExit) as caught:
        call_command("schedsync", "plan", *words, "--exit-code", stdout=out, stderr=err)

    assert caught.value.code == 2
    assert "~1 update" in out.getvalue()


def test_an_apply_without_a_terminal_needs_yes(project: Project) -> None:
    project.schedules(ONE)
    done = project.command("apply", "schedules", "--database", project.using)

    assert (done.code, "there is no terminal to ask on" in done.err, "give `--yes`" in done.err) == (64, True, True)


def test_validate_and_help_import_no_django(files: Project) -> None:
    files.schedules(ONE)
    script = (
        "import sys; from schedsync.cli import run; code = run(sys.argv[1:]);"
        "print(code, sorted(m for m in sys.modules if m.split('.')[0] in ('django', 'celery', 'git')))"
    )
    for words in (["validate", "schedules"], ["--help"], ["validate", "--help"], ["schema"], ["apply", "--help"]):
        done = subprocess.run([sys.executable, "-c", script, *words], capture_output=True, text=True, check=True)

        assert done.stdout.splitlines()[-1] == "0 []"


def test_a_verb_imports_no_other_verb_and_no_lint_rule() -> None:
    script = (
        "import sys; from schedsync.cli import run; run(sys.argv[1:]);"
        "print(sorted(m for m in sys.modules if m.startswith(('schedsync.lint', 'schedsync.commands.'))))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, "status", "--help"], capture_output=True, text=True, check=True
    )
    imported = json.loads(done.stdout.splitlines()[-1].replace("'", '"'))

    assert {name.rpartition(".")[2] for name in imported} & {"lint", *main.commands} == {"status"}


def test_django_s_start_imports_no_system_check() -> None:
    script = "import sys, django; django.setup(); print('schedsync.usecases.doctor' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout == "False\n"


def test_a_forecast_leaves_django_s_settings_alone(files: Project) -> None:
    """Also where they are named, as for all the other commands: Celery would set Django up then, or fail."""
    files.schedules(ONE + "  nightly: {task: t, crontab: '0 3 * * *'}\n")
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "nowhere.settings"}
    done = subprocess.run(
        [sys.executable, "-m", "schedsync", "forecast", "schedules"],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip

    assert (done.returncode, done.stderr) == (0, "")
    assert "nightly" in done.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing"], "no such verb `nothing`"),
        (["plan", "--nothing"], "no such option `--nothing`"),
        (["plan", "schedules", "--database", "nowhere"], "no database `nowhere` in DATABASES"),
        (["pause", "x"], "missing option `--reason`"),
        (["pause", "x", "--reason", "y", "--for", "soon"], "`soon` is not a duration"),
        (["pause", "x", "--reason", "y", "--for", "5"], "`5` is not a duration"),
        (["pause", "x", "--reason", "y", "--for", "0s"], "`0s` is out of range: more than 0, at most ten years"),
        (["pause", "x", "--reason", "y", "--for", "1000000000d"], "at most ten years"),
        (["apply", "--plan", "nowhere.json", "--yes"], "does not exist"),
        (["apply", "--plan", "plan.json", "--yes"], "`plan.json` is no saved plan"),
        (["review", "--report", "nonsense"], "`nonsense` is no FORMAT=FILE; formats: "),
        (["review", "--report", "pdf=review.pdf"], "`pdf=review.pdf` is no FORMAT=FILE"),
    ],
)
def test_wrong_usage_is_64(files: Project, words: list[str], message: str) -> None:
    files.write("{", "plan.json")
    done = files.command(*words)

    assert (done.code, message in done.err) == (64, True), done.err


def test_a_set_with_errors_is_neither_planned_nor_applied(project: Project) -> None:
    project.schedules("  one: {task: t, every: 0s}\n")
    planned, applied = project.plan("--format", "json"), project.apply()

    answer = json.loads(planned.out)
    assert (planned.code, answer["failure_reason"], answer["findings"][0]["code"]) == (1, "invalid", "SS133")
    assert (applied.code, "schedules/shop.yaml:3:25: error  SS133" in applied.err) == (1, True)


def test_strict_lets_warnings_fail(files: Project) -> None:
    files.schedules("  one: {task: t, every: 250us}\n")

    assert (files.validate().code, files.validate("--strict").code) == (0, 1)


def test_the_configuration_is_found_upward_from_the_files(files: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    files.write('environments = ["staging"]\n', "schedsync.toml")
    files.schedules("  one: {task: t, every: 1m, only_in: [staging]}\n")
    monkeypatch.chdir("/")

    assert files.command("validate", str(files.root / "schedules")).code == 0
    assert files.command("validate", str(files.root / "schedules/shop.yaml")).code == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sett = 'x'\n", "unknown key `sett`"),
        ("paths = 'x'\n", "`paths` takes a list of texts"),
        ("paths = []\n", "`paths` must not be empty"),
        ("paths = ['../x']\n", "`paths`: `../x` leads out of this file's directory"),
        ("paths = ['none/*']\n", "no directory and no YAML file matches"),
        ("[safety]\nmax_stop_percent = 101\n", "`safety.max_stop_percent` must be at most 100"),
        ("set = ''\n", "`set` must not be empty"),
        ("set = [\n", "not TOML"),
    ],
)
def test_a_wrong_configuration_is_named(files: Project, text: str, message: str) -> None:
    files.write(text, "schedsync.toml")
    done = files.command("validate")

    assert (done.code, message in done.err) == (1, True), done.err


def test_pyproject_can_hold_the_configuration(files: Project) -> None:
    files.write('[tool.schedsync]\npaths = ["teams/*"]\n', "pyproject.toml")
    files.schedules(ONE, "teams/a/x.yaml")
    files.schedules(ONE.replace("one", "two"), "teams/b/x.yaml")

    assert "2 schedules in 2 files" in files.command("validate").err


def test_colour_is_left_out_where_there_is_no_terminal(files: Project) -> None:
    files.schedules("  one: {task: t, every: 0s}\n")

    assert "\x1b" not in files.validate().out


def test_every_command_teaches_itself_and_is_documented() -> None:
    page = (ROOT / "docs/reference/commands.md").read_text()
    for name, command in main.commands.items():
        assert f"`{name}" in page
        assert command.help
        options = [option for option in command.params if isinstance(option, click.Option) and not option.hidden]
        assert [option.name for option in options if not option.help] == []
        assert run([name, "--help"]) == 0


def test_every_code_is_documented_and_every_code_that_is_used_is_known() -> None:
    page = (ROOT / "docs/reference/findings.md").read_text()
    package = Path(schedsync.__file__).parent
    used = {code for path in package.rglob("*.py") for code in re.findall(r'"(SS\d{3})"', path.read_text())}

    assert used == set(CODES)
    assert all(f"| {code} | {title} |" in page for code, title in CODES.items())


def test_the_example_of_the_format_s_page_is_right(files: Project) -> None:
    page = (ROOT / "docs/reference/format.md").read_text()
    files.write(page.split("```yaml\n")[1].split("```")[0])
    files.write("acme\nglobex\n", "schedules/tenants.txt")
    files.write('environments = ["staging", "production"]\n', "schedsync.toml")
    done = files.validate()

    assert done.code == 0
    assert [line for line in done.out.splitlines() if not line.startswith("  ") and "info  SS202  " not in line] == []


def test_our_own_schedules_are_right(files: Project) -> None:
    done = files.command("validate", str(ROOT / "schedules"))

    assert (done.code, done.out, done.err) == (0, "", "No findings · 9 schedules in 2 files\n")


def test_git_tells_where_the_files_come_from_and_old_commits_are_refused(project: Project) -> None:
    import git

    repository = git.Repo.init(project.root)
    with repository.config_writer() as config:
        config.set_value("user", "name", "t").set_value("user", "email", "t@example.org")
    repository.create_remote("origin", "https://user:secret@example.org/acme/shop.git")

    def commit(schedules: str) -> str:
        project.schedules(schedules)
        repository.git.add(all=True)
        return repository.index.commit("change").hexsha

    first = commit(ONE)
    assert project.apply().code == 0
    second = commit(ONE.replace("1m", "2m"))
    assert project.apply().code == 0
    repository.git.checkout(first)
    refused = project.apply("--format", "json")
    document = json.loads(project.plan("--format", "json").out)

    assert refused.code == 3
    assert [one["code"] for one in json.loads(refused.out)["refusals"]] == ["older_commit"]
    assert (document["commit"], document["repository"], document["path"]) == (
        first,
        "example.org/acme/shop",
        "schedules",
    )
    assert project.apply("--allow-older").code == 0
    clone = git.Repo.clone_from(project.root.as_uri(), project.root / "clone", depth=1, branch=None)
    clone.close()
    repository.git.checkout(second)
    assert project.apply("--allow-older").code == 0
    repository.close()


def test_the_schemas_are_printed_and_written(files: Project) -> None:
    printed = files.command("schema")
    written = files.command("schema", "plan", "--out", "plan.json")
    refused = files.command("schema", "--out", "no/such/directory.json")

    assert json.loads(printed.out)["title"] == "schedsync schedules, version 1"
    assert (written.code, written.err) == (0, "wrote plan.json\n")
    assert json.loads((files.root / "plan.json").read_text())["title"] == "schedsync plan, version 1"
    assert (refused.code, "cannot write" in refused.err) == (64, True)


def test_the_module_is_the_console_script(files: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    files.schedules(ONE)
    monkeypatch.setattr(sys, "argv", ["schedsync", "validate"])
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("schedsync", run_name="__main__")

    assert caught.value.code == 0


def test_an_interrupt_is_130_from_the_first_moment_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("schedsync.cli.run", interrupted)
    with pytest.raises(SystemExit) as caught:
        runpy.run_module("schedsync", run_name="__main__")

    assert (caught.value.code, capsys.readouterr().err) == (130, "interrupted\n")


def test_a_project_that_lacks_something_is_told_what(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(
        WrongUsage, match=r"Django cannot be set up with `nowhere\.settings`: No module named 'nowhere'"
    ):
        project_setup._load("nowhere.settings")
    with modify_settings(INSTALLED_APPS={"remove": "schedsync"}):
        done = project.plan()
    assert (done.code, "`schedsync` is not in INSTALLED_APPS" in done.err) == (64, True)

    with monkeypatch.context() as patch:
        patch.setattr(apps, "ready", False)
        patch.delenv("DJANGO_SETTINGS_MODULE")
        done = project.plan()
    assert (done.code, "give `--settings MODULE`, or set DJANGO_SETTINGS_MODULE" in done.err) == (64, True)


def test_there_is_colour_on_a_terminal_unless_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.delenv("NO_COLOR", raising=False)
    colour = paint(Terminal())
    assert (colour("text", "red"), colour("text", "bold")) == ("\x1b[31mtext\x1b[0m", "\x1b[1mtext\x1b[0m")
    monkeypatch.setenv("NO_COLOR", "1")

    assert paint(Terminal())("text", "red") == "text"


def test_an_interrupt_is_130(files: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("schedsync.commands.validate.check", interrupted)
    done = files.validate()

    assert (done.code, done.err.strip()) == (130, "interrupted")


def test_whoever_reads_our_output_may_stop_reading(files: Project) -> None:
    files.write("\n".join(["version: 1", "schedules:", *(f"  a{n}: {{task: t, every: 0s}}" for n in range(5000))]))
    command = f"{sys.executable} -m schedsync validate | head -1"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=True)

    assert re.match(r"schedules/shop\.yaml:3:24: +error  SS133  ", done.stdout)
    assert "5,000 schedules in 1 file" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_output_that_cannot_be_written_says_so(files: Project) -> None:
    files.schedules("  one: {task: t, every: 0s}\n")
    command = f"{sys.executable} -m schedsync validate > /dev/full"
    done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)

    assert (done.returncode, "Traceback" in done.stderr, "error: cannot write" in done.stderr) == (1, False, True)


def test_manage_py_passes_everything_on(files: Project, capsys: pytest.CaptureFixture[str]) -> None:
    files.schedules(ONE)
    for words in (["validate", "schedules"], ["--settings=tests.settings", "validate", "schedules"]):
        with pytest.raises(SystemExit) as caught:
            load_command_class("schedsync", "schedsync").run_from_argv(["manage.py", "schedsync", *words])

        assert caught.value.code == 0


def test_a_disk_that_is_full_is_no_traceback(files: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("schedsync.commands.validate.check", full)
    done = files.validate()

    assert (done.code, done.err.strip()) == (1, "error: cannot write: No space left on device")


def test_a_refusal_is_said_before_that_nobody_can_be_asked(project: Project) -> None:
    project.schedules(ONE)
    project.apply()
    project.schedules("  two: {task: t.two, every: 1m}\n")
    done = project.command("apply", "schedules", "--database", project.using, "--allow-stops", "0")

    assert done.code == 3
    assert done.err.splitlines() == [
        "REFUSED  nothing was written",
        "  1 schedule would stop, 0 may (--allow-stops): one  too_many_stops",
        "  hint: name deleted ones under `removed`, or allow it once: --allow-stops 1, "
        'or in Git `[[safety.allow]]` with `rule = "too_many_stops"`',
    ]
    assert "REFUSED" not in done.out
