"""A repository with several sets: `--all`, the sets of the files that changed, and a PATH that holds two sets."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from django.db import connections

from schedsync.commands.all_sets import _Result, _why
from schedsync.core.finding import Finding
from schedsync.core.location import Location
from schedsync.core.refusal import Refusal
from schedsync.errors import InvalidSet, Refused
from tests.conftest import Project
from tests.database.test_faults import READ_ONLY

ROOT = Path(__file__).parents[2]
ONE = "  {}: {{task: t, every: 1h}}\n"


def two_sets(files: Project) -> None:
    """Two sets, a directory without one, and what `--all` passes over."""
    for name in ("shop", "mail"):
        files.schedules(ONE.format(f"{name}-job"), f"services/{name}/schedules/jobs.yaml")
    files.write('set = "shop"\n', "services/shop/schedsync.toml")
    files.write('[tool.schedsync]\nset = "mail"\n', "services/mail/pyproject.toml")
    files.write("[tool.other]\nschedsync = 1\n", "services/none/pyproject.toml")
    files.write("name = {{ schedsync }}\n", "template/pyproject.toml")
    for directory in ("node_modules/x", ".hidden", "venv"):
        files.write('set = "other"\n', f"{directory}/schedsync.toml")
    files.write("home = /usr\n", "venv/pyvenv.cfg")
    (files.root / "schedules").rmdir()


@pytest.fixture
def monorepo(files: Project) -> Project:
    two_sets(files)
    return files


@pytest.fixture
def applied(project: Project) -> Project:
    """The same with a database to which nothing is applied yet."""
    two_sets(project)
    return project


def on(project: Project, verb: str, *words: str) -> tuple[int, str, str]:
    done = project.command(verb, "--all", "--database", project.using, *words)
    return done.code, done.out, done.err


def test_validate_checks_every_set(monorepo: Project) -> None:
    monorepo.write("version: 1\nschedules: {bad: {task: t, every: 0s}}\n", "services/mail/schedules/bad.yaml")
    done = monorepo.command("validate", "--all", "--format", "json")
    said = json.loads(done.out)

    assert (done.code, done.err) == (1, "1 error · 3 schedules in 3 files\n")
    assert [(one["directory"], one["files"], one["schedules"], one["failure_reason"]) for one in said["sets"]] == [
        ("services/mail", 2, 2, "invalid"), ("services/shop", 1, 1, None),
    ]  # fmt: skip
    assert [finding["location"]["path"] for one in said["sets"] for finding in one["findings"]] == [
        "services/mail/schedules/bad.yaml"
    ]
    assert monorepo.command("validate", "--all", "services/shop").err == "No findings · 1 schedule in 1 file\n"


@pytest.mark.parametrize(
    ("changed", "counts"),
    [
        (["services/shop/schedules/jobs.yaml"], "1 schedule in 1 file"),
        (["services/shop/schedsync.toml", "services/mail/pyproject.toml"], "2 schedules in 2 files"),
        (["services/none/pyproject.toml", ".github/workflows/ci.yml"], "0 schedules in 0 files"),
        (["services/shop/chart/values.yaml"], "0 schedules in 0 files"),
        ([], "0 schedules in 0 files"),
    ],
)
def test_only_the_sets_of_the_files_that_changed_are_checked(
    monorepo: Project, changed: list[str], counts: str
) -> None:
    done = monorepo.command("validate", "--changed", *changed)

    assert (done.code, done.err) == (0, f"No findings · {counts}\n")


@pytest.mark.parametrize(
    "words", [["--all"], ["--changed", "services/mail/x.yaml", "services/shop/schedules/jobs.yaml"]]
)
def test_a_set_with_a_bad_configuration_hides_no_other(monorepo: Project, words: list[str]) -> None:
    monorepo.write('[tool.schedsync]\nsett = "mail"\n', "services/mail/pyproject.toml")
    monorepo.write("version: 1\nschedules: {bad: {task: t, every: 0s}}\n", "services/shop/schedules/jobs.yaml")
    done = monorepo.command("validate", *words, "--report", "junit=junit.xml", "--report", "github=log")
    said = json.loads(monorepo.command("validate", *words, "--format", "json").out)

    assert done.code == 1
    assert done.out.startswith("services/shop/schedules/jobs.yaml:2:")
    assert "== services/mail ==\nerror: services/mail/pyproject.toml: unknown key `sett`\n" in done.err
    assert done.err.splitlines()[-1] == "1 error · 1 schedule in 1 file; 1 set could not be checked"
    assert 'failures="2"' in Path("junit.xml").read_text()
    assert "file=services/mail/pyproject.toml" in Path("log").read_text()
    assert [(one["directory"], one["failure_reason"]) for one in said["sets"]] == [
        ("services/mail", "invalid_configuration"), ("services/shop", "invalid"),
    ]  # fmt: skip


def test_an_environment_that_one_set_lacks_hides_no_other(monorepo: Project) -> None:
    monorepo.write('set = "shop"\nenvironments = ["production"]\n', "services/shop/schedsync.toml")
    done = monorepo.command("validate", "--all", "-e", "production")

    assert (done.code, done.err.splitlines()[-1]) == (
        64, "No findings · 1 schedule in 1 file; 1 set could not be checked",
    )  # fmt: skip


def test_a_changed_file_is_found_however_its_path_is_written(
    monorepo: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monorepo.write("version: 1\nschedules: {bad: {task: t, every: 0s}}\n", "services/mail/schedules/bad.yaml")
    here = "services/mail/schedules/bad.yaml"
    codes = [
        monorepo.command("validate", "--changed", path).code for path in (f"services/shop/../../{here}", f"./{here}")
    ]
    monkeypatch.chdir(monorepo.root / "services/shop")
    paths = (str(monorepo.root / here), "../mail/schedules/bad.yaml", "schedules/../../mail/schedules/bad.yaml")
    codes += [monorepo.command("validate", "--changed", path).code for path in paths]

    assert codes == [1] * 5


def test_a_directory_is_no_changed_file(monorepo: Project) -> None:
    done = monorepo.command("validate", "--changed", "services/mail")

    assert (done.code, "`services/mail` is a directory" in done.err, "`--all`" in done.err) == (64, True, True)


def test_without_a_configuration_a_changed_file_belongs_to_the_default_set(files: Project) -> None:
    files.schedules(ONE.format("job"))

    assert files.command("validate", "--changed", "schedules/shop.yaml").err == "No findings · 1 schedule in 1 file\n"
    assert files.command("validate", "--changed", "other/ci.yaml").err == "No findings · 0 schedules in 0 files\n"


@pytest.mark.parametrize("path", [".", "services", "services/shop/../.."])
def test_a_path_with_the_configuration_of_another_set_is_refused(monorepo: Project, path: str) -> None:
    done = monorepo.command("validate", path)

    assert done.code == 64
    assert "` configures another set" in done.err
    assert "or `--all` for each set" in done.err


@pytest.mark.parametrize("path", ["services/shop", "services/mail/../shop", "services/shop/schedules/.."])
def test_the_configuration_of_the_set_itself_is_no_other(monorepo: Project, path: str) -> None:
    (monorepo.root / "services/shop/schedules/pyproject.toml").symlink_to("nowhere")

    assert monorepo.command("validate", path).err == "No findings · 1 schedule in 1 file\n"


def test_a_set_whose_paths_hold_another_set_is_refused(monorepo: Project) -> None:
    monorepo.write('paths = ["services/*"]\n', "schedsync.toml")
    done = monorepo.command("validate")

    assert (done.code, "configures another set" in done.err) == (64, True)
    assert monorepo.command("validate", "services/shop").code == 0
    assert monorepo.command("validate", "services/shop/schedules").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["validate", "a", "b"], "more than one PATH"),
        (["validate", "--all", "--changed"], "`--all` and `--changed` exclude each other"),
        (["validate", "--all", "services/none"], "there is no schedsync.toml in or below `services/none`"),
        (["validate", "--all", "nowhere"], "no directory `nowhere`"),
        (["validate", "--all", "--against", "schedsync.json"], "a snapshot is of one set"),
        (["plan", "--all", "--out", "plan.json"], "a plan file is of one set"),
        (["plan", "--all", "--against", "schedsync.json"], "a snapshot is of one set"),
        (["apply", "--all", "--yes", "--plan", "schedsync.json"], "a reviewed plan is of one set"),
    ],
)
def test_what_all_cannot_do_is_named(monorepo: Project, words: list[str], message: str) -> None:
    (monorepo.root / "schedsync.json").write_text("{}")
    done = monorepo.command(*words)

    assert (done.code, message in done.err) == (64, True), done.err


def test_plan_apply_and_drift_go_through_all_sets(applied: Project) -> None:
    planned = on(applied, "plan", "--exit-code")
    done = on(applied, "apply", "--yes", "--settle", "0")
    again = on(applied, "plan", "--format", "json", "--exit-code")
    drift = on(applied, "drift")

    assert (planned[0], done[0], again[0], drift[0]) == (2, 0, 0, 0)
    assert (
        planned[1].index("== services/mail ==") < planned[1].index("mail-job") < planned[1].index("== services/shop ==")
    )
    assert [line for line in done[1].splitlines() if line.startswith("==")] == [
        "== services/mail ==", "== services/shop ==",
    ]  # fmt: skip
    assert done[1].count(": 1 created") == 2
    assert [(one["directory"], one["set"], one["summary"]["unchanged"]) for one in json.loads(again[1])["sets"]] == [
        ("services/mail", "mail", 1), ("services/shop", "shop", 1),
    ]  # fmt: skip


def test_a_set_with_errors_stops_no_other(applied: Project) -> None:
    applied.write("version: 1\nschedules: {bad: {task: t, every: 0s}}\n", "services/mail/schedules/bad.yaml")
    code, out, err = on(applied, "apply", "--yes", "--settle", "0", "--report", f"markdown={applied.root}/a.md")
    said = json.loads(on(applied, "plan", "--format", "json")[1])

    assert code == 1
    assert ": 1 created" in out.split("== services/shop ==")[1]
    assert "services/mail/schedules/bad.yaml" in err
    assert [(one["directory"], one.get("failure_reason")) for one in said["sets"]] == [
        ("services/mail", "invalid"), ("services/shop", None),
    ]  # fmt: skip
    report = Path("a.md").read_text()
    assert report.index("## `services/mail`") < report.index("error: ") < report.index("## `services/shop`")


def test_the_hook_checks_the_sets_of_the_files_that_changed(monorepo: Project) -> None:
    (hook, _) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text())
    monorepo.write("version: 1\nschedules: {bad: {task: t, every: 0s}}\n", "services/mail/schedules/bad.yaml")
    program, *words = hook["entry"].split()
    results = {
        name: monorepo.command(*words, f"services/{name}/schedules/jobs.yaml", "README.md") for name in ("shop", "mail")
    }

    assert (program, hook.get("pass_filenames", True)) == ("schedsync", True)
    assert (results["shop"].code, results["mail"].code) == (0, 1)
    assert "services/mail/schedules/bad.yaml:2:" in results["mail"].out


def test_a_pyproject_with_an_error_is_a_set_that_fails(monorepo: Project) -> None:
    monorepo.write('name = "x\n[tool.schedsync]\nset = "mail"\n', "services/mail/pyproject.toml")
    done = monorepo.command("validate", "--all")

    assert (done.code, "services/mail/pyproject.toml: not TOML" in done.out + done.err) == (1, True), done.err


def test_after_an_error_of_the_database_the_sets_that_had_no_turn_are_named(applied: Project) -> None:
    connection = connections[applied.using]
    statement = READ_ONLY[connection.vendor]
    with connection.cursor() as cursor:
        cursor.execute(statement.format(on=1, word="ONLY"))
    code, _, err = on(applied, "apply", "--yes", "--report", "markdown=a.md")
    said = json.loads(on(applied, "apply", "--yes", "--format", "json")[1])
    with connection.cursor() as cursor:
        cursor.execute(statement.format(on=0, word="WRITE"))

    assert code == 69, err
    assert "\nnot done: services/shop\n" in err
    assert [(one["directory"], one["failure_reason"]) for one in said["sets"]] == [
        ("services/mail", "unavailable"), ("services/shop", "unavailable"),
    ]  # fmt: skip
    report = Path("a.md").read_text().split("## `services/shop`\n")[1]
    assert "    error: not done, because of the error in `services/mail`" in report


def test_why_a_set_was_not_done_is_written_as_for_one_set() -> None:
    refusal = Refusal("too_many_stops", "1 schedule would stop, 0 may: d", "allow it once: --allow-stops 1")
    finding = Finding("SS120", "unknown key `evry`", Location("a.yaml", 7, 5), "did you mean `every`?", schedule="job")

    assert _why(_Result(Path("mail"), None, Refused([refusal]))) == [
        "REFUSED  nothing was written",
        "  1 schedule would stop, 0 may: d  too_many_stops",
        "  hint: allow it once: --allow-stops 1",
    ]
    assert _why(_Result(Path("mail"), None, InvalidSet([finding])))[-2:] == [
        "a.yaml:7:5: error  SS120  job: unknown key `evry`",
        "  hint: did you mean `every`?",
    ]
