"""``init`` in a project of its own: it writes what Beat runs today, and the steps that it prints move in."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import django
import git
import pytest

from tests.conftest import Done, Project
from tests.usecases.init_project import DATABASE, ROWS, SETTINGS, manage, run, script, shell, tables, write_project

DJANGO = "Django {}.{}".format(*django.VERSION)
NO_ENTRIES = SETTINGS[: SETTINGS.index("CELERY_BEAT_SCHEDULE")]


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A directory with two SQLite files: migrated, and with the rows of stock Beat and of people."""
    root = tmp_path_factory.mktemp("databases")
    base = Project(root, _no_command)
    write_project(base)
    assert manage(base, "migrate", "-v", "0").code == 0
    shutil.copy(root / DATABASE, root / "empty")
    script(base, ROWS)
    shutil.copy(root / DATABASE, root / "busy")
    return root


def _no_command(*words: str) -> Done:
    raise NotImplementedError


def repository_at(root: Path) -> Iterator[git.Repo]:
    with git.Repo.init(root, initial_branch="main") as repository:
        with repository.config_writer() as config:
            config.set_value("user", "name", "jo").set_value("user", "email", "jo@example.org")
        repository.git.add(all=True)
        repository.git.commit("-m", "Begin")
        yield repository


@pytest.fixture
def plain(files: Project, databases: Path) -> Project:
    """A project without rows, in no repository."""
    (files.root / "schedules").rmdir()
    write_project(files)
    shutil.copy(databases / "empty", files.root / DATABASE)
    return files


@pytest.fixture
def shop(plain: Project) -> Iterator[Project]:
    """The same in a repository."""
    for _ in repository_at(plain.root):
        yield plain


@pytest.fixture
def busy(shop: Project, databases: Path) -> Project:
    """The same with rows."""
    shutil.copy(databases / "busy", shop.root / DATABASE)
    return shop


def init(project: Project, *words: str) -> Done:
    return manage(project, "schedsync", "init", "--yes", *words)


def steps(done: Done) -> list[str]:
    """The commands that a user is told to type."""
    lines = [re.sub(r"^ +(?:\d+\. )?", "", line) for line in done.out.split("\nNext\n")[1].splitlines()]
    return [line for line in lines if not line.endswith(":")]


def written(project: Project) -> list[str]:
    found = (path.relative_to(project.root).as_posix() for path in project.root.rglob("*") if path.is_file())
    return sorted(
        name for name in found if not name.startswith((".git/", "shop/")) and name not in ("manage.py", ".gitignore")
    )


def test_the_steps_that_init_prints_move_in_without_changing_a_row(busy: Project) -> None:
    (busy.root / ".github").mkdir()
    before = tables(busy)
    done = init(busy)
    commands = steps(done)

    assert done.code == 0, done.err
    assert done.out.startswith(
        f"Found: shop ({DJANGO}), 27 rows, 3 entries in CELERY_BEAT_SCHEDULE (2 of them are rows too), stock Beat, "
        "GitHub\n"
    )
    assert re.search(r"^Compared 30 days: [\d,]+ runs, none differs\.$", done.out, flags=re.MULTILINE)
    assert "left out 2:\n" in done.out
    assert "  `black friday`: completed, its time has passed\n" in done.out
    assert "secret? `crm` kwargs.token looks like one (SS212)\n" in done.out
    assert commands == [
        "git apply schedsync-settings.patch && rm schedsync-settings.patch",
        "python manage.py schedsync plan",
        "git switch -c schedules",
        "git add schedsync.toml .github/workflows/schedules.yml",
        "git add .pre-commit-config.yaml schedules shop/settings.py",
        'git commit -m "Keep schedules in Git"',
        "python manage.py schedsync apply -e production --yes",
    ]
    shell(busy, commands[0])
    plan = json.loads(manage(busy, "schedsync", "plan", "--format", "json").out)
    kinds = [change["kind"] for change in plan["changes"]]
    assert (plan["refusals"], kinds.count("adopt"), kinds.count("create"), len(kinds)) == ([], 26, 1, 27)
    assert [change["name"] for change in plan["changes"] if change["fields"]] == ["unseen"]
    for command in commands[1:]:
        shell(busy, command)
    assert git.Repo(busy.root).git.status("--porcelain") == "?? .vscode/"
    review = manage(busy, "schedsync", "review")
    assert (review.code, "In production: +27 create\n" in review.out) == (0, True), review.out
    after = tables(busy)
    for model in before.keys() - {"PeriodicTasks"}:
        assert [row for row in before[model] if row not in after[model]] == []
    assert len(after["PeriodicTask"]) - len(before["PeriodicTask"]) == 1
    again = manage(busy, "schedsync", "plan", "-e", "production", "--exit-code")
    assert again.code == 0, again.out


def test_files_are_written_for_the_people_who_read_them(busy: Project) -> None:
    done = init(busy, "--ci", "github")

    assert done.code == 0
    assert written(busy) == [
        ".github/workflows/schedules.yml",
        ".pre-commit-config.yaml",
        ".vscode/settings.json",
        "schedsync-settings.patch",
        "schedsync.toml",
        "schedules/crm.yaml",
        "schedules/rates.yaml",
        "schedules/reports.yaml",
    ]
    assert "  + schedules/reports.yaml (23)\n" in done.out
    assert "  + schedsync-settings.patch  deletes 3 entries from shop/settings.py (3)\n" in done.out
    assert 'set = "shop"\n' in (busy.root / "schedsync.toml").read_text()
    rates = (busy.root / "schedules/rates.yaml").read_text()
    assert "  sync-rates:\n    task: shop.rates.tasks.sync\n    every: 15m\n" in rates


def test_what_a_row_has_lost_is_said(busy: Project) -> None:
    text = SETTINGS.replace('{"queue": "rates"}', '{"queue": "rates", "expires": 240}')
    busy.write(text, "shop/settings.py")
    done = init(busy)

    assert "  `sync-rates`: its row has another expires_after; the next apply changes it\n" in done.out
    assert (done.code, "none differs." in done.out) == (0, True)


def test_nothing_is_overwritten(busy: Project) -> None:
    busy.write("repos: []\n", ".pre-commit-config.yaml")
    busy.write("{}\n", ".vscode/settings.json")
    busy.write("on: push\n", ".github/workflows/schedules.yml")
    done = init(busy)
    again = init(busy)

    assert (done.code, again.code) == (0, 64)
    for name, text in {
        ".pre-commit-config.yaml": "repos: []\n",
        ".vscode/settings.json": "{}\n",
        ".github/workflows/schedules.yml": "on: push\n",
    }.items():
        assert (busy.root / name).read_text() == text
        assert f"`{name}` exists already; add to it:\n    " in done.out
    assert "      - repo: https://github.com/schedsync/schedsync\n" in done.out
    assert again.err.startswith("error: `schedsync.toml`, `schedules/crm.yaml`, `schedules/rates.yaml`")
    assert again.err.endswith("nothing was written\n")


@pytest.mark.parametrize("name", ["schedules/mine.yaml", "schedules/deep/mine.yml", "schedsync-settings.patch"])
def test_a_file_in_the_way_stops_init_before_it_writes(busy: Project, name: str) -> None:
    busy.write("x", name)
    done = init(busy)

    assert (done.code, f"`{name}` exists already" in done.err) == (64, True)
    assert written(busy) == [name]


def test_a_configuration_in_pyproject_stops_init_too(busy: Project) -> None:
    busy.write('[tool.schedsync]\nset = "shop"\n', "pyproject.toml")
    done = init(busy)

    assert (done.code, "error: `pyproject.toml` configures schedsync already\n" in done.err) == (64, True)
    busy.write('[project]\nname = "shop"\n', "pyproject.toml")
    assert init(busy).code == 0


def test_an_empty_project_gets_an_example_in_comments(shop: Project) -> None:
    write_project(shop, NO_ENTRIES)
    done = init(shop)
    plan = manage(shop, "schedsync", "plan", "--exit-code")
    example = (shop.root / "schedules/schedules.yaml").read_text()

    assert done.out.startswith(
        f"Found: shop ({DJANGO}), no rows, no entries in CELERY_BEAT_SCHEDULE, no Beat that has run yet, no CI\n"
    )
    assert (done.code, plan.code) == (0, 0), plan.out + plan.err
    assert "Compared" not in done.out
    uncommented = "".join(line.removeprefix("# ") for line in example.splitlines(keepends=True)[4:])
    assert uncommented.startswith("#\nschedules:\n")
    shop.write(f"version: 1\n{uncommented}")
    (shop.root / "schedules/schedules.yaml").unlink()
    assert "+1 create" in manage(shop, "schedsync", "plan").out


def test_a_database_that_is_not_migrated_says_how(shop: Project) -> None:
    (shop.root / DATABASE).unlink()
    done = init(shop)

    assert (done.code, "hint: `python manage.py migrate`" in done.err, written(shop)) == (69, True, [])


def test_entries_without_a_celery_app_say_how_to_make_one(shop: Project) -> None:
    shop.write("", "shop/__init__.py")
    done = init(shop)
    shop.write(NO_ENTRIES, "shop/settings.py")
    without = init(shop)

    assert (done.code, "the project has no Celery app" in done.err) == (64, True)
    assert (without.code, ", no Celery app, no rows, " in without.out) == (0, True)


@pytest.fixture
def below(files: Project, databases: Path) -> Callable[[str], Project]:
    """Return the project in a directory below the working directory."""

    def make(name: str) -> Project:
        (files.root / "schedules").rmdir()
        project = Project(files.root / name, files.command)
        write_project(project)
        shutil.copy(databases / "empty", project.root / DATABASE)
        return project

    return make


def test_a_project_below_the_root_of_the_repository(files: Project, below: Callable[[str], Project]) -> None:
    inner = below("back end")
    for repository in repository_at(files.root):
        done = init(inner, "--ci", "github")
        commands = steps(done)

        assert done.code == 0, done.err
        assert written(inner) == ["schedsync-settings.patch", "schedsync.toml", "schedules/schedules.yaml"]
        assert (files.root / ".pre-commit-config.yaml").exists()
        workflow = (files.root / ".github/workflows/schedules.yml").read_text()
        assert 'working-directory: "back end"\n' in workflow
        assert '- "back end/schedules/**"\n' in workflow
        assert "git add schedsync.toml ../.github/workflows/schedules.yml" in commands
        for command in commands:
            shell(inner, command)
        assert "back end/shop/settings.py" in repository.git.show("--stat", "--name-only")
        hook = run(files, "-m", "schedsync", "validate", "back end/schedules")
        assert (hook.code, "3 schedules in 1 file" in hook.err) == (0, True)


def test_manage_py_can_be_below_the_working_directory(files: Project, below: Callable[[str], Project]) -> None:
    below("src")
    for _ in repository_at(files.root):
        done = run(files, "src/manage.py", "schedsync", "init", "--yes", "--settings", "shop.settings")

        assert done.code == 0, done.err
        assert steps(done)[1] == "python src/manage.py schedsync --settings shop.settings plan"
        assert (files.root / "schedsync.toml").exists()
        for command in steps(done):
            shell(files, command)


def test_a_directory_without_git_is_no_obstacle(plain: Project) -> None:
    done = init(plain)

    assert (done.code, ", no Git repository\n" in done.out) == (0, True)
    assert "keep the files in Git: there is no repository yet\n" in done.out
    shell(plain, steps(done)[0])
    shell(plain, steps(done)[1])


def test_a_package_named_schedules_is_left_alone(busy: Project) -> None:
    busy.write("", "schedules/__init__.py")
    busy.write("- model: x\n", "schedules/fixtures/x.yaml")
    done = init(busy)
    plan = manage(busy, "schedsync", "plan", "--allow-dual-writer")

    assert (done.code, "  + beat-schedules/crm.yaml (2)\n" in done.out) == (0, True)
    assert (plan.code, "<26 adopt" in plan.out) == (0, True), plan.out + plan.err


def test_gitlab_gets_a_file_to_include(shop: Project) -> None:
    shop.write("stages: [test]\n", ".gitlab-ci.yml")
    with git.Repo(shop.root) as repository:
        repository.create_remote("origin", "git@gitlab.example.org:shop/shop.git")
    done = init(shop)
    lines = "    include:\n      - local: schedules.gitlab-ci.yml\n"

    assert done.out.splitlines()[0].endswith(", GitLab")
    assert f"`.gitlab-ci.yml` exists already; add to it:\n{lines}" in done.out
    assert "git push -u origin schedules" in steps(done)
    assert (shop.root / "schedules.gitlab-ci.yml").exists()


def test_the_project_is_named_by_what_says_something(shop: Project) -> None:
    (shop.root / "shop").rename(shop.root / "config")
    for name in ("manage.py", "config/__init__.py", "config/celery.py"):
        path = shop.root / name
        text = path.read_text()
        path.write_text(text.replace("shop.settings", "config.settings").replace("shop.celery", "config.celery"))

    assert init(shop).out.startswith("Found: shop (Django")


def test_the_console_script_is_called_again_with_its_settings(busy: Project) -> None:
    done = run(busy, "-m", "schedsync", "init", "--yes", "--settings", "shop.settings")
    commands = steps(done)

    assert done.code == 0, done.err
    assert commands[1] == "schedsync --settings shop.settings plan"
    for command in commands:
        shell(busy, command)
