"""``init`` as a user types it: the rows of each database, the three questions, and wrong answers."""

from __future__ import annotations

import io
import json
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import override_settings
from django.utils import timezone
from django_celery_beat.models import ClockedSchedule, CrontabSchedule, IntervalSchedule, PeriodicTask, SolarSchedule

from schedsync.cli import run
from schedsync.commands.init_report import Report, report_text
from schedsync.core.location import Location
from schedsync.core.schedule import Schedule, Spec
from schedsync.core.setup import Choices, Found, Layout
from schedsync.core.timing import Interval
from schedsync.importers.celery_settings import BeatSchedule
from schedsync.render.terminal.text import plain
from schedsync.usecases.import_both import compare_written, import_both, read_existing
from tests.conftest import Done, Project
from tests.usecases.test_binding import live


def make_rows() -> None:
    hours = IntervalSchedule.objects.create(every=5, period="hours")
    nights = CrontabSchedule.objects.create(minute="0,30", hour="2", day_of_week="1-5", timezone="Europe/Berlin")
    later = ClockedSchedule.objects.create(clocked_time=timezone.now() + timedelta(days=9))
    sun = SolarSchedule.objects.create(event="sunset", latitude="52.52", longitude="13.405")
    for number in range(23):
        PeriodicTask.objects.create(
            name=f"report {number}", task="shop.reports.tasks.make", crontab=nights, kwargs=f'{{"n" :{number}}}',
            enabled=number % 5 > 0, last_run_at=timezone.now(), queue="reports",
        )  # fmt: skip
    PeriodicTask.objects.create(name="sync", task="shop.sync.tasks.pull", interval=hours, expire_seconds=60)
    PeriodicTask.objects.create(name="launch", task="shop.sync.tasks.push", clocked=later, one_off=True)
    PeriodicTask.objects.create(name="lights", task="shop.sync.tasks.light", solar=sun, args="[1,  2]")
    PeriodicTask.objects.create(name="celery.backend_cleanup", task="celery.backend_cleanup", interval=hours)


def init(project: Project, *words: str) -> Done:
    return project.command("init", "--database", project.using, *words)


def rows() -> list[dict[str, Any]]:
    return list(PeriodicTask.objects.order_by("pk").values())


def test_rows_move_in_without_a_change(project: Project) -> None:
    make_rows()
    before = rows()
    done = init(project, "--yes", "--set", "shop")
    plan = project.command("plan", "--database", project.using, "--format", "json")
    words = ("-e", "production", "--database", project.using)
    applied = project.command("apply", *words, "--yes", "--settle", "0")

    assert done.code == 0, done.err
    assert re.search(
        r"^Found: tests \(Django \d\.\d\), (?:.*, )?26 rows, no entries in CELERY_BEAT_SCHEDULE, ", done.out
    )
    assert re.search(r"^Compared 30 days: [\d,]+ runs, none differs\.$", done.out, flags=re.MULTILINE)
    changes = json.loads(plan.out)["changes"]
    assert [change["kind"] for change in changes] == ["adopt"] * 26
    assert [change["fields"] for change in changes] == [[]] * 26
    assert (applied.code, rows()) == (0, before), applied.err
    assert project.command("plan", *words, "--exit-code").code == 0


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let somebody sit at a terminal, and type."""

    def type_(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        for stream in ("stdin", "stdout"):
            monkeypatch.setattr(f"sys.{stream}.isatty", lambda: True, raising=False)

    return type_


@pytest.mark.one_database
def test_good_answers_are_proposed(project: Project, typed: Callable[[str], None]) -> None:
    (project.root / ".gitlab-ci.yml").write_text("stages: [test]\n")
    (project.root / ".git").mkdir()
    typed("\n\n\n")
    done = init(project)

    assert done.code == 0
    assert [line for line in re.split(r"(?<=: )", done.err) if line] == [
        "Name of the set [tests]: ", "Environments [production]: ", "CI file for GitLab? [Y/n]: ",
    ]  # fmt: skip
    text = (project.root / "schedsync.toml").read_text()
    assert ('set = "tests"\n' in text, 'environments = ["production"]\n' in text) == (True, True)
    assert (project.root / "schedules.gitlab-ci.yml").exists()


@pytest.mark.one_database
def test_other_answers_count_and_wrong_ones_are_asked_again(project: Project, typed: Callable[[str], None]) -> None:
    (project.root / ".github").mkdir()
    (project.root / ".git").mkdir()
    typed(f"default\nteam a\n{'x' * 65}\nstaging, eu west,us,\nn\n")
    done = init(project)

    assert done.code == 0
    assert "error: a set has a name of its own, other than `default`\n" in done.err
    assert "error: environments have printable names of 1 to 64 characters, " in done.err
    text = (project.root / "schedsync.toml").read_text()
    assert ('set = "team a"\n' in text, 'environments = ["staging", "eu west", "us"]\n' in text) == (True, True)
    assert not (project.root / ".github/workflows").exists()
    assert f"schedsync apply -e us --yes --database {project.using}" in done.out


@pytest.mark.one_database
def test_who_leaves_has_written_nothing(project: Project, typed: Callable[[str], None]) -> None:
    typed("shop\n")
    done = init(project)

    assert done.code == 130
    assert [path.name for path in project.root.iterdir()] == ["schedules"]


@pytest.mark.one_database
def test_without_a_terminal_each_answer_can_be_given(project: Project) -> None:
    asked = init(project)
    given = init(project, "--set", "shop", "-e", "eu", "-e", "us", "--no-ci")

    assert (asked.code, asked.err) == (64, "error: there is no terminal to ask on\n  hint: give `--yes`\n")
    assert given.code == 0
    assert 'environments = ["eu", "us"]\n' in (project.root / "schedsync.toml").read_text()


@pytest.mark.one_database
def test_environments_that_are_given_or_found_are_not_split(
    project: Project, typed: Callable[[str], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = init(project, "--yes", "-e", "eu west", "-e", "a,b")
    texts = [(project.root / "schedsync.toml").read_text()]
    for number, words in enumerate((["--yes"], [])):
        (tmp_path / f"again-{number}").mkdir()
        monkeypatch.chdir(tmp_path / f"again-{number}")
        typed("\n\nn\n")
        with override_settings(SCHEDSYNC_ENVIRONMENT="eu west, 2"):
            done = init(project, *words)
        assert done.code == 0, done.err
        texts.append(Path("schedsync.toml").read_text())

    assert given.code == 0, given.err
    found = [line for text in texts for line in text.splitlines() if line.startswith("environments")]
    assert found == ['environments = ["eu west", "a,b"]', *['environments = ["eu west, 2", "production"]'] * 2]


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--set", "default"], "other than `default`"),
        (["--set", " "], "takes printable characters"),
        (["--set", " shop"], "other than `default`"),
        (["--set", "x" * 101], "takes at most 100 characters"),
        (["-e", ""], "environments have printable names"),
        (["-e", " eu"], "environments have printable names"),
        ([word for number in range(101) for word in ("-e", f"e{number}")], "101 environments are more than 100"),
        (["-e", "a\x07b"], "environments have printable names"),
        (["--ci", "github", "--no-ci"], "`--no-ci` contradicts `--ci github`"),
        (["--ci", "jenkins"], "'jenkins' is not one of"),
    ],
)
def test_values_that_cannot_be_used_stop_init_before_it_writes(
    project: Project, words: list[str], message: str
) -> None:
    done = init(project, "--yes", *words)

    assert (done.code, message in done.err) == (64, True), done.err
    assert [path.name for path in project.root.iterdir()] == ["schedules"]


@pytest.mark.one_database
def test_a_set_that_manages_rows_keeps_its_name_and_its_rows(project: Project) -> None:
    make_rows()
    project.write('set = "tests"\n', "schedsync.toml")
    project.schedules("  sync: {task: shop.sync.tasks.pull, every: 5h, expires_after: 1m, adopt: true}\n")
    assert project.apply().code == 0
    (project.root / "schedsync.toml").unlink()
    (project.root / "schedules/shop.yaml").unlink()
    taken, done = init(project, "--yes", "--set", "tests"), init(project, "--yes")

    assert (taken.code, "set `tests` manages rows of this database already" in taken.err) == (64, True)
    assert (done.code, "set `tests` manages 1 row already, which stay with it\n" in done.out) == (0, True)
    assert 'set = "tests-schedules"\n' in (project.root / "schedsync.toml").read_text()
    assert "  sync:\n" not in (project.root / "schedules/sync.yaml").read_text()


@pytest.mark.one_database
def test_what_django_s_settings_allow_and_name_is_proposed(project: Project) -> None:
    with override_settings(SCHEDSYNC_ALLOWED_SETS=["team-a"], SCHEDSYNC_ENVIRONMENT="staging"):
        refused, done = init(project, "--yes", "--set", "shop"), init(project, "--yes")

    assert (refused.code, "SCHEDSYNC_ALLOWED_SETS allows only team-a" in refused.err) == (64, True)
    text = (project.root / "schedsync.toml").read_text()
    assert ('set = "team-a"\n' in text, 'environments = ["staging", "production"]\n' in text) == (True, True)
    assert f"schedsync plan -e staging --database {project.using}\n" in done.out


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("allowed", "name"),
    [(["team-*"], "team-tests"), (["team-?", "team-*-x"], "team-tests-x"), (["[ab]-*", "shop"], "shop")],
)
def test_a_pattern_that_the_settings_allow_leads_to_a_name(project: Project, allowed: list[str], name: str) -> None:
    with override_settings(SCHEDSYNC_ALLOWED_SETS=allowed):
        done = init(project, "--yes")

    assert done.code == 0, done.err
    assert f'set = "{name}"\n' in (project.root / "schedsync.toml").read_text()


@pytest.mark.one_database
def test_patterns_that_lead_to_no_name_stop_init_before_it_writes(project: Project) -> None:
    with override_settings(SCHEDSYNC_ALLOWED_SETS=["team-?"]):
        done = init(project, "--yes")

    assert (done.code, "SCHEDSYNC_ALLOWED_SETS allows only team-?\n" in done.err) == (64, True), done.err
    assert [path.name for path in project.root.iterdir()] == ["schedules"]


@pytest.mark.one_database
def test_runs_that_differ_are_listed(project: Project) -> None:
    make_rows()
    existing = read_existing(project.using)
    result = import_both(existing)
    for name, text in result.of.imported.texts.items():
        project.write(text, f"schedules/{name}")
    same = compare_written(existing, result)
    file = project.root / "schedules/sync.yaml"
    project.write(file.read_text().replace("every: 5h", "every: 4h"), "schedules/sync.yaml")
    other = compare_written(existing, result)
    found = Found("shop", "5.2", "shop", 26, 0, 0, "stock", None, False, False)
    choices, layout = Choices("shop", ("production",), None), Layout(Path(), "", "schedules")
    report = Report(found, choices, layout, result, {}, [], {}, other, "schedsync", None, None)

    assert (same.differs, other.differs) == (False, True)
    assert [difference.name for difference in other.differences] == ["sync"]
    assert re.search(r"\nsync  \d+ runs only in the files, \d+ runs only in the source\n", report_text(report, plain))


@pytest.mark.one_database
def test_files_of_the_repository_that_exist_are_left_as_they_are(project: Project) -> None:
    texts = {
        ".github/workflows/schedules.yml": "run: schedsync review\n",
        ".pre-commit-config.yaml": "repos: []\n",
        ".vscode/settings.json": '{"a": "schedules.v1.schema.json"}\n',
    }
    for name, text in texts.items():
        project.write(text, name)
    project.write("ref: refs/heads/main\n", ".git/HEAD")
    done = init(project, "--yes")

    assert [(project.root / name).read_text() for name in texts] == list(texts.values())
    for name in (".github/workflows/schedules.yml", ".vscode/settings.json"):
        assert f"`{name}` exists already and is left as it is\n" in done.out
    assert "`.pre-commit-config.yaml` exists already; add to it:\n    repos:\n      - repo: https" in done.out


@pytest.mark.one_database
def test_a_second_project_of_a_repository_gets_the_lines_to_add(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project.root / ".git").mkdir()
    project.write("ref: refs/heads/main\n", ".git/HEAD")
    outputs = []
    for name in ("one", "two"):
        (project.root / "apps" / name).mkdir(parents=True)
        monkeypatch.chdir(project.root / "apps" / name)
        outputs.append(init(project, "--yes", "--ci", "github").out)

    assert "exists already" not in outputs[0]
    for name in (".github/workflows/schedules.yml", ".pre-commit-config.yaml", ".vscode/settings.json"):
        assert f"`../../{name}` exists already; add to it:\n" in outputs[1]
    assert '    - "apps/two/schedules/**"\n' in outputs[1]
    assert "    (cd apps/two && schedsync validate && schedsync review)\n" in outputs[1]


@pytest.mark.one_database
@pytest.mark.parametrize(
    ("prog", "argv", "words"),
    [
        ("manage.py schedsync", ["./manage.py", "schedsync", "init"], "python manage.py schedsync"),
        (
            "manage.py schedsync",
            ["back end/manage.py", "schedsync", "init", "--settings=a.b", "--pythonpath", "x y"],
            "python 'back end/manage.py' schedsync --settings a.b --pythonpath 'x y'",
        ),
        ("python -m django schedsync", ["/x/__main__.py"], "python -m django schedsync"),
        ("schedsync", ["/bin/schedsync"], "schedsync"),
    ],
)
def test_the_steps_call_the_program_as_the_user_does(
    project: Project,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    prog: str,
    argv: list[str],
    words: str,
) -> None:
    monkeypatch.setattr(sys, "argv", argv)
    code = run(["init", "--yes", "--database", project.using], prog=prog)

    assert (code, f"  1. {words} plan --database {project.using}\n" in capsys.readouterr().out) == (0, True)


@pytest.mark.one_database
def test_entries_move_in_with_a_patch_or_by_hand(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    make_rows()
    existing = read_existing(project.using)
    spec = Spec("shop.tasks.a", Interval(60_000_000))
    entries = tuple(Schedule(name, spec, Location("settings", 1, 1)) for name in ("sync", "new"))
    existing = replace(existing, settings=BeatSchedule(entries))
    result = import_both(existing)
    found = Found("shop", "5.2", "shop", 26, 2, 1, "stock", None, True, True)
    choices, layout = Choices("shop", ("production",), None), Layout(Path(), "", "schedules")
    text = report_text(Report(found, choices, layout, result, {}, [], {}, None, "schedsync", None, None), plain)

    assert existing.entries == {"sync", "new"}
    assert len(result.schedules) == 27
    assert "rows too, taken as the settings say: `sync`\n" in text
    assert "  `new`: no literal dictionary of the project has it\n" in text
    assert "  1. delete 2 entries from the settings by hand, as said above\n  2. schedsync plan\n" in text
    assert '     git commit -m "Keep schedules in Git"\n     git push -u origin schedules\n' in text


@pytest.mark.one_database
def test_a_beat_of_schedsync_and_the_environment_of_its_database_are_found(project: Project) -> None:
    live(project.using, "eu")
    assert project.command("ledger", "bind", "-e", "eu", "--yes", "--database", project.using).code == 0
    done = init(project, "--yes")

    assert ", schedsync's Beat, " in done.out.splitlines()[0]
    assert 'environments = ["eu", "production"]\n' in (project.root / "schedsync.toml").read_text()
    assert f"schedsync plan -e eu --database {project.using}\n" in done.out
