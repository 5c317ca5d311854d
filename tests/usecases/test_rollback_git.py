"""A rollback to a commit, and the branch that takes a rollback into Git."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import git
import pytest
from django_celery_beat.models import PeriodicTask

from schedsync.models import RolledBack, SyncRun
from tests.conftest import NOW, Done, Project

pytestmark = pytest.mark.one_database

OLD = "  job: {task: t, every: 1m}\n  first: {task: t, every: 1h}\n  gone: {task: t, every: 1h}\n"
NEW = "  job: {task: t, every: 1s}\n  second: {task: t, every: 1h, renamed_from: first}\n  made: {task: t, every: 1h}\n"


def commit(project: Project) -> str:
    repository = git.Repo.init(project.root, initial_branch="main")
    with repository.config_writer() as config:
        config.set_value("user", "name", "jo")
        config.set_value("user", "email", "jo@example.org")
    repository.git.add("schedules", "schedsync.toml")
    repository.git.commit("-m", "x")
    return str(repository.head.commit.hexsha)


def back(project: Project, *words: str) -> Done:
    words = ("--database", project.using, "--yes", "--settle", "0", "--reason", "INC-42", "--allow-stops", "9", *words)
    return project.command("rollback", *words)


def timings(project: Project) -> dict[str, str]:
    tasks = PeriodicTask.objects.using(project.using).values_list("name", "interval__every", "interval__period")
    return {name: f"{every} {period}" for name, every, period in tasks}


@pytest.fixture
def applied(project: Project, clock: Any) -> Callable[[str], str]:
    """A function that commits and applies schedules, each time a minute later, and returns the commit."""
    times = iter(range(1000))
    project.write('set = "shop"\n', "schedsync.toml")

    def apply(schedules: str) -> str:
        clock.move_to(NOW + timedelta(minutes=next(times)))
        project.schedules(schedules)
        made = commit(project)
        done = project.apply("--allow-stops", "9")
        assert done.code == 0, done.err
        return made

    return apply


@pytest.fixture
def shop(project: Project, applied: Callable[[str], str]) -> Project:
    applied(OLD)
    applied(NEW)
    return project


def test_a_set_goes_back_to_a_commit_and_stays_there(shop: Project, applied: Callable[[str], str]) -> None:
    row = PeriodicTask.objects.using(shop.using).get(name="second").pk
    shown = back(shop, "main~1", "--dry-run")
    assert shown.out.startswith("Back to the files of commit ")
    done = back(shop, "main~1")

    kept = {"job": "1 minutes", "first": "1 hours", "gone": "1 hours"}
    assert (done.code, timings(shop)) == (0, kept)
    assert PeriodicTask.objects.using(shop.using).get(name="first").pk == row

    applied(NEW + "  later: {task: t, every: 1h}\n")
    assert timings(shop) == kept | {"later": "1 hours"}

    # The fix keeps the rename, and no schedule runs under both names.
    applied(NEW.replace("every: 1h, renamed_from", "every: 2h, renamed_from"))
    assert timings(shop) == {"job": "1 minutes", "second": "2 hours", "gone": "1 hours"}


def test_a_commit_that_was_not_applied_before_is_no_earlier_state(shop: Project) -> None:
    repository = git.Repo(shop.root)
    repository.git.switch("-c", "feature", "main~1")
    shop.schedules("  evil: {task: t, every: 1s}\n")
    commit(shop)
    repository.git.switch("main")
    done = back(shop, "feature")

    assert (done.code, "is no earlier state" in done.err) == (64, True)
    assert "there is no run and no commit `nothing`" in back(shop, "nothing").err


def test_a_commit_whose_files_have_errors_is_refused(shop: Project, applied: Callable[[str], str]) -> None:
    shop.schedules("  job: {task: t, evry: 1m}\n")
    broken = commit(shop)
    applied(OLD)
    done = back(shop, broken)

    assert (done.code, f"the files of {broken[:12]} have errors" in done.err) == (1, True)


def test_the_branch_reverts_the_files_of_the_set_and_nothing_else(shop: Project, applied: Callable[[str], str]) -> None:
    shop.write("x", "schedules/README.md")
    shop.schedules(NEW + "# not committed\n")
    repository = git.Repo(shop.root)
    head = repository.head.commit.hexsha
    status = repository.git.status("--porcelain")
    done = back(shop, "--branch", "back")

    assert done.code == 0, done.err
    assert "git push -u origin back" in done.err
    made = repository.commit("back")
    assert [parent.hexsha for parent in made.parents] == [head]
    assert repository.git.show("back:schedules/shop.yaml") == f"version: 1\nschedules:\n{OLD}".rstrip("\n")
    assert "INC-42" in made.message
    assert (repository.head.commit.hexsha, repository.active_branch.name) == (head, "main")
    assert repository.git.status("--porcelain") == status

    # Merged and applied, it ends what was rolled back.
    repository.git.checkout("--", "schedules/shop.yaml")
    repository.git.merge("back")
    assert shop.apply().code == 0
    assert timings(shop) == {"job": "1 minutes", "first": "1 hours", "gone": "1 hours"}
    assert not RolledBack.objects.using(shop.using).exists()


def test_a_branch_that_cannot_be_made_leaves_the_database_alone(shop: Project) -> None:
    git.Repo(shop.root).git.branch("there")
    there, invalid = back(shop, "--branch", "there"), back(shop, "--branch", "-x..y")
    shop.schedules(NEW.replace("1s", "2s"))
    commit(shop)
    changed = back(shop, "--branch", "back")

    assert (there.code, "there is a branch `there` already" in there.err) == (64, True)
    assert (invalid.code, "not a valid name" in invalid.err) == (64, True)
    assert (changed.code, "git switch -c back && git revert " in changed.err) == (1, True)
    assert not SyncRun.objects.using(shop.using).filter(verb="rollback").exists()


def test_a_branch_that_git_refuses_afterwards_is_said(shop: Project) -> None:
    lock = shop.root / ".git/refs/heads/back.lock"
    lock.touch()
    done = back(shop, "--branch", "back")

    assert (done.code, "the rollback is committed, but not the branch: " in done.err) == (6, True)
    assert timings(shop)["job"] == "1 minutes"
    assert shop.apply().code == 0


def test_without_known_commits_there_is_no_branch(shop: Project) -> None:
    SyncRun.objects.using(shop.using).update(commit=None)
    unknown, commit_ = back(shop, "--branch", "back"), back(shop, "main~1")

    assert (unknown.code, "nobody knows from which commits" in unknown.err) == (1, True)
    assert (commit_.code, "nobody knows from which commit" in commit_.err) == (64, True)


def test_without_a_change_of_the_files_there_is_no_branch(shop: Project, applied: Callable[[str], str]) -> None:
    good = applied(OLD)
    shop.write("x", "schedules/README.md")
    shop.schedules(OLD)
    git.Repo(shop.root).git.commit("--allow-empty", "-m", "x")
    assert shop.apply().code == 0
    done = back(shop, good, "--branch", "back")

    assert (done.code, "there is nothing to revert" in done.err) == (1, True)
